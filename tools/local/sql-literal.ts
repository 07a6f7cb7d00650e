/** SQL with its values written into it, for `wrangler d1 execute`, which binds no parameters. */
import type { SQLInputValue } from "node:sqlite";

/** Wrangler rejects these two words anywhere in a statement. */
const REJECTED = "BEGIN TRANSACTION";

/** Characters that end a statement or a line of it, and half a surrogate pair, which UTF-8 does not have. */
const UNSAFE = /[\0\r\n\u2028\u2029]|\p{Cs}/u;

/** A text without unsafe characters stays readable; another one is its bytes, half a surrogate pair as U+FFFD. */
export function literal(value: SQLInputValue): string {
  if (value === null) return "NULL";
  if (typeof value === "number" || typeof value === "bigint") return numberLiteral(value);
  if (typeof value !== "string") return `X'${Buffer.from(value as Uint8Array).toString("hex")}'`;
  if (UNSAFE.test(value)) return `CAST(X'${Buffer.from(value, "utf8").toString("hex")}' AS TEXT)`;
  const parts = value.split(REJECTED).map((part) => `'${part.replaceAll("'", "''")}'`);
  return parts.length === 1 ? parts.join("") : `(${parts.join(" || 'BEGIN' || ' TRANSACTION' || ")})`;
}

function numberLiteral(value: number | bigint): string {
  if (Number.isNaN(value)) throw new RangeError("SQL has no such number");
  return String(value).replace("Infinity", "9e999");
}

/** The statement with the values in place of its parameters `?1`, `?2` … @throws RangeError where one is missing. */
export const inlined = (sql: string, values: readonly SQLInputValue[]): string =>
  sql.replaceAll(/\?(\d+)/g, (_, digits: string) => {
    const value = values[Number(digits) - 1];
    if (value === undefined) throw new RangeError(`no parameter ?${digits}`);
    return literal(value);
  });
