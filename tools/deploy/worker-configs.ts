/** The configurations of the Workers that a deployment reads, as wrangler understands them. */
import { join } from "node:path";
import { experimental_readRawConfig, unstable_readConfig, type Unstable_Config } from "wrangler";
import { sentenceOf, StartFailure } from "../local/start-failure.ts";
import { deriveEnvironment, scriptName, type RawConfig } from "./environment-config.ts";
import { deployedFiles, FILES } from "./files.ts";
import { writeGeneratedConfig, writeIfChanged } from "./generated-config.ts";
import { reservedNames, sharedResources } from "./separation.ts";

export type WorkerConfig = Pick<
  Unstable_Config,
  | "analytics_engine_datasets"
  | "d1_databases"
  | "durable_objects"
  | "kv_namespaces"
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
  /** Where an operator changes it: "wrangler.toml", or "wrangler.toml, [env.staging]". */
  readonly source: string;
  /** Wrangler's arguments that select it for a deployment. */
  readonly args: readonly string[];
  /** The same for an operator's own commands, such as `secret put`. */
  readonly operatorArgs: readonly string[];
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
 * Reads the configurations in `folder`, and writes the generated ones there: the gateway's unless it is deployed alone, and
 * both of an environment.
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
  const generate = (): string =>
    writeGeneratedConfig(join(folder, FILES.gateway), join(folder, FILES.generated));
  if (!gatewayOnly) attempt(FILES.gateway, generate);
  const gateway = read(folder, gatewayOnly ? FILES.gateway : FILES.generated);
  // Wrangler finds wrangler.toml by itself.
  const operatorArgs = gateway.args.slice(2);
  return {
    gateway: { ...gateway, source: FILES.gateway, operatorArgs },
    records: gatewayOnly ? null : read(folder, FILES.records),
    environment: null,
  };
}

/** Derives both configurations, writes them into one file each, and reads these. */
function readEnvironment(folder: string, environment: string, { records }: Workers): Workers {
  const files = deployedFiles(environment);
  const sources = [
    { source: FILES.gateway, base: records === null ? FILES.gateway : FILES.generated, file: files.gateway },
    ...(records === null ? [] : [{ source: FILES.records, base: FILES.records, file: files.records }]),
  ].map((one) => ({ ...one, raw: readRaw(folder, one.base) }));
  const scripts = new Map(sources.map(({ raw }) => [String(raw["name"]), scriptName(raw, environment)]));
  const derived = sources.map((one) => ({ ...one, ...deriveEnvironment(one.raw, environment, scripts) }));
  const issues = derived.flatMap(({ source, issues: found }) => found.map((issue) => `${source}: ${issue}.`));
  if (issues.length > 0) throw failure(issues);
  const [gateway, second] = derived.map(({ source, file, config }) => {
    const head = `// Generated from ${source} by npm run deploy -- --env ${environment}; do not edit.\n`;
    writeIfChanged(join(folder, file), `${head}${JSON.stringify(config, null, 2)}\n`);
    return { ...read(folder, file), source: `${source}, [env.${environment}]` };
  });
  return { gateway: gateway as WorkerConfig, records: second ?? null, environment };
}

function readRaw(folder: string, file: string): RawConfig {
  const path = join(folder, file);
  return attempt(file, () => experimental_readRawConfig({ config: path }).rawConfig as RawConfig);
}

function read(folder: string, file: string): WorkerConfig {
  const path = join(folder, file);
  const config = attempt(file, () => unstable_readConfig({ config: path }, { hideWarnings: true }));
  const { name, route, definedEnvironments } = config;
  if (name === undefined) throw new StartFailure(`${file}: name is required.`);
  // Wrangler warns about a file with environments unless a command selects one; the empty name selects production.
  const args = ["-c", file, ...(definedEnvironments?.length ? ["--env="] : [])];
  const routes = config.routes ?? (route === undefined ? [] : [route]);
  return { ...config, name, routes, source: file, args, operatorArgs: args };
}

const failure = (problems: readonly string[]): StartFailure =>
  new StartFailure([...problems, "Nothing was deployed."].join("\n"));

function attempt<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof StartFailure) throw error;
    throw new StartFailure(`${file} cannot be read, and nothing was deployed: ${sentenceOf(error)}`);
  }
}
