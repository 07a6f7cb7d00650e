/**
 * One shard of the store of object owners: a Durable Object with a row per object. At most one instance of the object runs
 * at a time, and its storage is written before its response is sent. So exactly one of several claims wins, even after a
 * crash. It holds hashes alone: no id of an object, and no name of a person.
 */
import { OTHER, OWN } from "./object-owners-client.ts";

const DAY_MS = 86_400_000;
/** How long an unused object keeps its owner. */
export const RETENTION_MS = 400 * DAY_MS;

export class ObjectOwnersShard implements DurableObject {
  readonly #storage: DurableObjectStorage;

  constructor({ storage }: DurableObjectState) {
    this.#storage = storage;
    storage.sql.exec(
      "CREATE TABLE IF NOT EXISTS owned (object TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID",
    );
  }

  /** `POST /claim` or `/check`, `?owner=…&objects=…,…`: 200 where all the objects are the owner's, 409 where one is not. */
  async fetch({ url }: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(url);
    const owner = searchParams.get("owner");
    const objects = searchParams.get("objects")?.split(",") ?? [];
    const isClaim = pathname === "/claim";
    if (!owner || objects.length === 0 || !(isClaim || pathname === "/check"))
      return new Response(null, { status: 400 });
    const at = Date.now();
    if (isClaim) for (const object of objects) this.#claim(object, owner, at);
    const isOwn = objects.every((object) => this.#isOwn(object, owner, at));
    if (isClaim && (await this.#storage.getAlarm()) === null) await this.#storage.setAlarm(at + RETENTION_MS);
    return new Response(null, { status: isOwn ? OWN : OTHER });
  }

  /** The first claim stays. */
  #claim(object: string, owner: string, at: number): void {
    const insert =
      "INSERT INTO owned (object, owner, created, used) VALUES (?, ?, ?, ?) ON CONFLICT (object) DO NOTHING";
    this.#storage.sql.exec(insert, object, owner, at, at);
  }

  #isOwn(object: string, owner: string, at: number): boolean {
    const { sql } = this.#storage;
    const select = "SELECT used FROM owned WHERE object = ? AND owner = ?";
    const [row] = sql.exec<{ used: number }>(select, object, owner).toArray();
    // Written once a day: a use costs a read.
    if (row && row.used < at - DAY_MS) sql.exec("UPDATE owned SET used = ? WHERE object = ?", at, object);
    return row !== undefined;
  }

  /** Deletes what was not used for so long, and comes back when the next row may be due. */
  async alarm(): Promise<void> {
    const { sql } = this.#storage;
    sql.exec("DELETE FROM owned WHERE used <= ?", Date.now() - RETENTION_MS);
    const { next } = sql.exec<{ next: number | null }>("SELECT MIN(used) AS next FROM owned").one();
    if (next !== null) await this.#storage.setAlarm(Math.max(next + RETENTION_MS, Date.now() + DAY_MS));
  }
}
