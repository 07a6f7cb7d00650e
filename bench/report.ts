/** The figures as text, next to their targets. A missed target does not fail the bench, because machines differ. */
import type { CostRow } from "./cpu-cost.ts";
import type { DelayRow } from "./delay.ts";
import type { Traffic } from "./traffic.ts";

/** Targets: ratios to the bare Worker, added milliseconds, and the size of the uploaded bundle. */
export const TARGETS = {
  ratio: { json: 1.6, tools: 1.6, burst: 1.5 } as Partial<Record<Traffic, number>>,
  addedP99Ms: 5,
  gzippedKiB: 60,
} as const;

export const NAMES: Readonly<Record<Traffic, string>> = {
  json: "JSON, request of 2 KB",
  tools: "JSON, request of 40 KB with tools",
  burst: "2,000 events in a burst",
  "burst-no-usage": "the same, usage not requested",
  steady: "100 events, 50 a second",
  paced: "50 events a second",
  slow: "5 events a second",
};

/** The targets apply to the gateway with all its features. */
const FULL_VARIANT = "with ledger";

export function costTable(rows: readonly CostRow[]): string {
  const lines = rows.flatMap(({ traffic, costs }) =>
    costs.map(({ name, micros, ratio }) => {
      const target = name === FULL_VARIANT ? TARGETS.ratio[traffic] : undefined;
      const verdict = target === undefined ? "" : against(ratio.middle, target, `${target.toFixed(1)}×`);
      const quartileRange = `${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}`;
      return [NAMES[traffic], name, inMicros(micros), `${ratio.middle.toFixed(2)}×`, quartileRange, verdict];
    }),
  );
  return table(["CPU per request", "variant", "time", "ratio", "middle half of the rounds", "target"], lines);
}

/** Processor time per event. It includes the share of the request's fixed cost. */
export function perEventTable(rows: readonly CostRow[], events: Partial<Record<Traffic, number>>): string {
  const lines = rows.flatMap(({ traffic, costs }) => {
    const count = events[traffic];
    if (count === undefined) return [];
    return costs.map(({ name, micros }) => [NAMES[traffic], name, `${(micros / count).toFixed(2)} µs`]);
  });
  return table(["CPU per event", "variant", "time"], lines);
}

export function delayTable(rows: readonly DelayRow[]): string {
  const lines = rows.flatMap(({ what, delays }) => {
    const bare = delays.find(({ name }) => name === "bare")?.spread ?? { p50: Number.NaN, p99: Number.NaN };
    return delays.map(({ name, spread: { p50, p99 } }) => {
      const hasTarget = what.startsWith("per event") && name === FULL_VARIANT;
      const verdict = hasTarget
        ? against(p99 - bare.p99, TARGETS.addedP99Ms, `${TARGETS.addedP99Ms} ms added at p99`)
        : "";
      return [what, name, ...[p50, p99, p50 - bare.p50, p99 - bare.p99].map((ms) => ms.toFixed(2)), verdict];
    });
  });
  return table(["ms", "variant", "p50", "p99", "added p50", "added p99", "target"], lines);
}

/** The ratios as Mermaid's `xychart-beta`: the gateway with and without its queue. */
export function chart(rows: readonly CostRow[]): string {
  const ratiosOf = (name: string): string =>
    rows
      .map(({ costs }) => costs.find((cost) => cost.name === name)?.ratio.middle.toFixed(2) ?? "0")
      .join(", ");
  const labels: Partial<Record<Traffic, string>> = {
    json: "JSON",
    tools: "40 KB",
    burst: "burst",
    steady: "50/s",
    "burst-no-usage": "no usage",
  };
  return [
    "```mermaid",
    "xychart-beta",
    '  title "CPU per request relative to the bare Worker: bars with the ledger, line without"',
    `  x-axis [${rows.map(({ traffic }) => `"${labels[traffic] ?? traffic}"`).join(", ")}]`,
    '  y-axis "times" 0 --> 7',
    `  bar [${ratiosOf("with ledger")}]`,
    `  line [${ratiosOf("interceptor")}]`,
    "```",
  ].join("\n");
}

export function sizeLine(raw: number, gzipped: number): string {
  const verdict = against(gzipped / 1_024, TARGETS.gzippedKiB, `${TARGETS.gzippedKiB} KiB`);
  return `bundle: ${kib(raw)}, gzipped ${kib(gzipped)}; target ${verdict}`;
}

function against(value: number, target: number, text: string): string {
  return `≤ ${text} ${value <= target ? "met" : "**missed**"}`;
}

const inMicros = (value: number) => `${value.toFixed(0)} µs`;
const kib = (bytes: number) => `${(bytes / 1_024).toFixed(1)} KiB`;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, at) => Math.max(...[head, ...rows].map((row) => (row[at] ?? cell).length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
