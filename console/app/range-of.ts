/** The time range of a page, from its address: the last days, or whole days in UTC. */
import type { PageQuery } from "./location.ts";

export const DEFAULT_RANGE = "30d";

type NamedRange = {
  readonly label: string;
  /** In whole days in UTC. */
  readonly days: number;
  readonly words: string;
  /** Whether it ends before today. */
  readonly isPast?: true;
};

const LAST_30_DAYS: NamedRange = { label: "30 days", days: 30, words: "the last 30 days" };

export const RANGES: Readonly<Record<string, NamedRange>> = {
  "1d": { label: "Today", days: 1, words: "today (UTC)" },
  yesterday: { label: "Yesterday", days: 1, words: "yesterday (UTC)", isPast: true },
  "7d": { label: "7 days", days: 7, words: "the last 7 days" },
  [DEFAULT_RANGE]: LAST_30_DAYS,
  "90d": { label: "90 days", days: 90, words: "the last 90 days" },
};

const DAY_MS = 86_400_000;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

export type Range = {
  readonly started_after: string;
  /** Absent where the range ends now. */
  readonly started_before: string | null;
  /** In words, such as "the last 30 days". */
  readonly words: string;
  /** Days in UTC, the first and the last included. */
  readonly days: readonly string[];
  readonly plots: PlotTimes;
};

/** The time axis of plots: hours of a range of one day, else days. In UTC, as the API names them. */
export type PlotTimes = { readonly unit: "day" | "hour"; readonly keys: readonly string[] };

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function daysBetween(first: number, last: number): readonly string[] {
  const count = Math.min(Math.max(Math.round((last - first) / DAY_MS) + 1, 1), 800);
  return Array.from({ length: count }, (_, at) => dayOf(first + at * DAY_MS));
}

const HOUR_MS = 3_600_000;

/** @param end milliseconds since 1970, the first moment after the range. */
function plotTimes(days: readonly string[], end: number): PlotTimes {
  const [day] = days;
  if (days.length !== 1 || day === undefined) return { unit: "day", keys: days };
  const start = Date.parse(day);
  const hours = Math.min(Math.max(Math.ceil((end - start) / HOUR_MS), 1), 24);
  const keys = Array.from({ length: hours }, (_, at) => {
    return `${new Date(start + at * HOUR_MS).toISOString().slice(0, 13)}:00:00Z`;
  });
  return { unit: "hour", keys };
}

const rangeNamed = (name: string): NamedRange =>
  (Object.hasOwn(RANGES, name) ? RANGES[name] : null) ?? LAST_30_DAYS;

/** @param now milliseconds since 1970. */
export function rangeOf(query: Pick<PageQuery, "get">, now: number): Range {
  const from = query.get("from") ?? "";
  const to = query.get("to") ?? "";
  const today = Math.floor(now / DAY_MS) * DAY_MS;
  const [first, last] = [Date.parse(from), Date.parse(to)];
  if (DAY.test(from) && DAY.test(to) && first <= last) {
    return {
      started_after: new Date(first).toISOString(),
      started_before: new Date(last + DAY_MS).toISOString(),
      words: from === to ? `the day ${from} (UTC)` : `the days ${from} to ${to} (UTC)`,
      days: daysBetween(first, last),
      plots: plotTimes(daysBetween(first, last), last + DAY_MS),
    };
  }
  const { days: count, words, isPast = false } = rangeNamed(query.get("range") ?? DEFAULT_RANGE);
  const end = isPast ? today - DAY_MS : today;
  const days = daysBetween(end - (count - 1) * DAY_MS, end);
  return {
    started_after: new Date(end - (count - 1) * DAY_MS).toISOString(),
    started_before: isPast ? new Date(today).toISOString() : null,
    words,
    days,
    plots: plotTimes(days, isPast ? today : now),
  };
}
