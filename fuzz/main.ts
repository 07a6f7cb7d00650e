/**
 * Random cases against what must hold for all of them.
 *
 *     npm run fuzz                                        all targets, some minutes
 *     npm run fuzz -- --seed 7 --only answers,requests    the same cases as any other run with seed 7
 *     npm run fuzz -- --answers 40000000 --only answers   more of one
 *     npm run fuzz -- --seed 7 --only answers --case 123  one case again: what a finding prints
 *
 * Ends with a table of what was tried, and with 1 where anything was found.
 */
import { parseArgs } from "node:util";
import { ENTRIES, type Entry } from "./entries.ts";
import { openHouse, type House } from "./house.ts";
import { findingText, table, type Row } from "./report.ts";

const MAX_FINDINGS = 3;

type Options = {
  readonly seed: number;
  readonly chosen: readonly Entry[];
  /** The number of the one case to run; null: all. */
  readonly only: number | null;
  /** Units by target. */
  readonly counts: ReadonlyMap<string, number>;
};

function whole(text: string, what: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`${what} takes a whole number`);
  return Number(text);
}

function readOptions(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  const named = Object.fromEntries(ENTRIES.map(({ name }) => [name, text]));
  const { values } = parseArgs({
    args: [...args],
    options: { seed: text, only: text, case: text, ...named },
  });
  const given = values as Readonly<Record<string, string | undefined>>;
  const only = given["only"]?.split(",") ?? ENTRIES.map(({ name }) => name);
  const unknown = only.find((name) => !ENTRIES.some((entry) => entry.name === name));
  if (unknown !== undefined) throw new Error(`--only knows ${ENTRIES.map(({ name }) => name).join(", ")}`);
  const counts = ENTRIES.map(({ name, full }): [string, number] => {
    const count = given[name];
    return [name, count === undefined ? full : whole(count, `--${name}`)];
  });
  return {
    seed:
      given["seed"] === undefined
        ? Math.floor(Math.random() * 1_000_000_000)
        : whole(given["seed"], "--seed"),
    chosen: ENTRIES.filter(({ name }) => only.includes(name)),
    only: given["case"] === undefined ? null : whole(given["case"], "--case"),
    counts: new Map(counts),
  };
}

async function main(args: readonly string[]): Promise<number> {
  const { seed, chosen, only, counts } = readOptions(args);
  console.log(`seed ${seed}`);
  let house: House | null = null;
  const rows: Row[] = [];
  try {
    for (const entry of chosen) {
      if (entry.housed) house ??= await openHouse();
      const cases = only === null ? Math.ceil((counts.get(entry.name) ?? 0) / entry.each) : 1;
      const began = performance.now();
      const span = { seed, from: only ?? 0, cases, maxFindings: MAX_FINDINGS };
      const result = await entry.run(span, house);
      const seconds = (performance.now() - began) / 1000;
      rows.push({ entry, result, seconds });
      console.log(`${entry.name}: ${result.findings.length} found in ${seconds.toFixed(0)} s`);
      for (const finding of result.findings) console.log(findingText(finding));
    }
  } finally {
    await house?.close();
  }
  console.log(`\n${table(rows)}`);
  return rows.some(({ result }) => result.findings.length > 0) ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
