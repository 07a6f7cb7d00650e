/** The host names on which a Worker responds, from its configuration. */
import type { Unstable_Config } from "wrangler";

/** The settings that decide where a Worker responds. */
type HostConfig = Pick<Unstable_Config, "name" | "routes" | "workers_dev" | "preview_urls">;
type Route = NonNullable<HostConfig["routes"]>[number];

export const patternOf = (route: Route): string => (typeof route === "string" ? route : route.pattern);

/** The host of a route, with its wildcards. */
export const hostOf = (route: Route): string =>
  patternOf(route)
    .replace(/^https?:\/\//, "")
    .replace(/\/.*$/, "")
    .toLowerCase();

/** Whether a route's host, which can have wildcards, includes this host. */
export const matchesHost = (pattern: string, host: string): boolean =>
  new RegExp(`^${escaped(pattern).replaceAll("\\*", ".*")}$`).test(host);

export const escaped = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");

/**
 * The hosts of a Worker, with wildcards. The account's subdomain of workers.dev is not in the configuration. Wrangler switches
 * workers.dev on where the configuration has neither `workers_dev` nor a route, and previews with it.
 */
export function hostsOf({ name, routes = [], workers_dev, preview_urls }: HostConfig): readonly string[] {
  const isOnWorkersDev = workers_dev ?? routes.length === 0;
  return [
    ...routes.map(hostOf),
    ...(isOnWorkersDev ? [`${name}.*.workers.dev`] : []),
    ...((preview_urls ?? isOnWorkersDev) ? [`*-${name}.*.workers.dev`] : []),
  ];
}
