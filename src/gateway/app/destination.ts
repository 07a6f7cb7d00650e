/** Where a request goes, out of fixed tables: a provider's route, the records API, the gateway itself, or nowhere. */
import { apiRouteOf } from "../../shared/api-routes.ts";
import { isConsolePath } from "../../shared/console-pages.ts";
import { readSentTarget, type Target } from "../../shared/http/target.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Dialect } from "../provider/provider.ts";
import { findMistake } from "../provider/misrouted.ts";
import { findRoute, isBase, namedProvider, type Route } from "../provider/route.ts";
import { hasLooped } from "../upstream/request-headers.ts";
import { API_DIALECT } from "./api-dialect.ts";
import type { Deps } from "./deps.ts";

/** The method, URL and headers of a request, or of one that `explain` describes. */
export type RequestHead = Pick<Request, "method" | "url" | "headers">;

export type Destination =
  | { readonly kind: "provider"; readonly target: Target; readonly route: Route }
  /** The records API or the console. */
  | { readonly kind: "api"; readonly target: Target }
  /** A base URL or a client's probe: the gateway responds itself. */
  | { readonly kind: "base"; readonly target: Target }
  | {
      readonly kind: "not_found";
      readonly refusal: Refusal;
      /** Of the dialect, or API, that the path names. */
      readonly errorBody: Dialect["errorBody"];
    };

export function findDestination(
  head: RequestHead,
  { config: { providers }, fallbackDialect }: Pick<Deps, "config" | "fallbackDialect">,
): Destination {
  const notFound = (
    refusal: Refusal,
    { errorBody }: Pick<Dialect, "errorBody"> = fallbackDialect,
  ): Destination => ({
    kind: "not_found",
    refusal,
    errorBody,
  });
  const target = readSentTarget(head);
  const isApi =
    !(target instanceof Refusal) && (apiRouteOf(target.path) !== null || isConsolePath(target.path));
  if (hasLooped(head.headers)) return notFound(new Refusal("loop"), isApi ? API_DIALECT : fallbackDialect);
  if (target instanceof Refusal) return notFound(target);
  if (isApi) return { kind: "api", target };
  const { path } = target;
  const route = findRoute(path, head.headers, providers);
  if (isOwnPage(head, path, route)) return { kind: "base", target };
  if (route) return { kind: "provider", target, route };
  const { code, meant } = findMistake(path, head.headers, providers);
  return notFound(new Refusal(code), (namedProvider(path, providers) ?? meant?.provider)?.dialect);
}

/** `GET /`, and HEAD of a base URL or of a probe's route. */
function isOwnPage({ method, url }: RequestHead, path: string, route: Route | null): boolean {
  if (method === "HEAD") return route ? route.route.isProbe === true : isBase(path);
  // A request target that is no path, such as `*`, leaves the URL without a slash after the host.
  return method === "GET" && path === "/" && url.includes("/", "https://".length);
}
