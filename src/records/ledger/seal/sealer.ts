/**
 * The sealer: the cron's run of every minute. It appends the events that the journal names after its cursor, in bounded steps,
 * and signs a checkpoint. A step is one transaction, which fails where another run was faster. So a run may end anywhere: the
 * next one continues from what is in the database.
 */
import { typeOfEvent, isSealedType, SCHEMA_VERSION } from "./schema.ts";
import { equalBytes, utf8 } from "./bytes.ts";
import { checkpointIn, formatCheckpoint } from "./checkpoint.ts";
import { absentEntry, eventIdBytes } from "./entry.ts";
import { rebuiltEntry } from "./load-entries.ts";
import { formatLogEntry, keyEntry, schemaEntry, type LogEntry } from "./log-entry.ts";
import { leafHash } from "./merkle.ts";
import { parseVerifierKey, type Signer } from "./note-keys.ts";
import { hashesOf } from "./tiles.ts";
import { parseNote, signNote, verifyNote } from "./note.ts";
import { loadEvents, type Query } from "./rebuild.ts";
import { queryOf, readState, writeStep, type SealState, type StoredCheckpoint } from "./seal-state.ts";
import { TreeEdge } from "./tree-edge.ts";
import { countUnsealed } from "./unsealed.ts";

export type SealDeps = {
  readonly database: D1Database;
  /** The log's key, and during a rotation the key before it. */
  readonly signers: readonly [Signer, ...Signer[]];
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

/** `steps` of some `events` each keep a run below the 1,000 statements of an invocation, and below a minute: a step takes 46. */
const BOUNDS = { events: 2_000, steps: 20, ms: 45_000, journalRows: 100, journalPages: 10 };

export const MOST_EVENTS_PER_RUN = BOUNDS.steps * BOUNDS.events;

/** The log gets an entry with the time this often: it proves that the log is alive, and bounds the times of the events. */
export const TIME_ENTRY_MS = 3_600_000;

export type SealRun = {
  readonly events: number;
  /** Events that the journal names and whose row is gone or unreadable. */
  readonly absent: readonly string[];
  /** The checkpoint of this run; null where there was nothing to seal, or another sealer was faster. */
  readonly checkpoint: StoredCheckpoint | null;
  /** Whether the journal has more. */
  readonly isUnfinished: boolean;
};

/** Seals what the journal has. @throws where the database fails, or the log in it was changed. */
export async function runSealer(deps: SealDeps): Promise<SealRun> {
  const deadline = deps.now() + BOUNDS.ms;
  const query = queryOf(deps.database);
  await checkContinues(query, await readState(query), deps.signers);
  let run: SealRun = { events: 0, absent: [], checkpoint: null, isUnfinished: true };
  for (let step = 1; step <= BOUNDS.steps && run.isUnfinished; step += 1) {
    const isLast = step === BOUNDS.steps || deps.now() >= deadline;
    const sealed = await sealStep(deps, isLast);
    if (sealed === null) return run;
    run = { ...sealed, events: run.events + sealed.events, absent: [...run.absent, ...sealed.absent] };
    if (isLast) break;
  }
  return run;
}

/** `isLast`: signs a checkpoint even if the journal has more. null: another sealer was faster. */
async function sealStep(deps: SealDeps, isLast: boolean): Promise<SealRun | null> {
  const { database, signers } = deps;
  const query = queryOf(database);
  const now = deps.now();
  const state = await readState(query);
  if ((state.facts.schema ?? 0) > SCHEMA_VERSION)
    throw new Error("the log has entries of a newer version of this Worker");
  if (state.facts.origin !== null && state.facts.origin !== signers[0].name)
    throw new Error("the log has another origin: its name cannot change");
  const journal = await readJournal(query, state.journalSeq);
  const own = await ownEntries(deps, query, state);
  const isUnsigned = state.treeSize > (state.checkpoint?.size ?? 0);
  const isUnfinished = journal.isUnfinished;
  const nothing = { events: 0, absent: [], checkpoint: null, isUnfinished };
  if (journal.seq === state.journalSeq && own.length === 0 && !isUnsigned) return nothing;
  const edge = await TreeEdge.load(query, state.treeSize);
  const entries = own.map((entry) => appendOwn(edge, entry));
  const absent = await appendEvents(edge, query, journal.ids);
  // From its first step on, a log has a checkpoint.
  const isDue = !isUnfinished || isLast || state.treeSize === 0;
  const isSigned = isDue && edge.size > (state.checkpoint?.size ?? 0);
  const checkpoint = isSigned ? await signTree(edge, signers, now) : null;
  const isWritten = await writeStep(database, {
    from: state,
    to: { treeSize: edge.size, journalSeq: journal.seq },
    tiles: edge.changed(),
    entries,
    checkpoint,
  });
  return isWritten ? { events: journal.ids.length, absent, checkpoint, isUnfinished } : null;
}

type Journal = { readonly ids: readonly string[]; readonly seq: number; readonly isUnfinished: boolean };

const JOURNAL_SQL = `SELECT seq, event_ids FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ${BOUNDS.journalRows}`;

/** Whole rows, at least one: a row is one stored batch. */
async function readJournal(query: Query, after: number): Promise<Journal> {
  const ids: string[] = [];
  let seq = after;
  for (let page = 0; page < BOUNDS.journalPages; page += 1) {
    const rows = await query(JOURNAL_SQL, seq);
    for (const row of rows) {
      if (ids.length >= BOUNDS.events) return { ids, seq, isUnfinished: true };
      const named: unknown = JSON.parse(String(row["event_ids"]));
      for (const id of Array.isArray(named) ? named : []) if (isSealed(String(id))) ids.push(String(id));
      seq = Number(row["seq"]);
    }
    if (rows.length < BOUNDS.journalRows) return { ids, seq, isUnfinished: false };
  }
  return { ids, seq, isUnfinished: true };
}

/**
 * Never signs a tree that does not continue the last signed one. An attacker who can write to the database could otherwise
 * change the tree, and the next run would sign it.
 * @throws where the last checkpoint is gone, has another signature, or is of another tree.
 */
async function checkContinues(
  query: Query,
  { treeSize, checkpoint, facts }: SealState,
  signers: readonly Signer[],
): Promise<void> {
  if (treeSize === 0 && !checkpoint) return;
  const tree = checkpoint && checkpointIn(checkpoint.note);
  if (!tree || tree.size > treeSize)
    throw new Error("the log's last checkpoint is gone, or its tree was cut");
  // A key that is lost cannot be checked: its successor starts from the tree as it is.
  const key = parseVerifierKey(facts.verifierKey ?? "");
  const note = parseNote(checkpoint.note);
  const keys = key ? [key, ...signers] : signers;
  const signed = note ? await verifyNote(note, keys) : [];
  if (signed === "wrong" || signed.length === 0)
    throw new Error("the log's last checkpoint has no valid signature");
  const [root] = await hashesOf(query, [{ from: 0, to: tree.size }]);
  if (!root || !equalBytes(root, tree.root))
    throw new Error("the log's tree is not that of its last checkpoint");
}

function isSealed(eventId: string): boolean {
  const type = typeOfEvent(eventId);
  return type !== null && isSealedType(type);
}

/** The log's own entries that are due before further events. */
async function ownEntries(
  { signers, now }: SealDeps,
  query: Query,
  { treeSize, facts, lastOwnAt }: SealState,
): Promise<LogEntry[]> {
  const [signer, ...earlier] = signers;
  const at = now();
  const entries: LogEntry[] = [];
  if (treeSize === 0)
    entries.push({ kind: "begin", origin: signer.name, unsealed: await countUnsealed(query), at });
  if (facts.verifierKey !== signer.verifierKey) {
    const previous = earlier.find(({ verifierKey }) => verifierKey === facts.verifierKey) ?? null;
    entries.push(await keyEntry(signer, previous, at));
  }
  if (facts.schema !== SCHEMA_VERSION) entries.push(schemaEntry(SCHEMA_VERSION, at));
  if (entries.length === 0 && at - (lastOwnAt ?? at) >= TIME_ENTRY_MS) entries.push({ kind: "time", at });
  return entries;
}

const NO_EVENT = new Uint8Array(16);

function appendOwn(edge: TreeEdge, entry: LogEntry): { readonly index: number; readonly text: string } {
  const index = edge.size;
  const text = formatLogEntry(entry, index);
  edge.append({ hash: leafHash(utf8(text)), eventId: NO_EVENT, storedAt: null });
  return { index, text };
}

/** @returns the events whose row is gone or unreadable. */
async function appendEvents(edge: TreeEdge, query: Query, ids: readonly string[]): Promise<string[]> {
  const events = await loadEvents(query, ids);
  const absent: string[] = [];
  for (const id of ids) {
    const event = events.get(id);
    const place = { index: edge.size, schema: SCHEMA_VERSION };
    const sealed = typeof event === "object" ? rebuiltEntry(event, id, place) : null;
    if (sealed === null) absent.push(id);
    const entry = sealed ?? absentEntry(id, edge.size);
    const storedAt = sealed !== null && typeof event === "object" ? event.facts.storedAt : null;
    edge.append({ hash: leafHash(utf8(entry)), eventId: eventIdBytes(id), storedAt });
  }
  return absent;
}

async function signTree(edge: TreeEdge, signers: readonly Signer[], now: number): Promise<StoredCheckpoint> {
  const [{ name: origin } = { name: "" }] = signers;
  const text = formatCheckpoint({ origin, size: edge.size, root: edge.root });
  return { size: edge.size, note: await signNote(text, signers), signedAt: now };
}
