/**
 * Scans every refusal once, some time after it, and counts those of each credential by hour. A cursor in D1 marks the last
 * one read, and scanning rows again is idempotent, as in `anomaly-scan.ts`.
 */
import type { LogOperatorEvent } from "../../../shared/operator-log.ts";
import { uuidPrefix } from "../../../shared/uuid.ts";
import { keyAnomalies, SHARE_SPIKE, type KeyHour } from "./anomalies.ts";
import { distinct, rowsOf, ROWS_PER_WRITE, SETTLED_AFTER_MS, toJsonArrays } from "./anomaly-scan.ts";
import { ANOMALY_SQL, PAGE_ROWS } from "./anomaly-sql.ts";
import { DAY_MS, hourOf } from "./aggregate.ts";

const MAX_PAGES = 4;
/** The statements of a run at most: each page is read, has its context read, and is written with its anomalies and two more. */
export const REFUSAL_SCAN_STATEMENTS = MAX_PAGES * (4 + PAGE_ROWS / ROWS_PER_WRITE);
/** Bound of the reasons in an anomaly's details. */
const MAX_REASONS = 10;

type RefusalRow = {
  readonly id: string;
  readonly interception_id: string;
  /** null where no credential was read. */
  readonly api_key_id: string | null;
  readonly actor_id: string | null;
  readonly identity_source: string | null;
  readonly reason: string;
};

type KnownHour = Pick<KeyHour, "hour" | "api_key_id" | "refusals" | "last_id">;

export async function scanRefusals(
  database: D1Database,
  now: number,
  logError: LogOperatorEvent,
): Promise<void> {
  const from = uuidPrefix(Math.max(0, now - SHARE_SPIKE.days * DAY_MS));
  const to = uuidPrefix(Math.max(0, now - SETTLED_AFTER_MS));
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const { results: rows } = await database.prepare(ANOMALY_SQL.refusals).bind(from, to).all<RefusalRow>();
    if (rows.length > 0) await scanPage(database, rows);
    if (rows.length < PAGE_ROWS) return;
  }
  logError({ event: "maintenance_unfinished", task: "scan of refusals" });
}

async function scanPage(database: D1Database, rows: readonly RefusalRow[]): Promise<void> {
  const write = (sql: string, value: string): D1PreparedStatement => database.prepare(sql).bind(value);
  const inPage = keyHours(rows);
  const hours = distinct(inPage.map(({ hour, api_key_id }) => ({ hour, api_key_id })));
  const [known] = await database.batch([write(ANOMALY_SQL.keyHours, hours)]);
  const keys = addKnown(inPage, rowsOf<KnownHour>(known));
  const anomalies = await keyAnomalies(keys);
  // One transaction: the cursor moves only if the page's counts are stored.
  await database.batch([
    ...toJsonArrays(anomalies).map((json) => write(ANOMALY_SQL.anomalies, json)),
    write(ANOMALY_SQL.keys, JSON.stringify(keys)),
    write(ANOMALY_SQL.refusalCursor, rows.at(-1)?.id ?? ""),
  ]);
}

function keyHours(rows: readonly RefusalRow[]): KeyHour[] {
  const withKey = rows.filter(({ api_key_id: key }) => key !== null);
  const groups = Map.groupBy(withKey, ({ id, api_key_id: key }) => `${hourOf(id)} ${key}`);
  return [...groups.values()].map((group) => {
    const [first, last] = [group[0] as RefusalRow, group.at(-1) as RefusalRow];
    const reasons = [...new Set(group.map(({ reason }) => reason))].slice(0, MAX_REASONS);
    const actor = last.actor_id === null ? null : `${last.identity_source}:${last.actor_id}`;
    return {
      hour: hourOf(first.id),
      api_key_id: first.api_key_id ?? "",
      refusals: group.length,
      first_id: first.id,
      last_id: last.id,
      first_interception_id: first.interception_id,
      last_interception_id: last.interception_id,
      details: { actor, reasons },
    };
  });
}

/** Only refusals after the last one counted are added, so that none is counted twice. */
function addKnown(inPage: readonly KeyHour[], known: readonly KnownHour[]): KeyHour[] {
  const rows = new Map(known.map((row) => [`${row.hour} ${row.api_key_id}`, row]));
  return inPage.map((key) => {
    const row = rows.get(`${key.hour} ${key.api_key_id}`);
    if (!row) return key;
    return { ...key, refusals: row.refusals + (key.first_id > row.last_id ? key.refusals : 0) };
  });
}
