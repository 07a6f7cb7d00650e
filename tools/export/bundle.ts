/** The files of an evidence bundle, as texts. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkpointIn } from "../../src/records/ledger/seal/checkpoint.ts";
import { parseLogEntry } from "../../src/records/ledger/seal/log-entry.ts";
import { ROOT } from "../root.ts";
import type { Collected, LogLine } from "./collect.ts";
import { STATUSES, type EventLine } from "./event-line.ts";
import type { Selection } from "./find-rows.ts";
import { COMPLETENESS, README } from "./bundle-readme.ts";

export const MANIFEST = "manifest.json";
export const BUNDLE = "interceptor evidence bundle";
export const BUNDLE_VERSION = 1;

export type Manifest = {
  readonly bundle: typeof BUNDLE;
  readonly version: typeof BUNDLE_VERSION;
  readonly tool: string;
  readonly created_at: string;
  readonly requested_by: string;
  readonly reason: string | null;
  /** The event about this export in the ledger; null where the ledger was a copy. */
  readonly recorded_as: string | null;
  readonly initiator: string;
  readonly from: string;
  readonly to: string;
  readonly origin: string | null;
  readonly tree_size: number;
  readonly events: number;
  readonly events_by_type: Readonly<Record<string, number>>;
  readonly events_by_status: Readonly<Record<string, number>>;
  readonly statuses: Readonly<Record<string, string>>;
  readonly completeness: string;
  /** By name; all but the manifest. */
  readonly files: Readonly<Record<string, { readonly sha256: string; readonly bytes: number }>>;
};

/** The selection, the person who requested it, and when. */
export type Request = Selection & {
  readonly requestedBy: string;
  readonly reason: string | null;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly recordedAs: string | null;
};

export const sha256 = (text: string | Uint8Array): string => createHash("sha256").update(text).digest("hex");

export const ndjson = (lines: readonly object[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join("");

/** The texts by file name, the manifest last. */
export function bundleFiles(collected: Collected, request: Request): Map<string, string> {
  const { checkpoint, events, log, earlier } = collected;
  const files = new Map([
    ["README.txt", README],
    ...(checkpoint ? [["checkpoint", checkpoint.note] as const] : []),
    ["events.ndjson", ndjson(events)],
    ["log.ndjson", ndjson(log)],
    ["checkpoints.ndjson", ndjson(earlier)],
    [
      "verifier-keys.txt",
      keysOf(log)
        .map((key) => `${key}\n`)
        .join(""),
    ],
  ]);
  return files.set(MANIFEST, `${JSON.stringify(manifestOf(files, collected, request), null, 2)}\n`);
}

/** The log's own word for its keys. */
export const keysOf = (log: readonly Pick<LogLine, "entry">[]): string[] =>
  log.flatMap(({ entry }) => {
    const parsed = parseLogEntry(entry);
    return parsed?.kind === "key" ? [parsed.verifier_key] : [];
  });

function manifestOf(
  files: ReadonlyMap<string, string>,
  { checkpoint, events }: Collected,
  { initiator, from, to, requestedBy, reason, now, recordedAs }: Request,
): Manifest {
  const tree = checkpoint && checkpointIn(checkpoint.note);
  return {
    bundle: BUNDLE,
    version: BUNDLE_VERSION,
    tool: toolVersion(),
    created_at: new Date(now).toISOString(),
    requested_by: requestedBy,
    reason,
    recorded_as: recordedAs,
    initiator,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    origin: tree?.origin ?? null,
    tree_size: tree?.size ?? 0,
    ...countsOf(events),
    statuses: STATUSES,
    completeness: COMPLETENESS,
    files: Object.fromEntries(
      [...files].map(([name, text]) => [name, { sha256: sha256(text), bytes: Buffer.byteLength(text) }]),
    ),
  };
}

type Counts = Pick<Manifest, "events" | "events_by_type" | "events_by_status">;

function count(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names.toSorted()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

export function countsOf(events: readonly Pick<EventLine, "record_type" | "status">[]): Counts {
  return {
    events: events.length,
    events_by_type: count(events.map(({ record_type }) => record_type)),
    events_by_status: count(events.map(({ status }) => status)),
  };
}

function toolVersion(): string {
  const { name, version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<
    "name" | "version",
    string
  >;
  return `${name} ${version}`;
}
