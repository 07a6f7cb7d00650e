/**
 * One shard of the replay cache: a Durable Object that remembers signatures until they have expired. One object runs in
 * one place at a time and its storage is written before its answer leaves, so that of two requests with the same
 * signature exactly one is the first, whatever crashes.
 */
import { FIRST_USE, ALREADY_USED } from "./replay-cache.ts";

/** How far apart the clocks of two machines may be: a signature is forgotten only when every one of them refuses it. */
const SKEW_MS = 60_000;
/** How often a shard in use looks for what it may forget. */
const SWEEP_MS = 300_000;

export class ReplayCacheShard implements DurableObject {
  readonly #storage: DurableObjectStorage;

  constructor({ storage }: DurableObjectState) {
    this.#storage = storage;
    storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS seen (mac TEXT NOT NULL PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID",
    );
  }

  /** `POST ?mac=…&until=…`: 201 for the first time, 409 for any other. */
  async fetch({ url }: Request): Promise<Response> {
    const { searchParams } = new URL(url);
    const [mac, until] = [searchParams.get("mac"), Number(searchParams.get("until") ?? Number.NaN)];
    if (!mac || !Number.isSafeInteger(until)) return new Response(null, { status: 400 });
    const inserted = this.#storage.sql.exec(
      "INSERT INTO seen (mac, until) VALUES (?, ?) ON CONFLICT (mac) DO NOTHING RETURNING mac",
      mac,
      until,
    );
    if (inserted.toArray().length === 0) return new Response(null, { status: ALREADY_USED });
    if ((await this.#storage.getAlarm()) === null) await this.#storage.setAlarm(Date.now() + SWEEP_MS);
    return new Response(null, { status: FIRST_USE });
  }

  async alarm(): Promise<void> {
    this.#storage.sql.exec("DELETE FROM seen WHERE until < ?", Date.now() - SKEW_MS);
    const left = this.#storage.sql.exec("SELECT 1 FROM seen LIMIT 1").toArray();
    if (left.length > 0) await this.#storage.setAlarm(Date.now() + SWEEP_MS);
  }
}
