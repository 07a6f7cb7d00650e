/**
 * What a cold start costs: instructions that workerd needs until it listens, with the Worker as it is deployed and with
 * one of a line, counted by callgrind. Counts, not times: the same to a thousandth on a busy machine, and all of the
 * difference is reading the bundle and running its top level.
 *
 *     npm run bench:startup
 *
 * Needs valgrind. `npx wrangler check startup` draws a profile of the same, with times.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { productionBundle, type WorkerSettings } from "../test/support/bundle.ts";
import { workerdConfig, type WorkerService } from "../test/support/capnp.ts";
import { within } from "../test/support/deadline.ts";
import { workerdBinary } from "../test/support/workerd-build.ts";

const ONE_LINE = `export default { fetch: (request) => fetch(request) };`;
const ROUNDS = 2;
/** Under callgrind everything is some fifty times slower. */
const PATIENCE_MS = 120_000;

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
  let said = "";
  child.stderr?.on("data", (text: Buffer) => void (said += text.toString()));
  const closed = once(child, "close");
  try {
    await within(Promise.race([listening(child.stdio[3] as Readable), closed]), () => said, PATIENCE_MS);
    child.kill("SIGTERM");
    await within(closed, () => said, PATIENCE_MS);
  } finally {
    child.kill("SIGKILL");
    await rm(directory, { recursive: true, force: true });
  }
  const collected = Number(/Collected : (\d+)/.exec(said)?.[1]);
  if (!Number.isFinite(collected)) throw new Error(`callgrind counted nothing:\n${said}`);
  return collected;
}

async function listening(control: Readable): Promise<void> {
  for await (const line of createInterface({ input: control })) if (line.includes('"listen"')) return;
}

const { script, settings } = await productionBundle();
const millions = (count: number): string => (count / 1e6).toFixed(1);
for (let round = 0; round < ROUNDS; round += 1) {
  const bare = await instructions({ source: ONE_LINE }, settings);
  const here = await instructions({ path: script }, settings);
  console.log(
    `bare ${millions(bare)} M, here ${millions(here)} M instructions: ${millions(here - bare)} M for the Worker`,
  );
}
