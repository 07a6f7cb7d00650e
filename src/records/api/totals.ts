/**
 * The rows that totals are summed over. Complete hours come from the rollups and the journal that is not folded into them
 * yet, the rest of the first and the last hour from the interceptions. So a sum is exact, costs as much as the number of its
 * dimensions and days, and outlives the interceptions.
 *
 * Where the interceptions of such a rest have been deleted, its hour counts completely.
 */
import {
  actorName,
  contribution,
  DIMENSION_COLUMNS,
  dimensionKey,
  dimensionValue,
  hourOf,
  USE_MEASURES,
  type DimensionColumn,
  type Measure,
} from "../rollups/contribution-sql.ts";
import { COARSENESS, coarsenessFor } from "../rollups/coarse-sql.ts";
import { PURGED } from "../rollups/purged.ts";
import { CLOSED_DAYS, deltasOf, UNFOLDED } from "../rollups/unfolded.ts";
import { firstUuidAt } from "../../shared/uuid.ts";
import { interceptionsFor } from "./interception-source.ts";
import type { TimeRange } from "./kit/time-range.ts";
import { joined, sql, type Condition, type Sql } from "./kit/sql.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** The filters that a rollup cannot apply. With one of them, every interception in the range is read. */
const DETAIL_FILTERS: readonly string[] = ["outcome", "session_id", "chat_id"];

/** The dimensions' columns that a filter compares. */
const FILTER_COLUMNS: Readonly<Record<string, readonly DimensionColumn[]>> = {
  initiator: ["initiator_id"],
  initiator_source: ["initiator_source", "identity_source"],
  actor: ["actor_id"],
  identity_source: ["identity_source"],
  client: ["client"],
  provider: ["provider"],
  provider_name: ["provider"],
  provider_type: ["provider_type"],
  model: ["model"],
  workspace_id: ["workspace_id"],
};

const raw = (text: string): Sql => ({ text, values: [] });
/** The sums of the measures, over rows with this alias. */
export const sumsSql = (alias: string, measures: readonly Measure[] = USE_MEASURES): Sql =>
  raw(measures.map((name) => `TOTAL(${alias}.${name}) AS ${name}`).join(", "));

export type Totals = {
  readonly range: TimeRange;
  readonly matches: Condition;
  /** The request's parameters, by name. */
  readonly sent: ReadonlyMap<string, string>;
  /** The columns that the rows are grouped by. */
  readonly columns: readonly DimensionColumn[];
  /** Whether there is a row for each day or hour. */
  readonly by?: TimeUnit | null;
  /** Those of use by default. */
  readonly measures?: readonly Measure[];
};

/** A day or hour in UTC, as the digits of a time that name it. */
const DIGITS = { day: 10, hour: 13 } as const;
export type TimeUnit = keyof typeof DIGITS;

/**
 * One row per dimension and, where `by` has one, unit of time: the columns of a dimension, its names, `time` and the measures.
 * Rows of one dimension can add up to no request.
 */
export function totalsSql(totals: Totals): Sql {
  const { matches, sent, columns } = totals;
  if (DETAIL_FILTERS.some((name) => sent.has(name))) return detailSql(totals);
  const compared = [...sent.keys()].flatMap((name) => FILTER_COLUMNS[name] ?? []);
  const coarseness = COARSENESS[coarsenessFor([...columns, ...compared])];
  return sql`SELECT ${raw(DIMENSION_COLUMNS.map((name) => `d.${name}`).join(", "))}, d.initiator_name, d.actor_name, s.*
    FROM (${armsOf(totals, matches, coarseness)}) s CROSS JOIN rollup_dimensions d ON d.id = s.dimension`;
}

/** Every interception by itself. */
function detailSql({ range, matches, sent, by, measures: wanted = USE_MEASURES }: Totals): Sql {
  const columns = DIMENSION_COLUMNS.map((name) => `${dimensionValue(name, "x")} AS ${name}`).join(", ");
  const measures = wanted.map((name) => `${contribution(name, "x")} AS ${name}`).join(", ");
  const bounds = { from: firstUuidAt(range.from), to: firstUuidAt(range.to + 1) };
  const { from, where } = interceptionsFor({ sent, alias: "x", ...bounds });
  return sql`SELECT ${raw(columns)}, x.initiator_name, ${raw(actorName("x"))} AS actor_name,
      SUBSTR(x.started_at, 1, ${DIGITS[by ?? "day"]}) AS time, ${raw(measures)}
    FROM ${from} WHERE ${where} AND ${range.matches("x")} AND ${matches("x")}`;
}

type Span = { readonly from: number; readonly end: number };

/** Complete hours, and the complete days among them. `end` is exclusive. */
type Split = { readonly hours: Span; readonly days: Span };

const up = (ms: number, unit: number): number => Math.ceil(ms / unit) * unit;
const down = (ms: number, unit: number): number => Math.floor(ms / unit) * unit;

/** The hour that has begun counts completely: few interceptions are newer than now, if any, and those are subtracted. */
function split({ from, to, now }: TimeRange, hasDays: boolean): Split {
  const hours = { from: up(from, HOUR_MS), end: (to >= now ? up : down)(to + 1, HOUR_MS) };
  const days = { from: up(hours.from, DAY_MS), end: down(hours.end, DAY_MS) };
  return { hours, days: hasDays && days.from < days.end ? days : { from: hours.end, end: hours.end } };
}

const hourText = (ms: number): string => new Date(ms).toISOString().slice(0, 13);
const dayText = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** D1 accepts five terms in a compound SELECT. */
function armsOf(
  { range, by = null, measures = USE_MEASURES }: Totals,
  matches: Condition,
  coarseness: number,
): Sql {
  const { hours, days } = split(range, by !== "hour");
  const time = (text: string): Sql => raw(by === null ? "NULL" : `SUBSTR(${text}, 1, ${DIGITS[by]})`);
  /** The first hour, also where it is incomplete and its interceptions are deleted; the end in the same way. */
  const first = sql`IIF(${firstUuidAt(range.from)} < ${raw(PURGED)}, ${hourText(range.from)}, ${hourText(hours.from)})`;
  const end = sql`IIF(${firstUuidAt(hours.end)} < ${raw(PURGED)} AND ${hours.end <= range.to ? 1 : 0},
    ${hourText(hours.end + HOUR_MS)}, ${hourText(hours.end)})`;
  const rollup = (period: "hour" | "day", within: Sql): Sql => sql`
    SELECT r.dimension, ${time(`r.${period}`)} AS time, ${sumsSql("r", measures)}
    FROM rollup_dimensions d CROSS JOIN ${raw(`rollup_${period}s`)} r ON r.dimension = d.id AND ${within}
    WHERE d.coarseness = ${period === "day" ? coarseness : 0} AND ${matches("d")} GROUP BY ${raw(by === null ? "1" : "1, 2")}`;
  const after = firstUuidAt(range.to + 1);
  const isLong = hours.end > hours.from && hours.end > range.to;
  const [tail, tailEnd] = isLong
    ? [after, firstUuidAt(hours.end)]
    : [firstUuidAt(Math.max(hours.end, hours.from)), after];
  const isDetail = sql`(x.id >= ${firstUuidAt(range.from)} AND x.id < ${firstUuidAt(Math.min(hours.from, range.to + 1))}
    OR x.id >= ${tail} AND x.id < ${tailEnd})`;
  // Of a clock that runs ahead.
  const signed = (name: Measure): Sql =>
    sql`IIF(x.id < ${after}, 1, -1) * ${raw(contribution(name, "x"))} AS ${raw(name)}`;
  const lastDay = sql`MIN(${dayText(days.end)}, ${raw(CLOSED_DAYS)})`;
  return sql`${rollup("day", sql`r.day >= ${dayText(days.from)} AND r.day < ${lastDay}`)}
    UNION ALL ${rollup("hour", sql`r.hour >= ${first} AND r.hour < ${hourText(days.from)}`)}
    UNION ALL ${rollup("hour", sql`r.hour >= MAX(${hourText(days.from)}, ${lastDay}) AND r.hour < ${end}`)}
    UNION ALL SELECT j.dimension, ${time("j.hour")} AS time, ${raw(measures.map((name) => `j.${name}`).join(", "))}
      FROM (${raw(deltasOf(UNFOLDED))}) j CROSS JOIN rollup_dimensions d ON d.id = j.dimension
      WHERE j.hour >= ${first} AND j.hour < ${end} AND ${matches("d")}
    UNION ALL SELECT d.id, ${time(hourOf("x"))} AS time,
        ${joined(measures.map(signed), ", ")}
      FROM interceptions x CROSS JOIN rollup_dimensions d ON d.key = ${raw(dimensionKey("x"))}
      WHERE ${isDetail} AND x.id >= ${raw(PURGED)} AND ${matches("d")}`;
}
