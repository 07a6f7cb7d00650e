/**
 * Writes events into D1. Storing is idempotent and independent of order: the same events make the same rows, in any order
 * and however often they are delivered.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { statementsFor } from "./statements.ts";

/**
 * Stores all of the events or, when it rejects, not one of them: a batch is one transaction.
 * https://developers.cloudflare.com/d1/worker-api/d1-database/#batch
 */
export async function storeEvents(database: D1Database, events: readonly InterceptorEvent[]): Promise<void> {
  const statements = statementsFor(events);
  // D1 rejects an empty batch.
  if (statements.length === 0) return;
  await database.batch(statements.map(({ sql, json }) => database.prepare(sql).bind(json)));
}
