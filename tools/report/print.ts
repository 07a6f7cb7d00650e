/** Formats rows as a table with bars for a terminal, or as CSV (RFC 4180). */
import { styleText } from "node:util";
import { toCsv as writeCsv } from "../../src/records/api/kit/csv.ts";
import { plainText } from "../local/plain-text.ts";
import type { Cell, Column, Row, View } from "./views.ts";

const MAX_CELL = 38;
const BAR_WIDTH = 24;
/** Eighths of a block, so that small shares are distinguishable. */
const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

export function toText(view: View, response: unknown, by: string): string {
  const { title, columns, rows } = view.table(response, by);
  const head = styleText("bold", title);
  if (rows.length === 0) return `${head}\n${styleText("dim", "nothing recorded in this period")}`;
  const heads = columns.map(({ name }) =>
    name.replace(/^(cache_\w+)_input_tokens$|^(input|output)_tokens$/, "$1$2"),
  );
  const isNumber = columns.map(
    (_, at) =>
      rows.some((row) => typeof row[at] === "number") && rows.every((row) => typeof row[at] !== "string"),
  );
  const texts = rows.map((row) => row.map((value, at) => shown(value, columns[at], isNumber[at] ?? false)));
  const widths = heads.map((name, at) => Math.max(name.length, ...texts.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, at) => (isNumber[at] ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd();
  const bars = barsOf(columns, rows);
  const lines = texts.map((row, at) => `${line(row)}  ${bars[at] ?? ""}`.trimEnd());
  return [head, styleText("dim", line(heads)), ...lines].join("\n");
}

/** An unknown count is `?`, never 0. Most other texts come from callers, so they are escaped. */
function shown(value: Cell, column: Column | undefined, isNumber: boolean): string {
  if (value === null) return isNumber ? "?" : "–";
  if (typeof value === "number") {
    return column?.name.startsWith("share") ? `${(value * 100).toFixed(1)} %` : value.toLocaleString("en");
  }
  const plain = plainText(value);
  return plain.length > MAX_CELL ? `${plain.slice(0, MAX_CELL - 1)}…` : plain;
}

function barsOf(columns: readonly Column[], rows: readonly Row[]): readonly string[] {
  const at = columns.findIndex(({ bar }) => bar);
  if (at < 0) return [];
  const figures = rows.map((row) => Number(row[at] ?? 0));
  const maximum = Math.max(...figures);
  return figures.map((figure) => styleText("cyan", barOf(maximum > 0 ? figure / maximum : 0)));
}

function barOf(share: number): string {
  const eighths = Math.round(share * BAR_WIDTH * 8);
  return "█".repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? "");
}

export function toCsv(view: View, response: unknown, by: string): string {
  const { columns, rows } = view.table(response, by);
  return writeCsv({ columns: columns.map(({ name }) => name), rows });
}
