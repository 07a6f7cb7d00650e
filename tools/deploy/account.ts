/** Reads the state of the Cloudflare account that a deployment depends on, and changes nothing there. */
import { allBindGateway, readVersions } from "./records-versions.ts";
import type { WorkerConfig, Workers } from "./worker-configs.ts";
import { readList, type RunWrangler } from "./wrangler-runner.ts";

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
  /** The id of the records Worker's deployed version. null where it is not deployed, or needs no binding to the gateway. */
  readonly recordsVersion: string | null;
  readonly queues: readonly QueueState[];
  readonly databases: readonly { readonly id: string; readonly name: string }[];
};

/** Without any Worker, queue or database. */
export const EMPTY: Account = {
  gatewaySecrets: [],
  recordsSecrets: null,
  recordsBindsGateway: false,
  recordsVersion: null,
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
  const needsVersions = records.unboundArgs !== null && recordsSecrets !== null;
  const versions = needsVersions ? await readVersions(run, records) : [];
  const mayBind = ofGateway !== null && versions.length > 0;
  const recordsBindsGateway = mayBind && (await allBindGateway(run, versions, { gateway, records }));
  const queues: QueueState[] = [];
  for (const name of queueNames(gateway, records)) queues.push(await readQueue(run, name, records));
  const databases = records.d1_databases.length === 0 ? [] : await readDatabases(run, records);
  const recordsVersion = versions[0] ?? null;
  return { gatewaySecrets, recordsSecrets, recordsBindsGateway, recordsVersion, queues, databases };
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
