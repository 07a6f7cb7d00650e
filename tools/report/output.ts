/** Prints the report: tables for a terminal, CSV or JSON. Says wherever an output has less than everything. */
import { once } from "node:events";
import { styleText } from "node:util";
import { plainText } from "../local/plain-text.ts";
import type { ApiClient, Query } from "./api-client.ts";
import { writeCsv } from "./csv.ts";
import { partOf } from "./missing.ts";
import { toText } from "./print.ts";
import { isOfSession, pathOf, VIEWS, type View } from "./views.ts";

export const DEFAULT_ROWS = 20;
/** Of one response of the API. CSV is read in pages. */
export const MAX_ROWS = 1000;

export type Command = {
  readonly url: string;
  readonly views: readonly string[];
  /** The period and the filters. */
  readonly query: Query;
  /** null: the default, which is every row for CSV. */
  readonly limit: number | null;
  /** The session of a view of one session. */
  readonly session: string | null;
  readonly by: string;
  readonly format: "text" | "csv" | "json";
};

export async function printReport(command: Command, api: ApiClient): Promise<void> {
  const { views, by, format, limit } = command;
  if (format === "csv") return printCsv(command, api);
  if (format === "text" && !isOfOneSession(views))
    process.stdout.write(`${styleText("dim", periodOf(command.query))}\n\n`);
  const responses: Record<string, unknown> = {};
  for (const name of views) {
    const view = VIEWS[name] as View;
    const limited = view.options.includes("limit") ? { limit: String(limit ?? DEFAULT_ROWS) } : {};
    const response = await api.get(pathOf(view, command.session), { ...queryFor(view, command), ...limited });
    responses[name] = response;
    const part = partOf(view, response);
    if (format === "text") {
      const more = `--limit up to ${MAX_ROWS}, --csv for all`;
      const how = views.length === 1 ? more : `report ${name}: ${more}`;
      const rest = part === null ? "" : `\n${styleText("dim", `${part} shown (${how})`)}`;
      process.stdout.write(`${toText(view, response, by)}${rest}\n\n`);
    } else if (part !== null) note(`${name}: ${part} in the response (--limit up to ${MAX_ROWS})`);
  }
  if (format === "json") {
    const [only] = Object.values(responses);
    process.stdout.write(forOutput(`${JSON.stringify(views.length === 1 ? only : responses, null, 2)}\n`));
  }
}

async function printCsv(command: Command, api: ApiClient): Promise<void> {
  const { views, by, limit } = command;
  const view = VIEWS[views[0] ?? ""] as View;
  const query = queryFor(view, command);
  const path = pathOf(view, command.session);
  const { rows, of } = await writeCsv(api, { view, path, by, query, limit, write: writeFully });
  if (!isOfOneSession(views)) note(periodOf(command.query));
  if (of !== null) note(`${rows.toLocaleString("en")} of ${of} rows written (without --limit: all)`);
}

/** A view of one session has no period. */
const isOfOneSession = (views: readonly string[]): boolean =>
  views.some((name) => isOfSession(VIEWS[name] as View));

const periodOf = ({ started_after: from, started_before: to }: Query): string =>
  `Requests from ${from} until ${to ?? "now"}`;

/** The filters that the view's endpoint accepts, with its own parameters. */
const queryFor = (view: View, { query, by }: Command): Query => ({
  ...Object.fromEntries(Object.entries(query).filter(([option]) => view.options.includes(option))),
  ...view.query?.(by),
});

/** For a person, beside an output for a program. */
const note = (sentence: string): void => void process.stderr.write(`${sentence}\n`);

/** Resolves once a pipe has taken the text: a slow reader would otherwise fill the memory. */
async function writeFully(text: string): Promise<void> {
  if (!process.stdout.write(forOutput(text))) await once(process.stdout, "drain");
}

/** The text unchanged for a file or a pipe; without control characters for a terminal. */
function forOutput(text: string): string {
  return process.stdout.isTTY ? text.split("\n").map(plainText).join("\n") : text;
}
