/**
 * Compares the processor time and the delays of the gateway with those of Workers that only forward and with Portkey's
 * gateway, and each identity source with `byok`. All run under plain workerd on this machine with the same fake provider.
 * Ratios are comparable between machines; microseconds are not.
 *
 *     npm run bench             about fifteen minutes
 *     npm run bench -- --quick  about four minutes, with more noise
 *     npm run bench -- --write  also writes the figures to docs/performance.md, and all of them to reports/bench.md
 *
 * `--project <folder>` measures another checkout. Fails only for errors: a wrong response, a request without its records,
 * no workerd. A missed target is not an error. Without a package registry, Portkey is left out.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { productionBundle } from "../test/support/bundle.ts";
import { exitOnClosedPipe } from "../tools/closed-pipe.ts";
import { startVariants } from "./contestants.ts";
import { residentMiB } from "./cpu.ts";
import { measureCost, type Effort } from "./cpu-cost.ts";
import { measureEvents, measureHeaders } from "./delay.ts";
import { runNow } from "./figures.ts";
import { compareSources } from "./identity-sources.ts";
import { publish } from "./page.ts";
import { startProvider } from "./provider.ts";
import { costTable, delayTable, perEventTable } from "./report.ts";
import { writeReport } from "./report-file.ts";
import { EVENTS, PACES } from "./responses.ts";
import { PERFORMANCE_TABLES } from "./tables.ts";
import { GATEWAY } from "./targets.ts";
import type { Variant } from "./variant.ts";

exitOnClosedPipe();

const NONE = { paced: 0, slow: 0 };
const THOROUGH: Effort = {
  rounds: 15,
  requests: { json: 500, tools: 250, burst: 20, "burst-no-usage": 10, steady: 50, ...NONE },
};
const QUICK: Effort = {
  rounds: 5,
  requests: { json: 200, tools: 100, burst: 6, "burst-no-usage": 4, steady: 50, ...NONE },
};
const INTRODUCTION = `\`npm run bench -- --write\` wrote this page. All variants run in plain workerd before the same fake provider:

- **bare**: a Worker that only runs \`return fetch(…)\`
- **tee + pipe**: the native part of observing a stream
- **reads, parses, prints**: a Worker that reads and parses both bodies and prints four lines of 900 characters
- **interceptor**: client keys, a central key, an accepted owner, log lines, two Analytics Engine points
- **no-op queue**: the same, and each event into a queue that does nothing
- **with ledger**: the same with the queue of plain workerd, where a message is an HTTP request
- **Portkey**: Portkey's gateway, which records nothing

Processor time is the kernel's figure for the workerd process. A ratio is the median over the rounds, each against the bare
Worker in the same round. A variant is warm when the least of its last three rounds is at most 3 % below the least of the
rounds before them, and after at least 2,000 JSON requests. Delays are measured from the provider's write of an event to the client's read.`;

const FEW_STREAMS = 4;
const MANY_STREAMS = 500;

const { values: flags } = parseArgs({
  options: { quick: { type: "boolean" }, write: { type: "boolean" }, project: { type: "string" } },
});

async function measureDelays(variants: readonly Variant[], quick: boolean) {
  const rounds = quick ? 1 : 3;
  return [
    await measureHeaders(variants, "json", quick ? 100 : 500),
    ...(await measureEvents(variants, "paced", FEW_STREAMS, rounds)),
    ...(await measureEvents(variants, "slow", MANY_STREAMS, rounds)),
  ];
}

async function compare(variants: readonly Variant[], quick: boolean) {
  const cpu = await measureCost(variants, quick ? QUICK : THOROUGH);
  const delayed = new Set(["bare", ...GATEWAY]);
  const delays = await measureDelays(
    variants.filter(({ name }) => delayed.has(name)),
    quick,
  );
  const memory = variants.map(({ name, pid }) => `${name} ${residentMiB(pid).toFixed(0)} MiB`);
  return { cpu, delays, memory: `Resident memory at the end: ${memory.join(", ")}.` };
}

if (process.platform !== "linux")
  throw new Error("the bench needs Linux, because it reads processor time from /proc");

const quick = flags.quick ?? false;
const bundle = await productionBundle(flags.project);
const run = runNow(quick);
const machineLoad = `The machine had a load of ${run.load} on ${availableParallelism()} processors before the run.`;
if (run.load > 0.5) console.log(`${machineLoad} The figures are noisy.`);

const provider = await startProvider();
const running: Variant[] = [];
try {
  for await (const variant of startVariants(provider, bundle)) running.push(variant);
  const { cpu, delays, memory } = await compare(running, quick);
  for (const variant of running.splice(0)) await variant.stop();
  const sources = await compareSources(provider, bundle, quick ? QUICK : THOROUGH);
  const measured = { cpu: { run, rows: cpu }, delays: { run, rows: delays } };
  const text = [
    PERFORMANCE_TABLES.targets(measured),
    costTable(cpu),
    perEventTable(cpu, { burst: EVENTS, steady: PACES.steady.events, "burst-no-usage": EVENTS }),
    delayTable(delays),
    memory,
    "The cost of each identity source relative to `byok`, with warm caches:",
    costTable(sources, "byok"),
  ].join("\n\n");
  console.log(text);
  if (flags.write) {
    const body = [INTRODUCTION, machineLoad, text].join("\n\n");
    await writeReport({ file: "bench.md", title: "CPU and delay", body });
    await publish(measured);
  }
} finally {
  for (const variant of running) await variant.stop();
  provider.stop();
}
