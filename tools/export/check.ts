/** Checks a bundle offline: its files, the log's head, the proofs, and each value against the sealed entry. */
import { checkpointIn } from "../../src/records/ledger/seal/checkpoint.ts";
import { isConsistent, type Hash } from "../../src/records/ledger/seal/merkle.ts";
import { parseVerifierKey, type VerifierKey } from "../../src/records/ledger/seal/note-keys.ts";
import { parseNote, verifyNote } from "../../src/records/ledger/seal/note.ts";
import { knownKeys } from "../../src/records/ledger/seal/verify-checkpoints.ts";
import { uuidTime } from "../../src/shared/uuid.ts";
import { countsOf, keysOf, type Manifest } from "./bundle.ts";
import { checkEvent } from "./check-event.ts";
import { readFiles, readLines, readManifest } from "./check-files.ts";
import { readEarlier, readEvent, readLog } from "./check-lines.ts";
import { checkLog } from "./check-log.ts";
import { STATUSES, type EventLine } from "./event-line.ts";
import { requestOf } from "./find-rows.ts";
import type { Tree } from "./prover.ts";

export type CheckOptions = {
  readonly keys: readonly string[];
  readonly manifestSha256: string | null;
};

export type CheckReport = {
  /** The mismatches, a sentence each; empty: the bundle is intact. */
  readonly issues: readonly string[];
  readonly notes: readonly string[];
};

export type AddIssue = (issue: string) => void;

type Head = Tree & { readonly origin: string };

export async function checkBundle(folder: string, options: CheckOptions): Promise<CheckReport> {
  const issues: string[] = [];
  const add: AddIssue = (issue) => void issues.push(issue);
  const files = readFiles(folder, add);
  const manifest = readManifest(files, options.manifestSha256, add);
  const log = readLines(files, "log.ndjson", readLog, add);
  const earlier = readLines(files, "checkpoints.ndjson", readEarlier, add);
  const events = readLines(files, "events.ndjson", readEvent, add);
  const note = files.get("checkpoint") ?? null;
  const head = note === null ? null : checkpointIn(note);
  if (note !== null && head === null) add("checkpoint: it is not a checkpoint.");
  const entries = checkLog(log, head, add);
  const trusted = options.keys.flatMap((key) => parseVerifierKey(key) ?? []);
  const unknown: string[] = [];
  const known = await knownKeys(entries, trusted, (_, { detail = "" }) => void unknown.push(detail));
  const isSigned = note !== null && (await checkSignature("checkpoint", note, known, add));
  // A head that is signed vouches for the whole log, and so for its keys before.
  const keys = isSigned ? [...known, ...unknown.flatMap((key) => parseVerifierKey(key) ?? [])] : known;
  for (const key of isSigned ? [] : unknown)
    add(`log.ndjson: the log's key ${key} is neither known nor signed by a known one.`);
  if (head) {
    for (const [at, line] of earlier.entries()) await checkEarlier(at + 1, line, { head, keys }, add);
  }
  checkKeyFile(files.get("verifier-keys.txt"), keysOf(log), add);
  for (const event of events) checkEvent(event, head, add);
  checkSet(events, add);
  if (manifest) checkManifest(manifest, events, head, add);
  return { issues, notes: notesOf(events, options, keys) };
}

/** @returns whether a known key of the log signed the note. */
async function checkSignature(
  name: string,
  note: string,
  keys: readonly VerifierKey[],
  add: AddIssue,
): Promise<boolean> {
  const parsed = parseNote(note);
  const signed = parsed ? await verifyNote(parsed, keys) : [];
  const origin = checkpointIn(note)?.origin;
  if (signed !== "wrong" && signed.some((key) => key.name === origin)) return true;
  add(
    signed === "wrong"
      ? `${name}: the signature of a known key is wrong.`
      : `${name}: no known key of the log signed it.`,
  );
  return false;
}

async function checkEarlier(
  number: number,
  line: { readonly earlier: string; readonly proof: readonly Hash[] },
  { head, keys }: { readonly head: Head; readonly keys: readonly VerifierKey[] },
  add: AddIssue,
): Promise<void> {
  const name = `checkpoints.ndjson, line ${number}`;
  const tree = checkpointIn(line.earlier);
  await checkSignature(name, line.earlier, keys, add);
  if (!tree || tree.origin !== head.origin) add(`${name}: it is not a checkpoint of this log.`);
  else if (!isConsistent(tree, head, line.proof)) add(`${name}: the proof does not lead to the checkpoint.`);
}

function checkKeyFile(file: string | undefined, keys: readonly string[], add: AddIssue): void {
  if (file !== undefined && file !== keys.map((key) => `${key}\n`).join(""))
    add("verifier-keys.txt: the keys are not those of the log.");
}

/** Checks the events together. */
function checkSet(events: readonly EventLine[], add: AddIssue): void {
  const [ids, indices] = [new Set<string>(), new Set<number>()];
  for (const { event_id: id, index } of events) {
    if (ids.has(id)) add(`event ${id}: it is there twice.`);
    if (index !== null && indices.has(index)) add(`event ${id}: another event has the index ${index}.`);
    ids.add(id);
    if (index !== null) indices.add(index);
  }
}

function checkManifest(
  manifest: Manifest,
  events: readonly EventLine[],
  head: Head | null,
  add: AddIssue,
): void {
  const counts = countsOf(events);
  for (const name of Object.keys(counts) as (keyof typeof counts)[]) {
    if (JSON.stringify(manifest[name]) !== JSON.stringify(counts[name]))
      add(`manifest.json: ${name} is not the number in events.ndjson.`);
  }
  if (manifest.origin !== (head?.origin ?? null) || manifest.tree_size !== (head?.size ?? 0))
    add("manifest.json: origin and tree_size are not those of the checkpoint.");
  const [from, to] = [Date.parse(manifest.from), Date.parse(manifest.to)];
  const persons = new Set(
    events.filter((event) => isOf(event, manifest.initiator)).map(({ event_id }) => requestOf(event_id)),
  );
  for (const { event_id: id } of events) {
    const at = uuidTime(id);
    if (!(at >= from && at < to)) add(`event ${id}: it is not in the manifest's range of time.`);
    if (!persons.has(requestOf(id)))
      add(`event ${id}: no event of its request has the manifest's initiator.`);
  }
}

const isOf = ({ fields, erased }: EventLine, initiator: string): boolean =>
  fields?.["initiator_id"] === initiator || erased["initiator_id"]?.value_now === initiator;

function notesOf(
  events: readonly EventLine[],
  { keys: given }: CheckOptions,
  keys: readonly VerifierKey[],
): string[] {
  const { events_by_status: counts } = countsOf(events);
  const notes = Object.entries(counts).map(
    ([status, count]) => `${count} ${status}: ${STATUSES[status as keyof typeof STATUSES]}`,
  );
  const erased = events.filter((event) => Object.keys(event.erased).length > 0).length;
  if (erased > 0) notes.push(`${erased} events have erased fields.`);
  const isOwnWord = given.length === 0 && keys.length > 0;
  if (isOwnWord)
    notes.push(
      `The key was read from the bundle and is not confirmed. Pass a key from another source with --key.`,
    );
  return notes;
}
