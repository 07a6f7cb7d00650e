/** Reads the state of the Cloudflare account that a deployment depends on, and changes nothing there. */
import { GATEWAY_BINDING } from "./gateway-binding.ts";
import type { WorkerConfig, Workers } from "./worker-configs.ts";
import { readList, readObject, type RunWrangler } from "./wrangler-runner.ts";

export type QueueState = {
  readonly name: string;
  readonly exists: boolean;
  /** The Workers that consume it: at most one, by Cloudflare's rules. */
  readonly consumers: readonly string[];
  readonly hasPullConsumer: boolean;
};

export type Account = {
  /** The names of the secrets; none where the Worker is not deployed yet. */
  readonly gatewaySecrets: readonly string[];
  /** null where the records Worker does not exist. */
  readonly recordsSecrets: readonly string[] | null;
  /** Whether each deployed version of the records Worker is bound to the gateway, which exists. */
  readonly recordsBindsGateway: boolean;
  readonly queues: readonly QueueState[];
  readonly databases: readonly { readonly id: string; readonly name: string }[];
};

/** Without any Worker, queue or database. */
export const EMPTY: Account = {
  gatewaySecrets: [],
  recordsSecrets: null,
  recordsBindsGateway: false,
  queues: [],
  databases: [],
};

/** Whether no earlier deployment of these Workers can have a ledger. One Worker that held everything had the token. */
export const mayCreateDatabases = (
  { gatewaySecrets, recordsSecrets, queues }: Account,
  gateway: WorkerConfig,
): boolean =>
  recordsSecrets === null &&
  !gatewaySecrets.includes("ADMIN_TOKEN") &&
  !queues.some(({ consumers }) => consumers.includes(gateway.name));

export async function readAccount(run: RunWrangler, { gateway, records }: Workers): Promise<Account> {
  const ofGateway = await readSecrets(run, gateway);
  const gatewaySecrets = ofGateway ?? [];
  if (records === null) return { ...EMPTY, gatewaySecrets };
  const recordsSecrets = await readSecrets(run, records);
  const mayBind = records.unboundArgs !== null && ofGateway !== null && recordsSecrets !== null;
  const recordsBindsGateway = mayBind && (await bindsGateway(run, gateway, records));
  const queues: QueueState[] = [];
  for (const name of queueNames(gateway, records)) queues.push(await readQueue(run, name, records));
  const databases = records.d1_databases.length === 0 ? [] : await readDatabases(run, records);
  return { gatewaySecrets, recordsSecrets, recordsBindsGateway, queues, databases };
}

/** The queues that both configurations name, dead-letter queues included. */
export function queueNames(gateway: WorkerConfig, records: WorkerConfig): readonly string[] {
  const producers = [...(gateway.queues.producers ?? []), ...(records.queues.producers ?? [])];
  const consumers = records.queues.consumers ?? [];
  return [
    ...new Set([
      ...producers.flatMap(({ queue }) => queue ?? []),
      ...consumers.map(({ queue }) => queue),
      ...consumers.flatMap(({ dead_letter_queue }) => dead_letter_queue ?? []),
    ]),
  ];
}

/** @returns null where the Worker does not exist. */
async function readSecrets(run: RunWrangler, { args }: WorkerConfig): Promise<readonly string[] | null> {
  const secrets = await readList(run, ["secret", "list", ...args], /Worker ".*" not found/);
  return secrets?.map(({ name }) => String(name)) ?? null;
}

/**
 * Cloudflare accepted the binding of a deployed version, so that the gateway had the entrypoint then. Whether it checks the
 * entrypoint of a new version is not documented.
 */
async function bindsGateway(
  run: RunWrangler,
  gateway: WorkerConfig,
  { args }: WorkerConfig,
): Promise<boolean> {
  const status = (await readObject(run, ["deployments", "status", "--json", ...args])) as DeploymentStatus;
  for (const { version_id: id } of status.versions) {
    const version = (await readObject(run, ["versions", "view", id, "--json", ...args])) as VersionView;
    const binding = version.resources.bindings.find(({ name }) => name === GATEWAY_BINDING);
    if (binding?.service !== gateway.name) return false;
  }
  return true;
}

/** As wrangler prints them. */
type DeploymentStatus = { readonly versions: readonly { readonly version_id: string }[] };
type VersionView = {
  readonly resources: {
    readonly bindings: readonly { readonly name: string; readonly service?: string }[];
  };
};

async function readQueue(run: RunWrangler, name: string, { args }: WorkerConfig): Promise<QueueState> {
  const command = ["queues", "consumer", "list", name, "--json", ...args];
  const consumers = await readList(run, command, /Queue ".*" does not exist/);
  const workers = (consumers ?? []).filter(({ type }) => type === "worker");
  return {
    name,
    exists: consumers !== null,
    consumers: workers.map(({ script, service }) => String(script ?? service)),
    hasPullConsumer: (consumers ?? []).some(({ type }) => type === "http_pull"),
  };
}

async function readDatabases(run: RunWrangler, { args }: WorkerConfig): Promise<Account["databases"]> {
  const databases = await readList(run, ["d1", "list", "--json", ...args]);
  return (databases ?? []).map(({ uuid, name }) => ({ id: String(uuid), name: String(name) }));
}
