/** The time range of a sum. The default is 30 days, so that no default query reads the whole ledger. */
import { instant, since, until } from "./parameter.ts";
import * as schema from "../../../shared/json-schema.ts";
import { allOf, type Condition } from "./sql.ts";
import { atOrAfter, type Instant } from "./time.ts";

const DAYS = 30;
const DAY_MS = 86_400_000;

export const RANGE_PARAMETERS = {
  started_after: instant(
    `Started at this time or later. The default is the day (UTC) that was ${DAYS} days before the end of the range.`,
  ),
  started_before: instant("Started at this time or earlier. The default is now."),
};

export const RANGE_FIELDS = { started_after: schema.TIME, started_before: schema.TIME };

export type TimeRange = {
  /** The response's fields. */
  readonly fields: { readonly started_after: string; readonly started_before: string };
  readonly matches: Condition;
  /** First and last millisecond since 1970. */
  readonly from: number;
  readonly to: number;
  readonly now: number;
};

/** `now`: milliseconds since 1970. */
export function readTimeRange(
  values: { readonly started_after: Instant | null; readonly started_before: Instant | null },
  now: number,
): TimeRange {
  const to = values.started_before ?? { ms: now, isExact: true };
  const earliest = Math.max(0, to.ms - DAYS * DAY_MS);
  const from = values.started_after ?? { ms: earliest - (earliest % DAY_MS), isExact: true };
  return {
    fields: { started_after: iso(from), started_before: iso(to) },
    matches: allOf([(alias) => since(alias, from), (alias) => until(alias, to)]),
    from: atOrAfter(from),
    to: to.ms,
    now,
  };
}

const iso = ({ ms }: Instant): string => new Date(ms).toISOString();
