/** workerd under valgrind's callgrind. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ProcessOptions, Variant } from "./variant.ts";

const run = promisify(execFile);

export type Dump = {
  /** Of the main thread, which runs the Worker. */
  readonly main: number;
  /** Of V8's threads, which compile and collect in the background. */
  readonly background: number;
  /** Whether the main thread collected garbage. */
  readonly collected: boolean;
};

export type Counted = {
  readonly variant: Variant;
  /** Starts counting. Until then the process runs about five times slower than without valgrind, then fifty times. */
  start(): Promise<void>;
  /** The counts since the last dump. */
  dump(): Promise<Dump>;
  /** Copies the last dump of the main thread, for callgrind_annotate. */
  keep(path: string): Promise<void>;
  stop(): Promise<void>;
};

/** `--smc-check` is needed because V8 generates code at run time. */
const CALLGRIND = [
  "--tool=callgrind",
  "--smc-check=all-non-file",
  "--instr-atstart=no",
  "--separate-threads=yes",
];

/** callgrind names a function completely where a file first mentions it, and lists only functions that ran. */
const COLLECTION = "v8::internal::Heap::CollectGarbage(";

export async function startCounted(start: (options: ProcessOptions) => Promise<Variant>): Promise<Counted> {
  const folder = await mkdtemp(join(tmpdir(), "callgrind-"));
  const files = [`--log-file=${join(folder, "valgrind")}`, `--callgrind-out-file=${join(folder, "profile")}`];
  const remove = () => rm(folder, { recursive: true, force: true });
  const variant = await start({ under: ["valgrind", ...CALLGRIND, ...files] }).catch(async (error) => {
    await remove();
    throw error;
  });
  const pid = String(variant.pid);
  let dumps = 0;
  const mainFile = () => join(folder, `profile.${dumps}-01`);
  return {
    variant,
    start: async () => void (await run("callgrind_control", ["--instr=on", pid])),
    dump: async () => {
      await run("callgrind_control", ["--dump", pid]);
      dumps += 1;
      const names = (await readdir(folder)).filter((name) => name.startsWith(`profile.${dumps}-`));
      const totals = await Promise.all(names.map(async (name) => totalOf(join(folder, name))));
      const main = await totalOf(mainFile());
      const text = await readFile(mainFile(), "utf8");
      const all = totals.reduce((sum, total) => sum + total, 0);
      return { main, background: all - main, collected: text.includes(COLLECTION) };
    },
    keep: (path) => cp(mainFile(), path),
    stop: async () => {
      await variant.stop();
      await remove();
    },
  };
}

async function totalOf(path: string): Promise<number> {
  const total = Number(/^(?:summary|totals): (\d+)/m.exec(await readFile(path, "utf8"))?.[1]);
  if (!Number.isFinite(total)) throw new Error(`callgrind has written no total to ${path}`);
  return total;
}
