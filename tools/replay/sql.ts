/**
 * Events as a file of SQL for `wrangler d1 execute`: the Worker's own statements, their parameter written out as text.
 * No statement is longer than the 100,000 bytes that D1 takes.
 */
import type { InterceptorEvent } from "../../src/events/event.ts";
import { toJsonWithin } from "../../src/events/truncate-event.ts";
import { statementsFor } from "../../src/records/ledger/write/statements.ts";

/**
 * A statement's own text is under 3,000 bytes, a character three at most; and the largest event alone may have content
 * of nothing but quotes, which are written double.
 */
const MAX_CHARACTERS = 30_000;
const MAX_EVENT_BYTES = 60_000;

export function toSql(events: readonly InterceptorEvent[]): string {
  const fitting = events.map((event) => JSON.parse(toJsonWithin(event, MAX_EVENT_BYTES)) as InterceptorEvent);
  return statementsFor(fitting, MAX_CHARACTERS)
    .map(({ sql, json }) => `${sql.replace("?1", () => quoted(json))};\n`)
    .join("");
}

/** JSON as a text in SQL: it holds no line break or NUL, so that quotes are all there is to write otherwise. */
function quoted(json: string): string {
  // Wrangler takes these two words for a transaction's, wherever they stand. JSON says the same so.
  const plain = json.replaceAll("BEGIN TRANSACTION", String.raw`BEGIN\u0020TRANSACTION`);
  return `'${plain.replaceAll("'", "''")}'`;
}
