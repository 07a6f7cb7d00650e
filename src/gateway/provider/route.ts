/**
 * Finds the provider and the route for a request's path in the dialects' fixed tables. The only part of the client's
 * path that reaches an upstream URL is the part below a route that accepts subpaths, and that part is validated.
 */
import { RESERVED_NAMES } from "../../shared/api-routes.ts";
import { correctPath } from "./base-url.ts";
import { patternSegment } from "./path-model.ts";
import { withoutPrefix } from "./prefix.ts";
import type { Api, Dialect, DialectRoute, Provider } from "./provider.ts";

export type Route = {
  readonly provider: Provider;
  readonly route: DialectRoute;
  /** The path to append to the provider's base URL: a fixed route's path, or a validated path below it. */
  readonly upstreamPath: string;
  /** The model that the path names; null where only the body can name one. */
  readonly pathModel: string | null;
};

/**
 * The route for a path that `readSentTarget` has accepted, or null if there is none. A path that a wrong base URL made is
 * corrected (`base-url.ts`). Only the corrected path is matched, and its route is the one that policies, records and the provider see.
 */
export function findRoute(
  path: string,
  headers: Headers,
  providers: ReadonlyMap<string, Provider>,
): Route | null {
  return findExactRoute(withoutPrefix(path), headers, providers) ?? findCorrected(path, headers, providers);
}

/** The route for a path as the tables have it. */
function findExactRoute(
  inner: string,
  headers: Headers,
  providers: ReadonlyMap<string, Provider>,
): Route | null {
  const slash = inner.indexOf("/", 1);
  if (slash > 0) {
    const named = providers.get(inner.slice(1, slash));
    if (named) return namedRoute(named, inner.slice(slash));
  }
  return rootRoute(inner, headers, providers);
}

function findCorrected(
  path: string,
  headers: Headers,
  providers: ReadonlyMap<string, Provider>,
): Route | null {
  const corrected = correctPath(path, providers);
  if (corrected === null) return null;
  const { provider, paths } = corrected;
  const [route = null, other] = paths.flatMap(
    (one) => (provider ? namedRoute(provider, one) : rootRoute(one, headers, providers)) ?? [],
  );
  // With two of them it is not known which one was meant.
  return other ? null : route;
}

/** The provider's route for an API whose request names its model in the body; null where it has none. */
export function routeOfApi(provider: Provider, api: Api): Route | null {
  const route = provider.dialect.routes.find(
    (one) => one.kind === "intercept" && one.api === api && !one.modelInPath,
  );
  return route ? { provider, route, upstreamPath: route.path, pathModel: null } : null;
}

/** The provider that the path names, even if the route does not exist. Its dialect formats the error. */
export function namedProvider(path: string, providers: ReadonlyMap<string, Provider>): Provider | null {
  return providers.get(withoutPrefix(path).split("/", 2)[1] ?? "") ?? null;
}

/**
 * Whether the path has the form of a base URL (the root, or a name and perhaps `/v1`), which clients probe with `HEAD`. Of any
 * name: the response without a credential says nothing about which providers there are.
 */
export function isBase(path: string): boolean {
  const match = /^(?:\/(?!v1\/?$)([a-z0-9-]{1,64}))?(?:\/v1)?\/?$/.exec(withoutPrefix(path));
  return match !== null && !RESERVED_NAMES.has(match[1] ?? "");
}

/** The provider's route for the path that follows its name, below the mount or an alias of it. */
function namedRoute(provider: Provider, path: string): Route | null {
  const route = providerRoute(provider, path);
  if (route) return route;
  const { mount, aliases = [] } = provider.dialect;
  const alias = aliases.find((one) => path.startsWith(`${one}/`));
  return alias === undefined ? null : providerRoute(provider, `${mount}${path.slice(alias.length)}`);
}

/** The provider's route for a path below the dialect's mount. */
function providerRoute(provider: Provider, path: string): Route | null {
  const { mount } = provider.dialect;
  if (!path.startsWith(`${mount}/`)) return null;
  const upstreamPath = path.slice(mount.length);
  const route = matchRoute(provider.dialect, upstreamPath);
  return route && { provider, route, upstreamPath, pathModel: pathModelOf(route, upstreamPath) };
}

/** The route of a root path, at the first provider of its dialect. If several dialects have it, the headers decide. */
function rootRoute(path: string, headers: Headers, providers: ReadonlyMap<string, Provider>): Route | null {
  const candidates: Route[] = [];
  for (const provider of providers.values()) {
    if (candidates.some((route) => route.provider.dialect === provider.dialect)) continue;
    const route = providerRoute(provider, path);
    if (route) candidates.push(route);
  }
  if (candidates.length < 2) return candidates[0] ?? null;
  const withHeader = (from: number, to?: number): Route | undefined =>
    candidates.find(({ provider }) =>
      provider.dialect.distinguishingHeaders.slice(from, to).some((name) => headers.has(name)),
    );
  // Some vendors of one dialect have keys in the form of the other's: a header of the dialect itself precedes.
  const named = withHeader(0, 1);
  const key = sentKey(headers);
  const [owner, other] = candidates.filter(({ provider }) => provider.dialect.keyForm.test(key));
  return (
    named ??
    (owner && !other ? owner : withHeader(1)) ??
    candidates.find(({ provider }) => provider.dialect.distinguishingHeaders.length === 0) ??
    candidates[0] ??
    null
  );
}

/** The key that `readCredential` takes: keys of some providers name theirs by their form. */
function sentKey(headers: Headers): string {
  const bearer = headers.get("authorization")?.replace(/^bearer +/i, "");
  return bearer ?? headers.get("x-api-key") ?? headers.get("api-key") ?? headers.get("x-goog-api-key") ?? "";
}

function matchRoute(dialect: Dialect, path: string): DialectRoute | null {
  for (const route of dialect.routes) {
    if (matches(route, path)) return route.path === path || !isReadAsCall(dialect, path) ? route : null;
  }
  return null;
}

/**
 * Whether a lenient server could read a path below a route as that of a model call: one that ignores case, trims blanks or
 * dots, or cuts a segment at a parameter or an extension. Such a call would pass unrecorded.
 */
function isReadAsCall({ routes }: Dialect, path: string): boolean {
  const reading = path
    .split("/")
    .map((segment) => /^[\w-]*/.exec(segment)?.[0].toLowerCase())
    .join("/")
    .replace(/\/+$/, "");
  return routes.some((route) => route.path === reading && (route.kind === "intercept" || route.creates));
}

function matches(route: DialectRoute, path: string): boolean {
  const { path: fixed } = route;
  if (route.kind === "intercept" && route.modelInPath) return pathModelOf(route, path) !== null;
  if (fixed.endsWith("/*"))
    return path.startsWith(fixed.slice(0, -1)) && isValidSubpath(path.slice(fixed.length - 1));
  if (path === fixed) return true;
  if (route.kind !== "passthrough" || !route.below || !path.startsWith(`${fixed}/`)) return false;
  return isValidSubpath(path.slice(fixed.length + 1));
}

/** Its segment is validated, so that the decoded name and the path's spelling stand for each other. */
function pathModelOf(route: DialectRoute, path: string): string | null {
  if (route.kind !== "intercept" || !route.modelInPath) return null;
  const segment = patternSegment(route.path, path);
  return segment !== null && !segment.includes("/") && isValidSubpath(segment)
    ? decodeURIComponent(segment)
    : null;
}

/**
 * Whether each segment has only the characters of ids (`ft:gpt-4o:org::id`), and ends in no dot or blank, which some servers
 * trim. Rejects `;`, empty segments, and escapes of letters, digits and `-._~`, which are second spellings (RFC 3986 §6.2.2.2).
 */
function isValidSubpath(subpath: string): boolean {
  return (
    /^(?:(?:[\w.~:@!$&'()*+,=-]|%(?:2[0-46-9abc]|3[acdef]|40|5[bde]|60|7[bcd]))+(?:\/|$))+$/i.test(subpath) &&
    !/\/$|(?:\.|%20)(?:\/|$)/.test(subpath)
  );
}

/** The API of a model call; null for a passthrough. */
export function interceptedApi({ route, upstreamPath }: Route, method: string): Api | null {
  if (route.kind === "intercept") return route.api;
  return method === "POST" && upstreamPath === route.path ? (route.creates ?? null) : null;
}
