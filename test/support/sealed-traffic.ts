/** Generated interceptions, stored as the queue's consumer does. */
import { traffic } from "../../bench/ledger/traffic.ts";
import { storeEvents } from "../../src/records/ledger/write/store.ts";

/** Enough for one store. */
const PER_STORE = 250;

/**
 * Stores the interceptions from index `from` up to, not including, `to`, of `all` in the generated month.
 * @returns the ids that the journal has of them.
 */
export async function storeSealedTraffic(
  database: D1Database,
  { from, to, all }: { readonly from: number; readonly to: number; readonly all: number },
): Promise<string[]> {
  const before = await database
    .prepare("SELECT COALESCE(MAX(seq), 0) AS seq FROM journal")
    .first<number>("seq");
  for (let at = from; at < to; at += PER_STORE) {
    const events = traffic(at, Math.min(PER_STORE, to - at), all);
    const facts = { via: "q", macKeyId: null, storedAt: Date.now() } as const;
    await storeEvents(
      database,
      events.map((event) => ({ event, ...facts })),
    );
  }
  const { results } = await database
    .prepare("SELECT event_ids FROM journal WHERE seq > ?1 ORDER BY seq")
    .bind(before)
    .all<{ readonly event_ids: string }>();
  return results.flatMap(({ event_ids }) => JSON.parse(event_ids) as string[]);
}
