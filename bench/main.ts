/**
 * What the interceptor costs beside a Worker that only forwards: both under plain workerd on this machine, before the
 * same provider, in one run. Ratios can be compared between machines; microseconds cannot.
 *
 *     npm run bench            about a minute and a half
 *     npm run bench -- --quick about twenty seconds, noisier
 *
 * `--project <folder>` measures another checkout. Exits with 0 unless something is broken: a wrong answer, a request
 * that was not recorded, no workerd.
 */
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { productionBundle } from "../test/support/bundle.ts";
import { startBare, startInterceptor, startProvider, type Contestant } from "./contestants.ts";
import { residentMiB } from "./cpu.ts";
import { measureCost, type Effort } from "./cpu-cost.ts";
import { measureEvents, measureHeaders } from "./delay.ts";
import { costTable, delayTable, sizeLine } from "./report.ts";

const THOROUGH: Effort = { rounds: 21, requests: { json: 500, burst: 100, "burst-unasked": 100, paced: 0 } };
const QUICK: Effort = { rounds: 7, requests: { json: 200, burst: 50, "burst-unasked": 50, paced: 0 } };
const PACED_STREAMS = 4;

const { values: flags } = parseArgs({ options: { quick: { type: "boolean" }, project: { type: "string" } } });

async function compare(bare: Contestant, interceptor: Contestant, quick: boolean): Promise<void> {
  console.log(`\n${costTable(await measureCost(bare, interceptor, quick ? QUICK : THOROUGH))}\n`);
  const headers = quick ? 100 : 500;
  const delays = [
    await measureHeaders(bare, interceptor, "json", headers),
    await measureHeaders(bare, interceptor, "burst", headers),
    await measureEvents(bare, interceptor, PACED_STREAMS, quick ? 1 : 3),
  ];
  console.log(`${delayTable(delays)}\n`);
  const memory = [bare, interceptor].map(({ name, pid }) => `${name} ${residentMiB(pid).toFixed(0)} MiB`);
  console.log(`resident memory at the end: ${memory.join(", ")}`);
}

if (process.platform !== "linux")
  throw new Error("the bench reads processor time from /proc, which is Linux's");

const bundle = await productionBundle(flags.project);
const script = readFileSync(bundle.script);
console.log(sizeLine(script.length, gzipSync(script).length));

const [load = 0] = loadavg();
if (load > 0.5) {
  const processors = availableParallelism();
  console.log(
    `the machine was busy before this began (load ${load.toFixed(1)} on ${processors} processors): noisy`,
  );
}

const provider = await startProvider();
const running: Contestant[] = [];
try {
  const bare = await startBare(provider, bundle);
  running.push(bare);
  const interceptor = await startInterceptor(provider, bundle);
  running.push(interceptor);
  await compare(bare, interceptor, flags.quick ?? false);
} finally {
  for (const contestant of running) await contestant.stop();
  provider.stop();
}
