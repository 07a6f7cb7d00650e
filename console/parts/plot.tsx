/** Stacked bars over days or hours. uPlot draws on a canvas, which the table of the chart describes for screen readers. */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

const HEIGHT = 150;

export type Series = {
  readonly label: string;
  /** One value for each time; null where nothing is known. */
  readonly values: readonly (number | null)[];
  /** The name of a color in styles/colors.css. */
  readonly color: string;
};

type PlotProps = {
  readonly title: string;
  readonly times: readonly string[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  readonly max: number | undefined;
  readonly onHover: (at: number | null) => void;
};

export function Plot({ title, times, series, format, max, onHover }: PlotProps): VNode {
  const place = useRef<HTMLDivElement>(null);
  const key = JSON.stringify([times, series, max]);
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    let plot = draw(element, { title, times, series, format, max, onHover });
    const redraw = (): void => {
      plot.destroy();
      plot = draw(element, { title, times, series, format, max, onHover });
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

function draw(element: HTMLElement, { times, series, format, max, onHover }: PlotProps): uPlot {
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
  const areas = stacked(series, times.length).map((values, at) => ({
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
      x: { time: false, range: [-0.6, times.length - 0.4] },
      y: { range: (_, __, top) => [0, max ?? topOf(top)] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        grid: { show: false },
        values: (_, at) => at.map((one) => (Number.isInteger(one) ? shortTime(times[one]) : "")),
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
  const data = [times.map((_, at) => at), ...areas.toReversed().map(({ values }) => values)];
  return new uPlot(options, data as uPlot.AlignedData, element);
}

const topOf = (top: number | null): number => (top === null || top <= 0 ? 1 : top * 1.1);

/** `11-30`, or `14:00` of an hour. */
const shortTime = (time = ""): string => (time.length > 10 ? time.slice(11, 16) : time.slice(5));
