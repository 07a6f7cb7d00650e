/**
 * The CPU ratios as an SVG: a group of bars for each kind of traffic, a bar for each variant, and whiskers from the first
 * to the third quartile. Its background and its text follow the reader's color scheme.
 */
import type { CostRow } from "./cpu-cost.ts";
import { LABELS } from "./tables.ts";

const WIDTH = 900;
const LEFT = 190;
const RIGHT = 70;
const BAR = 14;
const GAP = 4;
const GROUP_GAP = 26;
const TOP = 56;
const AXIS_STEPS = [0.5, 1, 2, 5, 10, 20];
const MOST_TICKS = 10;

/** By variant. The colors have a contrast of at least 3:1 to both backgrounds. */
const COLORS: Readonly<Record<string, string>> = {
  "reads, parses, prints": "#8c8c8c",
  "tee + pipe": "#8c8c8c",
  interceptor: "#3987e5",
  "no-op queue": "#2f9e8f",
  "with ledger": "#9270ca",
  Portkey: "#d9622b",
};
const OTHER_COLOR = "#8c8c8c";

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .group { font-weight: 600 }
  .paper { fill: #ffffff }
  .grid { stroke: #d1d9e0; stroke-width: 1 }
  .bare { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3 }
  .whisker { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .paper { fill: #0d1117 }
    .grid { stroke: #3d444d }
    .bare, .whisker { stroke: #f0f6fc }
  }`;

export function plot(rows: readonly CostRow[]): string {
  const groups = rows.map(({ traffic, costs }) => ({
    label: LABELS[traffic] ?? traffic,
    bars: costs.flatMap(({ name, ratios }) => {
      const ratio = ratios["bare"];
      return name === "bare" || !ratio ? [] : [{ name, ratio }];
    }),
  }));
  const most = Math.max(1, ...groups.flatMap(({ bars }) => bars.map(({ ratio }) => ratio.high)));
  const step = AXIS_STEPS.find((one) => most / one <= MOST_TICKS) ?? most;
  const last = Math.ceil(most / step) * step;
  const x = (ratio: number): number => LEFT + (ratio / last) * (WIDTH - LEFT - RIGHT);
  const shapes: string[] = [];
  let y = TOP;
  for (const { label, bars } of groups) {
    shapes.push(text(12, y + BAR - 3, label, 'class="group"'));
    y += BAR + GAP;
    for (const bar of bars) {
      shapes.push(...barShapes(bar, y, x));
      y += BAR + GAP;
    }
    y += GROUP_GAP - BAR;
  }
  const bottom = y - 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 30}" role="img" aria-label="CPU time per request relative to the bare Worker">`,
    `<style>${STYLE}\n</style>`,
    `<rect class="paper" width="${WIDTH}" height="${bottom + 30}"/>`,
    text(12, 26, "CPU time per request relative to the bare Worker (= 1)", 'class="title"'),
    text(12, 44, "Bars: median of the rounds. Whiskers: first to third quartile. Shorter is better."),
    ...axis(last, step, { x, bottom }),
    ...shapes,
    line("bare", { x1: x(1), y1: TOP, x2: x(1), y2: bottom }),
    "</svg>",
    "",
  ].join("\n");
}

type Bar = { readonly name: string; readonly ratio: CostRow["costs"][number]["ratios"][string] };

function barShapes({ name, ratio }: Bar, y: number, x: (ratio: number) => number): string[] {
  const center = y + BAR / 2;
  const end = (at: number) => line("whisker", { x1: x(at), y1: center - 4, x2: x(at), y2: center + 4 });
  const fill = COLORS[name] ?? OTHER_COLOR;
  return [
    text(LEFT - 8, y + BAR - 3, name, 'text-anchor="end"'),
    `<rect x="${LEFT}" y="${y}" width="${fixed(x(ratio.middle) - LEFT)}" height="${BAR}" fill="${fill}"/>`,
    line("whisker", { x1: x(ratio.low), y1: center, x2: x(ratio.high), y2: center }),
    end(ratio.low),
    end(ratio.high),
    text(x(Math.max(ratio.high, ratio.middle)) + 8, y + BAR - 3, `${ratio.middle.toFixed(2)}×`),
  ];
}

type Scale = { readonly x: (ratio: number) => number; readonly bottom: number };

function axis(last: number, step: number, { x, bottom }: Scale): string[] {
  const ticks = Array.from({ length: Math.round(last / step) + 1 }, (_, n) => n * step);
  return ticks.flatMap((tick) => [
    line("grid", { x1: x(tick), y1: TOP, x2: x(tick), y2: bottom }),
    text(x(tick), bottom + 18, `${tick}×`, 'text-anchor="middle"'),
  ]);
}

type Ends = { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number };

const line = (kind: string, { x1, y1, x2, y2 }: Ends): string =>
  `<line class="${kind}" x1="${fixed(x1)}" y1="${fixed(y1)}" x2="${fixed(x2)}" y2="${fixed(y2)}"/>`;

const text = (x: number, y: number, content: string, attributes = ""): string =>
  `<text x="${fixed(x)}" y="${fixed(y)}"${attributes && ` ${attributes}`}>${escaped(content)}</text>`;

const escaped = (content: string): string => content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const fixed = (value: number): string => String(Math.round(value * 10) / 10);
