/**
 * `npm run size`, after `npm run build`: prints the size of the gateway's bundle by layer and by package, and what each issue
 * added, and the size of the web console. Exit code 1 if one exceeds its budget, or the gateway has code of a package that is
 * not listed.
 */
import { buildConsole, type ConsoleBuild } from "./console/build.ts";
import {
  ADDITIONS,
  BUDGET,
  CONSOLE_GZIP_BYTES,
  CONSOLE_PACKAGES,
  DEPLOYED,
  TARGET_GZIP_BYTES,
  type Addition,
} from "./supply/budget.ts";
import { packageOf, partsOf, readBuilt, type Built } from "./supply/bundle.ts";

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

/** The problems with a bundle, one line each. */
export function sizeProblems(built: Built): string[] {
  const exceeded = (["bytes", "gzipBytes"] as const)
    .filter((measure) => built[measure] > BUDGET[measure])
    .map((measure) => `${measure}: ${built[measure]} exceeds the budget of ${BUDGET[measure]}`);
  const packages = new Set(built.sources.map(([path]) => packageOf(path)).filter((name) => name !== null));
  const unlisted = [...packages].filter((name) => !DEPLOYED.includes(name));
  return [
    ...exceeded,
    ...(built.wide === null ? [] : [`the bundle contains ${built.wide}; write it as an escape sequence`]),
    ...unlisted.map((name) => `${name} is in the bundle, but not in DEPLOYED`),
  ];
}

/** The problems with the console, one line each. */
export function consoleProblems(ofConsole: ConsoleBuild): string[] {
  const gzipBytes = gzipBytesOf(ofConsole);
  const exceeded =
    gzipBytes > CONSOLE_GZIP_BYTES
      ? [`console: ${gzipBytes} gzipped bytes exceed the budget of ${CONSOLE_GZIP_BYTES}`]
      : [];
  const unlisted = ofConsole.packages.filter((name) => !CONSOLE_PACKAGES.includes(name));
  return [...exceeded, ...unlisted.map((name) => `${name} is in the console, but not in CONSOLE_PACKAGES`)];
}

const gzipBytesOf = ({ files }: ConsoleBuild): number =>
  files.reduce((sum, { gzipBytes }) => sum + gzipBytes, 0);

/** The gzipped bytes that each issue added, and the difference between their sum and the bundle, one line each. */
export function additionLines(gzipBytes: number, additions: readonly Addition[] = ADDITIONS): string[] {
  const lines = [...Map.groupBy(additions, ({ issue }) => issue)].flatMap(([issue, all]) => [
    additionLine(totalOf(all), `issue ${issue}`),
    ...all.map((one) => `    ${additionLine(one.gzipBytes, one.what)}`),
  ]);
  return [...lines, additionLine(gzipBytes - totalOf(additions), "not listed in tools/supply/budget.ts")];
}

const additionLine = (bytes: number, what: string): string =>
  `${bytes.toLocaleString("en").padStart(8)}  ${what}`;

const targetResult = (gzipBytes: number): string =>
  gzipBytes <= TARGET_GZIP_BYTES ? "met" : `missed by ${gzipBytes - TARGET_GZIP_BYTES}`;

const totalOf = (additions: readonly Addition[]): number =>
  additions.reduce((sum, addition) => sum + addition.gzipBytes, 0);

export async function main(): Promise<number> {
  const built = readBuilt();
  console.log(`bundle ${built.bytes} bytes (${kib(built.bytes)}) of ${BUDGET.bytes}`);
  console.log(`gzip   ${built.gzipBytes} bytes (${kib(built.gzipBytes)}) of ${BUDGET.gzipBytes}`);
  console.log(`target ${TARGET_GZIP_BYTES} bytes gzipped: ${targetResult(built.gzipBytes)}`);
  for (const [part, bytes] of partsOf(built)) {
    console.log(
      `${String(bytes).padStart(8)}  ${((100 * bytes) / built.bytes).toFixed(1).padStart(4)} %  ${part}`,
    );
  }
  console.log("gzipped bytes that each issue added:");
  for (const line of additionLines(built.gzipBytes)) console.log(line);
  const ofConsole = await buildConsole();
  const consoleBytes = gzipBytesOf(ofConsole);
  console.log(`console: gzip ${consoleBytes} bytes (${kib(consoleBytes)}) of ${CONSOLE_GZIP_BYTES}`);
  const problems = [...sizeProblems(built), ...consoleProblems(ofConsole)];
  for (const problem of problems) console.error(problem);
  return problems.length === 0 ? 0 : 1;
}
