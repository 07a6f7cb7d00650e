/** Provider and Worker together: started in order, ended together, and never one without the other. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Child } from "./child.ts";
import { chooseSetup, readDevVars, type Setup, type Vars } from "./dev-vars.ts";
import { writeEnvFile } from "./env-file.ts";
import { startProvider } from "./provider.ts";
import { StartFailure } from "./start-failure.ts";
import { migrateLedger, ROOT, startWorker, waitUntilHealthy } from "./wrangler.ts";
import type { OutputReaders } from "./wrangler-output.ts";

export type StackOptions = OutputReaders & {
  readonly port: number;
  readonly providerPort: number;
  /** Leave `.dev.vars` and earlier runs out of it, and leave nothing behind. */
  readonly isolated: boolean;
};

export type Stack = {
  readonly url: string;
  readonly setup: Setup;
  /** Resolves with one sentence when a part of it ends by itself. */
  readonly broken: Promise<string>;
  readonly stop: () => Promise<void>;
};

const DEV_VARS = join(ROOT, ".dev.vars");

type Where = Pick<StackOptions, "providerPort" | "isolated">;

export function chooseLocalSetup({ providerPort, isolated }: Where): Setup {
  const url = `http://127.0.0.1:${providerPort}`;
  if (!isolated) return chooseSetup(readDevVars(DEV_VARS), url);
  const setup = chooseSetup({}, url);
  return { ...setup, vars: { ...setup.vars, ...DEFAULT_RULES } };
}

/** As if wrangler.toml left these as they are from the start: it may say otherwise for the owner's own deployment. */
const DEFAULT_RULES: Vars = { OWNER_ASSERTION: "{}", RECORDING: "{}", RETENTION_DAYS: "60" };

/** Rejects with a StartFailure, having ended what it had started, when a part does not start or `signal` aborts. */
export async function startStack(options: StackOptions, setup: Setup, signal: AbortSignal): Promise<Stack> {
  const children: Child[] = [];
  const envFile = writeEnvFile(setup.vars);
  const stop = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.end()));
    envFile.remove();
  };
  try {
    const broken: Promise<string>[] = [];
    if (setup.mode === "emulated") {
      const provider = await startProvider(options.providerPort);
      children.push(provider);
      broken.push(provider.ended.then((how) => `The emulated provider ended by itself (${how}).`));
    }
    const ownVars = options.isolated || !existsSync(DEV_VARS) ? [] : [DEV_VARS];
    const { onEvent, onNotice, port } = options;
    const place = options.isolated ? { persistTo: join(envFile.folder, "state") } : {};
    await migrateLedger(place, onNotice);
    signal.throwIfAborted();
    const worker = startWorker({
      onEvent,
      onNotice,
      port,
      envFiles: [...ownVars, envFile.path],
      ...place,
    });
    children.push(worker);
    broken.push(
      worker.ended.then((how) => `Wrangler ended by itself (${how}); what it printed above says why.`),
    );
    const url = `http://127.0.0.1:${port}`;
    await healthyUnlessBroken(url, Promise.race(broken), signal);
    return { url, setup, broken: Promise.race(broken), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function healthyUnlessBroken(url: string, broken: Promise<string>, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const failed = broken.then((sentence) => {
    throw new StartFailure(sentence);
  });
  try {
    await Promise.race([waitUntilHealthy(url, AbortSignal.any([signal, over.signal])), failed]);
  } finally {
    over.abort();
    // Once the Worker is up, its end is no longer this function's news.
    failed.catch(() => undefined);
  }
}
