/** The configurations of the Workers that a deployment reads, as wrangler understands them. */
import { join } from "node:path";
import { unstable_readConfig, type Unstable_Config } from "wrangler";
import { sentenceOf, StartFailure } from "../local/start-failure.ts";
import { writeGeneratedConfig } from "./generated-config.ts";

/** File names as they stand in the commands, relative to the project. */
export const FILES = {
  gateway: "wrangler.toml",
  generated: "wrangler.generated.toml",
  records: "wrangler.records.toml",
} as const;

export type WorkerConfig = Pick<
  Unstable_Config,
  | "analytics_engine_datasets"
  | "d1_databases"
  | "durable_objects"
  | "kv_namespaces"
  | "queues"
  | "r2_buckets"
  | "routes"
  | "services"
  | "triggers"
  | "vars"
  | "workers_dev"
> & { readonly name: string };

export type Workers = {
  readonly gateway: WorkerConfig;
  /** null where the gateway is deployed alone. */
  readonly records: WorkerConfig | null;
};

/**
 * Reads the configurations in `folder`, and writes the gateway's generated one there unless it is deployed alone.
 * @throws StartFailure where a file cannot be read.
 */
export function readWorkers(folder: string, gatewayOnly: boolean): Workers {
  if (gatewayOnly) return { gateway: read(folder, FILES.gateway), records: null };
  const generate = (): string =>
    writeGeneratedConfig(join(folder, FILES.gateway), join(folder, FILES.generated));
  attempt(FILES.gateway, generate);
  return { gateway: read(folder, FILES.generated), records: read(folder, FILES.records) };
}

function read(folder: string, file: string): WorkerConfig {
  const path = join(folder, file);
  const config = attempt(file, () => unstable_readConfig({ config: path }, { hideWarnings: true }));
  const { name, route } = config;
  if (name === undefined) throw new StartFailure(`${file}: name is required.`);
  return { ...config, name, routes: config.routes ?? (route === undefined ? [] : [route]) };
}

function attempt<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof StartFailure) throw error;
    throw new StartFailure(`${file} cannot be read, and nothing was deployed: ${sentenceOf(error)}`);
  }
}
