/** The time range of a page, from its address: the last days, or whole days in UTC. */
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { usePageQuery, withoutCursors, type PageQuery } from "./location.ts";

export const DEFAULT_RANGE = "30d";

const RANGES: Readonly<Record<string, { readonly label: string; readonly days: number }>> = {
  "1d": { label: "Today", days: 1 },
  "7d": { label: "7 days", days: 7 },
  "30d": { label: "30 days", days: 30 },
  "90d": { label: "90 days", days: 90 },
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
};

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

function daysBetween(first: number, last: number): readonly string[] {
  const count = Math.min(Math.max(Math.round((last - first) / DAY_MS) + 1, 1), 800);
  return Array.from({ length: count }, (_, at) => dayOf(first + at * DAY_MS));
}

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
      words: `the days ${from} to ${to} (UTC)`,
      days: daysBetween(first, last),
    };
  }
  const { label, days } = RANGES[query.get("range") ?? DEFAULT_RANGE] ?? { label: "30 days", days: 30 };
  const start = today - (days - 1) * DAY_MS;
  return {
    started_after: new Date(start).toISOString(),
    started_before: null,
    words: days === 1 ? "today (UTC)" : `the last ${label}`,
    days: daysBetween(start, today),
  };
}

export function useRange(): Range {
  const query = usePageQuery();
  const key = ["range", "from", "to"].map((name) => query.get(name) ?? "").join(" ");
  return useMemo(() => rangeOf(query, Date.now()), [key]);
}

/** The parameters that other pages take over, so that a link keeps the range. */
export function useRangeQuery(): Readonly<Record<string, string>> {
  const query = usePageQuery();
  return Object.fromEntries(
    ["range", "from", "to"].flatMap((name) => {
      const value = query.get(name);
      return value === null ? [] : [[name, value] as const];
    }),
  );
}

export function RangeControl(): VNode {
  const query = usePageQuery();
  const [from, to] = [query.get("from"), query.get("to")];
  const isCustom = from !== null && to !== null;
  const current = isCustom ? null : (query.get("range") ?? DEFAULT_RANGE);
  const { days } = rangeOf(query, Date.now());
  const href = (name: string): string =>
    query.href({ ...withoutCursors, from: null, to: null, range: name === DEFAULT_RANGE ? null : name });
  const setDays = (event: Event): void => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const [first, last] = [String(data.get("from")), String(data.get("to"))];
    if (first !== "" && last !== "" && first <= last)
      query.set({ ...withoutCursors, range: null, from: first, to: last });
  };
  return (
    <div class="range" role="group" aria-label="Time range">
      <div class="segments">
        {Object.entries(RANGES).map(([name, { label }]) => (
          <a key={name} href={href(name)} aria-current={name === current ? "true" : undefined}>
            {label}
          </a>
        ))}
      </div>
      <details open={isCustom}>
        <summary>Other days</summary>
        <form onSubmit={setDays} key={`${from} ${to}`}>
          <label>
            From
            <input type="date" name="from" defaultValue={from ?? days[0]} required />
          </label>
          <label>
            to
            <input type="date" name="to" defaultValue={to ?? days.at(-1)} required />
          </label>
          <button type="submit">Apply</button>
          <span class="muted">Days in UTC</span>
        </form>
      </details>
    </div>
  );
}
