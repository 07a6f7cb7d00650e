/** Child processes that never outlive this process, with their own children. */
import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";

export type ChildOptions = {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Every line the child prints, on either stream. */
  readonly onLine: (line: string, stream: "stdout" | "stderr") => void;
  /** Messages that the child sends with process.send(). */
  readonly onMessage?: (message: unknown) => void;
};

export type Child = {
  /** Resolves when the process has ended, with "exit code 1" or "SIGKILL", for example. */
  readonly ended: Promise<string>;
  /** Ends it and its children; resolves when it has exited. */
  readonly end: () => Promise<void>;
};

/** Time that a child has to exit after SIGTERM. */
const GRACE_MS = 3000;
const TETHER = new URL("tether.ts", import.meta.url).href;
const HAS_PROCESS_GROUPS = process.platform !== "win32";

const running = new Set<ChildProcess>();

// The last resort where this process exits without ending its children first: only signals can still be sent.
process.on("exit", () => running.forEach((child) => signalGroup(child, "SIGKILL")));

/** Runs a Node program. */
export function startChild(program: string, args: readonly string[], options: ChildOptions): Child {
  const child = spawn(process.execPath, ["--import", TETHER, program, ...args], {
    cwd: options.cwd,
    env: options.env,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // A process group of its own: a signal to it reaches grandchildren such as workerd, and Ctrl-C in the terminal
    // reaches only this process, which then stops them in order.
    detached: HAS_PROCESS_GROUPS,
  });
  running.add(child);
  readLines(child, options.onLine);
  if (options.onMessage) child.on("message", options.onMessage);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
  }).finally(() => {
    // The group may still have members after its leader has died.
    signalGroup(child, "SIGKILL");
    running.delete(child);
  });
  return { ended, end: () => endChild(child, ended) };
}

function readLines(child: ChildProcess, onLine: ChildOptions["onLine"]): void {
  if (child.stdout) createInterface({ input: child.stdout }).on("line", (line) => onLine(line, "stdout"));
  if (child.stderr) createInterface({ input: child.stderr }).on("line", (line) => onLine(line, "stderr"));
}

async function endChild(child: ChildProcess, ended: Promise<string>): Promise<void> {
  signalGroup(child, "SIGTERM");
  const killTimer = setTimeout(() => signalGroup(child, "SIGKILL"), GRACE_MS);
  await ended;
  clearTimeout(killTimer);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (HAS_PROCESS_GROUPS) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch {
    // The group is already gone.
  }
}
