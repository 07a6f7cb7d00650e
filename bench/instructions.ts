/**
 * Instructions per request, counted by valgrind's callgrind. Counts repeat to about 1% regardless of other load on the
 * machine, and processor time does not. They measure the amount of work, not its duration.
 *
 *     npm run bench:instructions                       json and tools, for all variants and baselines
 *     npm run bench:instructions -- json --keep <file> one kind; keeps callgrind's profile for callgrind_annotate
 *     npm run bench:instructions -- json --only bare,interceptor
 *
 * Needs `valgrind`. The count covers the requests between two points in the life of one process, so it includes neither
 * the start nor the warm-up.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { productionBundle } from "../test/support/bundle.ts";
import { BASELINES } from "./baselines.ts";
import { Line, runLoad } from "./load.ts";
import { requestFor, type Traffic } from "./traffic.ts";
import {
  startBare,
  startBaseline,
  startHono,
  startInterceptor,
  startProvider,
  type ProcessOptions,
  type Variant,
} from "./variants.ts";
import { exitOnClosedPipe } from "../tools/closed-pipe.ts";

exitOnClosedPipe();

const run = promisify(execFile);

type Counts = { readonly warmUp: number; readonly counted: number };
const REQUESTS: Readonly<Record<Traffic, Counts>> = {
  json: { warmUp: 600, counted: 600 },
  tools: { warmUp: 300, counted: 300 },
  burst: { warmUp: 60, counted: 40 },
  "burst-no-usage": { warmUp: 20, counted: 10 },
  steady: { warmUp: 0, counted: 0 },
  paced: { warmUp: 0, counted: 0 },
  slow: { warmUp: 0, counted: 0 },
};
/** Without the burst: callgrind slows it down fifty times, so the gateway reads its events one by one. */
const DEFAULT_TRAFFIC: readonly Traffic[] = ["json", "tools"];
const CONNECTIONS = 4;

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { project: { type: "string" }, keep: { type: "string" }, only: { type: "string" } },
});

type Start = (options: ProcessOptions) => Promise<Variant>;

/** Instructions per request of one process. `--smc-check` is needed because V8 generates code at run time. */
async function count(startVariant: Start, traffic: Traffic): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "callgrind-"));
  const under = [
    "valgrind",
    "--tool=callgrind",
    "--smc-check=all-non-file",
    `--log-file=${join(folder, "valgrind")}`,
    `--callgrind-out-file=${join(folder, "profile")}`,
  ];
  const variant = await startVariant({ under });
  try {
    const request = requestFor(traffic, variant);
    const line = await Line.open(variant.port);
    const { bodyBytes } = await line.exchange(request);
    line.close();
    await variant.recorded(1, traffic);
    const load = async (requests: number): Promise<void> => {
      await runLoad(variant.port, { request, count: requests, connections: CONNECTIONS, bodyBytes });
      await variant.recorded(requests, traffic);
    };
    const { warmUp, counted } = REQUESTS[traffic];
    await load(warmUp);
    await run("callgrind_control", ["--zero", String(variant.pid)]);
    await load(counted);
    await run("callgrind_control", ["--dump", String(variant.pid)]);
    const total = await readTotal(folder, variant.name);
    return total / counted;
  } finally {
    await variant.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Reads the dumped profile's total, and moves the profile away where `--keep` is set. */
async function readTotal(folder: string, name: string): Promise<number> {
  const [dumped] = (await readdir(folder)).filter((file) => file.startsWith("profile.")).toSorted();
  if (dumped === undefined) throw new Error("callgrind has not written a profile");
  const text = await readFile(join(folder, dumped), "utf8");
  if (flags.keep) await rename(join(folder, dumped), `${flags.keep}.${name.replaceAll(/\W+/g, "-")}`);
  return Number(/^(?:summary|totals): (\d+)/m.exec(text)?.[1]);
}

const bundle = await productionBundle(flags.project, flags.keep !== undefined);
const provider = await startProvider();
const variants: readonly (readonly [string, Start])[] = [
  ["bare", (options) => startBare(provider, bundle, options)],
  ["bare + Hono", (options) => startHono(provider, options)],
  ...Object.keys(BASELINES).map((name): readonly [string, Start] => [
    name,
    (options) => startBaseline(name, provider, bundle, options),
  ]),
  ["interceptor", (options) => startInterceptor(provider, bundle, options)],
  ["with ledger", (options) => startInterceptor(provider, bundle, { ...options, ledger: true })],
  [
    "with MAC",
    (options) =>
      startInterceptor(provider, bundle, { ...options, ledger: true, mac: true, name: "with MAC" }),
  ],
  [
    "with log MAC",
    (options) =>
      startInterceptor(provider, bundle, {
        ...options,
        mac: true,
        vars: { RECORDING: { log_mac: true } },
        name: "with log MAC",
      }),
  ],
];
try {
  for (const traffic of positionals.length > 0 ? (positionals as Traffic[]) : DEFAULT_TRAFFIC) {
    let reference = Number.NaN;
    for (const [name, startVariant] of variants) {
      if (flags.only && !flags.only.split(",").includes(name)) continue;
      const instructions = await count(startVariant, traffic);
      if (name === "bare") reference = instructions;
      const ratio = (instructions / reference).toFixed(2);
      console.log(
        `${traffic.padEnd(14)} ${name.padEnd(12)} ${(instructions / 1000).toFixed(0).padStart(8)}k  ${ratio}×`,
      );
    }
  }
} finally {
  provider.stop();
}
