/**
 * Verifies the ledger against its log: rebuilds every leaf from the rows, the tree from the leaves, and compares the tree with
 * the signed checkpoints, and what the ledger derives from the events is computed again. It only reads, through one function, so it runs in the Worker, on a copy, and over a dump.
 *
 * It shows that sealed events did not change. It cannot show that an event was true when it was sealed.
 */
import { concat, equalBytes } from "./bytes.ts";
import { parseJson } from "../../../shared/json.ts";
import { eventIdBytes, isEventId } from "./entry.ts";
import { readErasures } from "./erasures-on-record.ts";
import { Findings, type AddFinding, type Finding, type FindingKind } from "./finding.ts";
import { loadOwnEntries } from "./load-entries.ts";
import type { Hash } from "./merkle.ts";
import { factsAt } from "./log-entry.ts";
import { iso, LogTimes } from "./log-times.ts";
import { parseVerifierKey, type VerifierKey } from "./note-keys.ts";
import { passSchema, type SchemaObject } from "./verify-schema.ts";
import { readPurges } from "./purges.ts";
import type { Query } from "./rebuild.ts";
import { isSealedType, typeOfEvent } from "./schema.ts";
import { subtreeRoot, TILE_COLUMNS, TILE_WIDTH, tileId, toTile } from "./tiles.ts";
import { CheckpointPass, knownKeys } from "./verify-checkpoints.ts";
import { GoneRows, passDerived } from "./verify-derived.ts";
import { passLeaves } from "./verify-leaves.ts";
import { passRows, type Logged } from "./verify-rows.ts";

export type VerifyOptions = {
  readonly query: Query;
  /** Verifier keys that the auditor got from elsewhere; none: the log's own word for its first key is taken. */
  readonly verifierKeys: readonly string[];
  /** Checkpoint notes that the auditor kept, from log lines, object storage or cosigners. */
  readonly checkpoints: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The tables, indices, views and triggers of a database with all migrations; none: they are not compared. */
  readonly expectedSchema?: readonly SchemaObject[];
  /** Findings of one kind that are listed; all are counted. */
  readonly mostOfKind?: number;
};

export type VerifyReport = {
  readonly isIntact: boolean;
  readonly origin: string | null;
  readonly leaves: number;
  readonly events: number;
  readonly checkpoints: number;
  /** The largest tree of a checkpoint that the verifier kept; 0: nothing from outside the database confirms the log. */
  readonly anchoredSize: number;
  /** Events with at least one erased field. */
  readonly erasedEvents: number;
  readonly purgedEvents: number;
  /** Events that came from a gateway without a MAC. */
  readonly unmarkedEvents: number;
  /** Events from before the log, of which it proves nothing. */
  readonly unsealedEvents: number;
  /** Events that wait to be sealed. */
  readonly pendingEvents: number;
  readonly findings: readonly Finding[];
  readonly counts: Readonly<Partial<Record<FindingKind, number>>>;
};

/** A sealer that fails for some minutes is no finding. */
const MOST_BACKLOG_MS = 15 * 60_000;

/** @throws where a verifier key cannot be read: an auditor must not verify with fewer keys than they think. */
export async function verifyLedger(options: VerifyOptions): Promise<VerifyReport> {
  const { query, now, mostOfKind = 10_000 } = options;
  const findings = new Findings(mostOfKind);
  const { add } = findings;
  const trusted = options.verifierKeys.map(readKey);
  const [state] = await query("SELECT tree_size, journal_seq FROM seal_state WHERE id = 1");
  const treeSize = Number(state?.["tree_size"] ?? 0);
  const own = await loadOwnEntries(query);
  const origin = factsAt(own.facts, Infinity).origin;
  const keys = await knownKeys(own.parsed, trusted, add);
  const keyAt = (size: number): string | null => factsAt(own.facts, size).verifierKey;
  const pass = new CheckpointPass({ query, origin, keys, keyAt, trusted: options.checkpoints, add });
  const times = new LogTimes(add);
  const purges = await readPurges(query);
  const gone = new GoneRows();
  const leaves = await passLeaves(
    {
      query,
      own,
      add,
      times,
      isErased: await readErasures(query),
      isPurged: purges.isPurged,
      onPurged: (eventId) => gone.add(eventId),
      onSize: (size, root) => pass.onSize(size, root),
    },
    treeSize,
  );
  await pass.finish(leaves.size);
  if (leaves.size !== treeSize)
    add("truncated", { index: leaves.size, detail: `the state says ${treeSize}` });
  checkTail(leaves.size, pass.lastGood, { times, now, add });
  await checkLevels(query, leaves.tileRoots, add);
  times.finish(now, leaves.size);
  gone.compare(purges, leaves.ids, add);
  const journal = await passJournal(options, Number(state?.["journal_seq"] ?? 0), leaves.ids, add);
  const logged = { ids: leaves.ids, pending: journal, entries: own.parsed };
  const unsealedEvents = await passRows(query, logged, add);
  // Who knows its key knows that there is a log.
  if (leaves.size === 0 && trusted.length > 0 && unsealedEvents > 0)
    add("truncated", { index: 0, detail: "there are events, and no log" });
  await passDerived(query, { purges, now }, add);
  if (options.expectedSchema) await passSchema(query, options.expectedSchema, add);
  const { events, erasedEvents, purgedEvents, unmarkedEvents } = leaves;
  return {
    isIntact: findings.counts.size === 0,
    origin,
    leaves: leaves.size,
    events,
    checkpoints: pass.count,
    anchoredSize: pass.anchored,
    erasedEvents,
    purgedEvents,
    unmarkedEvents,
    unsealedEvents,
    pendingEvents: journal.size,
    findings: findings.list,
    counts: Object.fromEntries(findings.counts),
  };
}

function readKey(text: string): VerifierKey {
  const key = parseVerifierKey(text);
  if (!key) throw new RangeError(`not a verifier key: ${text}`);
  return key;
}

type Tail = { readonly times: LogTimes; readonly now: number; readonly add: AddFinding };

/** The leaves after the last good checkpoint are those of the last minutes. */
function checkTail(size: number, signed: number, { times, now, add }: Tail): void {
  const isOld = times.oldestFrom(signed) < now - MOST_BACKLOG_MS;
  if (size > 0 && (signed === 0 || isOld))
    add("unsigned_leaves", { index: signed, detail: `${size - signed} leaves` });
}

/** Each hash of a higher level is the root of a complete tile below. */
async function checkLevels(query: Query, tileRoots: readonly Hash[], add: AddFinding): Promise<void> {
  const sql = `SELECT ${TILE_COLUMNS} FROM seal_tiles WHERE id = ?1`;
  for (let [level, below] = [1, tileRoots]; below.length > 0; level += 1) {
    const roots: Hash[] = [];
    for (let index = 0; index * TILE_WIDTH < below.length; index += 1) {
      const expected = below.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH);
      const [row] = await query(sql, tileId(level, index));
      if (!equalBytes(concat(...expected), row ? concat(...toTile(row).hashes) : new Uint8Array(0)))
        add("tile_altered", { index, detail: `tile ${index} of level ${level}` });
      if (expected.length === TILE_WIDTH) roots.push(subtreeRoot(expected));
    }
    below = roots;
  }
}

const JOURNAL_SQL = "SELECT seq, stored_at, event_ids FROM journal WHERE seq > ?1 ORDER BY seq LIMIT 200";

/** Events of the journal: those before the sealer's cursor must have leaves. @returns those after it. */
async function passJournal(
  { query, now }: VerifyOptions,
  cursor: number,
  ids: Logged["ids"],
  add: AddFinding,
): Promise<Set<string>> {
  const pending = new Set<string>();
  let after = 0;
  for (;;) {
    const rows = await query(JOURNAL_SQL, after);
    for (const row of rows) {
      after = Number(row["seq"]);
      const named = namedIn(row["event_ids"]);
      if (!named) {
        add("unreadable", { detail: `row ${after} of the journal` });
        continue;
      }
      if (after > cursor) {
        for (const id of named) pending.add(id);
        if (now - Number(row["stored_at"]) > MOST_BACKLOG_MS)
          add("backlog", { detail: `${named.length} events, stored ${iso(Number(row["stored_at"]))}` });
        continue;
      }
      for (const eventId of named) {
        if (!ids.has(eventIdBytes(eventId))) add("removed", { eventId, detail: "the journal names it" });
      }
    }
    if (rows.length < 200) return pending;
  }
}

function namedIn(value: unknown): readonly string[] | null {
  const ids = parseJson(String(value));
  return Array.isArray(ids) && ids.every(isEventId) ? ids.filter(isSealed) : null;
}

function isSealed(eventId: string): boolean {
  const type = typeOfEvent(eventId);
  return type !== null && isSealedType(type);
}
