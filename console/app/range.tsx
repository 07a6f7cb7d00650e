/** The time range of a page: its state, and the control that changes it. */
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { usePageQuery, withoutCursors } from "./location.ts";
import { DEFAULT_RANGE, RANGES, rangeOf, type Range } from "./range-of.ts";

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
