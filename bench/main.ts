/**
 * What the interceptor costs beside a Worker that only forwards, with the ledger and without: all under plain workerd on this machine, before the
 * same provider, in one run. Ratios can be compared between machines; microseconds cannot.
 *
 *     npm run bench            about two minutes
 *     npm run bench -- --quick about half a minute, noisier
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

async function compare(contestants: readonly [Contestant, ...Contestant[]], quick: boolean): Promise<void> {
  const [bare, ...others] = contestants;
  console.log(`\n${costTable(await measureCost(bare, others, quick ? QUICK : THOROUGH))}\n`);
  const headers = quick ? 100 : 500;
  const delays = [
    await measureHeaders(contestants, "json", headers),
    await measureHeaders(contestants, "burst", headers),
    await measureEvents(contestants, PACED_STREAMS, quick ? 1 : 3),
  ];
  console.log(`${delayTable(delays)}\n`);
  const memory = contestants.map(({ name, pid }) => `${name} ${residentMiB(pid).toFixed(0)} MiB`);
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
  const withLedger = await startInterceptor(provider, bundle, { ledger: true });
  running.push(withLedger);
  await compare([bare, interceptor, withLedger], flags.quick ?? false);
} finally {
  for (const contestant of running) await contestant.stop();
  provider.stop();
}
