/**
 * The gateway under load and under fault: the production bundle with all features, in plain workerd on this machine.
 *
 *     npm run load                                all scenarios, about ten minutes
 *     npm run load -- rounds line --scale 0.05    some scenarios, with 5% of the streams and of the duration
 *     npm run load -- --write                     all scenarios; also writes reports/load.md and docs/performance.md
 *
 * Exits with 1 if a figure misses its bound: a count, a checksum, an open connection, memory. Figures that depend on the
 * machine's speed have no bound. `SEED` sets the seed of `mixed`.
 */
import { parseArgs } from "node:util";
import { writeReport } from "../report-file.ts";
import { page, rowsTable, type Result } from "./page.ts";
import { runNow } from "../figures.ts";
import { publish } from "../page.ts";
import { decidingFigures } from "./deciding-figures.ts";
import type { Scenario } from "./scenario.ts";
import { endless, line, unread } from "./scenarios/bounds.ts";
import { heap } from "./scenarios/heap.ts";
import { mixed } from "./scenarios/mixed.ts";
import { rounds } from "./scenarios/rounds.ts";
import { steady } from "./scenarios/steady.ts";
import { exitOnClosedPipe } from "../../tools/closed-pipe.ts";

exitOnClosedPipe();

const ALL: readonly Scenario[] = [steady, rounds, mixed, unread, endless, line, heap];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { scale: { type: "string", default: "1" }, write: { type: "boolean" } },
});
const scale = Number(flags.scale);
if (!(scale > 0 && scale <= 1)) throw new Error("--scale must be above 0 and at most 1");
const unknown = positionals.filter((name) => !ALL.some((scenario) => scenario.name === name));
const names = ALL.map(({ name }) => name).join(", ");
if (unknown.length > 0) throw new Error(`unknown scenario ${unknown.join(", ")}; must be one of ${names}`);

const results: Result[] = [];
const run = runNow(false);
for (const scenario of ALL) {
  if (positionals.length > 0 && !positionals.includes(scenario.name)) continue;
  console.log(`\n${scenario.name}: ${scenario.title}`);
  const rows = await scenario.run(scale);
  results.push({ scenario, rows });
  console.log(rowsTable(rows));
}

if (flags.write) {
  await writeReport({ file: "load.md", title: "Under load", body: page(results, scale) });
  // A part of the streams would not decide the target.
  if (scale === 1) await publish(decidingFigures(results, run));
}
const failed = results.flatMap(({ scenario, rows }) =>
  rows.filter(({ passed }) => passed === false).map(({ what }) => `${scenario.name}: ${what}`),
);
console.log(failed.length === 0 ? "\nall figures meet their bounds" : `\nfailed:\n  ${failed.join("\n  ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
