/**
 * `npm run size`, after `npm run build`: how large the bundle is, of what, and whether it keeps to its budget. Exits with 1
 * where it does not, or where code of a package is in it that should not be.
 */
import { BUDGET, DEPLOYED } from "./supply/budget.ts";
import { packageOf, partsOf, readBuilt, type Built } from "./supply/bundle.ts";

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

/** What is wrong with a bundle, one line each. */
export function sizeProblems(built: Built): string[] {
  const over = (["bytes", "gzipBytes"] as const)
    .filter((of) => built[of] > BUDGET[of])
    .map((of) => `${of}: ${built[of]} is over the budget of ${BUDGET[of]}`);
  const packages = new Set(built.sources.map(([path]) => packageOf(path)).filter((name) => name !== null));
  const strangers = [...packages].filter((name) => !DEPLOYED.includes(name));
  return [...over, ...strangers.map((name) => `${name} is in the bundle and not in DEPLOYED`)];
}

export async function main(): Promise<number> {
  const built = readBuilt();
  console.log(`bundle ${built.bytes} bytes (${kib(built.bytes)}) of ${BUDGET.bytes}`);
  console.log(`gzip   ${built.gzipBytes} bytes (${kib(built.gzipBytes)}) of ${BUDGET.gzipBytes}`);
  for (const [part, bytes] of partsOf(built)) {
    console.log(
      `${String(bytes).padStart(8)}  ${((100 * bytes) / built.bytes).toFixed(1).padStart(4)} %  ${part}`,
    );
  }
  const problems = sizeProblems(built);
  for (const problem of problems) console.error(problem);
  return problems.length === 0 ? 0 : 1;
}
