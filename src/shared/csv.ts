/** Tables as CSV (RFC 4180): a header row, CRLF after each line, quotes where they are needed. */

export type Cell = string | number | null;
export type Table = { readonly columns: readonly string[]; readonly rows: readonly (readonly Cell[])[] };

/**
 * A cell that a spreadsheet would run as a formula. Names of models, clients and initiators are callers' text: a model
 * named `=HYPERLINK(…)` would run on the auditor's machine. Spreadsheets ignore blanks and invisible characters before it.
 */
const FORMULA =
  /^(?:[\s\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])/;

export const toCsv = ({ columns, rows }: Table): string => toCsvLines([columns, ...rows]);

/** Rows without a header row. */
export function toCsvLines(rows: Table["rows"]): string {
  return rows.map((row) => `${row.map(toCell).join(",")}\r\n`).join("");
}

function toCell(cell: Cell): string {
  if (typeof cell !== "string") return cell === null ? "" : String(cell);
  // A caller can put a NUL into a model's name, and some readers take it for the end of the file.
  const plain = cell.replaceAll("\0", "\ufffd");
  const text = FORMULA.test(plain) ? `'${plain}` : plain;
  // Spreadsheets of some locales separate cells by semicolons or tabs.
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
