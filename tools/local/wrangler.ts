/** Runs the Worker in `wrangler dev`, offline and quietly. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { startChild, type Child } from "./child.ts";
import { StartFailure } from "./start-failure.ts";
import { readOutput, type OutputReaders } from "./wrangler-output.ts";

export const ROOT = join(import.meta.dirname, "..", "..");
const WRANGLER = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");

/** Nothing is asked, reported, or written outside the project. */
const QUIET = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_WRITE_LOGS: "false",
  NO_COLOR: "1",
};
/** And nothing fetched from the network. */
const QUIET_AND_OFFLINE = { ...QUIET, CLOUDFLARE_CF_FETCH_ENABLED: "false" };

export type WorkerOptions = OutputReaders & {
  readonly port: number;
  /** Later files win. */
  readonly envFiles: readonly string[];
} & Place;

export type Place = {
  /** Where databases and the like are kept; absent: `.wrangler/state` of the project. */
  readonly persistTo?: string;
  /** Another configuration than the project's `wrangler.toml`. */
  readonly config?: string;
};

export function startWorker({ port, envFiles, persistTo, config, ...readers }: WorkerOptions): Child {
  const args = ["dev", "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"];
  args.push("--show-interactive-dev-session=false", ...placeArgs({ persistTo, config }));
  for (const file of envFiles) args.push("--env-file", file);
  const { FORCE_COLOR: _, ...env } = process.env;
  return startChild(WRANGLER, args, {
    cwd: ROOT,
    env: { ...env, ...QUIET_AND_OFFLINE },
    onLine: (line) => readOutput(line, readers),
  });
}

/** Brings the local ledger's tables up to date. Rejects with a StartFailure, having printed what wrangler said. */
export async function migrateLedger(place: Place, onNotice: (line: string) => void): Promise<void> {
  const args = ["d1", "migrations", "apply", "LEDGER", "--local", ...placeArgs(place)];
  const { ok, said } = await runWrangler(args);
  if (ok) return;
  said.forEach(onNotice);
  throw new StartFailure("The ledger's tables could not be made; what wrangler said above says why.");
}

export type WranglerRun = {
  readonly ok: boolean;
  readonly stdout: string;
  /** Every line, of either stream. */
  readonly said: readonly string[];
};

/** One command of wrangler's, which asks nothing and, but for `remote`, nobody. */
export async function runWrangler(args: readonly string[], remote = false): Promise<WranglerRun> {
  const said: string[] = [];
  const stdout: string[] = [];
  const { FORCE_COLOR: _, ...env } = process.env;
  const child = startChild(WRANGLER, args, {
    cwd: ROOT,
    // Not a terminal: wrangler asks nothing.
    env: { ...env, ...(remote ? QUIET : QUIET_AND_OFFLINE), CI: "true" },
    onLine: (line, stream) => {
      said.push(line);
      if (stream === "stdout") stdout.push(line);
    },
  });
  const ok = (await child.ended) === "exit code 0";
  return { ok, stdout: stdout.join("\n"), said };
}

export function placeArgs({ persistTo, config }: { [K in keyof Place]: Place[K] | undefined }): string[] {
  return [
    ...(persistTo === undefined ? [] : ["--persist-to", persistTo]),
    ...(config === undefined ? [] : ["--config", config]),
  ];
}

const READY_WITHIN_MS = 60_000;
const ASK_EVERY_MS = 100;
/** Answers other than 200 before we believe them: wrangler itself gives some while it builds, for seconds on a busy machine. */
const BAD_ANSWERS = 100;

/** Resolves when the Worker answers `GET /healthz` with 200. */
export async function waitUntilHealthy(url: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  let bad = 0;
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    const answer = await askHealth(url, signal);
    if (answer?.ok) return;
    // This header is the Worker's own: it runs, and its configuration is what is wrong.
    if (answer?.headers.has("x-interceptor-error")) {
      throw new StartFailure("The Worker's configuration is wrong; what it printed above says where.");
    }
    if (answer && ++bad >= BAD_ANSWERS) {
      throw new StartFailure(
        `The Worker answers /healthz with ${answer.status}; what it printed above says why.`,
      );
    }
    await wait(ASK_EVERY_MS);
  }
  throw new StartFailure(`The Worker was not ready after ${READY_WITHIN_MS / 1000} s.`);
}

/** Undefined while nobody answers. */
async function askHealth(url: string, signal: AbortSignal): Promise<Response | undefined> {
  try {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(5000)]);
    const answer = await fetch(`${url}/healthz`, { signal: patience });
    await answer.body?.cancel();
    return answer;
  } catch {
    return undefined;
  }
}
