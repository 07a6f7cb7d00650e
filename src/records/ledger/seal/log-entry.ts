/**
 * Entries of the log's own, between those of events: they name the log's key and its schema from there on, and prove that time
 * passed while nothing was stored. They hold no personal data and stay as they are.
 */
import { asObject, parseObject } from "../../../shared/json.ts";
import { canonicalJson } from "./canonical.ts";
import type { Signer } from "./note-keys.ts";
import { signNote } from "./note.ts";
import { committedFields } from "./schema.ts";
import type { Row } from "./rebuild.ts";

/** The first entry of a log. */
type Begin = {
  readonly kind: "begin";
  readonly origin: string;
  /** `table.column` → events that were stored before the log began, and have no leaf. */
  readonly unsealed: Readonly<Record<string, number>>;
};

/** Checkpoints from here on are signed with this key. */
type Key = {
  readonly kind: "key";
  readonly verifier_key: string;
  /** The line with the verifier key as a note signed by the key before; null for the first key, and where that key is lost. */
  readonly endorsement: string | null;
};

/** From here on the entries of events follow this version of the schema. */
type Schema = {
  readonly kind: "schema";
  readonly version: number;
  /** Record type → the fields that are commitments. */
  readonly commitments: Readonly<Record<string, readonly string[]>>;
};

/** Nothing was stored for an hour. */
type Time = { readonly kind: "time" };

export type LogEntry = (Begin | Key | Schema | Time) & { readonly at: number };

export type StoredLogEntry = LogEntry & { readonly index: number };

export const KINDS: readonly string[] = ["begin", "key", "schema", "time"];

export const formatLogEntry = (entry: LogEntry, index: number): string => canonicalJson({ ...entry, index });

/** null where the text is not an entry of the log's own. */
export function parseLogEntry(text: string): StoredLogEntry | null {
  const entry = parseObject(text);
  if (!entry || !KINDS.includes(String(entry["kind"])) || typeof entry["index"] !== "number") return null;
  if (typeof entry["at"] !== "number" || !HAS_MEMBERS[String(entry["kind"])]?.(entry)) return null;
  return entry as unknown as StoredLogEntry;
}

const HAS_MEMBERS: Readonly<Record<string, (entry: Row) => boolean>> = {
  begin: ({ origin, unsealed }) => typeof origin === "string" && asObject(unsealed) !== null,
  key: ({ verifier_key }) => typeof verifier_key === "string",
  schema: ({ version, commitments }) => typeof version === "number" && asObject(commitments) !== null,
  time: () => true,
};

/** The text that a key signs to name its successor. */
export const endorsementText = (origin: string, verifierKey: string): string =>
  `${origin}\nnext key\n${verifierKey}\n`;

/** @param previous the signer of the key before, where its private key is still there. */
export async function keyEntry(signer: Signer, previous: Signer | null, at: number): Promise<LogEntry> {
  const text = endorsementText(signer.name, signer.verifierKey);
  const endorsement = previous && (await signNote(text, [previous]));
  return { kind: "key", verifier_key: signer.verifierKey, endorsement, at };
}

export const schemaEntry = (version: number, at: number): LogEntry => ({
  kind: "schema",
  version,
  commitments: committedFields(version),
  at,
});

/** The origin, the key and the schema that apply at one position of the log. */
export type LogFacts = {
  readonly origin: string | null;
  readonly verifierKey: string | null;
  readonly schema: number | null;
};

/** The facts that apply at an index, from the entries before it in their order. */
export function factsAt(entries: readonly StoredLogEntry[], index: number): LogFacts {
  let [origin, verifierKey, schema]: [string | null, string | null, number | null] = [null, null, null];
  for (const entry of entries) {
    if (entry.index >= index) break;
    // A log begins once.
    if (entry.kind === "begin" && entry.index === 0) origin = entry.origin;
    if (entry.kind === "key") verifierKey = entry.verifier_key;
    if (entry.kind === "schema") schema = entry.version;
  }
  return { origin, verifierKey, schema };
}
