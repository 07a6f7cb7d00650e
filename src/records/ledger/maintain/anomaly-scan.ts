/**
 * Watches for lies: looks at every interception once, some while after it began, and writes down what is odd. Takes up
 * where it stopped; whatever is looked at again says the same. Bounded per run, and each look finds its rows by an index.
 */
import { anomaliesIn, RISE, type Anomaly, type ChatPair, type Hour, type OwnerActors } from "./anomalies.ts";
import { idPrefix, timeOf } from "../../../shared/uuid-time.ts";
import { LOOK, PAGE } from "./anomaly-sql.ts";
import { DAY_MS, sightingsIn, type Seen, type Sightings } from "./aggregate.ts";

/** What the queue has not brought by then is not looked at by itself, but in its chat's next. */
export const SETTLED_AFTER_MS = 15 * 60_000;
/** A cron that stood still for longer goes on from here. */
const AT_MOST_DAYS = RISE.days;

/** Of one run; with the rest of upkeep under the 1,000 of one invocation. */
const STATEMENTS = 320;
const ROWS_PER_WRITE = 200;

export async function watch(
  database: D1Database,
  now: number,
  complain: (line: string) => void,
): Promise<void> {
  const from = idPrefix(Math.max(0, now - AT_MOST_DAYS * DAY_MS));
  const to = idPrefix(Math.max(0, now - SETTLED_AFTER_MS));
  let left = STATEMENTS;
  while (left > 0) {
    const { results: rows } = await database.prepare(LOOK.page).bind(from, to).all<Seen>();
    left -= 1;
    if (rows.length > 0) left -= await lookAt(database, rows);
    if (rows.length < PAGE) return;
  }
  complain("ledger: watched as much as one run may; what is left is for the next");
}

/** Hands on how many statements it took. */
async function lookAt(database: D1Database, rows: readonly Seen[]): Promise<number> {
  const seen = sightingsIn(rows);
  const context = await contextOf(database, seen);
  const found = await anomaliesIn(seen, context);
  const write = (sql: string, value: string): D1PreparedStatement => database.prepare(sql).bind(value);
  const writes = [
    ...written(found).map((json) => write(LOOK.anomalies, json)),
    write(LOOK.hours, JSON.stringify(seen.hours)),
    write(LOOK.cursor, rows.at(-1)?.id ?? ""),
  ];
  // In one transaction: what was looked at is written down, or is looked at again.
  await database.batch(writes);
  return READS + writes.length;
}

const READS = 4;

async function contextOf(database: D1Database, { chats, owners, hours }: Sightings) {
  const ask = (sql: string, ...values: readonly string[]): D1PreparedStatement =>
    database.prepare(sql).bind(...values);
  const touched = hours.map(({ hour }) => hour).toSorted();
  const since = idPrefix(Math.max(0, timeOf(touched[0] ?? "") - RISE.days * DAY_MS));
  const told = distinct(owners.map(({ day, owner_id }) => ({ day, owner_id })));
  const [, actors, week, pairs] = await database.batch([
    ask(LOOK.owners, JSON.stringify(owners)),
    ask(LOOK.manyActors, told),
    ask(LOOK.week, since, touched.at(-1) ?? ""),
    ask(LOOK.pairs, JSON.stringify([...new Set(chats.map(({ chat_id: chat }) => chat))])),
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
