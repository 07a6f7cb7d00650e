/** All figures of a run as text. docs/performance.md has selected ones. */
import { table } from "../tools/tables/markdown.ts";
import type { CostRow } from "./cpu-cost.ts";
import type { DelayRow } from "./delay.ts";
import type { Traffic } from "./traffic.ts";

const NAMES: Readonly<Record<Traffic, string>> = {
  json: "JSON, request of 2 KB",
  tools: "JSON, request of 40 KB with tools",
  burst: "2,000 events in a burst",
  "burst-no-usage": "the same, usage not requested",
  steady: "100 events, 50 a second",
  paced: "50 events a second",
  slow: "5 events a second",
};

/** Ratios to the variant `reference`. */
export function costTable(rows: readonly CostRow[], reference = "bare"): string {
  const lines = rows.flatMap(({ traffic, costs }) =>
    costs.map(({ name, micros, ratios, warmUp }) => {
      const { low, middle, high } = ratios[reference] ?? {
        low: Number.NaN,
        middle: Number.NaN,
        high: Number.NaN,
      };
      return [
        NAMES[traffic],
        name,
        `${micros.toFixed(0)} µs`,
        `${middle.toFixed(2)}×`,
        `${low.toFixed(2)}–${high.toFixed(2)}`,
        warmUp === null ? "never" : warmUp.toLocaleString("en"),
      ];
    }),
  );
  const head = ["CPU per request", "variant", "time", "ratio", "middle half of the rounds", "warm after"];
  return table(head, lines);
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
    return delays.map(({ name, spread: { p50, p99 } }) => [
      what,
      name,
      ...[p50, p99, p50 - bare.p50, p99 - bare.p99].map((ms) => ms.toFixed(2)),
    ]);
  });
  return table(["ms", "variant", "p50", "p99", "added p50", "added p99"], lines);
}
