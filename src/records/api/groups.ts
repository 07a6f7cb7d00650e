/** The keys by which totals are grouped. A principal is grouped by source and id, because two sources may give one id to two people. */
import type { DimensionColumn } from "../rollups/contribution-sql.ts";
import type { Refusal } from "../../shared/refusal.ts";
import { invalidFilter } from "./kit/invalid-filter.ts";
import { sql, type Sql } from "./kit/sql.ts";
import type { TimeRange } from "./kit/time-range.ts";
import type { TimeUnit } from "./totals.ts";

export const GROUP_WORDS = ["initiator", "actor", "client", "provider", "model", "day", "hour"] as const;
export type GroupBy = (typeof GROUP_WORDS)[number];

/** One rule for every endpoint: an error names only the parameter. */
export const GROUP_RULE = `must be one of ${GROUP_WORDS.join(", ")}, and only as openapi.json lists for this path; hour needs a range of at most 7 days; two keys must differ, with one unit of time at most`;

/** Totals by hour have one row for each hour and set of dimensions, and a company has thousands of sets. */
const MAX_HOURS_MS = 7 * 86_400_000;

export type Group = {
  readonly key: Sql;
  /** NULL except for a principal, as the name. */
  readonly source: Sql;
  readonly name: Sql;
  /** The dimensions' columns that these are made of. */
  readonly columns: readonly DimensionColumn[];
  readonly isPrincipal: boolean;
};

const NONE = sql`NULL`;
const plain = (key: Sql, columns: readonly DimensionColumn[]): Group => ({
  key,
  source: NONE,
  name: NONE,
  columns,
  isPrincipal: false,
});

/** The SQL reads rows of `totalsSql` with the alias `i`. */
export const GROUPS: Readonly<Record<GroupBy, Group>> = {
  initiator: {
    key: sql`i.initiator_id`,
    source: sql`i.initiator_source`,
    name: sql`COALESCE(i.initiator_name,
    CASE WHEN i.actor_id = i.initiator_id AND i.identity_source = i.initiator_source THEN i.actor_name END)`,
    columns: ["initiator_id", "initiator_source", "actor_id", "identity_source"],
    isPrincipal: true,
  },
  actor: {
    key: sql`i.actor_id`,
    source: sql`i.identity_source`,
    name: sql`i.actor_name`,
    columns: ["actor_id", "identity_source"],
    isPrincipal: true,
  },
  client: plain(sql`i.client`, ["client"]),
  provider: plain(sql`i.provider`, ["provider"]),
  model: plain(sql`i.model`, ["model"]),
  day: plain(sql`i.time`, []),
  hour: plain(sql`i.time || ':00:00Z'`, []),
};

/** The unit of time of the totals that these groups need; null where there is none. Refuses hours in a range of over 7 days. */
export function timeUnitOf(words: readonly GroupBy[], { from, to }: TimeRange): TimeUnit | null | Refusal {
  const isByHour = words.includes("hour");
  if (isByHour && words.includes("day")) return invalidFilter("then_by", "must not be a second unit of time");
  if (isByHour && to - from > MAX_HOURS_MS)
    return invalidFilter("group_by", "is by hour, for a range of at most 7 days");
  if (isByHour) return "hour";
  return words.includes("day") ? "day" : null;
}
