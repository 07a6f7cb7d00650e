/** The figures as text. Targets are printed beside them and decide nothing: machines differ. */
import type { CostRow } from "./cpu-cost.ts";
import type { DelayRow } from "./delay.ts";
import type { Traffic } from "./traffic.ts";

export const TARGETS = { jsonRatio: 2, streamRatio: 1.8, eventDelayMs: 2, gzippedKiB: 60 } as const;

const NAMES: Readonly<Record<Traffic, string>> = {
  json: "JSON",
  burst: "stream of 200 events",
  "burst-unasked": "… usage not asked for",
  paced: "paced stream",
};

/** The target is for the interceptor as it is deployed first: without the ledger. */
export function costTable(rows: readonly CostRow[]): string {
  const lines = rows.flatMap(({ traffic, costs }) =>
    costs.map(({ name, micros, ratio }) => {
      const target =
        traffic === "json" ? TARGETS.jsonRatio : traffic === "burst" ? TARGETS.streamRatio : null;
      const judged = target !== null && name === "interceptor";
      const verdict = judged ? against(ratio.middle, target, `${target.toFixed(1)}×`) : "";
      const half = `${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}`;
      return [NAMES[traffic], name, inMicros(micros), `${ratio.middle.toFixed(2)}×`, half, verdict];
    }),
  );
  return table(["CPU per request", "of", "time", "ratio", "half of the rounds", "target"], lines);
}

export function delayTable(rows: readonly DelayRow[]): string {
  const lines = rows.flatMap(({ what, delays }) => {
    const bare = delays.find(({ name }) => name === "bare")?.spread ?? { p50: Number.NaN, p99: Number.NaN };
    return delays.map(({ name, spread: { p50, p99 } }) => {
      const judged = what === "per event" && name === "interceptor";
      const verdict = judged
        ? against(p50 - bare.p50, TARGETS.eventDelayMs, `${TARGETS.eventDelayMs} ms`)
        : "";
      return [what, name, ...[p50, p99, p50 - bare.p50, p99 - bare.p99].map((ms) => ms.toFixed(2)), verdict];
    });
  });
  return table(["ms", "of", "p50", "p99", "added p50", "added p99", "target"], lines);
}

export function sizeLine(raw: number, gzipped: number): string {
  const verdict = against(gzipped / 1_024, TARGETS.gzippedKiB, `${TARGETS.gzippedKiB} KiB`);
  return `bundle: ${kib(raw)}, gzipped ${kib(gzipped)}; target ${verdict}`;
}

function against(value: number, target: number, text: string): string {
  return `≤ ${text} ${value <= target ? "met" : "missed"}`;
}

const inMicros = (value: number) => `${value.toFixed(0)} µs`;
const kib = (bytes: number) => `${(bytes / 1_024).toFixed(1)} KiB`;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, at) => Math.max(...[head, ...rows].map((row) => (row[at] ?? cell).length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}
