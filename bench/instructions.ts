/**
 * Instructions per request, counted by valgrind's callgrind: repeatable to about one in a hundred, whatever else the
 * machine is doing, where processor time is not. Says how much work there is, not how long it takes.
 *
 *     npm run bench:instructions                       json and tools, everyone, and what stands between (floors.ts)
 *     npm run bench:instructions -- json --keep <file> one kind, with callgrind's profile kept for callgrind_annotate
 *
 * Needs `valgrind`. What is counted lies between two points of one process's life, so that neither start nor warming up
 * is in it.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { productionBundle } from "../test/support/bundle.ts";
import {
  startBare,
  startFloor,
  startHono,
  startInterceptor,
  startProvider,
  type Contestant,
  type Running,
} from "./contestants.ts";
import { FLOORS } from "./floors.ts";
import { Line, runLoad } from "./load.ts";
import { requestFor, type Traffic } from "./traffic.ts";

const run = promisify(execFile);

type Counts = { readonly warm: number; readonly counted: number };
const REQUESTS: Readonly<Record<Traffic, Counts>> = {
  json: { warm: 600, counted: 600 },
  tools: { warm: 300, counted: 300 },
  burst: { warm: 60, counted: 40 },
  "burst-unasked": { warm: 20, counted: 10 },
  steady: { warm: 0, counted: 0 },
  paced: { warm: 0, counted: 0 },
  slow: { warm: 0, counted: 0 },
};
/** Not a burst: slowed down fifty times, it is none any more, and its events are looked at one by one. */
const ALL: readonly Traffic[] = ["json", "tools"];

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { project: { type: "string" }, keep: { type: "string" }, only: { type: "string" } },
});

/** Counted for one process and kind of traffic; `--smc-check` because V8 writes code as it runs. */
async function count(begin: (running: Running) => Promise<Contestant>, traffic: Traffic) {
  const folder = await mkdtemp(join(tmpdir(), "callgrind-"));
  const profile = join(folder, "profile");
  const under = [
    "valgrind",
    "--tool=callgrind",
    "--smc-check=all-non-file",
    `--log-file=${join(folder, "valgrind")}`,
    `--callgrind-out-file=${profile}`,
  ];
  const contestant = await begin({ under });
  try {
    const request = requestFor(traffic, contestant);
    const line = await Line.open(contestant.port);
    const { bodyBytes } = await line.exchange(request);
    line.close();
    await contestant.recorded(1, traffic);
    const load = async (requests: number): Promise<void> => {
      await runLoad(contestant.port, request, requests, 4, bodyBytes);
      await contestant.recorded(requests, traffic);
    };
    const { warm, counted } = REQUESTS[traffic];
    await load(warm);
    await run("callgrind_control", ["--zero", String(contestant.pid)]);
    await load(counted);
    await run("callgrind_control", ["--dump", String(contestant.pid)]);
    const [dumped] = (await readdir(folder)).filter((name) => name.startsWith("profile.")).toSorted();
    if (dumped === undefined) throw new Error("callgrind has written no profile");
    const text = await readFile(join(folder, dumped), "utf8");
    const total = Number(/^(?:summary|totals): (\d+)/m.exec(text)?.[1]);
    if (flags.keep)
      await rename(join(folder, dumped), `${flags.keep}.${contestant.name.replaceAll(/\W+/g, "-")}`);
    return total / counted;
  } finally {
    await contestant.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const bundle = await productionBundle(flags.project, flags.keep !== undefined);
const provider = await startProvider();
type Everyone = readonly [string, (running: Running) => Promise<Contestant>];
const everyone: readonly Everyone[] = [
  ["bare", (running) => startBare(provider, bundle, running)],
  ["bare + Hono", (running) => startHono(provider, running)],
  ...Object.keys(FLOORS).map((name): Everyone => [
    name,
    (running) => startFloor(name, provider, bundle, running),
  ]),
  ["interceptor", (running) => startInterceptor(provider, bundle, running)],
  ["with ledger", (running) => startInterceptor(provider, bundle, { ...running, ledger: true })],
];
try {
  for (const traffic of positionals.length > 0 ? (positionals as Traffic[]) : ALL) {
    let least = Number.NaN;
    for (const [name, begin] of everyone) {
      if (flags.only && !flags.only.split(",").includes(name)) continue;
      const instructions = await count(begin, traffic);
      if (name === "bare") least = instructions;
      const ratio = (instructions / least).toFixed(2);
      console.log(
        `${traffic.padEnd(14)} ${name.padEnd(12)} ${(instructions / 1000).toFixed(0).padStart(8)}k  ${ratio}×`,
      );
    }
  }
} finally {
  provider.stop();
}
