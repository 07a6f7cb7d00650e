/** The configurations of the Workers that a deployment reads, as wrangler understands them. */
import { join } from "node:path";
import { unstable_readConfig, type Unstable_Config } from "wrangler";
import { sentenceOf, StartFailure } from "../local/start-failure.ts";
import { deriveEnvironment, scriptName } from "./environment-config.ts";
import { deployedFiles, unboundFile } from "./files.ts";
import { withGatewayBinding, withoutGatewayBinding } from "./gateway-binding.ts";
import { readProjectConfig, sourceOf, writeConfig, type WorkerKind } from "./project-config.ts";
import type { RawConfig } from "./raw-config.ts";
import { reservedNames, sharedResources } from "./separation.ts";

export type WorkerConfig = Pick<
  Unstable_Config,
  | "analytics_engine_datasets"
  | "d1_databases"
  | "definedEnvironments"
  | "durable_objects"
  | "kv_namespaces"
  | "preview_urls"
  | "queues"
  | "r2_buckets"
  | "routes"
  | "secrets_store_secrets"
  | "services"
  | "triggers"
  | "vars"
  | "workers_dev"
> & {
  readonly name: string;
  /** Where an operator changes it, for example "wrangler.toml with wrangler.local.toml, [env.staging]". */
  readonly source: string;
  /** Wrangler's arguments that select it. */
  readonly args: readonly string[];
  /** The same for the records Worker without its binding to the gateway; null where it has none. */
  readonly unboundArgs: readonly string[] | null;
};

export type Workers = {
  readonly gateway: WorkerConfig;
  /** null where the gateway is deployed alone. */
  readonly records: WorkerConfig | null;
  /** null: production. */
  readonly environment: string | null;
};

export type Target = {
  readonly gatewayOnly: boolean;
  /** The name given to `--env`; null: production. */
  readonly environment: string | null;
};

/** Both Workers, as `npm run deploy` deploys them. */
export const PRODUCTION: Target = { gatewayOnly: false, environment: null };

/**
 * Reads the configurations in `folder`, and writes the generated ones there, from which wrangler deploys.
 * @throws StartFailure where a file cannot be read, or an environment is not separate from production.
 */
export function readWorkers(folder: string, { gatewayOnly, environment }: Target): Workers {
  const selected = process.env["CLOUDFLARE_ENV"];
  // It changes what every wrangler command deploys.
  if (selected)
    throw failure([`CLOUDFLARE_ENV must not be set, but is ${JSON.stringify(selected)}: use --env.`]);
  const production = readProduction(folder, gatewayOnly);
  if (environment === null) return production;
  const reserved = reservedNames(production).find((name) => `${environment}-`.startsWith(`${name}-`));
  if (reserved !== undefined)
    throw failure([`--env must not begin with "${reserved}": production has a name that ends like that.`]);
  const workers = readEnvironment(folder, environment, production);
  const shared = sharedResources(workers, production);
  if (shared.length > 0) throw failure(shared);
  return workers;
}

function readProduction(folder: string, gatewayOnly: boolean): Workers {
  const generate = (
    worker: WorkerKind,
    complete = (config: RawConfig): RawConfig => config,
  ): WorkerConfig => {
    const { env: _, ...config } = readProjectConfig(folder, worker, { gatewayOnly });
    return generateConfig(folder, { worker, config: complete(config), environment: null });
  };
  const gateway = generate("gateway");
  const records = gatewayOnly
    ? null
    : generate("records", (config) => withGatewayBinding(config, gateway.name));
  return { gateway, records, environment: null };
}

function readEnvironment(folder: string, environment: string, { records }: Workers): Workers {
  const kinds: readonly WorkerKind[] = records === null ? ["gateway"] : ["gateway", "records"];
  const sources = kinds.map((worker) => ({
    worker,
    raw: readProjectConfig(folder, worker, { gatewayOnly: records === null }),
  }));
  const scripts = new Map(sources.map(({ raw }) => [String(raw.name), scriptName(raw, environment)]));
  const derived = sources.map((one) => ({ ...one, ...deriveEnvironment(one.raw, environment, scripts) }));
  const issues = derived.flatMap(({ worker, issues: found }) =>
    found.map((issue) => `${sourceOf(folder, worker)}: ${issue}.`),
  );
  if (issues.length > 0) throw failure(issues);
  const name = String(derived[0]?.config.name);
  const [gateway, second] = derived.map(({ worker, config }) =>
    generateConfig(folder, {
      worker,
      config: worker === "records" ? withGatewayBinding(config, name) : config,
      environment,
    }),
  );
  return { gateway: gateway as WorkerConfig, records: second ?? null, environment };
}

type Generated = {
  readonly worker: WorkerKind;
  readonly config: RawConfig;
  readonly environment: string | null;
};

/** Writes the configuration from which a Worker is deployed, and reads it as wrangler does. */
function generateConfig(folder: string, { worker, config, environment }: Generated): WorkerConfig {
  const source = sourceOf(folder, worker);
  const command = environment === null ? "npm run deploy" : `npm run deploy -- --env ${environment}`;
  const file = deployedFiles(environment)[worker];
  if (config.name === undefined) throw failure([`${source}: name is required.`]);
  const head = `Generated from ${source} by ${command}; do not edit.`;
  writeConfig(join(folder, file), config, head);
  const unbound = worker === "records" ? withoutGatewayBinding(config) : null;
  if (unbound !== null) writeConfig(join(folder, unboundFile(environment)), unbound, head);
  const whole = attempt(source, () =>
    unstable_readConfig({ config: join(folder, file) }, { hideWarnings: true }),
  );
  return {
    ...whole,
    name: config.name,
    routes: whole.routes ?? (whole.route === undefined ? [] : [whole.route]),
    source: environment === null ? source : `${source}, [env.${environment}]`,
    args: ["-c", file],
    unboundArgs: unbound === null ? null : ["-c", unboundFile(environment)],
  };
}

const failure = (problems: readonly string[]): StartFailure => new StartFailure(problems.join("\n"));

function attempt<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof StartFailure) throw error;
    throw new StartFailure(`${file} cannot be read: ${sentenceOf(error)}`);
  }
}
