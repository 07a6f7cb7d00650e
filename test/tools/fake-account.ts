/**
 * A fake account with the rules of Cloudflare's API that decide in which order a deployment works, by their error codes:
 * cloudflare/workers-sdk#2968 (10007), #5347 (11004), #5940 (10089), #13923 (11001), alchemy-run/distilled#365 (10041,
 * 10061, 10085, 10181, 11000).
 */
import { DatabaseSync } from "node:sqlite";

export const GATEWAY = "ai-edge-interceptor";
export const RECORDS = "ai-edge-interceptor-records";

export type Consumer = { readonly type: "worker" | "http_pull"; readonly script?: string };

/** A binding as an upload declares it. */
export type Binding = { readonly name: string; readonly type: string } & Readonly<Record<string, unknown>>;

/** The parts of one version that the rules depend on. */
export type Upload = {
  readonly bindings: readonly Binding[];
  /** Whether the script can consume a queue. */
  readonly handlesQueue: boolean;
  /** The names that the script exports, with its entrypoints. */
  readonly exports?: readonly string[];
  /** The classes of its Durable Objects, created by its migrations. */
  readonly newClasses?: readonly string[];
};

export type FakeWorker = {
  readonly secrets: string[];
  readonly versions: (Upload & { readonly id: string })[];
  /** The version that runs. */
  deployed: string;
  crons: readonly string[];
  readonly classes: Set<string>;
  workersDev: boolean;
};

export type FakeDatabase = { readonly uuid: string; readonly name: string; readonly sqlite: DatabaseSync };

export type FakeAccount = {
  readonly workers: Map<string, FakeWorker>;
  readonly queues: Map<string, Consumer[]>;
  readonly databases: FakeDatabase[];
  /** The script behind each custom domain. */
  readonly domains: Map<string, string>;
  readonly hasAnalyticsEngine: boolean;
};

const LEDGER_ID = "0a1b2c3d-0000-4000-8000-0123456789ab";

export const ledger = (name = "ai-ledger", uuid = LEDGER_ID): FakeDatabase => ({
  uuid,
  name,
  sqlite: new DatabaseSync(":memory:"),
});

export const emptyAccount = (): FakeAccount => ({
  workers: new Map(),
  queues: new Map(),
  databases: [],
  domains: new Map(),
  hasAnalyticsEngine: true,
});

export const deployedWorker = (
  secrets: readonly string[] = [],
  upload: Partial<Upload> = {},
): FakeWorker => ({
  secrets: [...secrets],
  versions: [{ id: versionId(0), bindings: [], handlesQueue: false, ...upload }],
  deployed: versionId(0),
  crons: [],
  classes: new Set(upload.newClasses),
  workersDev: false,
});

/** An account with a deployment from before there were two Workers: one Worker that also consumes the queue. */
export function singleWorkerAccount(): FakeAccount {
  const worker = deployedWorker(["ADMIN_TOKEN"], { handlesQueue: true });
  worker.crons = ["*/10 * * * *"];
  return {
    ...emptyAccount(),
    workers: new Map([[GATEWAY, worker]]),
    queues: new Map([["ai-events", [{ type: "worker", script: GATEWAY }]]]),
    databases: [ledger()],
  };
}

export const versionId = (at: number): string => `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`;

/** Uploads a version and deploys it. @returns null, or the code of the error. */
export function uploadWorker(account: FakeAccount, script: string, upload: Upload): number | null {
  const worker = account.workers.get(script);
  const classes = new Set([...(worker?.classes ?? []), ...(upload.newClasses ?? [])]);
  for (const binding of upload.bindings) {
    const code = bindingError(account, script, classes, binding);
    if (code !== null) return code;
  }
  const consumes = [...account.queues.values()].some((queue) => queue.some((one) => one.script === script));
  if (consumes && !upload.handlesQueue) return 11_001;
  const versions = worker?.versions ?? [];
  const version = { ...upload, id: versionId(versions.length) };
  account.workers.set(script, {
    secrets: worker?.secrets ?? [],
    versions: [...versions, version],
    deployed: version.id,
    crons: worker?.crons ?? [],
    classes,
    workersDev: worker?.workersDev ?? false,
  });
  return null;
}

function bindingError(
  account: FakeAccount,
  script: string,
  classes: ReadonlySet<string>,
  binding: Binding,
): number | null {
  const { workers, queues, databases } = account;
  switch (binding.type) {
    case "service":
      return serviceError(workers.get(String(binding["service"])), binding["entrypoint"]);
    case "queue":
      return queues.has(String(binding["queue_name"])) ? null : 11_000;
    case "analytics_engine":
      return account.hasAnalyticsEngine ? null : 10_089;
    case "d1":
      return databases.some(({ uuid }) => uuid === binding["id"]) ? null : 10_181;
    case "durable_object_namespace": {
      const owner = String(binding["script_name"] ?? script);
      const known = owner === script ? classes : workers.get(owner)?.classes;
      return known?.has(String(binding["class_name"])) ? null : 10_061;
    }
    default:
      return null;
  }
}

/** Whether Cloudflare rejects an entrypoint that the deployed version lacks is not known: the order must not depend on it. */
function serviceError(worker: FakeWorker | undefined, entrypoint: unknown): number | null {
  if (worker === undefined) return 10_007;
  const deployed = worker.versions.find(({ id }) => id === worker.deployed);
  return entrypoint === undefined || deployed?.exports?.includes(String(entrypoint)) ? null : 10_144;
}

/** Attaches a consumer, or changes its settings. A dead-letter queue that is missing is created. */
export function attachConsumer(
  { workers, queues }: FakeAccount,
  queue: string,
  script: string,
  deadLetterQueue?: string,
): number | null {
  const consumers = queues.get(queue);
  if (consumers === undefined) return 11_000;
  if (consumers.some((one) => one.script !== script)) return 11_004;
  const worker = workers.get(script);
  if (worker === undefined) return 10_007;
  if (!worker.versions.find(({ id }) => id === worker.deployed)?.handlesQueue) return 11_001;
  if (consumers.length === 0) consumers.push({ type: "worker", script });
  if (deadLetterQueue !== undefined && !queues.has(deadLetterQueue)) queues.set(deadLetterQueue, []);
  return null;
}

/** All that a deployment could change, for comparisons; without what has a name that ends in `suffix`. */
export function stateOf({ workers, queues, databases, domains }: FakeAccount, suffix?: string): object {
  const isIncluded = (name: string): boolean => suffix === undefined || !name.endsWith(suffix);
  const copy = <T>(map: ReadonlyMap<string, T>): object =>
    Object.fromEntries(structuredClone([...map].filter(([name]) => isIncluded(name))));
  const stored = databases.filter(({ name }) => isIncluded(name));
  return {
    workers: copy(workers),
    queues: copy(queues),
    databases: stored.map(({ uuid, name, sqlite }) => ({ uuid, name, content: contentOf(sqlite) })),
    domains: copy(domains),
  };
}

function contentOf(sqlite: DatabaseSync): readonly unknown[] {
  const tables = sqlite.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all();
  return tables.map((table) => [table, sqlite.prepare(`SELECT * FROM "${table["name"]}"`).all()]);
}
