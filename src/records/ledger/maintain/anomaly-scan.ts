/**
 * Watches for lies: looks at every interception once, some while after it began, and writes down what is odd. Takes up
 * where it stopped; whatever is looked at again says the same. Bounded per run, and each look finds its rows by an index.
 */
import {
  detectAnomalies,
  SHARE_SPIKE,
  type Anomaly,
  type ChatPair,
  type Hour,
  type OwnerActors,
} from "./anomalies.ts";
import { ANOMALY_SQL, PAGE_ROWS } from "./anomaly-sql.ts";
import { DAY_MS, aggregate, type InterceptionRow, type Aggregates } from "./aggregate.ts";
import { uuidPrefix, uuidTime } from "../../../shared/uuid.ts";

/** What the queue has not brought by then is not looked at by itself, but in its chat's next. */
export const SETTLED_AFTER_MS = 15 * 60_000;
/** A cron that stood still for longer goes on from here. */
const AT_MOST_DAYS = SHARE_SPIKE.days;

/** Of one run; with the rest of upkeep under the 1,000 of one invocation. */
const STATEMENTS = 320;
const ROWS_PER_WRITE = 200;

export async function scanForAnomalies(
  database: D1Database,
  now: number,
  logError: (line: string) => void,
): Promise<void> {
  const from = uuidPrefix(Math.max(0, now - AT_MOST_DAYS * DAY_MS));
  const to = uuidPrefix(Math.max(0, now - SETTLED_AFTER_MS));
  let left = STATEMENTS;
  while (left > 0) {
    const { results: rows } = await database.prepare(ANOMALY_SQL.page).bind(from, to).all<InterceptionRow>();
    left -= 1;
    if (rows.length > 0) left -= await scanPage(database, rows);
    if (rows.length < PAGE_ROWS) return;
  }
  logError("ledger: watched as much as one run may; what is left is for the next");
}

/** Hands on how many statements it took. */
async function scanPage(database: D1Database, rows: readonly InterceptionRow[]): Promise<number> {
  const seen = aggregate(rows);
  const context = await loadContext(database, seen);
  const found = await detectAnomalies(seen, context);
  const write = (sql: string, value: string): D1PreparedStatement => database.prepare(sql).bind(value);
  const writes = [
    ...written(found).map((json) => write(ANOMALY_SQL.anomalies, json)),
    write(ANOMALY_SQL.hours, JSON.stringify(seen.hours)),
    write(ANOMALY_SQL.cursor, rows.at(-1)?.id ?? ""),
  ];
  // In one transaction: what was looked at is written down, or is looked at again.
  await database.batch(writes);
  return READS + writes.length;
}

const READS = 4;

async function loadContext(database: D1Database, { chats, owners, hours }: Aggregates) {
  const ask = (sql: string, ...values: readonly string[]): D1PreparedStatement =>
    database.prepare(sql).bind(...values);
  const touched = hours.map(({ hour }) => hour).toSorted();
  const since = uuidPrefix(Math.max(0, uuidTime(touched[0] ?? "") - SHARE_SPIKE.days * DAY_MS));
  const told = distinct(owners.map(({ day, owner_id }) => ({ day, owner_id })));
  const [, actors, week, pairs] = await database.batch([
    ask(ANOMALY_SQL.owners, JSON.stringify(owners)),
    ask(ANOMALY_SQL.manyActors, told),
    ask(ANOMALY_SQL.week, since, touched.at(-1) ?? ""),
    ask(ANOMALY_SQL.pairs, JSON.stringify([...new Set(chats.map(({ chat_id: chat }) => chat))])),
  ]);
  return {
    owners: rowsOf<Omit<OwnerActors, "actors"> & { readonly actors: string }>(actors).map((row) => ({
      ...row,
      actors: JSON.parse(row.actors) as OwnerActors["actors"],
    })),
    hours: rowsOf<Hour>(week),
    pairs: rowsOf<ChatPair>(pairs),
  };
}

/** A JSON list without repeats. */
const distinct = (values: readonly object[]): string =>
  `[${[...new Set(values.map((value) => JSON.stringify(value)))].join(",")}]`;

/** As our own SQL selects them. */
const rowsOf = <Row>(result: D1Result | undefined): readonly Row[] =>
  (result?.results ?? []) as readonly Row[];

/** As JSON lists, each far below what one parameter may hold. */
function written(anomalies: readonly Anomaly[]): readonly string[] {
  const lists: string[] = [];
  for (let at = 0; at < anomalies.length; at += ROWS_PER_WRITE)
    lists.push(JSON.stringify(anomalies.slice(at, at + ROWS_PER_WRITE)));
  return lists;
}
