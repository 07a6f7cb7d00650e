/** Tables as RFC 4180 has them: CRLF at each line's end, quotes where they are needed, a header row. */

export type Cell = string | number | null;
export type Table = { readonly columns: readonly string[]; readonly rows: readonly (readonly Cell[])[] };

/**
 * What a spreadsheet would take for a formula when it opens the file. Models, clients and initiators are callers' text:
 * `=HYPERLINK(…)` as a model's name would run on the auditor's machine.
 */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

export function toCsv({ columns, rows }: Table): string {
  return [columns, ...rows].map((row) => `${row.map(toCell).join(",")}\r\n`).join("");
}

function toCell(cell: Cell): string {
  if (typeof cell !== "string") return cell === null ? "" : String(cell);
  // A NUL, which a caller can put into a model's name, ends the whole file for some readers.
  const plain = cell.replaceAll("\0", "\ufffd");
  const text = FORMULA.test(plain) ? `'${plain}` : plain;
  // Also what separates cells in a spreadsheet of another country.
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
