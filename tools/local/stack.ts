/** Provider and Workers together: started in order, stopped together. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { buildConsole } from "../console/build.ts";
import type { Child } from "./child.ts";
import {
  checkDevVars,
  chooseSetup,
  DEV_VARS,
  readDevVarsFiles,
  type Setup,
  type Vars,
  type WorkerVars,
} from "./dev-vars.ts";
import { writeEnvFile } from "./env-file.ts";
import { LOOPBACK_HOSTS, writeLocalConfigs } from "./local-configs.ts";
import { startProvider } from "./provider.ts";
import { StartFailure } from "./start-failure.ts";
import { stateFolder } from "./state.ts";
import { migrateLedger, startWorkers, waitUntilHealthy } from "./wrangler.ts";
import type { OutputReaders } from "./wrangler-output.ts";

export type StackOptions = OutputReaders & {
  readonly port: number;
  readonly providerPort: number;
  /** Ignores `.dev.vars`, the operator's local files and the state of earlier runs, and leaves nothing behind. */
  readonly isolated: boolean;
  /** Where databases are stored; absent: the folder of the mode (state.ts). */
  readonly persistTo?: string | undefined;
  /** Host names that are accepted besides those of this machine. */
  readonly allowedHosts?: readonly string[];
  /** The folder of other entries of the Workers than those of `npm start`. */
  readonly entries?: string;
};

export type Stack = {
  readonly url: string;
  /** Resolves with one sentence when a part of it ends unexpectedly. */
  readonly broken: Promise<string>;
  readonly stop: () => Promise<void>;
};

export function chooseLocalSetup({
  providerPort,
  isolated,
}: Pick<StackOptions, "providerPort" | "isolated">): Setup {
  const url = `http://127.0.0.1:${providerPort}`;
  if (!isolated) {
    const devVars = readDevVarsFiles();
    checkDevVars(devVars);
    return chooseSetup(devVars, url);
  }
  const setup = chooseSetup({ gateway: {}, records: {} }, url);
  const { gateway, records } = setup.vars;
  const vars = {
    gateway: { ...gateway, ...DEFAULT_RULES.gateway },
    records: { ...records, ...DEFAULT_RULES.records },
  };
  return { ...setup, vars };
}

/** The shipped defaults: the operator may have changed them in the configuration for a deployment. */
const DEFAULT_RULES: WorkerVars = {
  gateway: { OWNER_ASSERTION: "{}", RECORDING: "{}" },
  records: { RETENTION_DAYS: "45", RETENTION: "{}" },
};

/** Rejects with a StartFailure, after stopping all it started, where a part does not start or `signal` aborts. */
export async function startStack(options: StackOptions, setup: Setup, signal: AbortSignal): Promise<Stack> {
  const children: Child[] = [];
  const envFile = writeEnvFile(setup.vars.gateway);
  const stop = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.end()));
    envFile.remove();
  };
  try {
    const broken: Promise<string>[] = [];
    const watch = (child: Child, describe: (how: string) => string): void => {
      children.push(child);
      broken.push(child.ended.then(describe));
    };
    if (setup.mode === "emulated") {
      const provider = await startProvider(options.providerPort);
      watch(provider, (how) => `The emulated provider ended unexpectedly (${how}).`);
    }
    const { onEvent, onNotice, port, isolated, allowedHosts = [], entries } = options;
    const { folder } = envFile;
    const persistTo = isolated ? join(folder, "state") : (options.persistTo ?? stateFolder(setup.mode));
    const recordsVars: Vars = {
      CONSOLE: consoleOn(port),
      ...setup.vars.records,
      ...(isolated ? {} : readDevVarsFiles().records),
    };
    const configs = writeLocalConfigs({ folder, recordsVars, allowedHosts, shippedOnly: isolated, entries });
    await Promise.all([buildConsole(), migrateLedger({ persistTo, config: configs[1] }, onNotice)]);
    signal.throwIfAborted();
    const envFiles = [...(isolated || !existsSync(DEV_VARS) ? [] : [DEV_VARS]), envFile.path];
    const workers = startWorkers({ onEvent, onNotice, port, configs, envFiles, persistTo });
    watch(workers, (how) => `Wrangler ended unexpectedly (${how}); its output above has the reason.`);
    const url = `http://127.0.0.1:${port}`;
    await healthyUnlessBroken(url, Promise.race(broken), signal);
    return { url, broken: Promise.race(broken), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** On this machine the console shares the gateway's host; only names of this machine are served over http. */
const consoleOn = (port: number): string =>
  JSON.stringify({ origins: LOOPBACK_HOSTS.map((host) => `http://${host}:${port}`) });

async function healthyUnlessBroken(url: string, broken: Promise<string>, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const failed = broken.then((sentence) => {
    throw new StartFailure(sentence);
  });
  try {
    await Promise.race([waitUntilHealthy(url, AbortSignal.any([signal, over.signal])), failed]);
  } finally {
    over.abort();
    // Once the gateway is up, a later end is reported by `broken`.
    failed.catch(() => undefined);
  }
}
