/** Which leaves of the log belong to a person's requests, also those of events whose row is gone. */
import { isEventId } from "../../src/records/ledger/seal/entry.ts";
import type { Query, Row } from "../../src/records/ledger/seal/rebuild.ts";
import { TILE_WIDTH, tileId } from "../../src/records/ledger/seal/tiles.ts";
import { parseJson } from "../../src/shared/json.ts";

/** Of 8 KB each, as hexadecimal digits. */
const TILES_PER_PAGE = 128;
const HOUR_MS = 3_600_000;
const ID_DIGITS = 32;

const NEAR_SQL = `SELECT id, hex(event_ids) AS event_ids FROM seal_tiles
WHERE stored_to >= ?2 AND stored_from <= ?3 AND id > ?1 ORDER BY id LIMIT ${TILES_PER_PAGE}`;
const ALL_SQL = `SELECT id, hex(event_ids) AS event_ids FROM seal_tiles
WHERE id > ?1 AND id < ${tileId(1, 0)} ORDER BY id LIMIT ${TILES_PER_PAGE}`;

export class LeafFinder {
  /** Event id → the indices of its leaves: more than one where it was deleted and delivered again. */
  readonly leaves = new Map<string, Set<number>>();
  readonly #query: Query;
  readonly #requests: ReadonlySet<string>;

  /** @param requests as `requestOf` has them. */
  constructor(query: Query, requests: Iterable<string>) {
    this.#query = query;
    this.#requests = new Set([...requests].map((request) => request.replaceAll("-", "").toUpperCase()));
  }

  /** Leaves stand in the order of storing: looks in the tiles of the time between, and an hour more for a row that is gone. */
  async searchNear(storedAt: readonly number[]): Promise<void> {
    const [from, to] = storedAt.reduce<[number, number]>(
      ([low, high], at) => [Math.min(low, at), Math.max(high, at)],
      [Infinity, -Infinity],
    );
    if (from <= to) await this.#search(NEAR_SQL, from, to + HOUR_MS);
  }

  /** Looks in every tile: for rows that do not say when they were stored, or whose word for it was edited. */
  searchAll(): Promise<void> {
    return this.#search(ALL_SQL);
  }

  async #search(sql: string, ...times: readonly number[]): Promise<void> {
    let after = -1;
    for (;;) {
      const rows = await this.#query(sql, after, ...times);
      for (const row of rows) this.#read(row);
      after = Number(rows.at(-1)?.["id"]);
      if (rows.length < TILES_PER_PAGE) return;
    }
  }

  #read({ id, event_ids }: Row): void {
    if (typeof event_ids !== "string") return;
    for (let at = 0; at + ID_DIGITS <= event_ids.length; at += ID_DIGITS) {
      const digits = event_ids.slice(at, at + ID_DIGITS);
      if (!this.#requests.has(digits.slice(0, 12) + digits.slice(16))) continue;
      const eventId = digits.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
      const indices = this.leaves.get(eventId) ?? new Set<number>();
      this.leaves.set(eventId, indices.add(Number(id) * TILE_WIDTH + at / ID_DIGITS));
    }
  }
}

const PENDING_ROWS = 200;
const PENDING_SQL = `SELECT seq, event_ids FROM journal
WHERE seq > MAX(?1, (SELECT COALESCE(MAX(journal_seq), 0) FROM seal_state)) ORDER BY seq LIMIT ${PENDING_ROWS}`;

/** The events that are stored and wait to be sealed. */
export async function readPending(query: Query): Promise<Set<string>> {
  const pending = new Set<string>();
  let after = 0;
  for (;;) {
    const rows = await query(PENDING_SQL, after);
    for (const row of rows) {
      after = Number(row["seq"]);
      const ids = parseJson(String(row["event_ids"]));
      for (const id of Array.isArray(ids) ? ids : []) if (isEventId(id)) pending.add(id);
    }
    if (rows.length < PENDING_ROWS) return pending;
  }
}
