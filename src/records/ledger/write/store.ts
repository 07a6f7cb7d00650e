/**
 * Writes events into the ledger's database. Receives events in any order, perhaps some of them again; the rows are the
 * same whatever the order and however often. All of one call is stored, or nothing is and it rejects.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { hasTable, statementsFor } from "./statements.ts";

export async function storeEvents(database: D1Database, events: readonly InterceptorEvent[]): Promise<void> {
  const statements = statementsFor(events);
  // An empty batch is an error.
  if (statements.length === 0) return;
  // One transaction: https://developers.cloudflare.com/d1/worker-api/d1-database/#batch
  await database.batch(statements.map(({ sql, json }) => database.prepare(sql).bind(json)));
}

/** Whether an event has a table here. */
export function storesEvent(event: InterceptorEvent): boolean {
  return hasTable(event);
}
