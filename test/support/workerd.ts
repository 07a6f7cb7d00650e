/**
 * Plain workerd with a generated configuration: the Worker between real sockets with nothing else in the way.
 *
 * Why not only wrangler's harness: it puts a proxy Worker before the Worker and Node's `fetch` behind it. Headers then
 * arrive renamed and joined, an upstream reset reaches the client as a clean end, and disconnects of clients are not seen.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { within } from "./deadline.ts";
import { onLines } from "./lines.ts";
import { workerdBinary } from "./workerd-build.ts";

export type WorkerdOptions = {
  /** The text of a capnp file that defines `config`; `embed` takes absolute paths. */
  readonly config: string;
  /** Names of the sockets it defines; each may be pinned to a port. */
  readonly sockets: Readonly<Record<string, number | undefined>>;
  /** A function gets each line of output; a path gets the bytes (workerd then never waits for us). */
  readonly output: ((line: string) => void) | string;
  readonly arguments?: readonly string[];
  /** A command to run it under, as `valgrind`; such a one is given its time to begin. */
  readonly under?: readonly string[];
};

export type Workerd = { readonly pid: number; port(socket: string): number; stop(): Promise<void> };

const SLOW_START_MS = 120_000;

export async function startWorkerd(options: WorkerdOptions): Promise<Workerd> {
  const directory = await mkdtemp(join(tmpdir(), "workerd-"));
  await writeFile(join(directory, "config.capnp"), options.config);
  const pinned = Object.entries(options.sockets).map(
    ([name, port]) => `--socket-addr=${name}=127.0.0.1:${port ?? 0}`,
  );
  const output = typeof options.output === "string" ? openSync(options.output, "a") : "pipe";
  const [command = "", ...words] = [
    ...(options.under ?? []),
    workerdBinary(),
    "serve",
    join(directory, "config.capnp"),
    // capnp looks for absolute `embed` paths below the import paths only.
    "--import-path=/",
    "--control-fd=3",
    ...pinned,
    ...(options.arguments ?? []),
  ];
  const child = spawn(command, words, { stdio: ["ignore", output, output, "pipe"], cwd: directory });
  const orphaned = () => void child.kill("SIGKILL");
  process.once("exit", orphaned);
  const early: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream || typeof options.output === "string") continue;
    const onLine = options.output;
    onLines(stream, (line) => (early.push(line), onLine(line)));
  }
  const failure = () => `workerd is not listening; its output:\n${early.join("\n")}`;
  const ports = await within(
    readPorts(child, Object.keys(options.sockets), failure),
    failure,
    options.under && SLOW_START_MS,
  );
  return {
    pid: child.pid ?? 0,
    port: (socket) => ports.get(socket) ?? 0,
    stop: async () => {
      process.off("exit", orphaned);
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, "exit");
        child.kill("SIGKILL");
        await gone;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** workerd reports each listening socket as one JSON line on the control descriptor, its inspector likewise. */
async function readPorts(child: ChildProcess, sockets: readonly string[], said: () => string) {
  const ports = new Map<string, number>();
  for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
    const report = JSON.parse(line) as { event: string; socket: string; port: number };
    ports.set(report.event === "listen-inspector" ? "inspector" : report.socket, report.port);
    if (sockets.every((name) => ports.has(name))) return ports;
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  throw new Error(said());
}
