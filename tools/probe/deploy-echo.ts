/** Deploys the echo beside the gateway, and removes it again, with everything that belongs to it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { experimental_readRawConfig } from "wrangler";
import { commandLine, outputOf, type RunWrangler } from "../deploy/wrangler-runner.ts";
import { StartFailure } from "../local/start-failure.ts";
import { ROOT } from "../root.ts";

const FOLDER = join(ROOT, "tools", "probe", "echo");
export const ECHO_CONFIG = join(FOLDER, "wrangler.toml");
/** Git ignores it. It stands beside wrangler.toml because its paths are relative to it. */
const REDUCED_CONFIG = join(FOLDER, "wrangler.generated.json");

/** The bindings that an account may lack. */
export const OPTIONAL = ["r2", "queue"] as const;
export type Optional = (typeof OPTIONAL)[number];

export type EchoOptions = {
  readonly without: readonly Optional[];
  /** Prints and bundles; needs no account and changes nothing there. */
  readonly dryRun: boolean;
};

export type EchoDeps = { readonly run: RunWrangler; readonly print: (text: string) => void };

type Step = {
  readonly args: readonly string[];
  /** Wrangler's texts for "it is done already". */
  readonly accepted?: RegExp;
};

type RawConfig = {
  readonly name: string;
  readonly r2_buckets?: readonly { readonly bucket_name: string }[];
  readonly queues?: { readonly producers: readonly { readonly queue: string }[] };
};

/** @throws StartFailure at the first step that fails. */
export async function deployEcho(options: EchoOptions, secret: string, deps: EchoDeps): Promise<void> {
  const { config, buckets, queues } = readEcho(options.without);
  const create = [
    ...buckets.map((name) => ({
      args: ["r2", "bucket", "create", name],
      accepted: /already (?:exists|own)/i,
    })),
    ...queues.map((name) => ({ args: ["queues", "create", name], accepted: /already (?:exists|taken)/i })),
  ];
  const folder = mkdtempSync(join(tmpdir(), "ai-edge-interceptor-"));
  try {
    // A file: every user of the machine can read a command line.
    const secretsFile = join(folder, "secrets.json");
    writeFileSync(secretsFile, JSON.stringify({ ECHO_SECRET: secret }), { mode: 0o600 });
    const upload = ["deploy", "-c", config];
    if (options.dryRun) {
      await runSteps([{ args: ["deploy", "--dry-run", "-c", config] }], deps);
      deps.print("Nothing was deployed. Without --dry-run, the command would run:\n");
      for (const { args } of create) deps.print(`  ${commandLine(args)}\n`);
      deps.print(`  ${commandLine([...upload, "--secrets-file", "<a file with ECHO_SECRET>"])}\n`);
      return;
    }
    await runSteps([...create, { args: [...upload, "--secrets-file", secretsFile] }], deps);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A Worker that consumes a queue cannot be deleted (code 10064): its consumer goes first. */
export async function removeEcho({ dryRun }: Pick<EchoOptions, "dryRun">, deps: EchoDeps): Promise<void> {
  const { config, name, buckets, queues } = readEcho([]);
  const accepted = /does not exist|not found|no worker consumer/i;
  const steps: readonly Step[] = [
    ...queues.map((queue) => ({ args: ["queues", "consumer", "remove", queue, name], accepted })),
    { args: ["delete", "--force", "-c", config], accepted },
    ...queues.map((queue) => ({ args: ["queues", "delete", queue], accepted })),
    ...buckets.map((bucket) => ({ args: ["r2", "bucket", "delete", bucket], accepted })),
  ];
  if (!dryRun) return runSteps(steps, deps);
  deps.print("Nothing was removed. Without --dry-run, the command would run:\n");
  for (const { args } of steps) deps.print(`  ${commandLine(args)}\n`);
}

async function runSteps(steps: readonly Step[], { run, print }: EchoDeps): Promise<void> {
  for (const { args, accepted } of steps) {
    print(`${commandLine(args)}\n`);
    const result = await run(args);
    print(outputOf(result));
    if (!result.ok && !accepted?.test(outputOf(result)))
      throw new StartFailure(
        "Wrangler failed; its output above has the reason. The command can be run again.",
      );
  }
}

/** The echo's configuration without the bindings that are left out, and the resources that it names. */
function readEcho(without: readonly Optional[]): {
  readonly config: string;
  readonly name: string;
  readonly buckets: readonly string[];
  readonly queues: readonly string[];
} {
  const raw = experimental_readRawConfig({ config: ECHO_CONFIG }).rawConfig as RawConfig;
  const { r2_buckets = [], queues, ...rest } = raw;
  const buckets = without.includes("r2") ? [] : r2_buckets;
  const kept = without.includes("queue") ? undefined : queues;
  const path = without.length === 0 ? ECHO_CONFIG : REDUCED_CONFIG;
  if (without.length > 0)
    writeFileSync(
      path,
      JSON.stringify({ ...rest, r2_buckets: buckets, ...(kept && { queues: kept }) }, null, 2),
    );
  return {
    config: relative(ROOT, path),
    name: raw.name,
    buckets: buckets.map(({ bucket_name }) => bucket_name),
    queues: (kept?.producers ?? []).map(({ queue }) => queue),
  };
}
