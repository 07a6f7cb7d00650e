/** Formats the demonstration's rows as a table for a terminal. */
import { styleText } from "node:util";
import { shortId } from "../local/event-line.ts";
import type { Row } from "./row.ts";

const COLUMNS: readonly (readonly [heading: string, cell: (row: Row) => string, right?: "right"])[] = [
  ["client", (row) => row.client],
  ["actor", (row) => shortId(row.actor)],
  ["initiator", (row) => shortId(row.initiator)],
  ["attribution", (row) => row.attribution],
  ["model", (row) => row.model],
  ["in", (row) => row.input, "right"],
  ["out", (row) => row.output, "right"],
  ["outcome", (row) => row.outcome],
];

export type TableLine = { readonly mark: string; readonly row: Row };

/** One line per interception, prefixed with its `mark`. */
export function table(lines: readonly TableLine[]): string {
  const headings = ["", ...COLUMNS.map(([heading]) => heading)];
  const rows = lines.map(({ mark, row }) => [mark, ...COLUMNS.map(([, cell]) => cell(row))]);
  const widths = headings.map((_, at) =>
    Math.max(...[headings, ...rows].map((cells) => cells[at]?.length ?? 0)),
  );
  const format = (cells: readonly string[]): string =>
    cells.map((cell, at) => pad(cell, widths[at] ?? 0, COLUMNS[at - 1]?.[2] === "right")).join("  ");
  return [styleText("bold", format(headings)), ...rows.map(format)].map((line) => line.trimEnd()).join("\n");
}

function pad(cell: string, width: number, right: boolean): string {
  return right ? cell.padStart(width) : cell.padEnd(width);
}
