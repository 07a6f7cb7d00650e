/**
 * The Worker's own lines in a log: plain lines, the output of `wrangler tail --format json`, or Logpush's records.
 *
 * Only the positions where a log holds the Worker's output are searched: a prompt or a header can contain the text of such
 * a line.
 */
import { asObject, parseJson } from "../../src/shared/json.ts";

export type WorkerLog = {
  /** A part of each line that is wanted. Records without any are skipped unread. */
  readonly parts: readonly string[];
  /** Whether a text is a line of the Worker, by its beginning. */
  readonly isLine: (text: string) => boolean;
};

export function* workerLines(log: string, { parts, isLine }: WorkerLog): Generator<string> {
  for (const record of records(log)) {
    if (parts.some((part) => record.includes(part))) yield* linesOf(record, isLine).filter(isLine);
  }
}

/** The log's lines. An object over several lines, as `wrangler tail` prints it, is one record. */
function records(log: string): string[] {
  const complete: string[] = [];
  let open: string[] | null = null;
  for (const line of log.split(/\r?\n/)) {
    // The lines within an object are indented. A line that is not follows a truncated object, which is dropped.
    const inside: boolean = open !== null && (line.startsWith(" ") || line === "}");
    if (!inside) open = line === "{" ? [] : null;
    if (open === null) complete.push(line);
    else open.push(line);
    if (open !== null && line === "}") {
      complete.push(open.join("\n"));
      open = null;
    }
  }
  return complete;
}

/** The lines that the Worker printed, from one record of the log. */
function linesOf(record: string, isLine: WorkerLog["isLine"]): string[] {
  // A log's own prefix, such as the time, has neither quotes nor braces.
  const line = record.replace(/^[^"{]*/, "").trimEnd();
  if (isLine(line)) return [line];
  const { logs, Logs } = asObject(parseJson(line)) ?? {};
  const messages = [...members(logs, "message"), ...members(Logs, "Message")];
  return messages.flat().filter((message) => typeof message === "string");
}

const members = (list: unknown, name: string): unknown[] =>
  Array.isArray(list) ? list.map((entry: unknown) => asObject(entry)?.[name]) : [];
