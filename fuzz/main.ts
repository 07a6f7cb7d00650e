/**
 * Runs random cases against properties that must hold for every input.
 *
 *     npm run fuzz                                          all targets, some minutes
 *     npm run fuzz -- --seed 7 --only responses,requests    the same cases as any other run with seed 7
 *     npm run fuzz -- --responses 40000000 --only responses more inputs for one target
 *     npm run fuzz -- --seed 7 --only responses --case 123  one case; each finding prints this command
 *
 * Prints a table of the cases at the end. Exits with 1 if there is a finding.
 */
import { parseArgs } from "node:util";
import { ENTRIES, type Entry } from "./entries.ts";
import { startGateway, type Gateway } from "./gateway.ts";
import { findingText, table, type Row } from "./report.ts";
import { exitOnClosedPipe } from "../tools/closed-pipe.ts";

exitOnClosedPipe();

const MAX_FINDINGS = 3;

type Options = {
  readonly seed: number;
  readonly entries: readonly Entry[];
  /** The number of the one case to run; null: all cases. */
  readonly onlyCase: number | null;
  /** Units by target. */
  readonly counts: ReadonlyMap<string, number>;
};

function wholeNumber(text: string, option: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`${option} must be a whole number`);
  return Number(text);
}

function readOptions(args: readonly string[]): Options {
  const text = { type: "string" } as const;
  const countOptions = Object.fromEntries(ENTRIES.map(({ name }) => [name, text]));
  const { values } = parseArgs({
    args: [...args],
    options: { seed: text, only: text, case: text, ...countOptions },
  });
  const options = values as Readonly<Record<string, string | undefined>>;
  const allNames = ENTRIES.map(({ name }) => name);
  const only = options["only"]?.split(",") ?? allNames;
  const unknown = only.find((name) => !allNames.includes(name));
  if (unknown !== undefined) throw new Error(`--only must be a list of ${allNames.join(", ")}`);
  const counts = ENTRIES.map(({ name, full }): [string, number] => {
    const count = options[name];
    return [name, count === undefined ? full : wholeNumber(count, `--${name}`)];
  });
  return {
    seed:
      options["seed"] === undefined
        ? Math.floor(Math.random() * 1_000_000_000)
        : wholeNumber(options["seed"], "--seed"),
    entries: ENTRIES.filter(({ name }) => only.includes(name)),
    onlyCase: options["case"] === undefined ? null : wholeNumber(options["case"], "--case"),
    counts: new Map(counts),
  };
}

async function main(args: readonly string[]): Promise<number> {
  const { seed, entries, onlyCase, counts } = readOptions(args);
  console.log(`seed ${seed}`);
  let gateway: Gateway | null = null;
  const rows: Row[] = [];
  try {
    for (const entry of entries) {
      if (entry.needsGateway) gateway ??= await startGateway();
      const cases = onlyCase === null ? Math.ceil((counts.get(entry.name) ?? 0) / entry.unitsPerCase) : 1;
      const began = performance.now();
      const range = { seed, from: onlyCase ?? 0, cases, maxFindings: MAX_FINDINGS };
      const result = await entry.run(range, gateway);
      const seconds = (performance.now() - began) / 1000;
      rows.push({ entry, result, seconds });
      console.log(`${entry.name}: ${result.findings.length} findings in ${seconds.toFixed(0)} s`);
      for (const finding of result.findings) console.log(findingText(finding));
    }
  } finally {
    await gateway?.close();
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
