/** The arguments of `npm run export`. */
import { userInfo } from "node:os";
import { parseArgs } from "node:util";
import { canonicalId } from "../../src/shared/uuid.ts";
import { PLACE_OPTIONS, readFileOrPlace, type FileOrPlace } from "../local/place.ts";
import { keyIssue } from "../verify/arguments.ts";
import { argumentError } from "../local/start-failure.ts";
import type { Selection } from "./find-rows.ts";

export type ExportCommand = Selection & {
  readonly verb: "export";
  readonly output: string;
  readonly requestedBy: string;
  readonly reason: string | null;
  readonly place: FileOrPlace;
};

export type CheckCommand = {
  readonly verb: "check";
  readonly folder: string;
  /** Verifier keys that the reader got from elsewhere. */
  readonly keys: readonly string[];
  readonly manifestSha256: string | null;
};

/** @returns the command, or one sentence that says why the arguments are invalid. */
export function readArguments(args: readonly string[]): ExportCommand | CheckCommand | string {
  try {
    return args[0] === "check" ? readCheck(args.slice(1)) : readExport(args);
  } catch (error) {
    return argumentError(error);
  }
}

const text = { type: "string" } as const;

function readExport(args: readonly string[]): ExportCommand | string {
  const { values } = parseArgs({
    args: [...args],
    options: {
      initiator: text,
      from: text,
      to: text,
      output: text,
      "requested-by": text,
      reason: text,
      ...PLACE_OPTIONS,
      database: text,
    },
  });
  if (!values.initiator?.trim()) return "--initiator is required.";
  if (!values.output) return "--output is required.";
  const range = readRange(values.from, values.to);
  if (typeof range === "string") return range;
  const place = readFileOrPlace(values);
  if (typeof place === "string") return place;
  return {
    verb: "export",
    initiator: canonicalId(values.initiator),
    ...range,
    output: values.output,
    requestedBy: values["requested-by"] ?? userInfo().username,
    reason: values.reason ?? null,
    place,
  };
}

function readRange(from?: string, to?: string): Pick<Selection, "from" | "to"> | string {
  if (from === undefined || to === undefined) return "--from and --to are required.";
  const [begin, end] = [readTime(from), readTime(to)];
  if (begin === null) return "--from must be a day, as 2026-11-23, or a time, as 2026-11-23T08:00:00Z.";
  if (end === null) return "--to must be a day, as 2026-11-24, or a time, as 2026-11-23T17:00:00Z.";
  return end > begin ? { from: begin, to: end } : "--to must be later than --from.";
}

const TIME = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** Milliseconds since 1970 of a time (RFC 3339), or of the beginning of a day in UTC; null where it is neither. */
function readTime(given: string): number | null {
  const [, day = ""] = TIME.exec(given) ?? [];
  const [begin, time] = [Date.parse(`${day}T00:00:00Z`), Date.parse(given)];
  // Date.parse accepts the 31st of a month of 30 days.
  const isDay = !Number.isNaN(begin) && new Date(begin).toISOString().startsWith(day);
  return isDay && time >= 0 ? time : null;
}

const SHA256 = /^[0-9a-f]{64}$/i;

function readCheck(args: readonly string[]): CheckCommand | string {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { key: { type: "string", multiple: true, default: [] }, "manifest-sha256": text },
  });
  const [folder, ...others] = positionals;
  if (folder === undefined || others.length > 0) return "check requires one folder.";
  const manifestSha256 = values["manifest-sha256"]?.toLowerCase() ?? null;
  const issue = values.key.map(keyIssue).find((found) => found !== null);
  if (issue !== undefined) return issue;
  if (manifestSha256 !== null && !SHA256.test(manifestSha256))
    return "--manifest-sha256 must have 64 hexadecimal digits.";
  return { verb: "check", folder, keys: values.key, manifestSha256 };
}
