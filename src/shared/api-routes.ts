/** The paths of the records API and of the gateway's own routes: no provider may have one of these names. */
import { CONSOLE_PATH } from "./console-pages.ts";
import { ROUTE_PREFIXES } from "./http/target.ts";
import type { Scope } from "./scopes.ts";

/** The first path segments of the records API, below each of `ROUTE_PREFIXES`. */
export const API_ROUTES = [
  "sessions",
  "interceptions",
  "overrides",
  "passthroughs",
  "usage",
  "providers",
  "spend",
  "budgets",
  "me",
  "attribution",
  "anomalies",
  "refusals",
  "accesses",
  "proof",
  "checkpoint",
  "unauthenticated-events",
  "explain",
  "openapi.json",
] as const;

/** The API routes that the gateway serves itself: it decides about requests, has the rules of budgets, and records events. */
export const EXPLAIN_ROUTE = "explain";
export const OWN_SPEND_ROUTE = "me/spend";
export const OWN_ROUTES = [
  EXPLAIN_ROUTE,
  "budgets",
  "budgets/changes",
  "spend/corrections",
  OWN_SPEND_ROUTE,
] as const;
export type OwnRoute = (typeof OWN_ROUTES)[number];

/** The scopes that they need. The caller's own spend is for its own credential. */
export const OWN_ROUTE_SCOPES = {
  explain: "read",
  budgets: "read",
  "budgets/changes": "admin",
  "spend/corrections": "admin",
} as const satisfies Readonly<Partial<Record<OwnRoute, Scope>>>;

/** The first path segments that belong to Coder's own API below `ROUTE_PREFIXES`, here or not. */
export const CODER_API_NAMES: ReadonlySet<string> = new Set([...API_ROUTES, "clients", "models"]);

/** Names that provider routes would hide: the API's, Coder's further ones under the same prefixes, and the gateway's. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([
  ...CODER_API_NAMES,
  "v1",
  "api",
  "healthz",
  CONSOLE_PATH.slice(1),
  "metrics",
]);

/** The API route that a path names, or null where it is not the API's. `path` has been through `readSentTarget`. */
export function apiRouteOf(path: string): (typeof API_ROUTES)[number] | null {
  const prefix = ROUTE_PREFIXES.find((one) => path.startsWith(`${one}/`));
  if (prefix === undefined) return null;
  const name = path.slice(prefix.length + 1).split("/", 1)[0];
  return API_ROUTES.find((route) => route === name) ?? null;
}
