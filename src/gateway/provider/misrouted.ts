/** Which mistake in a client's base URL explains a path without a route: the corrected path has one. */
import type { RefusalCode } from "../../shared/refusal.ts";
import type { Provider } from "./provider.ts";
import { findRoute, withoutPrefix, type Route } from "./route.ts";

/** @returns the refusal, and the route that the client meant where it is known. */
export function findMistake(
  path: string,
  headers: Headers,
  providers: ReadonlyMap<string, Provider>,
): { readonly code: RefusalCode; readonly meant: Route | null } {
  const inner = withoutPrefix(path);
  const meant = (corrected: string): Route | null => findRoute(corrected, headers, providers);
  const once = meant(path.replace("/v1/v1/", "/v1/"));
  if (once) return { code: "v1_doubled", meant: once };
  const added = meant(inner.replace(/^\/[^/]+/, "$&/v1")) ?? meant(`/v1${inner}`);
  if (added) return { code: "v1_missing", meant: added };
  // The name of no provider.
  return { code: "not_found", meant: meant(inner.replace(/^\/[^/]+/, "")) };
}
