/** The plots of the overview, each with its data as CSV. */
import type { ComponentChildren, VNode } from "preact";
import type { AttributionRow, Query, RefusalCount, UsageRow } from "../api/types.ts";
import type { PlotTimes } from "../app/range-of.ts";
import { ATTRIBUTION_WORDS } from "../parts/attribution.tsx";
import { Chart } from "../parts/chart.tsx";
import type { Series } from "../parts/plot.tsx";
import { CsvLink } from "../parts/csv-link.tsx";
import { Note } from "../parts/states.tsx";
import { formatCompact, formatDollars, formatShare } from "../text/format.ts";

type Times = { readonly times: PlotTimes; readonly query: Query };

/** The colors of refusals, the most frequent reason first; further reasons are summed. */
const REASON_COLORS = ["c1", "c2", "c3", "c4"];

export function UsageCharts({
  rows,
  times: { unit, keys },
  query,
}: Times & { readonly rows: readonly UsageRow[] }): VNode {
  const byKey = new Map(rows.map((row) => [row.key, row]));
  const of = (value: (row: UsageRow) => number): number[] =>
    keys.map((time) => {
      const row = byKey.get(time);
      return row === undefined ? 0 : value(row);
    });
  const csv = (name: string): VNode => (
    <CsvLink path="/usage" query={{ ...query, group_by: unit, order: "key", limit: 1000 }} name={name} />
  );
  return (
    <>
      <Chart
        title="Requests"
        times={keys}
        format={formatCompact}
        csv={csv(`requests by ${unit}`)}
        series={[{ label: "Requests", color: "c1", values: of((row) => row.requests) }]}
      />
      <Chart
        title="Cost in dollars"
        times={keys}
        format={formatDollars}
        csv={
          <CsvLink path="/spend" query={{ ...query, group_by: unit, limit: 1000 }} name={`cost by ${unit}`} />
        }
        series={[{ label: "Cost", color: "c3", values: of((row) => row.cost_micros) }]}
      />
      <Chart
        title="Tokens"
        times={keys}
        format={formatCompact}
        csv={csv(`tokens by ${unit}`)}
        series={[
          { label: "Output", color: "c1", values: of((row) => row.output_tokens) },
          { label: "Input", color: "c2", values: of((row) => row.input_tokens) },
          { label: "Cache write", color: "c4", values: of((row) => row.cache_write_input_tokens) },
          { label: "Cache read", color: "c3", values: of((row) => row.cache_read_input_tokens) },
        ]}
      />
    </>
  );
}

/** The API has shares by day only. */
type AttributionProps = {
  readonly days: readonly string[];
  readonly query: Query;
  readonly rows: readonly AttributionRow[];
  readonly note: ComponentChildren;
};

export function AttributionChart({ rows, days, query, note }: AttributionProps): VNode {
  const byKey = new Map(rows.map((row) => [`${row.day} ${row.attribution}`, row.share_of_requests]));
  const hasDay = new Set(rows.map(({ day }) => day));
  const series = ATTRIBUTION_WORDS.map((word): Series => ({
    label: word,
    color: word,
    values: days.map((day) => (hasDay.has(day) ? (byKey.get(`${day} ${word}`) ?? 0) : null)),
  }));
  return (
    <Chart
      title="Attribution: share of requests"
      times={days}
      format={formatShare}
      max={1}
      csv={<CsvLink path="/attribution" query={query} name="attribution by day" />}
      series={series}
      note={note}
    />
  );
}

type RefusalProps = Times & { readonly rows: readonly RefusalCount[]; readonly isCapped: boolean };

export function RefusalsChart({ rows, times: { unit, keys }, query, isCapped }: RefusalProps): VNode {
  const totals = new Map<string, number>();
  for (const { reason, refusals } of rows) totals.set(reason, (totals.get(reason) ?? 0) + refusals);
  const ranked = [...totals].toSorted((a, b) => b[1] - a[1]).map(([reason]) => reason);
  const named = ranked.slice(0, ranked.length > REASON_COLORS.length ? REASON_COLORS.length - 1 : undefined);
  const of = (matches: (reason: string) => boolean): number[] =>
    keys.map((key) =>
      rows
        .filter(({ time, reason }) => time.startsWith(key.slice(0, 13)) && matches(reason))
        .reduce((sum, { refusals }) => sum + refusals, 0),
    );
  const series = named.map((reason, at): Series => ({
    label: reason,
    color: REASON_COLORS[at] ?? "c4",
    values: of((one) => one === reason),
  }));
  const rest: Series = { label: "other reasons", color: "c4", values: of((one) => !named.includes(one)) };
  const none: Series = { label: "Refusals", color: "c4", values: of(() => true) };
  return (
    <Chart
      title="Refused requests, by reason"
      times={keys}
      format={formatCompact}
      csv={<CsvLink path="/refusals/counts" query={query} name={`refusals by ${unit}`} />}
      series={ranked.length === 0 ? [none] : ranked.length > named.length ? [...series, rest] : series}
      note={
        isCapped && (
          <Note>There are more reasons and {unit}s than one response holds; the newest are shown.</Note>
        )
      }
    />
  );
}
