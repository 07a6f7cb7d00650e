/**
 * The configurations of both Workers for `npm start`: those of a deployment, with the entries of tools/local/worker around
 * the Workers' own, and with a queue that delivers at once.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readProjectConfig } from "../deploy/project-config.ts";
import { ROOT } from "../root.ts";
import type { Vars } from "./dev-vars.ts";
import { writeRecordsConfig } from "./records-config.ts";

/** The entries of `npm start`. */
const WORKERS = join(import.meta.dirname, "worker");

/** Host names of this machine. The port is not compared: a page cannot choose the name that resolves to it. */
export const LOOPBACK_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];

export type LocalConfigOptions = {
  /** The folder of the files, which exist only during the run. */
  readonly folder: string;
  readonly recordsVars: Vars;
  /** Host names that are accepted besides those of this machine. */
  readonly allowedHosts: readonly string[];
  /** Ignores the operator's local files. */
  readonly shippedOnly: boolean;
  /** The folder of other entries than those of `npm start`. */
  readonly entries?: string | undefined;
};

/** Writes both files and returns their paths, the gateway's first. */
export function writeLocalConfigs(options: LocalConfigOptions): readonly string[] {
  return [writeGatewayConfig(options), writeLocalRecordsConfig(options)];
}

function writeGatewayConfig({
  folder,
  allowedHosts,
  shippedOnly,
  entries = WORKERS,
}: LocalConfigOptions): string {
  const { env: _, ...raw } = readProjectConfig(ROOT, "gateway", { shippedOnly });
  const config = {
    ...raw,
    main: join(entries, "gateway.ts"),
    // With a route, wrangler would put its host name into the Host header of every request, before the check.
    routes: undefined,
    route: undefined,
    vars: { ...raw.vars, LOCAL_HOSTS: [...LOOPBACK_HOSTS, ...allowedHosts] },
    services: [
      ...(raw.services ?? []),
      {
        binding: "LOCAL_DELIVERY",
        service: readProjectConfig(ROOT, "records", { shippedOnly }).name,
        entrypoint: "LocalDelivery",
      },
    ],
  };
  const path = join(folder, "wrangler.gateway.json");
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

function writeLocalRecordsConfig({
  folder,
  recordsVars,
  shippedOnly,
  entries = WORKERS,
}: LocalConfigOptions): string {
  const raw = readProjectConfig(ROOT, "records", { shippedOnly });
  const { queues } = raw;
  // Miniflare's queue is in memory: an event that waits there for others is lost when the process ends.
  const consumers = queues?.consumers?.map((consumer) => ({ ...consumer, max_batch_timeout: 0 }));
  const changes = {
    main: join(entries, "records.ts"),
    queues: { ...queues, ...(consumers && { consumers }) },
  };
  return writeRecordsConfig(folder, recordsVars, changes, raw);
}
