/**
 * One shard of the replay cache: a Durable Object that stores signatures until they have expired. At most one instance
 * of the object runs at a time, and its storage is written before its response is sent. So exactly one of several
 * requests with the same signature is the first, even after a crash.
 */
import { FIRST_USE, ALREADY_USED } from "./replay-cache-client.ts";

/** The clock skew allowed between machines: a signature is deleted only when every machine considers it expired. */
const SKEW_MS = 60_000;
/** The interval at which a shard in use deletes expired signatures. */
const SWEEP_MS = 300_000;

export class ReplayCacheShard implements DurableObject {
  readonly #storage: DurableObjectStorage;

  constructor({ storage }: DurableObjectState) {
    this.#storage = storage;
    storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS seen (mac TEXT NOT NULL PRIMARY KEY, until INTEGER NOT NULL, token TEXT) WITHOUT ROWID",
    );
    // Objects from before the token. Code from before it still works with the column: it may be null.
    const columns = storage.sql.exec<{ name: string }>("PRAGMA table_info(seen)").toArray();
    if (!columns.some(({ name }) => name === "token"))
      storage.sql.exec("ALTER TABLE seen ADD COLUMN token TEXT");
  }

  /**
   * `POST` with `mac`, `until` and `token` in its query: 201 for the first use of the MAC and for a repetition of that query,
   * known by its token; 409 for every other use; 400 for a malformed query. During a gradual deployment a gateway may send
   * no token.
   */
  async fetch({ url }: Request): Promise<Response> {
    const { searchParams } = new URL(url);
    const [mac, until] = [searchParams.get("mac"), Number(searchParams.get("until") ?? Number.NaN)];
    if (!mac || !Number.isSafeInteger(until)) return new Response(null, { status: 400 });
    if (!this.#isFirstUse(mac, until, searchParams.get("token")))
      return new Response(null, { status: ALREADY_USED });
    // Also for a repetition: the first try may have ended between its row and its alarm.
    if ((await this.#storage.getAlarm()) === null) await this.#storage.setAlarm(Date.now() + SWEEP_MS);
    return new Response(null, { status: FIRST_USE });
  }

  #isFirstUse(mac: string, until: number, token: string | null): boolean {
    const { sql } = this.#storage;
    const insert =
      "INSERT INTO seen (mac, until, token) VALUES (?, ?, ?) ON CONFLICT (mac) DO NOTHING RETURNING mac";
    if (sql.exec(insert, mac, until, token || null).toArray().length > 0) return true;
    if (!token) return false;
    return sql.exec("SELECT 1 FROM seen WHERE mac = ? AND token = ?", mac, token).toArray().length > 0;
  }

  async alarm(): Promise<void> {
    this.#storage.sql.exec("DELETE FROM seen WHERE until < ?", Date.now() - SKEW_MS);
    const remaining = this.#storage.sql.exec("SELECT 1 FROM seen LIMIT 1").toArray();
    if (remaining.length > 0) await this.#storage.setAlarm(Date.now() + SWEEP_MS);
  }
}
