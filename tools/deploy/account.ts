/** Reads the state of the Cloudflare account that a deployment depends on, and changes nothing there. */
import { FILES, type WorkerConfig, type Workers } from "./worker-configs.ts";
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
  readonly recordsSecrets: readonly string[];
  readonly queues: readonly QueueState[];
  readonly databases: readonly { readonly id: string; readonly name: string }[];
};

export async function readAccount(run: RunWrangler, { gateway, records }: Workers): Promise<Account> {
  if (records === null) {
    const gatewaySecrets = await readSecrets(run, FILES.gateway);
    return { gatewaySecrets, recordsSecrets: [], queues: [], databases: [] };
  }
  const gatewaySecrets = await readSecrets(run, FILES.generated);
  const recordsSecrets = await readSecrets(run, FILES.records);
  const queues: QueueState[] = [];
  for (const name of queueNames(gateway, records)) queues.push(await readQueue(run, name));
  const databases = records.d1_databases.length === 0 ? [] : await readDatabases(run);
  return { gatewaySecrets, recordsSecrets, queues, databases };
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

async function readSecrets(run: RunWrangler, file: string): Promise<readonly string[]> {
  const secrets = await readList(run, ["secret", "list", "-c", file], /Worker ".*" not found/);
  return (secrets ?? []).map(({ name }) => String(name));
}

async function readQueue(run: RunWrangler, name: string): Promise<QueueState> {
  const args = ["queues", "consumer", "list", name, "--json", "-c", FILES.records];
  const consumers = await readList(run, args, /Queue ".*" does not exist/);
  const workers = (consumers ?? []).filter(({ type }) => type === "worker");
  return {
    name,
    exists: consumers !== null,
    consumers: workers.map(({ script, service }) => String(script ?? service)),
    hasPullConsumer: (consumers ?? []).some(({ type }) => type === "http_pull"),
  };
}

async function readDatabases(run: RunWrangler): Promise<Account["databases"]> {
  const databases = await readList(run, ["d1", "list", "--json", "-c", FILES.records]);
  return (databases ?? []).map(({ uuid, name }) => ({ id: String(uuid), name: String(name) }));
}
