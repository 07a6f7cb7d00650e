/** Periods of retention. */
import {
  RETENTION_GROUPS,
  type Retention,
  type RetentionGroup,
} from "../../../src/records/ledger/maintain/retention.ts";

/** One period for all tables, and none for totals; no bound of the size. */
export function retain(days: number): Retention {
  const groups = Object.keys(RETENTION_GROUPS) as RetentionGroup[];
  const all = Object.fromEntries(groups.map((group) => [group, days])) as Record<RetentionGroup, number>;
  return { days: { ...all, totals: 0 }, maxBytes: 0 };
}
