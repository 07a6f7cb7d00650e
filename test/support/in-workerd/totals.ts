/** The ledger's totals as rollups and journal have them, and counted again from the rows of the interceptions. */
import {
  contribution,
  dimensionKey,
  hourOf,
  MEASURES,
} from "../../../src/records/rollups/contribution-sql.ts";
import { CLOSED_DAYS, deltasOf, UNFOLDED } from "../../../src/records/rollups/unfolded.ts";

type Total = Readonly<Record<string, unknown>>;
export type Totals = { readonly hours: readonly Total[]; readonly days: readonly Total[] };

const sums = MEASURES.map((name) => `TOTAL(${name}) AS ${name}`).join(", ");
const measures = MEASURES.join(", ");

/** By dimension and hour, and by dimension and day, without the rows that add up to nothing. */
const totalsOf = async (database: D1Database, hours: string, days: string): Promise<Totals> => {
  const grouped = (source: string): D1PreparedStatement =>
    database.prepare(
      `SELECT key, period, ${sums} FROM (${source}) GROUP BY 1, 2 HAVING TOTAL(requests) <> 0 ORDER BY 1, 2`,
    );
  const [byHour, byDay] = await database.batch<Total>([grouped(hours), grouped(days)]);
  return { hours: byHour?.results ?? [], days: byDay?.results ?? [] };
};

const named = (source: string, period: string): string =>
  `SELECT d.key AS key, ${period} AS period, ${measures} FROM (${source}) AS s JOIN rollup_dimensions AS d ON d.id = s.dimension WHERE d.coarseness = 0`;

export function storedTotals(database: D1Database): Promise<Totals> {
  const journal = deltasOf(UNFOLDED);
  const hours = `${named("SELECT * FROM rollup_hours", "s.hour")} UNION ALL ${named(journal, "s.hour")}`;
  // Of a day that has not been summed up, the hours count.
  const open = `SELECT * FROM rollup_hours WHERE hour >= ${CLOSED_DAYS}`;
  const days = [
    named("SELECT * FROM rollup_days", "s.day"),
    named(open, "SUBSTR(s.hour, 1, 10)"),
    named(journal, "SUBSTR(s.hour, 1, 10)"),
  ].join(" UNION ALL ");
  return totalsOf(database, hours, days);
}

const rows = (period: string): string =>
  `SELECT ${dimensionKey("i")} AS key, ${period} AS period, ${MEASURES.map((name) => `${contribution(name, "i")} AS ${name}`).join(", ")} FROM interceptions AS i`;

export function recountedTotals(database: D1Database): Promise<Totals> {
  return totalsOf(database, rows(hourOf("i")), rows(`SUBSTR(${hourOf("i")}, 1, 10)`));
}
