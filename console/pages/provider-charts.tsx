/** The plots of providers over time, each with its data as CSV. */
import type { VNode } from "preact";
import type { ProviderRow, Query } from "../api/types.ts";
import type { PlotTimes } from "../app/range-of.ts";
import { Chart } from "../parts/chart.tsx";
import type { Series } from "../parts/plot.tsx";
import { CsvLink } from "../parts/csv-link.tsx";
import { formatCompact, formatDuration } from "../text/format.ts";
import { LEAST_CALLS } from "./percentiles.ts";

type Props = {
  readonly rows: readonly ProviderRow[];
  readonly times: PlotTimes;
  readonly query: Query;
};

const CLASSES: readonly (readonly [name: keyof ProviderRow["failures"], label: string, color: string])[] = [
  ["server_error", "5xx, no response", "claimed"],
  ["rate_limited", "429", "c4"],
  ["client_error", "other 4xx", "c2"],
  ["broken", "truncated, stalled", "c3"],
];

const csv = (query: Query, unit: PlotTimes["unit"], what: string): VNode => (
  <CsvLink path="/providers" query={{ ...query, group_by: unit, limit: 1000 }} name={`${what} by ${unit}`} />
);

export function FailuresChart({ rows, times: { unit, keys }, query }: Props): VNode {
  const byKey = new Map(rows.map((row) => [row.key, row]));
  const series = CLASSES.map(([name, label, color]): Series => ({
    label,
    color,
    values: keys.map((time) => byKey.get(time)?.failures[name] ?? 0),
  }));
  return (
    <Chart
      title="Errors of providers"
      times={keys}
      format={formatCompact}
      csv={csv(query, unit, "provider errors")}
      series={series}
    />
  );
}

export function LatencyCharts({ rows, times: { unit, keys }, query }: Props): VNode {
  const byKey = new Map(rows.map((row) => [row.key, row]));
  const of = (name: "first_byte_ms" | "duration_ms"): readonly (number | null)[] =>
    keys.map((time) => {
      const { calls = 0, p95 = null } = byKey.get(time)?.[name] ?? {};
      return calls < LEAST_CALLS.p95 ? null : p95;
    });
  return (
    <>
      <Chart
        title="First byte, 95th percentile"
        times={keys}
        format={formatDuration}
        csv={csv(query, unit, "first byte")}
        series={[{ label: "p95", color: "c1", values: of("first_byte_ms") }]}
      />
      <Chart
        title="Duration, 95th percentile"
        times={keys}
        format={formatDuration}
        csv={csv(query, unit, "duration")}
        series={[{ label: "p95", color: "c3", values: of("duration_ms") }]}
      />
    </>
  );
}
