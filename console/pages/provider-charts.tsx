/** The plots of providers over time, each with its data as CSV. */
import type { VNode } from "preact";
import type { ProviderRow, Query } from "../api/types.ts";
import { Chart } from "../parts/chart.tsx";
import type { Series } from "../parts/plot.tsx";
import { CsvLink } from "../parts/csv-link.tsx";
import { formatCompact, formatDuration } from "../text/format.ts";

type Props = {
  readonly rows: readonly ProviderRow[];
  readonly days: readonly string[];
  readonly query: Query;
};

const CLASSES: readonly (readonly [name: keyof ProviderRow["failures"], label: string, color: string])[] = [
  ["server_error", "5xx, no response", "claimed"],
  ["rate_limited", "429", "c4"],
  ["client_error", "other 4xx", "c2"],
  ["broken", "broken off", "c3"],
];

const csv = (query: Query, name: string): VNode => (
  <CsvLink path="/providers" query={{ ...query, group_by: "day", limit: 1000 }} name={name} />
);

export function FailuresChart({ rows, days, query }: Props): VNode {
  const byDay = new Map(rows.map((row) => [row.key, row]));
  const series = CLASSES.map(([name, label, color]): Series => ({
    label,
    color,
    values: days.map((day) => byDay.get(day)?.failures[name] ?? 0),
  }));
  return (
    <Chart
      title="Errors of providers"
      days={days}
      format={formatCompact}
      csv={csv(query, "provider errors by day")}
      series={series}
    />
  );
}

export function LatencyCharts({ rows, days, query }: Props): VNode {
  const byDay = new Map(rows.map((row) => [row.key, row]));
  const of = (name: "first_byte_ms" | "duration_ms"): readonly (number | null)[] =>
    days.map((day) => byDay.get(day)?.[name].p95 ?? null);
  return (
    <>
      <Chart
        title="First byte, 95th percentile"
        days={days}
        format={formatDuration}
        csv={csv(query, "first byte by day")}
        series={[{ label: "p95", color: "c1", values: of("first_byte_ms") }]}
      />
      <Chart
        title="Duration, 95th percentile"
        days={days}
        format={formatDuration}
        csv={csv(query, "duration by day")}
        series={[{ label: "p95", color: "c3", values: of("duration_ms") }]}
      />
    </>
  );
}
