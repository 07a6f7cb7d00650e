/** The deployed versions of the records Worker: their binding to the gateway, and the one that a rollback returns to. */
import { asObject, type JsonObject } from "../../src/shared/json.ts";
import { GATEWAY_BINDING, GATEWAY_ENTRYPOINT } from "./gateway-binding.ts";
import type { WorkerConfig } from "./worker-configs.ts";
import { readObject, type RunWrangler } from "./wrangler-runner.ts";

/** In descending order of their share of the requests: several during a gradual deployment. */
export function readVersions(run: RunWrangler, { args }: WorkerConfig): Promise<readonly string[]> {
  return readObject(run, ["deployments", "status", "--json", ...args], versionsOf);
}

function versionsOf({ versions }: JsonObject): readonly string[] | null {
  if (!Array.isArray(versions) || versions.length === 0) return null;
  const read = versions.map((version: unknown) => {
    const { version_id: id, percentage } = asObject(version) ?? {};
    return typeof id === "string" ? { id, percentage: Number(percentage) } : null;
  });
  if (read.includes(null)) return null;
  return read
    .filter((version) => version !== null)
    .toSorted((a, b) => b.percentage - a.percentage)
    .map(({ id }) => id);
}

/**
 * Whether each of the versions is bound to the gateway's entrypoint. Cloudflare accepted the binding of a deployed version,
 * so that the gateway had the entrypoint then. Whether it checks the entrypoint of a new version is not documented.
 */
export async function allBindGateway(
  run: RunWrangler,
  ids: readonly string[],
  { gateway, records }: { readonly gateway: WorkerConfig; readonly records: WorkerConfig },
): Promise<boolean> {
  for (const id of ids) {
    const bindings = await readObject(run, ["versions", "view", id, "--json", ...records.args], bindingsOf);
    const binding = bindings.find((one) => one?.["name"] === GATEWAY_BINDING);
    if (binding?.["service"] !== gateway.name || binding["entrypoint"] !== GATEWAY_ENTRYPOINT) return false;
  }
  return true;
}

function bindingsOf({ resources }: JsonObject): readonly (JsonObject | null)[] | null {
  const bindings = asObject(resources)?.["bindings"];
  return Array.isArray(bindings) ? bindings.map(asObject) : null;
}
