/**
 * Which provider a request is for, and which of its routes. Receives the path as it was sent and the configured
 * providers; hands on a route out of the dialects' fixed tables. Never builds anything out of the caller's text but
 * the part below a route that says it takes one, and that part is checked.
 */
import { ROUTE_PREFIXES } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Dialect, DialectRoute, Provider } from "./provider.ts";

export type Route = {
  readonly provider: Provider;
  readonly route: DialectRoute;
  /** The path under the provider's base URL: a fixed route's, or one below it that has been checked. */
  readonly upstreamPath: string;
};

/** The route asked for, or null where there is none. `path` has been through `readTarget`. */
export function findRoute(
  path: string,
  headers: Headers,
  providers: ReadonlyMap<string, Provider>,
): Route | null {
  const prefix = ROUTE_PREFIXES.find((one) => path.startsWith(`${one}/`));
  const inner = prefix === undefined ? path : path.slice(prefix.length);
  const slash = inner.indexOf("/", 1);
  if (slash > 0) {
    const named = providers.get(inner.slice(1, slash));
    if (named) return under(named, inner.slice(slash));
  }
  return shortcut(inner, headers, providers);
}

/** The provider that a path names, whether or not it has such a route: in whose dialect to say so. */
export function namedProvider(path: string, providers: ReadonlyMap<string, Provider>): Provider | null {
  const prefix = ROUTE_PREFIXES.find((one) => path.startsWith(`${one}/`)) ?? "";
  return providers.get(path.slice(prefix.length).split("/", 2)[1] ?? "") ?? null;
}

/** Whether the path is a base URL itself (the root, a provider's name): what `HEAD /` probes. */
export function isBase(path: string, providers: ReadonlyMap<string, Provider>): boolean {
  const prefix = ROUTE_PREFIXES.find((one) => path === one || path.startsWith(`${one}/`)) ?? "";
  const inner = path.slice(prefix.length).replace(/\/$/, "");
  return inner === "" || providers.has(inner.slice(1));
}

/** A route of one provider, from the path that follows its name. */
function under(provider: Provider, path: string): Route | null {
  const { mount } = provider.dialect;
  if (!path.startsWith(`${mount}/`)) return null;
  const upstreamPath = path.slice(mount.length);
  const route = matchRoute(provider.dialect, upstreamPath);
  return route && { provider, route, upstreamPath };
}

/** A root path: the first provider of a dialect that has it. Where several do, the request's headers tell. */
function shortcut(path: string, headers: Headers, providers: ReadonlyMap<string, Provider>): Route | null {
  const found: Route[] = [];
  for (const provider of providers.values()) {
    if (found.some((route) => route.provider.dialect === provider.dialect)) continue;
    const route = under(provider, path);
    if (route) found.push(route);
  }
  if (found.length < 2) return found[0] ?? null;
  const told = found.find(({ provider }) =>
    provider.dialect.distinguishingHeaders.some((name) => headers.has(name)),
  );
  return (
    told ??
    found.find(({ provider }) => provider.dialect.distinguishingHeaders.length === 0) ??
    found[0] ??
    null
  );
}

function matchRoute(dialect: Dialect, path: string): DialectRoute | null {
  for (const route of dialect.routes) if (matches(route, path)) return route;
  return null;
}

function matches(route: DialectRoute, path: string): boolean {
  const { path: fixed } = route;
  if (fixed.endsWith("/*"))
    return path.startsWith(fixed.slice(0, -1)) && isPlain(path.slice(fixed.length - 1));
  if (path === fixed) return true;
  if (route.kind !== "passthrough" || !route.below || !path.startsWith(`${fixed}/`)) return false;
  return isPlain(path.slice(fixed.length + 1));
}

/** Segments as ids are written (`ft:gpt-4o:org::id`): no `;`, no empty one, escapes only of what needs none of our care. */
function isPlain(below: string): boolean {
  return /^(?:(?:[\w.~:@!$&'()*+,=-]|%[2-7][0-9a-f])+(?:\/|$))+$/i.test(below) && !below.endsWith("/");
}

/** Methods that a route takes: an intercepted one is a call, a passthrough also reads and manages what it names. */
export function methodsOf(route: DialectRoute): readonly string[] {
  return route.kind === "intercept" ? ["POST"] : ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
}

/** A refusal for a request to upgrade or with a method the route does not take; null where neither. */
export function checkMethod(
  route: DialectRoute,
  { method, headers }: Pick<Request, "method" | "headers">,
): Refusal | null {
  // Codex falls back to HTTP at once on 426; any other status costs it seven tries.
  if (/\bwebsocket\b/i.test(headers.get("upgrade") ?? "")) return new Refusal("websocket_unsupported");
  return methodsOf(route).includes(method) ? null : new Refusal("method_not_allowed");
}
