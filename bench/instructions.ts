/**
 * Instructions per request, counted by valgrind's callgrind. They measure the amount of work, not its duration, and hardly
 * depend on other load on the machine.
 *
 *     npm run bench:instructions                       json and tools, for all variants and baselines
 *     npm run bench:instructions -- json --keep <file> one kind; keeps a profile of each variant for callgrind_annotate
 *     npm run bench:instructions -- json --only bare,interceptor
 *     npm run bench:instructions -- --write            also writes the figures to docs/performance.md
 *     npm run bench:instructions -- --quick            fewer requests, with more noise
 *
 * Needs `valgrind`. Each process first responds to thousands of requests without being counted, so that V8 has compiled the
 * code of each request. Only the main thread counts, because V8's other threads still compile in the background.
 */
import { parseArgs } from "node:util";
import { productionBundle } from "../test/support/bundle.ts";
import { exitOnClosedPipe } from "../tools/closed-pipe.ts";
import { BASELINES } from "./baselines.ts";
import { startCounted } from "./callgrind.ts";
import { portkeySource } from "./contestants.ts";
import { runNow, type InstructionRow } from "./figures.ts";
import { startBare, startBaseline, startHono } from "./forwarders.ts";
import { startInterceptor } from "./interceptor.ts";
import { Line, runLoad } from "./load.ts";
import { publish } from "./page.ts";
import { startPortkey } from "./portkey.ts";
import { startProvider } from "./provider.ts";
import { requestFor, type Traffic } from "./traffic.ts";
import type { ProcessOptions, Variant } from "./variant.ts";
import { instructionsPerRequest, isEnough, type Round } from "./whole-collections.ts";

exitOnClosedPipe();

/** `counted`: at least so many requests, in rounds of `round`. */
type Counts = { readonly warmUp: number; readonly round: number; readonly counted: number };
const THOROUGH: Readonly<Partial<Record<Traffic, Counts>>> = {
  json: { warmUp: 4_000, round: 200, counted: 1_000 },
  tools: { warmUp: 3_000, round: 100, counted: 500 },
  burst: { warmUp: 100, round: 10, counted: 20 },
  "burst-no-usage": { warmUp: 60, round: 5, counted: 10 },
};
const QUICK: typeof THOROUGH = {
  json: { warmUp: 1_500, round: 100, counted: 200 },
  tools: { warmUp: 1_500, round: 50, counted: 100 },
};
/** A Worker without a second collection is counted without whole collections. */
const MOST_ROUNDS = 20;
/** Without the burst: callgrind slows it down fifty times, so the gateway reads its events one by one. */
const DEFAULT_TRAFFIC: readonly Traffic[] = ["json", "tools"];
const CONNECTIONS = 4;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    project: { type: "string" },
    keep: { type: "string" },
    only: { type: "string" },
    write: { type: "boolean" },
    quick: { type: "boolean" },
  },
});

// The figures of a run replace all earlier ones.
if (flags.write && (flags.only !== undefined || positionals.length > 0))
  throw new Error("--write needs all variants and all kinds of traffic");

type Start = (options: ProcessOptions) => Promise<Variant>;

type Count = { readonly instructions: number; readonly details: string };

async function count(name: string, start: Start, traffic: Traffic): Promise<Count> {
  const counts = (flags.quick ? QUICK : THOROUGH)[traffic];
  if (!counts) throw new Error(`${traffic} is not counted`);
  const counted = await startCounted(start);
  try {
    const { variant } = counted;
    const request = requestFor(traffic, variant);
    const line = await Line.open(variant.port);
    const { bodyBytes } = await line.exchange(request);
    line.close();
    await variant.recorded(1, traffic);
    const load = async (requests: number): Promise<void> => {
      await runLoad(variant.port, { request, count: requests, connections: CONNECTIONS, bodyBytes });
      await variant.recorded(requests, traffic);
    };
    await load(counts.warmUp);
    await counted.start();
    const rounds: Round[] = [];
    let background = 0;
    while (rounds.length < MOST_ROUNDS && !isEnough(rounds, counts.counted)) {
      await load(counts.round);
      const dump = await counted.dump();
      background += dump.background;
      rounds.push({ requests: counts.round, instructions: dump.main, collected: dump.collected });
    }
    if (flags.keep) await counted.keep(`${flags.keep}.${name.replaceAll(/\W+/g, "-")}`);
    const requests = rounds.length * counts.round;
    const enough = isEnough(rounds, counts.counted) ? "" : ", too few collections";
    return {
      instructions: instructionsPerRequest(rounds),
      details: `${requests} requests, other threads ${thousands(background / requests)}${enough}`,
    };
  } finally {
    await counted.stop();
  }
}

const thousands = (instructions: number): string => `${(instructions / 1000).toFixed(0)}k`;

const bundle = await productionBundle(flags.project, flags.keep !== undefined);
const provider = await startProvider();
const only = flags.only?.split(",");
const isChosen = (name: string): boolean => only?.includes(name) ?? true;
const portkey = isChosen("Portkey") ? await portkeySource() : null;

const variants: readonly (readonly [string, Start])[] = [
  ["bare", (options) => startBare(provider, bundle, options)],
  ["bare + Hono", (options) => startHono(provider, options)],
  ...Object.keys(BASELINES).map((name): readonly [string, Start] => [
    name,
    (options) => startBaseline(name)(provider, bundle, options),
  ]),
  ["interceptor", (options) => startInterceptor(provider, bundle, options)],
  ["no-op queue", (options) => startInterceptor(provider, bundle, { ...options, queue: "no-op" })],
  ["with ledger", (options) => startInterceptor(provider, bundle, { ...options, queue: "http" })],
  ["with MAC", (options) => startInterceptor(provider, bundle, { ...options, queue: "http", mac: true })],
  [
    "with log MAC",
    (options) =>
      startInterceptor(provider, bundle, {
        ...options,
        mac: true,
        vars: { RECORDING: { log_mac: true } },
      }),
  ],
  ...(portkey === null
    ? []
    : [["Portkey", (options: ProcessOptions) => startPortkey(portkey, provider, options)] as const]),
];

const rows: InstructionRow[] = [];
const run = runNow(flags.quick ?? false);
try {
  for (const traffic of positionals.length > 0 ? (positionals as Traffic[]) : DEFAULT_TRAFFIC) {
    let reference = Number.NaN;
    for (const [name, start] of variants.filter(([one]) => isChosen(one))) {
      const { instructions, details } = await count(name, start, traffic);
      if (name === "bare") reference = instructions;
      rows.push({ traffic, name, instructions });
      const ratio = (instructions / reference).toFixed(2);
      const columns = [traffic.padEnd(14), name.padEnd(14), thousands(instructions).padStart(8)];
      console.log(`${columns.join(" ")}  ${ratio}×  (${details})`);
    }
  }
} finally {
  provider.stop();
}
if (flags.write) await publish({ instructions: { run, rows } });
