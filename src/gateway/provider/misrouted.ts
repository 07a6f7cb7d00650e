/** Which mistake in a client's base URL explains a path without a route, not even a corrected one (`base-url.ts`). */
import type { RefusalCode } from "../../shared/refusal.ts";
import type { Provider } from "./provider.ts";
import { withoutPrefix } from "./prefix.ts";
import { findRoute, type Route } from "./route.ts";

/** @returns the refusal, and the route that the client meant where it is known. */
export function findMistake(
  path: string,
  headers: Headers,
  providers: ReadonlyMap<string, Provider>,
): { readonly code: RefusalCode; readonly meant: Route | null } {
  const inner = withoutPrefix(path);
  const meant = (corrected: string): Route | null => findRoute(corrected, headers, providers);
  const once = meant(path.replace(/(?:\/v1){3,}\//, "/v1/"));
  if (once) return { code: "v1_doubled", meant: once };
  // Only where the path without it is a route of another API.
  const added = meant(`/v1${inner}`);
  if (added) return { code: "v1_missing", meant: added };
  if (path.includes("//")) return { code: "bad_path", meant: null };
  // The name of no provider.
  return { code: "not_found", meant: meant(inner.replace(/^\/[^/]+/, "")) };
}
