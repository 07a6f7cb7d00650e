/**
 * The anomaly scan: reads every interception once, some time after it began, and records anomalies. A cursor in D1 marks
 * the last interception read. Scanning rows again is idempotent. Each run has a bounded number of statements.
 */
import {
  detectAnomalies,
  SHARE_SPIKE,
  type Anomaly,
  type ActorHourContext,
  type ActorHourTotal,
  type ChatActor,
  type ChatPair,
  type Hour,
  type OwnerActors,
} from "./anomalies.ts";
import { ANOMALY_SQL, PAGE_ROWS } from "./anomaly-sql.ts";
import { DAY_MS, aggregate, dayOf, type InterceptionRow, type Aggregates } from "./aggregate.ts";
import type { LogOperatorEvent } from "../../../shared/operator-log.ts";
import { uuidPrefix, uuidTime } from "../../../shared/uuid.ts";

/** A row that the queue delivers later than this is not scanned by itself, only with the next request of its chat. */
export const SETTLED_AFTER_MS = 15 * 60_000;
/** After a longer outage of the cron, the scan starts here and skips older rows. */
const MAX_LOOKBACK_DAYS = SHARE_SPIKE.days;

/** Statements after which no further page is read. */
const MAX_STATEMENTS = 240;
export const ROWS_PER_WRITE = 200;
/**
 * Anomalies of a page at most, per request: two of its chat, one of the chat's actors, one of its owner, one of its actor,
 * and four of the request itself. Those of unknown usage and of hours are far fewer.
 */
const ANOMALIES_PER_ROW = 10;
const READS = 6;
const PAGE_STATEMENTS = 1 + READS + 3 + (ANOMALIES_PER_ROW * PAGE_ROWS) / ROWS_PER_WRITE;
/** The statements of a run at most. */
export const SCAN_STATEMENTS = MAX_STATEMENTS - 1 + PAGE_STATEMENTS;

export async function scanForAnomalies(
  database: D1Database,
  now: number,
  logError: LogOperatorEvent,
): Promise<void> {
  const from = uuidPrefix(Math.max(0, now - MAX_LOOKBACK_DAYS * DAY_MS));
  const to = uuidPrefix(Math.max(0, now - SETTLED_AFTER_MS));
  let left = MAX_STATEMENTS;
  while (left > 0) {
    const { results: rows } = await database.prepare(ANOMALY_SQL.page).bind(from, to).all<InterceptionRow>();
    left -= 1;
    if (rows.length > 0) left -= await scanPage(database, rows);
    if (rows.length < PAGE_ROWS) return;
  }
  logError({ event: "maintenance_unfinished", task: "anomaly scan" });
}

/** Returns the number of statements that it ran. */
async function scanPage(database: D1Database, rows: readonly InterceptionRow[]): Promise<number> {
  const aggregates = aggregate(rows);
  const context = await loadContext(database, aggregates);
  const anomalies = await detectAnomalies(aggregates, context);
  const write = (sql: string, value: string): D1PreparedStatement => database.prepare(sql).bind(value);
  const writes = [
    ...toJsonArrays(anomalies).map((json) => write(ANOMALY_SQL.anomalies, json)),
    write(ANOMALY_SQL.hours, JSON.stringify(aggregates.hours)),
    write(ANOMALY_SQL.actors, JSON.stringify(context.actors)),
    write(ANOMALY_SQL.cursor, rows.at(-1)?.id ?? ""),
  ];
  // One transaction: the cursor moves only if the page's anomalies are stored; otherwise the page is scanned again.
  await database.batch(writes);
  return READS + writes.length;
}

async function loadContext(
  database: D1Database,
  { chats, rejectedInChats, owners, hours, actors }: Aggregates,
) {
  const query = (sql: string, ...values: readonly string[]): D1PreparedStatement =>
    database.prepare(sql).bind(...values);
  const hoursInPage = hours.map(({ hour }) => hour).toSorted();
  const since = uuidPrefix(Math.max(0, uuidTime(hoursInPage[0] ?? "") - SHARE_SPIKE.days * DAY_MS));
  const ownersInPage = distinct(owners.map(({ hour, owner }) => ({ owner, ...dayAround(hour) })));
  const chatsInPage = [...new Set([...chats, ...rejectedInChats].map(({ chat_id: chat }) => chat))];
  const [, manyActors, week, actorRows, pairs, chatActors] = await database.batch([
    query(ANOMALY_SQL.owners, JSON.stringify(owners)),
    query(ANOMALY_SQL.manyActors, ownersInPage),
    query(ANOMALY_SQL.week, since, hoursInPage.at(-1) ?? ""),
    query(
      ANOMALY_SQL.actorHours,
      distinct(actors.map(({ hour, actor }) => ({ hour, actor, ...before(hour) }))),
    ),
    ...(chatsInPage.length === 0
      ? []
      : [ANOMALY_SQL.pairs, ANOMALY_SQL.chatActors].map((sql) => query(sql, JSON.stringify(chatsInPage)))),
  ]);
  return {
    actors: totalsOf(actors, rowsOf<ActorHourContext>(actorRows)),
    owners: rowsOf<Omit<OwnerActors, "actors"> & { readonly actors: string }>(manyActors).map((row) => ({
      ...row,
      actors: JSON.parse(row.actors) as OwnerActors["actors"],
    })),
    hours: rowsOf<Hour>(week),
    pairs: rowsOf<ChatPair>(pairs),
    chatActors: rowsOf<ChatActor>(chatActors),
  };
}

/** The day of an hour, from its start to its end. */
const dayAround = (hour: string) => {
  const day = dayOf(hour);
  return { day, end: uuidPrefix(uuidTime(day) + DAY_MS) };
};

/** Where the day and the week before an hour start. */
const before = (hour: string) => ({
  day: dayOf(hour),
  week: uuidPrefix(Math.max(0, uuidTime(hour) - SHARE_SPIKE.days * DAY_MS)),
});

/** The counts after this page: only requests after the last one counted are added, so that no request is counted twice. */
function totalsOf(actors: Aggregates["actors"], rows: readonly ActorHourContext[]): ActorHourTotal[] {
  const known = new Map(rows.map((row) => [`${row.hour} ${row.actor}`, row]));
  const added = (one: Aggregates["actors"][number]) => {
    const row = known.get(`${one.hour} ${one.actor}`);
    const isNew = one.first_id > (row?.last_id ?? "");
    return isNew ? one : { ...one, served: 0, unknown: 0 };
  };
  const byActor = Map.groupBy(actors, ({ actor }) => actor);
  return actors.map((one) => {
    const row = known.get(`${one.hour} ${one.actor}`);
    // The page's own hours before this one are not in the ledger yet.
    const earlier = (byActor.get(one.actor) ?? []).filter(({ hour }) => hour < one.hour);
    const ofDay = [...earlier.filter(({ hour }) => dayOf(hour) === dayOf(one.hour)), one].map(added);
    const sum = (name: "served" | "unknown"): number => ofDay.reduce((all, { [name]: n }) => all + n, 0);
    const owners = earlier.map(({ hour, actor }) => known.get(`${hour} ${actor}`)?.owners ?? 0);
    const [served, unknown] = [row?.served ?? 0, row?.unknown ?? 0];
    return {
      ...one,
      served: served + added(one).served,
      unknown: unknown + added(one).unknown,
      owners: row?.owners ?? 0,
      busiest: Math.max(row?.busiest ?? 0, ...owners),
      servedOfDay: served + (row?.served_before ?? 0) + sum("served"),
      unknownOfDay: unknown + (row?.unknown_before ?? 0) + sum("unknown"),
    };
  });
}

/** A JSON array without duplicates. */
export const distinct = (values: readonly object[]): string =>
  `[${[...new Set(values.map((value) => JSON.stringify(value)))].join(",")}]`;

/** The rows of one statement of the batch. `Row` is what its SQL selects. */
export const rowsOf = <Row>(result: D1Result | undefined): readonly Row[] =>
  (result?.results ?? []) as readonly Row[];

/** JSON arrays, each far below D1's limit for one parameter. */
export function toJsonArrays(anomalies: readonly Anomaly[]): readonly string[] {
  const arrays: string[] = [];
  for (let at = 0; at < anomalies.length; at += ROWS_PER_WRITE)
    arrays.push(JSON.stringify(anomalies.slice(at, at + ROWS_PER_WRITE)));
  return arrays;
}
