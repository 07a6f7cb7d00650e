/**
 * Writes events into D1. Storing is idempotent and independent of order: the same events make the same rows, in any order
 * and however often they are delivered.
 */
import { UNFOLDED_DELTAS } from "../rollups/fold.ts";
import type { LedgerEntry } from "../stored-facts.ts";
import { seal } from "./seal-events.ts";
import { statementsFor } from "./statements.ts";

/**
 * Stores all of the events or, when it rejects, not one of them: a batch is one transaction.
 * https://developers.cloudflare.com/d1/worker-api/d1-database/#batch
 *
 * @returns the number of the journal's deltas that are not folded into the totals yet.
 */
export async function storeEvents(database: D1Database, entries: readonly LedgerEntry[]): Promise<number> {
  // D1 rejects an empty batch.
  if (entries.length === 0) return 0;
  const at = Math.max(...entries.map(({ storedAt }) => storedAt));
  const statements = statementsFor(seal(entries), at);
  const results = await database.batch<{ deltas?: number }>([
    ...statements.map(({ sql, json }) => database.prepare(sql).bind(json)),
    database.prepare(UNFOLDED_DELTAS),
  ]);
  return results.at(-1)?.results[0]?.deltas ?? 0;
}
