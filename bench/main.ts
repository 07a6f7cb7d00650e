/**
 * What the interceptor costs beside a Worker that only forwards, and beside that Worker with Hono, and what each identity
 * source costs beside `byok`: all under plain workerd on this machine, before the same provider, in one run. Ratios can
 * be compared between machines; microseconds cannot.
 *
 *     npm run bench             about ten minutes
 *     npm run bench -- --quick  about two, noisier
 *     npm run bench -- --write  … and docs/bench.md with them
 *
 * `--project <folder>` measures another checkout. Exits with 0 unless something is broken: a wrong answer, a request
 * that was not recorded, no workerd.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import prettier from "prettier";
import { productionBundle, PROJECT } from "../test/support/bundle.ts";
import { EVENTS, PACES } from "./answers.ts";
import { startBare, startHono, startInterceptor, startProvider, type Contestant } from "./contestants.ts";
import { compareSources } from "./identity.ts";
import { residentMiB } from "./cpu.ts";
import { measureCost, type Effort } from "./cpu-cost.ts";
import { measureEvents, measureHeaders } from "./delay.ts";
import { chart, costTable, delayTable, perEventTable, sizeLine } from "./report.ts";

const NONE = { paced: 0, slow: 0 };
const THOROUGH: Effort = {
  rounds: 15,
  requests: { json: 500, tools: 250, burst: 20, "burst-unasked": 6, steady: 50, ...NONE },
};
const QUICK: Effort = {
  rounds: 5,
  requests: { json: 200, tools: 100, burst: 10, "burst-unasked": 4, steady: 50, ...NONE },
};
const FEW_STREAMS = 4;
const MANY_STREAMS = 500;

const { values: flags } = parseArgs({
  options: { quick: { type: "boolean" }, write: { type: "boolean" }, project: { type: "string" } },
});

async function compare(
  contestants: readonly [Contestant, ...Contestant[]],
  quick: boolean,
): Promise<readonly string[]> {
  const [bare, ...others] = contestants;
  const costs = await measureCost(bare, others, quick ? QUICK : THOROUGH);
  const events = { burst: EVENTS, steady: PACES.steady.events, "burst-unasked": EVENTS };
  const headers = quick ? 100 : 500;
  const delays = [
    await measureHeaders(contestants, "json", headers),
    await measureEvents(contestants, "paced", FEW_STREAMS, quick ? 1 : 3),
    await measureEvents(contestants, "slow", MANY_STREAMS, quick ? 1 : 3),
  ];
  const memory = contestants.map(({ name, pid }) => `${name} ${residentMiB(pid).toFixed(0)} MiB`);
  return [
    costTable(costs),
    chart(costs),
    perEventTable(costs, events),
    delayTable(delays),
    `Resident memory at the end: ${memory.join(", ")}.`,
  ];
}

if (process.platform !== "linux")
  throw new Error("the bench reads processor time from /proc, which is Linux's");

const bundle = await productionBundle(flags.project);
const script = readFileSync(bundle.script);
const size = sizeLine(script.length, gzipSync(script).length);

const [load = 0] = loadavg();
const busy = `The machine had a load of ${load.toFixed(1)} on ${availableParallelism()} processors before this began.`;
if (load > 0.5) console.log(`${busy} The figures are noisy.`);

const provider = await startProvider();
const running: Contestant[] = [];
let text = "";
try {
  const bare = await startBare(provider, bundle);
  running.push(bare);
  running.push(await startHono(provider));
  running.push(await startInterceptor(provider, bundle));
  running.push(await startInterceptor(provider, bundle, { ledger: true }));
  const quick = flags.quick ?? false;
  const compared = await compare([bare, ...running.slice(1)], quick);
  for (const contestant of running.splice(0)) await contestant.stop();
  const sources = costTable(await compareSources(provider, bundle, quick ? QUICK : THOROUGH));
  text = [
    size,
    ...compared,
    "What each identity source costs beside `byok`, once it knows the caller:",
    sources,
  ].join("\n\n");
} finally {
  for (const contestant of running) await contestant.stop();
  provider.stop();
}
console.log(text);
if (flags.write) {
  const file = join(PROJECT, "docs", "bench.md");
  const before = readFileSync(file, "utf8");
  const [kept = ""] = before.split("<!-- written by npm run bench -- --write -->");
  const page = `${kept}<!-- written by npm run bench -- --write -->\n\n${busy}\n\n${text}\n`;
  const style = await prettier.resolveConfig(file);
  writeFileSync(file, await prettier.format(page, { ...style, parser: "markdown" }));
}
