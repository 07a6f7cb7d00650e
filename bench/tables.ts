/** The tables of docs/performance.md that follow from `bench/figures.json`, by the name in their markers. */
import { table } from "../tools/tables/markdown.ts";
import type { Measured, Run } from "./figures.ts";
import { costOf, delayOf, instructionsOf } from "./lookup.ts";
import type { Quartiles } from "./numbers.ts";
import { EVENTS, PACES } from "./responses.ts";
import { assess, type Assessment } from "./targets.ts";
import type { Traffic } from "./traffic.ts";

const NONE = "–";

/** The kinds of traffic that CPU time is measured with, and their names in columns. */
export const LABELS: Readonly<Partial<Record<Traffic, string>>> = {
  json: "JSON 2 KB",
  tools: "JSON 40 KB",
  burst: "burst",
  "burst-no-usage": "burst, no usage",
  steady: "50 events/s",
};
const TRAFFICS = Object.keys(LABELS) as Traffic[];

export const runText = ({ date, load, quick }: Run): string =>
  `${date}, load ${load.toFixed(1)}${quick ? ", a quick run" : ""}`;

const UNITS = { "×": "×", ms: " ms", KB: " KB", M: " M" } as const;

function amount({ target }: Assessment, value: number | null): string {
  if (value === null || Number.isNaN(value)) return NONE;
  return `${value.toFixed(target.unit === "×" ? 2 : 1)}${UNITS[target.unit]}`;
}

function targetsTable(figures: Measured): string {
  const rows = assess(figures).map((one) => [
    one.target.what,
    one.target.must === null ? NONE : `≤ ${amount(one, one.target.must)}`,
    one.target.aim === null ? NONE : `≤ ${amount(one, one.target.aim)}`,
    amount(one, one.value),
    one.verdict,
    `\`${one.target.command}\``,
    one.run ? runText(one.run) : NONE,
  ]);
  return table(["figure", "must", "aim", "measured", "result", "command", "run"], rows);
}

const withQuartiles = ({ low, middle, high }: Quartiles): string =>
  `${middle.toFixed(2)}× (${low.toFixed(2)}–${high.toFixed(2)})`;

/** The variants before the others, because not every kind of traffic is measured with them. */
const FIRST = ["bare", "tee + pipe", "reads, parses, prints"];

/** One row for each variant. */
function cpuTable(figures: Measured): string {
  const measured = new Set(figures.cpu?.rows.flatMap(({ costs }) => costs.map(({ name }) => name)));
  const names = new Set([...FIRST.filter((name) => measured.has(name)), ...measured]);
  const cells = (name: string, text: (traffic: Traffic) => string | undefined): string[] => [
    name,
    ...TRAFFICS.map((traffic) => text(traffic) ?? NONE),
  ];
  const ratio = (name: string, reference: string) => (traffic: Traffic) => {
    const found = costOf(figures, traffic, name)?.ratios[reference];
    return found && withQuartiles(found);
  };
  const micros = (traffic: Traffic) => {
    const bare = costOf(figures, traffic, "bare");
    return bare && `${bare.micros.toLocaleString("en", { maximumFractionDigits: 0 })} µs`;
  };
  const rows = Array.from(names, (name) =>
    name === "bare" ? cells("bare", micros) : cells(name, ratio(name, "bare")),
  );
  const relative = [
    cells(
      "interceptor, relative to **reads, parses, prints**",
      ratio("interceptor", "reads, parses, prints"),
    ),
    cells("interceptor, relative to **tee + pipe**", ratio("interceptor", "tee + pipe")),
    cells("with ledger, relative to **Portkey**", ratio("with ledger", "Portkey")),
  ];
  const head = ["CPU per request", ...TRAFFICS.map((traffic) => LABELS[traffic] ?? traffic)];
  return table(head, [...rows, ...relative.filter((row) => row.slice(1).some((cell) => cell !== NONE))]);
}

function instructionsTable(figures: Measured): string {
  const kinds: readonly Traffic[] = ["json", "tools"];
  const names = new Set(figures.instructions?.rows.map(({ name }) => name));
  const rows = Array.from(names, (name) => [
    name,
    ...kinds.flatMap((traffic) => {
      const count = instructionsOf(figures, traffic, name);
      const bare = instructionsOf(figures, traffic, "bare");
      if (count === undefined || bare === undefined) return [NONE, NONE];
      return [`${Math.round(count / 1000).toLocaleString("en")}k`, (count / bare).toFixed(2)];
    }),
  ]);
  return table(["Worker", "2 KB", "ratio", "40 KB with tools", "ratio"], rows);
}

function eventsTable(figures: Measured): string {
  const names = ["bare", "interceptor", "with ledger"];
  const perEvent = (what: string, traffic: Traffic, events: number): string[] => [
    what,
    ...names.map((name) => {
      const cost = costOf(figures, traffic, name);
      return cost ? `${(cost.micros / events).toFixed(1)} µs` : NONE;
    }),
  ];
  const delays = (streams: number, settled: boolean): string[] => [
    `delay, ${streams} streams${settled ? ", after their first second" : ""}, p50 / p99`,
    ...names.map((name) => {
      const spread = delayOf(figures, streams, name, settled);
      return spread ? `${spread.p50.toFixed(1)} / ${spread.p99.toFixed(1)} ms` : NONE;
    }),
  ];
  return table(
    ["", ...names],
    [
      perEvent("CPU, 2,000 events in a burst", "burst", EVENTS),
      perEvent("CPU, burst, usage not requested", "burst-no-usage", EVENTS),
      perEvent("CPU, 100 events, 50 per second", "steady", PACES.steady.events),
      delays(4, false),
      delays(500, false),
      delays(500, true),
    ],
  );
}

function runsTable({ cpu, delays, instructions, startup }: Measured): string {
  const parts = { "CPU time": cpu, delays, instructions, "cold start": startup };
  return table(
    ["figures of", "measured on"],
    Object.entries(parts).map(([name, part]) => [name, part ? runText(part.run) : NONE]),
  );
}

function startupTable({ startup }: Measured): string {
  const rows = startup
    ? [
        ["bundle", `${(startup.bytes / 1000).toFixed(1)} KB`],
        ["bundle, gzipped", `${(startup.gzipBytes / 1000).toFixed(1)} KB`],
        [
          "instructions until workerd listens, beyond a Worker of one line",
          `${(startup.instructions / 1e6).toFixed(1)} M`,
        ],
      ]
    : [];
  return table(["figure", "measured"], rows);
}

export const PERFORMANCE_TABLES = {
  targets: targetsTable,
  runs: runsTable,
  cpu: cpuTable,
  instructions: instructionsTable,
  stream: eventsTable,
  startup: startupTable,
} as const satisfies Readonly<Record<string, (figures: Measured) => string>>;
