/**
 * Events as a SQL file for `wrangler d1 execute`: the records Worker's own statements, with their parameter inlined. No
 * statement exceeds D1's limit of 100,000 bytes.
 */
import type { InterceptorEvent } from "../../src/events/event.ts";
import { toJsonWithin } from "../../src/events/json-within.ts";
import type { LedgerEntry } from "../../src/records/ledger/stored-facts.ts";
import { seal } from "../../src/records/ledger/write/seal-events.ts";
import { statementsFor } from "../../src/records/ledger/write/statements.ts";
import {
  INSERT_UNAUTHENTICATED,
  unauthenticatedRows,
  type UnauthenticatedEntry,
} from "../../src/records/ledger/write/unauthenticated.ts";

/**
 * A statement's own text is under 3,000 bytes, and a character takes three bytes at most. The content of the largest event
 * may consist of quotes only, which are doubled.
 */
const MAX_CHARACTERS = 30_000;
const MAX_EVENT_BYTES = 60_000;

/** The entries of one replay, which have one time of storing. */
export function toSql(entries: readonly LedgerEntry[]): string {
  const shortened = entries.map((entry) => ({
    ...entry,
    event: JSON.parse(toJsonWithin(entry.event, MAX_EVENT_BYTES)) as InterceptorEvent,
  }));
  return statementsFor(seal(shortened), entries[0]?.storedAt ?? 0, MAX_CHARACTERS)
    .map(({ sql, json }) => `${sql.replaceAll("?1", () => quoted(json))};\n`)
    .join("");
}

/** Events without a valid MAC as a SQL file. */
export function toUnauthenticatedSql(
  entries: readonly UnauthenticatedEntry[],
  newId: (now: number) => string,
): string {
  return unauthenticatedRows(entries, newId, MAX_CHARACTERS)
    .map((json) => `${INSERT_UNAUTHENTICATED.replace("?1", () => quoted(json))};\n`)
    .join("");
}

/** JSON as a SQL string literal. It holds no line break and no NUL, so only quotes need escaping. */
function quoted(json: string): string {
  // Wrangler rejects these two words anywhere in the file. The JSON escape is equivalent.
  const escaped = json.replaceAll("BEGIN TRANSACTION", String.raw`BEGIN\u0020TRANSACTION`);
  return `'${escaped.replaceAll("'", "''")}'`;
}
