/**
 * Keeps an environment apart from production: no script, queue, database, data set, bucket, namespace or host of production
 * may be named by the environment, neither by a derived name nor by a setting in `[env.<name>]`.
 */
import { escaped, hostOf, matchesHost } from "./hosts.ts";
import type { WorkerConfig, Workers } from "./worker-configs.ts";

/** @returns one sentence for each resource of production that the environment names. */
export function sharedResources(environment: Workers, production: Workers): readonly string[] {
  const used = resourcesOf(production);
  return workersOf(environment).flatMap((worker) =>
    resources(worker).flatMap(({ path, kind, id }) =>
      used.some((other) => other.kind === kind && overlaps(kind, id, other.id))
        ? [`${worker.source}: ${path} must not name ${JSON.stringify(id)}, which production uses.`]
        : [],
    ),
  );
}

/**
 * A script "gateway-records" of production makes "records" a name that no environment may begin with: the gateway of
 * `--env records` would replace that script, and the one of `--env records-x` would be the records Worker of `--env x`.
 */
export function reservedNames(production: Workers): readonly string[] {
  const used = resourcesOf(production);
  return used.flatMap(({ kind, id }) =>
    used.flatMap((other) =>
      other.kind === kind && new RegExp(`^${escaped(id)}[-_]`).test(other.id)
        ? [other.id.slice(id.length + 1).replaceAll("_", "-")]
        : [],
    ),
  );
}

type Resource = { readonly path: string; readonly kind: string; readonly id: string };

const workersOf = ({ gateway, records }: Workers): readonly WorkerConfig[] =>
  records === null ? [gateway] : [gateway, records];

const resourcesOf = (workers: Workers): readonly Resource[] => workersOf(workers).flatMap(resources);

function resources(worker: WorkerConfig): readonly Resource[] {
  const { queues, durable_objects: objects } = worker;
  const consumers = queues.consumers ?? [];
  const named: readonly (readonly [path: string, kind: string, ids: readonly (string | undefined)[]])[] = [
    ["name", "script", [worker.name]],
    ["services", "script", (worker.services ?? []).map(({ service }) => service)],
    ["durable_objects.bindings", "script", objects.bindings.map(({ script_name: name }) => name)],
    ["queues.producers", "queue", (queues.producers ?? []).map(({ queue }) => queue)],
    ["queues.consumers", "queue", consumers.map(({ queue }) => queue)],
    ["queues.consumers", "queue", consumers.map(({ dead_letter_queue: queue }) => queue)],
    ["d1_databases", "database", worker.d1_databases.map(({ database_name: name }) => name)],
    ["d1_databases", "database", worker.d1_databases.map(({ database_id: id }) => id)],
    [
      "analytics_engine_datasets",
      "data set",
      worker.analytics_engine_datasets.map(({ binding, dataset = binding }) => dataset),
    ],
    ["r2_buckets", "bucket", worker.r2_buckets.map(({ bucket_name: name }) => name)],
    ["kv_namespaces", "namespace", worker.kv_namespaces.map(({ id }) => id)],
    ["routes", "host", (worker.routes ?? []).map(hostOf)],
  ];
  return named.flatMap(([path, kind, ids]) =>
    ids.flatMap((id) => (typeof id === "string" ? [{ path, kind, id }] : [])),
  );
}

/**
 * A host matches with its wildcards: a route runs before the custom domain of the same host, so that a route on
 * `*.example.com` would take over production's `ai.example.com`.
 * https://developers.cloudflare.com/workers/configuration/routing/custom-domains/
 */
const overlaps = (kind: string, id: string, other: string): boolean =>
  kind === "host" ? matchesHost(id, other) : id.toLowerCase() === other.toLowerCase();
