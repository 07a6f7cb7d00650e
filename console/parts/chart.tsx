/** A plot over days, with its data as a table. uPlot draws on a canvas, which the table describes for screen readers. */
import type { ComponentChildren, VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { formatDay } from "../text/time.tsx";
import { visibleText } from "../text/visible.ts";

export type Series = {
  readonly label: string;
  /** One value for each day; null where nothing is known. */
  readonly values: readonly (number | null)[];
  /** The name of a color in styles/colors.css. */
  readonly color: string;
};

type ChartProps = {
  readonly title: string;
  readonly days: readonly string[];
  /** Stacked from the first one up. */
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** The links to the data as CSV. */
  readonly csv: ComponentChildren;
  /** The largest value of the axis; by default that of the data. */
  readonly max?: number;
  readonly note?: ComponentChildren;
};

const HEIGHT = 150;
const MAX_LABEL = 60;

export function Chart({ title, days, series: given, format, csv, max, note }: ChartProps): VNode {
  // A reason or a model names a series.
  const series = given.map((one) => ({ ...one, label: visibleText(one.label).slice(0, MAX_LABEL) }));
  const [hovered, setHovered] = useState<number | null>(null);
  const total = (at: number): number => series.reduce((sum, { values }) => sum + (values[at] ?? 0), 0);
  return (
    <figure class="chart card">
      <figcaption>
        <h2>{title}</h2>
        {csv}
      </figcaption>
      <Plot days={days} series={series} format={format} max={max} onHover={setHovered} title={title} />
      <p class="legend" aria-hidden="true">
        {series.map(({ label, color, values }) => (
          <span key={label}>
            <i class={`swatch ${color}`} />
            {label}
            {hovered !== null && <b> {formatValue(values[hovered], format)}</b>}
          </span>
        ))}
        {hovered !== null && <span class="muted">{formatDay(days[hovered] ?? "")}</span>}
      </p>
      {note}
      <details>
        <summary>Show the data as a table</summary>
        <div class="table" tabIndex={0} role="region" aria-label={`Data: ${title}`}>
          <table>
            <caption class="visually-hidden">{title}, by day in UTC</caption>
            <thead>
              <tr>
                <th scope="col">Day (UTC)</th>
                {series.map(({ label }) => (
                  <th key={label} scope="col" class="number">
                    {label}
                  </th>
                ))}
                {series.length > 1 && max === undefined && (
                  <th scope="col" class="number">
                    Total
                  </th>
                )}
              </tr>
            </thead>
            <tbody>
              {days.map((day, at) => (
                <tr key={day}>
                  <th scope="row">{formatDay(day)}</th>
                  {series.map(({ label, values }) => (
                    <td key={label} class="number">
                      {formatValue(values[at], format)}
                    </td>
                  ))}
                  {series.length > 1 && max === undefined && <td class="number">{format(total(at))}</td>}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

const formatValue = (value: number | null | undefined, format: (value: number) => string): string =>
  value == null ? "–" : format(value);

type PlotProps = Pick<ChartProps, "title" | "days" | "series" | "format"> & {
  readonly max: number | undefined;
  readonly onHover: (at: number | null) => void;
};

function Plot({ title, days, series, format, max, onHover }: PlotProps): VNode {
  const place = useRef<HTMLDivElement>(null);
  const key = JSON.stringify([days, series, max]);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let plot = draw(element, { title, days, series, format, max, onHover });
    const redraw = (): void => {
      plot.destroy();
      plot = draw(element, { title, days, series, format, max, onHover });
    };
    const resize = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    resize.observe(element);
    scheme.addEventListener("change", redraw);
    addEventListener("console-theme", redraw);
    return () => {
      resize.disconnect();
      scheme.removeEventListener("change", redraw);
      removeEventListener("console-theme", redraw);
      plot.destroy();
    };
    // The key says everything about the data.
  }, [key]);
  return (
    <div ref={place} class="plot" role="img" aria-label={`Plot: ${title}. Its data is in the table below.`} />
  );
}

/** Each series with those below it added; the topmost is drawn first, so that the others cover it. */
function stacked(series: readonly Series[], length: number): (number | null)[][] {
  const sums = Array.from({ length }, () => 0);
  return series.map(({ values }) =>
    sums.map((sum, at) => {
      const next = sum + (values[at] ?? 0);
      sums[at] = next;
      return next;
    }),
  );
}

function draw(element: HTMLElement, { days, series, format, max, onHover }: PlotProps): uPlot {
  const style = getComputedStyle(element);
  const color = (name: string): string => {
    const probe = element.ownerDocument.createElement("i");
    probe.className = `swatch ${name}`;
    element.append(probe);
    const { backgroundColor } = getComputedStyle(probe);
    probe.remove();
    return backgroundColor;
  };
  const axis = { stroke: style.color, grid: { stroke: color("grid"), width: 1 }, ticks: { show: false } };
  const bars = uPlot.paths.bars?.({ size: [0.7, 48], align: 0 });
  const areas = stacked(series, days.length).map((values, at) => ({
    values,
    color: series[at]?.color ?? "",
  }));
  const options: uPlot.Options = {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { points: { show: false }, drag: { x: false, y: false }, y: false },
    scales: {
      x: { time: false, range: [-0.6, days.length - 0.4] },
      y: { range: (_, __, top) => [0, max ?? topOf(top)] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        grid: { show: false },
        values: (_, at) => at.map((one) => (Number.isInteger(one) ? shortDay(days[one]) : "")),
      },
      { ...axis, size: 64, values: (_, at) => at.map((one) => format(one)) },
    ],
    series: [
      {},
      ...areas.toReversed().map(({ color: name }) => ({
        fill: color(name),
        stroke: color(name),
        width: 0,
        points: { show: false },
        ...(bars && { paths: bars }),
      })),
    ],
    hooks: { setCursor: [({ cursor }) => onHover(cursor.idx ?? null)] },
  };
  const data = [days.map((_, at) => at), ...areas.toReversed().map(({ values }) => values)];
  return new uPlot(options, data as uPlot.AlignedData, element);
}

const topOf = (top: number | null): number => (top === null || top <= 0 ? 1 : top * 1.1);

const shortDay = (day: string | undefined): string => (day === undefined ? "" : day.slice(5));
