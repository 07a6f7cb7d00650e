/** Runs both Workers in one `wrangler dev`, offline and without telemetry. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { SHIPPED_FILES } from "../deploy/files.ts";
import { ROOT } from "../root.ts";
import { startChild, type Child } from "./child.ts";
import { StartFailure } from "./start-failure.ts";
import { readOutput, type OutputReaders } from "./wrangler-output.ts";

const WRANGLER = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");

/** No questions, no reports, no files outside the project. */
const QUIET = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  WRANGLER_WRITE_LOGS: "false",
  NO_COLOR: "1",
};
/** And no network. */
const QUIET_AND_OFFLINE = { ...QUIET, CLOUDFLARE_CF_FETCH_ENABLED: "false" };

export type WorkerOptions = OutputReaders & {
  readonly port: number;
  /** Configurations of the Workers. The first one listens on the port. */
  readonly configs: readonly string[];
  /** Files with variables of the first Worker. Later files override earlier ones. */
  readonly envFiles: readonly string[];
  /** Where databases and queues are stored; absent: `.wrangler/state` of the project. */
  readonly persistTo?: string | undefined;
};

export function startWorkers({ port, configs, envFiles, persistTo, ...readers }: WorkerOptions): Child {
  const args = ["dev", "--ip", "127.0.0.1", "--port", String(port), "--inspector-port", "0"];
  args.push("--show-interactive-dev-session=false", ...persistArgs(persistTo));
  for (const config of configs) args.push("--config", config);
  for (const file of envFiles) args.push("--env-file", file);
  const { FORCE_COLOR: _, ...env } = process.env;
  return startChild(WRANGLER, args, {
    cwd: ROOT,
    env: { ...env, ...QUIET_AND_OFFLINE },
    onLine: (line) => readOutput(line, readers),
  });
}

export type LedgerPlace = {
  readonly persistTo?: string | undefined;
  /** The records Worker's configuration; absent: the shipped one. */
  readonly config?: string | undefined;
};

/** Applies the migrations to the local ledger. Rejects with a StartFailure, after printing what wrangler reported. */
export async function migrateLedger(place: LedgerPlace, onNotice: (line: string) => void): Promise<void> {
  const where = placeArgs({ ...place, config: place.config ?? join(ROOT, SHIPPED_FILES.records) });
  const args = ["d1", "migrations", "apply", "LEDGER", "--local", ...where];
  const { ok, lines } = await runWrangler(args);
  if (ok) return;
  lines.forEach(onNotice);
  throw new StartFailure("The ledger's migrations failed; wrangler's output above has the reason.");
}

export type WranglerRun = {
  readonly ok: boolean;
  readonly stdout: string;
  /** Every line of both streams. */
  readonly lines: readonly string[];
};

/** One wrangler command, without prompts; without network unless `remote`. */
export async function runWrangler(args: readonly string[], remote = false): Promise<WranglerRun> {
  const lines: string[] = [];
  const stdout: string[] = [];
  const child = startChild(WRANGLER, args, {
    cwd: ROOT,
    env: environmentOf(process.env, remote),
    onLine: (line, stream) => {
      lines.push(line);
      if (stream === "stdout") stdout.push(line);
    },
  });
  const ok = (await child.ended) === "exit code 0";
  return { ok, stdout: stdout.join("\n"), lines };
}

/**
 * The environment of a wrangler command. Workers Builds names the one Worker that it is connected to, in variables that
 * override the name in any configuration: both Workers would be deployed under that one name.
 */
export function environmentOf(environment: NodeJS.ProcessEnv, remote: boolean): NodeJS.ProcessEnv {
  const { FORCE_COLOR: _, WRANGLER_CI_OVERRIDE_NAME: __, WRANGLER_CI_MATCH_TAG: ___, ...env } = environment;
  // CI: wrangler prompts only in an interactive terminal.
  return { ...env, ...(remote ? QUIET : QUIET_AND_OFFLINE), CI: "true" };
}

const persistArgs = (persistTo: string | undefined): string[] =>
  persistTo === undefined ? [] : ["--persist-to", persistTo];

/** The arguments for a configuration and a place for local state, where they are given. */
export function placeArgs({ config, persistTo }: LedgerPlace): string[] {
  return [...(config === undefined ? [] : ["--config", config]), ...persistArgs(persistTo)];
}

const READY_WITHIN_MS = 60_000;
const POLL_MS = 100;
/** Responses other than 200 before the Worker counts as broken: wrangler itself sends some while it builds. */
const MAX_BAD_RESPONSES = 100;

/** Resolves when the gateway responds to `GET /healthz` with 200. */
export async function waitUntilHealthy(url: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  let bad = 0;
  while (Date.now() < deadline) {
    signal.throwIfAborted();
    const response = await fetchHealth(url, signal);
    if (response?.ok) return;
    // Only the Worker itself sets this header: it runs, and its configuration is invalid.
    if (response?.headers.has("x-interceptor-error")) {
      throw new StartFailure("The gateway's configuration is invalid; its output above names each key.");
    }
    if (response && ++bad >= MAX_BAD_RESPONSES) {
      throw new StartFailure(
        `The gateway responds to /healthz with ${response.status}; see its output above.`,
      );
    }
    await wait(POLL_MS);
  }
  throw new StartFailure(`The gateway was not ready after ${READY_WITHIN_MS / 1000} s.`);
}

/** Undefined while no server responds. */
async function fetchHealth(url: string, signal: AbortSignal): Promise<Response | undefined> {
  try {
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(5000)]);
    const response = await fetch(`${url}/healthz`, { signal: timeout });
    await response.body?.cancel();
    return response;
  } catch {
    return undefined;
  }
}
