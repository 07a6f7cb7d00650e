/** Formats a response as a table with bars for a terminal, or its rows as CSV (RFC 4180). */
import { styleText } from "node:util";
import { aligned } from "../local/aligned.ts";
import { plainText } from "../local/plain-text.ts";
import { tableOf, type Cell, type Column, type Row, type View } from "./views.ts";

const MAX_CELL = 38;
const BAR_WIDTH = 24;
/** Eighths of a block, so that small shares are distinguishable. */
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

export function toText(view: View, response: unknown, by: string): string {
  const { title, columns, rows } = tableOf(view, response, by);
  const head = styleText("bold", title);
  if (rows.length === 0) return `${head}\n${styleText("dim", "nothing recorded in this period")}`;
  const heads = columns.map(({ name }) => shortName(name));
  const isNumber = columns.map(
    (_, at) =>
      rows.some((row) => typeof row[at] === "number") && rows.every((row) => typeof row[at] !== "string"),
  );
  const texts = rows.map((row) => row.map((value, at) => shown(value, columns[at], isNumber[at] ?? false)));
  const [names = "", ...cells] = aligned([heads, ...texts], (at) => isNumber[at] ?? false);
  const bars = barsOf(columns, rows);
  const heading = `${names}  ${bars.heading}`.trimEnd();
  const lines = cells.map((line, at) => `${line}  ${bars.bars[at] ?? ""}`.trimEnd());
  return [head, styleText("dim", heading), ...lines].join("\n");
}

const shortName = (name: string): string =>
  name.replace(/^(cache_\w+)_input_tokens$|^(input|output)_tokens$/, "$1$2");

/** An unknown count is `?`, never 0. Most other texts come from callers, so they are escaped. */
function shown(value: Cell, column: Column | undefined, isNumber: boolean): string {
  if (value === null) return isNumber ? "?" : "–";
  if (typeof value === "number") {
    if (column?.name.startsWith("share")) return `${(value * 100).toFixed(1)} %`;
    return column?.name.endsWith("_usd") ? value.toFixed(6) : value.toLocaleString("en");
  }
  const plain = plainText(value);
  return plain.length > MAX_CELL ? `${plain.slice(0, MAX_CELL - 1)}…` : plain;
}

type Bars = { readonly heading: string; readonly bars: readonly string[] };

/** One bar per row, and what its length means. */
function barsOf(columns: readonly Column[], rows: readonly Row[]): Bars {
  const at = columns.findIndex(({ bar }) => bar);
  const column = columns[at];
  if (!column) return { heading: "", bars: [] };
  const figures = rows.map((row) => Number(row[at] ?? 0));
  // A share has a whole of its own.
  const isShare = column.name.startsWith("share");
  const maximum = isShare ? 1 : Math.max(...figures);
  return {
    heading: `${shortName(column.name)}, full width = ${isShare ? "100 %" : "the largest"}`,
    bars: figures.map((figure) => styleText("cyan", barOf(maximum > 0 ? figure / maximum : 0))),
  };
}

function barOf(share: number): string {
  const eighths = Math.round(share * BAR_WIDTH * 8);
  return "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
}
