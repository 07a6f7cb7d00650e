/**
 * The cost of a cold start: the instructions that workerd executes until it listens, with the gateway's production bundle
 * and with a one-line Worker. The difference is loading the bundle and running its top level. callgrind's counts repeat to
 * 0.1% even on a busy machine, unlike times.
 *
 *     npm run bench:startup             also with other flags of Node's compatibility
 *     npm run bench:startup -- --write  writes the figures to docs/performance.md
 *
 * `--project <folder>` measures another checkout. Needs valgrind. `npx wrangler check startup` records a CPU profile of the start, with times.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import type { Readable } from "node:stream";
import { productionBundle, type WorkerSettings } from "../test/support/bundle.ts";
import { workerdConfig, type WorkerService } from "../test/support/capnp.ts";
import { within } from "../test/support/deadline.ts";
import { workerdBinary } from "../test/support/workerd-build.ts";
import { exitOnClosedPipe } from "../tools/closed-pipe.ts";
import { sizeOf } from "../tools/supply/bundle.ts";
import { runNow } from "./figures.ts";
import { median } from "./numbers.ts";
import { publish } from "./page.ts";

exitOnClosedPipe();

const ONE_LINE = `export default { fetch: (request) => fetch(request) };`;
const ROUNDS = 2;
/** callgrind slows the process down about fifty times. */
const TIMEOUT_MS = 120_000;

async function instructions(module: WorkerService["module"], settings: WorkerSettings): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "startup-"));
  const { compatibilityDate, compatibilityFlags } = settings;
  const config = workerdConfig({
    workers: [{ name: "main", module, compatibilityDate, compatibilityFlags }],
    sockets: { http: "main" },
    structuredLogging: false,
  });
  await writeFile(join(directory, "config.capnp"), config);
  const callgrind = ["--tool=callgrind", "--smc-check=all-non-file", "--callgrind-out-file=/dev/null"];
  const workerd = [workerdBinary(), "serve", join(directory, "config.capnp"), "--import-path=/"];
  const child = spawn("valgrind", [...callgrind, ...workerd, "--control-fd=3"], {
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    cwd: directory,
  });
  let output = "";
  child.stderr?.on("data", (text: Buffer) => void (output += text.toString()));
  const closed = once(child, "close");
  try {
    await within(Promise.race([listening(child.stdio[3] as Readable), closed]), () => output, TIMEOUT_MS);
    child.kill("SIGTERM");
    await within(closed, () => output, TIMEOUT_MS);
  } finally {
    child.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true });
  }
  const count = Number(/Collected : (\d+)/.exec(output)?.[1]);
  if (!Number.isFinite(count)) throw new Error(`callgrind printed no count:\n${output}`);
  return count;
}

async function listening(control: Readable): Promise<void> {
  for await (const line of createInterface({ input: control })) if (line.includes('"listen"')) return;
}

/** The flags of Node's compatibility, which the compatibility date switches on in both versions; undefined: as configured. */
const WAYS: readonly (readonly [name: string, flags: readonly string[] | undefined])[] = [
  ["as in wrangler.toml", undefined],
  ["with Node's compatibility, version 1 and 2", []],
  ["with version 2 only", ["no_nodejs_compat"]],
  ["without it", ["no_nodejs_compat", "no_nodejs_compat_v2"]],
];

const { values: flags } = parseArgs({
  options: { write: { type: "boolean" }, project: { type: "string" } },
});
const { script, settings } = await productionBundle(flags.project);
const run = runNow(false);
const more: number[] = [];
const millions = (count: number): string => (count / 1e6).toFixed(1);
for (const [name, nodeFlags] of flags.write ? WAYS.slice(0, 1) : WAYS) {
  const compatibilityFlags = nodeFlags
    ? ["enable_request_signal", ...nodeFlags]
    : settings.compatibilityFlags;
  for (let round = 0; round < (nodeFlags ? 1 : ROUNDS); round += 1) {
    const bare = await instructions({ source: ONE_LINE }, { ...settings, compatibilityFlags });
    const gateway = await instructions({ path: script }, { ...settings, compatibilityFlags });
    console.log(
      `${name}: one-line Worker ${millions(bare)} M, gateway ${millions(gateway)} M instructions: ${millions(gateway - bare)} M more`,
    );
    if (!nodeFlags) more.push(gateway - bare);
  }
}
if (flags.write) {
  const { bytes, gzipBytes } = sizeOf(script);
  await publish({ startup: { run, instructions: median(more), bytes, gzipBytes } });
}
