/**
 * Compares the gateway with a Worker that only forwards and with that Worker behind Hono, and each identity source with
 * `byok`. All run under plain workerd on this machine with the same fake provider. Ratios are comparable between machines;
 * microseconds are not.
 *
 *     npm run bench             about ten minutes
 *     npm run bench -- --quick  about two minutes, with more noise
 *     npm run bench -- --write  also writes the figures to reports/bench.md
 *
 * `--project <folder>` measures another checkout. Fails only for errors: a wrong response, a request without its records,
 * no workerd. A missed target is not an error.
 */
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { productionBundle } from "../test/support/bundle.ts";
import { EVENTS, PACES } from "./responses.ts";
import { compareSources } from "./identity-sources.ts";
import { residentMiB } from "./cpu.ts";
import { measureCost, type Effort } from "./cpu-cost.ts";
import { measureEvents, measureHeaders } from "./delay.ts";
import { chart, costTable, delayTable, perEventTable, sizeLine } from "./report.ts";
import { writeReport } from "./report-file.ts";
import { startBare, startHono, startInterceptor, startProvider, type Variant } from "./variants.ts";
import { exitOnClosedPipe } from "../tools/closed-pipe.ts";

exitOnClosedPipe();

const NONE = { paced: 0, slow: 0 };
const THOROUGH: Effort = {
  rounds: 15,
  requests: { json: 500, tools: 250, burst: 20, "burst-no-usage": 6, steady: 50, ...NONE },
};
const QUICK: Effort = {
  rounds: 5,
  requests: { json: 200, tools: 100, burst: 10, "burst-no-usage": 4, steady: 50, ...NONE },
};
const INTRODUCTION = `\`npm run bench -- --write\` wrote this page. All variants run in plain workerd before the same fake provider:

- **bare**: a Worker that only runs \`return fetch(…)\`; **bare + Hono**: the same behind one route of Hono
- **interceptor**: client keys, a central key, an accepted owner, log lines, two Analytics Engine points
- **with ledger**: the same, and each event into a queue

Processor time is the kernel's figure for the workerd process. A ratio is the median over the rounds, each against the bare
Worker in the same round. Delays are measured from the provider's write of an event to the client's read.`;

const FEW_STREAMS = 4;
const MANY_STREAMS = 500;

const { values: flags } = parseArgs({
  options: { quick: { type: "boolean" }, write: { type: "boolean" }, project: { type: "string" } },
});

async function compare(
  variants: readonly [Variant, ...Variant[]],
  quick: boolean,
): Promise<readonly string[]> {
  const [bare, ...others] = variants;
  const costs = await measureCost(bare, others, quick ? QUICK : THOROUGH);
  const events = { burst: EVENTS, steady: PACES.steady.events, "burst-no-usage": EVENTS };
  const headers = quick ? 100 : 500;
  const delays = [
    await measureHeaders(variants, "json", headers),
    await measureEvents(variants, "paced", FEW_STREAMS, quick ? 1 : 3),
    await measureEvents(variants, "slow", MANY_STREAMS, quick ? 1 : 3),
  ];
  const memory = variants.map(({ name, pid }) => `${name} ${residentMiB(pid).toFixed(0)} MiB`);
  return [
    costTable(costs),
    chart(costs),
    perEventTable(costs, events),
    delayTable(delays),
    `Resident memory at the end: ${memory.join(", ")}.`,
  ];
}

if (process.platform !== "linux")
  throw new Error("the bench needs Linux, because it reads processor time from /proc");

const bundle = await productionBundle(flags.project);
const script = readFileSync(bundle.script);
const size = sizeLine(script.length, gzipSync(script).length);

const [load = 0] = loadavg();
const machineLoad = `The machine had a load of ${load.toFixed(1)} on ${availableParallelism()} processors before the run.`;
if (load > 0.5) console.log(`${machineLoad} The figures are noisy.`);

const provider = await startProvider();
const running: Variant[] = [];
let text = "";
try {
  const bare = await startBare(provider, bundle);
  running.push(bare);
  running.push(await startHono(provider));
  running.push(await startInterceptor(provider, bundle));
  running.push(await startInterceptor(provider, bundle, { ledger: true }));
  const quick = flags.quick ?? false;
  const compared = await compare([bare, ...running.slice(1)], quick);
  for (const variant of running.splice(0)) await variant.stop();
  const sources = costTable(await compareSources(provider, bundle, quick ? QUICK : THOROUGH));
  text = [
    size,
    ...compared,
    "The cost of each identity source relative to `byok`, with warm caches:",
    sources,
  ].join("\n\n");
} finally {
  for (const variant of running) await variant.stop();
  provider.stop();
}
console.log(text);
if (flags.write) {
  const body = [INTRODUCTION, machineLoad, text].join("\n\n");
  await writeReport({ file: "bench.md", title: "CPU, delay and size", body });
}
