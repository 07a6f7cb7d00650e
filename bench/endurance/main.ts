/**
 * The interceptor under load and under fault: production bundle, plain workerd, everything on, on this machine alone.
 *
 *     npm run load                                all scenarios, about ten minutes
 *     npm run load -- rounds line --scale 0.05    some of them, a twentieth of the streams and of the time
 *     npm run load -- --write                     all, and docs/load.md with what came of it
 *
 * Exits with 1 where something that must hold does not: a count, a checksum, a connection left open, a bound on memory.
 * What depends on the machine's speed is told and decides nothing. `SEED` chooses what `mixed` mixes.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import prettier from "prettier";
import { PROJECT } from "../../test/support/bundle.ts";
import { page, rowsTable, type Result } from "./page.ts";
import type { Scenario } from "./scenario.ts";
import { endless, line, unread } from "./scenarios/bounds.ts";
import { heap } from "./scenarios/heap.ts";
import { mixed } from "./scenarios/mixed.ts";
import { rounds } from "./scenarios/rounds.ts";
import { steady } from "./scenarios/steady.ts";

const ALL: readonly Scenario[] = [steady, rounds, mixed, unread, endless, line, heap];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { scale: { type: "string", default: "1" }, write: { type: "boolean" } },
});
const scale = Number(flags.scale);
if (!(scale > 0 && scale <= 1)) throw new Error("--scale is above 0 and at most 1");
const unknown = positionals.filter((name) => !ALL.some((scenario) => scenario.name === name));
const names = ALL.map(({ name }) => name).join(", ");
if (unknown.length > 0) throw new Error(`no scenario ${unknown.join(", ")}; there are ${names}`);

const results: Result[] = [];
for (const scenario of ALL) {
  if (positionals.length > 0 && !positionals.includes(scenario.name)) continue;
  console.log(`\n${scenario.name}: ${scenario.title}`);
  const rows = await scenario.run(scale);
  results.push({ scenario, rows });
  console.log(rowsTable(rows));
}

if (flags.write) {
  const file = join(PROJECT, "docs/load.md");
  const style = await prettier.resolveConfig(file);
  await writeFile(file, await prettier.format(page(results, scale), { ...style, parser: "markdown" }));
}
const broken = results.flatMap(({ scenario, rows }) =>
  rows.filter(({ held }) => held === false).map(({ what }) => `${scenario.name}: ${what}`),
);
console.log(
  broken.length === 0 ? "\neverything that must hold holds" : `\nbroken:\n  ${broken.join("\n  ")}`,
);
process.exitCode = broken.length === 0 ? 0 : 1;
