/** A plot over days or hours, with its legend, its data as a table, and the links to the same as CSV. */
import type { ComponentChildren, VNode } from "preact";
import { useState } from "preact/hooks";
import { formatPeriod } from "../text/time.tsx";
import { visibleText } from "../text/visible.ts";
import { Plot, type Series } from "./plot.tsx";

type ChartProps = {
  readonly title: string;
  /** Days or hours in UTC, as the API names them. */
  readonly times: readonly string[];
  /** Stacked from the first one up. */
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** The links to the data as CSV. */
  readonly csv: ComponentChildren;
  /** The largest value of the axis; by default that of the data. */
  readonly max?: number;
  readonly note?: ComponentChildren;
};

const MAX_LABEL = 60;

export function Chart({ title, times, series: given, format, csv, max, note }: ChartProps): VNode {
  // A reason or a model names a series.
  const series = given.map((one) => ({ ...one, label: visibleText(one.label).slice(0, MAX_LABEL) }));
  const [hovered, setHovered] = useState<number | null>(null);
  return (
    <figure class="chart card">
      <figcaption>
        <h2>{title}</h2>
        {(times[0] ?? "").length > 10 && <span class="muted">hours in UTC</span>}
        {csv}
      </figcaption>
      <Plot times={times} series={series} format={format} max={max} onHover={setHovered} title={title} />
      <p class="legend" aria-hidden="true">
        {series.map(({ label, color, values }) => (
          <span key={label}>
            <i class={`swatch ${color}`} />
            {label}
            {hovered !== null && <b> {formatValue(values[hovered], format)}</b>}
          </span>
        ))}
        {hovered !== null && <span class="muted">{formatPeriod(times[hovered] ?? "")}</span>}
      </p>
      {note}
      <DataTable
        title={title}
        times={times}
        series={series}
        format={format}
        hasTotal={series.length > 1 && max === undefined}
      />
    </figure>
  );
}

type DataTableProps = Pick<ChartProps, "title" | "times" | "series" | "format"> & {
  readonly hasTotal: boolean;
};

function DataTable({ title, times, series, format, hasTotal }: DataTableProps): VNode {
  const unit = (times[0] ?? "").length > 10 ? "hour" : "day";
  const total = (at: number): number => series.reduce((sum, { values }) => sum + (values[at] ?? 0), 0);
  return (
    <details>
      <summary>Show the data as a table</summary>
      <div class="table" tabIndex={0} role="region" aria-label={`Data: ${title}`}>
        <table>
          <caption class="visually-hidden">
            {title}, by {unit} in UTC
          </caption>
          <thead>
            <tr>
              <th scope="col">{unit === "hour" ? "Hour" : "Day"} (UTC)</th>
              {series.map(({ label }) => (
                <th key={label} scope="col" class="number">
                  {label}
                </th>
              ))}
              {hasTotal && (
                <th scope="col" class="number">
                  Total
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {times.map((time, at) => (
              <tr key={time}>
                <th scope="row">{formatPeriod(time)}</th>
                {series.map(({ label, values }) => (
                  <td key={label} class="number">
                    {formatValue(values[at], format)}
                  </td>
                ))}
                {hasTotal && <td class="number">{format(total(at))}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}

const formatValue = (value: number | null | undefined, format: (value: number) => string): string =>
  value == null ? "–" : format(value);
