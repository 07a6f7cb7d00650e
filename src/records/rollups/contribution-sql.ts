/**
 * The contribution of one interception to the totals, as SQL over its row. The journal, the API's sums over single interceptions and
 * the recount all use it, so that they cannot differ.
 *
 * A dimension is everything that totals are grouped or filtered by. An interception belongs to the hour (UTC) in which it
 * started.
 */
import { LATENCY_MEASURES, latencyContribution, type LatencyMeasure } from "./latency-sql.ts";

/** The sums of most totals. */
export const USE_MEASURES = [
  "requests",
  "unknown_usage",
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_write_input_tokens",
  "cost_micros",
  "unpriced",
] as const;
type UseMeasure = (typeof USE_MEASURES)[number];

/** All sums, in the order of a delta. A delta's other two values included, a function of D1 takes 32. */
export const MEASURES: readonly Measure[] = [...USE_MEASURES, ...LATENCY_MEASURES];
export type Measure = UseMeasure | LatencyMeasure;

/** The columns of a dimension that its key consists of. The first five are those of `link_key`, in its order. */
export const DIMENSION_COLUMNS = [
  "initiator_id",
  "initiator_source",
  "attribution",
  "actor_id",
  "identity_source",
  "client",
  "provider",
  "provider_type",
  "model",
  "workspace_id",
  "own_key_rejected",
] as const;
export type DimensionColumn = (typeof DIMENSION_COLUMNS)[number];

/** Each column's value, from an interception's row. */
export const dimensionValue = (name: DimensionColumn, alias: string): string => {
  if (name === "initiator_source") return `${alias}.link_key ->> 1`;
  return name === "own_key_rejected" ? `${alias}.own_key_rejected IS 1` : `${alias}.${name}`;
};

/**
 * The key of an interception's dimension. Some builds of SQLite take `link_key`, which a function of JSON makes, for a list
 * rather than a text: `|| ''` makes it a text in each. It holds the five columns of the principals and the attribution.
 */
export const dimensionKey = (alias: string): string =>
  `json_array(${alias}.link_key || '', ${alias}.client, ${alias}.provider, ${alias}.provider_type, ${alias}.model, ${alias}.workspace_id, ${alias}.own_key_rejected IS 1)`;

/** A column's value, from the key of its dimension. */
export function keyPart(name: DimensionColumn, alias: string): string {
  const at = DIMENSION_COLUMNS.indexOf(name);
  return at < 5 ? `(${alias}.key ->> 0 ->> ${at})` : `(${alias}.key ->> ${at - 4})`;
}

export const hourOf = (alias: string): string => `SUBSTR(${alias}.started_at, 1, 13)`;

/**
 * A figure of an interception: its own and, where its response had no usage, that of what was retrieved later. `name`: a column
 * that has a `claimed_` one.
 */
export const totalOf = (name: string, alias: string): string =>
  `(COALESCE(${alias}.${name}, 0) + COALESCE(${claimedOf(name, alias)}, 0))`;

const claimedOf = (name: string, alias: string): string =>
  `IIF(${alias}.outcome = 'queued' OR ${alias}.usage = 'unknown', ${alias}.claimed_${name}, NULL)`;

const isLatency = (measure: Measure): measure is LatencyMeasure =>
  (LATENCY_MEASURES as readonly Measure[]).includes(measure);

/** The contribution of one interception to a measure. */
export function contribution(measure: Measure, alias: string): string {
  if (isLatency(measure)) return latencyContribution(measure, alias);
  if (measure === "requests") return "1";
  if (measure === "unpriced")
    return `(COALESCE(${alias}.cost_micros, ${claimedOf("cost_micros", alias)}) IS NULL)`;
  return measure === "unknown_usage" ? `(${alias}.usage_state IS NOT 'final')` : totalOf(measure, alias);
}

/** An unreadable object has no name, and must not end the query. */
export const actorName = (alias: string): string =>
  `CASE WHEN json_valid(${alias}.metadata) THEN ${alias}.metadata ->> '$.actor_name' END`;
