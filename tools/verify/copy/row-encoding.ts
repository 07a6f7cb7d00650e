/**
 * Values of SQLite as texts that come through JSON, and through a command's output read line by line, as they are: a letter
 * for the type, then the value. JSON alone rounds large integers and has no bytes.
 */
import type { SQLInputValue } from "node:sqlite";

/** Rare code points that the transfer does not keep: the end of a text, and line breaks. */
const FRAGILE = [0, 0x2028, 0x2029];

const encoded = (column: string): string => `CASE TYPEOF(${column})
  WHEN 'text' THEN IIF(${FRAGILE.map((code) => `INSTR(${column}, CHAR(${code})) > 0`).join(" OR ")}, 'x' || HEX(${column}), 't' || ${column})
  WHEN 'integer' THEN 'i' || ${column} WHEN 'real' THEN 'r' || PRINTF('%!.17g', ${column})
  WHEN 'blob' THEN 'b' || HEX(${column}) END`;

/** D1 takes at most 32 arguments of a function. */
const MOST_ARGUMENTS = 30;

/** The columns of a row as one text, which `readRow` reads. */
export function rowSql(columns: readonly string[]): string {
  const lists = Array.from({ length: Math.ceil(columns.length / MOST_ARGUMENTS) }, (_, at) => {
    const part = columns.slice(at * MOST_ARGUMENTS, (at + 1) * MOST_ARGUMENTS);
    return `JSON_ARRAY(${part.map(encoded).join(", ")})`;
  });
  return `JSON_ARRAY(${lists.join(", ")})`;
}

/** @throws where the text is not that of a row. */
export function readRow(text: string): SQLInputValue[] {
  const lists = JSON.parse(text) as readonly (readonly (string | null)[])[];
  return lists.flat().map(readValue);
}

function readValue(value: string | null): SQLInputValue {
  if (value === null) return null;
  const rest = value.slice(1);
  switch (value[0]) {
    case "t":
      return rest;
    case "x":
      return Buffer.from(rest, "hex").toString("utf8");
    case "i":
      return BigInt(rest);
    case "r":
      return Number(rest.replace("Inf", "Infinity"));
    case "b":
      return Buffer.from(rest, "hex");
    default:
      throw new TypeError("not a value of a row");
  }
}
