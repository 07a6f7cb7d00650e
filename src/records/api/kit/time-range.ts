/** The span of time that is added up: 30 days unless said otherwise, so that no default reads everything. */
import { instant, since, until } from "./parameter.ts";
import * as schema from "../../../shared/json-schema.ts";
import { allOf, type Condition } from "./sql.ts";
import type { Instant } from "./time.ts";

const DAYS = 30;
const DAY_MS = 86_400_000;

export const RANGE_PARAMETERS = {
  started_after: instant(`At this time or later; unless given, ${DAYS} days before the end.`),
  started_before: instant("At this time or earlier; unless given, now."),
};

export const RANGE_FIELDS = { started_after: schema.TIME, started_before: schema.TIME };

export type TimeRange = {
  /** As it is answered. */
  readonly fields: { readonly started_after: string; readonly started_before: string };
  readonly matches: Condition;
};

export function readTimeRange(
  sent: { readonly started_after: Instant | null; readonly started_before: Instant | null },
  now: number,
): TimeRange {
  const to = sent.started_before ?? { ms: now, whole: true };
  const from = sent.started_after ?? { ms: Math.max(0, to.ms - DAYS * DAY_MS), whole: true };
  return {
    fields: { started_after: iso(from), started_before: iso(to) },
    matches: allOf([(alias) => since(alias, from), (alias) => until(alias, to)]),
  };
}

const iso = ({ ms }: Instant): string => new Date(ms).toISOString();
