/** Reads a person's events and all that proves them from the ledger. */
import { equalBytes, toBase64, utf8 } from "../../src/records/ledger/seal/bytes.ts";
import { checkpointIn } from "../../src/records/ledger/seal/checkpoint.ts";
import { absentEntry } from "../../src/records/ledger/seal/entry.ts";
import { loadOwnEntries, rebuiltEntry, type OwnEntries } from "../../src/records/ledger/seal/load-entries.ts";
import { factsAt } from "../../src/records/ledger/seal/log-entry.ts";
import { consistencyRanges, leafHash } from "../../src/records/ledger/seal/merkle.ts";
import { lastCheckpoint } from "../../src/records/ledger/seal/proof.ts";
import { readPurges } from "../../src/records/ledger/seal/purges.ts";
import type { Query } from "../../src/records/ledger/seal/rebuild.ts";
import { typeOfEvent } from "../../src/records/ledger/seal/schema.ts";
import type { StoredCheckpoint } from "../../src/records/ledger/seal/seal-state.ts";
import { toLine, type EventLine, type ProvenLeaf, type Status } from "./event-line.ts";
import { LeafFinder, readPending } from "./find-leaves.ts";
import { byRequest, findEventIds, loadRows, type FoundRow, type Selection } from "./find-rows.ts";
import { Prover } from "./prover.ts";

/** An entry of the log's own, with its proof. */
export type LogLine = { readonly index: number; readonly entry: string; readonly proof: readonly string[] };

/** The proof that the tree of the checkpoint begins with that of an earlier one. */
export type EarlierLine = { readonly earlier: string; readonly proof: readonly string[] };

export type Collected = {
  readonly checkpoint: StoredCheckpoint | null;
  readonly events: readonly EventLine[];
  readonly log: readonly LogLine[];
  readonly earlier: readonly EarlierLine[];
};

/** All that the status of an event follows from. */
type Ledger = {
  readonly rows: ReadonlyMap<string, FoundRow>;
  readonly leaves: ReadonlyMap<string, ReadonlySet<number>>;
  readonly pending: ReadonlySet<string>;
  readonly own: OwnEntries;
  readonly prover: Prover | null;
  readonly isPurged: (eventId: string) => boolean;
};

/** Reads the checkpoint first: what is sealed afterwards does not change its tree. */
export async function collect(query: Query, selection: Selection): Promise<Collected> {
  const checkpoint = await lastCheckpoint(query);
  const head = checkpoint && checkpointIn(checkpoint.note);
  const prover = head && new Prover(query, head);
  const own = await loadOwnEntries(query);
  const byRequests = await findEventIds(query, selection);
  const pending = await readPending(query);
  const rows = await loadRows(
    query,
    [...byRequests.values()].flatMap((ids) => [...ids]),
  );
  const leaves = await findLeaves(query, byRequests.keys(), rows, pending);
  const indices = [...leaves.values()]
    .flatMap((set) => [...set])
    .filter((index) => index < (head?.size ?? 0));
  const ownIndices = own.parsed.filter(({ kind }) => kind !== "time").map(({ index }) => index);
  const near = checkpoint ? await checkpointsNear(query, indices, checkpoint.size) : [];
  const earlierRanges = near.map(({ size }) => consistencyRanges(size, checkpoint?.size ?? size));
  await prover?.read(
    [...indices, ...ownIndices.filter((index) => index < prover.tree.size)],
    earlierRanges.flat(),
  );
  const { isPurged } = await readPurges(query);
  const ledger = { rows, leaves, pending, own, prover, isPurged };
  const ids = new Set([...rows.keys(), ...leaves.keys(), ...pendingOf(pending, byRequests)]);
  const events = [...ids].toSorted(byRequest).flatMap((id) => toEventLine(id, ledger) ?? []);
  return {
    checkpoint,
    events,
    log: prover ? ownLines(own, ownIndices, prover) : [],
    earlier: prover ? earlierLines(near, prover) : [],
  };
}

/** Where rows do not say when they were stored, or not truly, in all of the log. */
async function findLeaves(
  query: Query,
  requests: Iterable<string>,
  rows: ReadonlyMap<string, FoundRow>,
  pending: ReadonlySet<string>,
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const finder = new LeafFinder(query, requests);
  const times = [...rows.values()].flatMap(({ event, hasFacts }) =>
    event && hasFacts ? [event.facts.storedAt] : [],
  );
  await finder.searchNear(times);
  if ([...rows.keys()].some((id) => !finder.leaves.has(id) && !pending.has(id))) await finder.searchAll();
  return finder.leaves;
}

const pendingOf = (
  pending: ReadonlySet<string>,
  byRequests: ReadonlyMap<string, ReadonlySet<string>>,
): string[] => {
  const ids = new Set([...byRequests.values()].flatMap((set) => [...set]));
  return [...pending].filter((id) => ids.has(id));
};

function toEventLine(id: string, ledger: Ledger): EventLine | null {
  const { rows, leaves, own, prover } = ledger;
  const type = typeOfEvent(id);
  if (type === null) return null;
  const row = rows.get(id);
  const size = prover?.tree.size ?? 0;
  const indices = [...(leaves.get(id) ?? [])].filter((index) => index < size);
  const found = indices.map((index) => readLeaf(id, index, ledger));
  // An event that was deleted and delivered again has two leaves: the one of its row counts.
  const leaf = found.find(({ entry }) => entry !== null) ?? found.at(-1) ?? null;
  const status = leaf ? statusOfLeaf(id, leaf, ledger) : statusWithoutLeaf(id, ledger);
  const schema = leaf ? (factsAt(own.facts, leaf.index).schema ?? 0) : 0;
  return toLine({ id, type, status, row, leaf, schema });
}

function readLeaf(id: string, index: number, { rows, own, prover }: Ledger): ProvenLeaf {
  const hash = prover?.leafHash(index) ?? null;
  const proof = prover?.prove(index) ?? null;
  const event = rows.get(id)?.event ?? undefined;
  const place = { index, schema: factsAt(own.facts, index).schema ?? 0 };
  const candidates = [rebuiltEntry(event, id, place), absentEntry(id, index)];
  const entry = candidates.find((text) => text !== null && isEntryOf(text, hash)) ?? null;
  return { index, hash, entry, proof };
}

const isEntryOf = (entry: string, hash: Uint8Array | null): boolean =>
  hash !== null && equalBytes(leafHash(utf8(entry)), hash);

function statusOfLeaf(id: string, { index, entry, proof }: ProvenLeaf, { rows, isPurged }: Ledger): Status {
  if (entry === absentEntry(id, index)) return "absent";
  if (!rows.has(id)) return isPurged(id) ? "purged" : "missing";
  if (entry === null) return "altered";
  return proof === null ? "unproven" : "sealed";
}

function statusWithoutLeaf(id: string, { rows, leaves, pending, own }: Ledger): Status {
  if (pending.has(id) || leaves.has(id)) return "pending";
  const begin = own.parsed.find(({ kind }) => kind === "begin")?.at ?? Infinity;
  const row = rows.get(id);
  const storedAt = row?.hasFacts ? row.event?.facts.storedAt : undefined;
  return row?.isFromBefore === true || (storedAt ?? Infinity) < begin || begin === Infinity
    ? "unsealed"
    : "inserted";
}

/** The last checkpoint before the first of the leaves, and the first one with all of them. */
async function checkpointsNear(
  query: Query,
  indices: readonly number[],
  size: number,
): Promise<readonly { readonly size: number; readonly note: string }[]> {
  const [first, last] = indices.reduce<[number, number]>(
    ([low, high], index) => [Math.min(low, index), Math.max(high, index)],
    [Infinity, -Infinity],
  );
  if (first > last) return [];
  const sql = `SELECT tree_size, note FROM seal_checkpoints WHERE tree_size < ?3 AND tree_size IN (
  (SELECT MAX(tree_size) FROM seal_checkpoints WHERE tree_size <= ?1 AND tree_size > 0),
  (SELECT MIN(tree_size) FROM seal_checkpoints WHERE tree_size > ?2)
) ORDER BY tree_size`;
  return (await query(sql, first, last, size)).map((row) => ({
    size: Number(row["tree_size"]),
    note: String(row["note"]),
  }));
}

function earlierLines(
  checkpoints: readonly { readonly size: number; readonly note: string }[],
  prover: Prover,
): EarlierLine[] {
  const lines: EarlierLine[] = [];
  for (const { size, note } of checkpoints) {
    const proof = prover.hashesOf(consistencyRanges(size, prover.tree.size));
    if (proof) lines.push({ earlier: note, proof: proof.map(toBase64) });
  }
  return lines;
}

function ownLines(own: OwnEntries, indices: readonly number[], prover: Prover): LogLine[] {
  const lines: LogLine[] = [];
  for (const index of indices) {
    const entry = own.texts.get(index);
    const proof = index < prover.tree.size ? prover.prove(index) : null;
    if (entry !== undefined && proof) lines.push({ index, entry, proof: proof.map(toBase64) });
  }
  return lines;
}
