/**
 * Corrects the path that a wrong base URL makes: `/v1` missing or repeated, a slash doubled where the base URL meets the
 * path, a slash at the end. The part below a route is never changed, so an empty segment in it has no route.
 */
import { CODER_API_NAMES } from "../../shared/api-routes.ts";
import { withoutPrefix } from "./prefix.ts";
import type { Provider } from "./provider.ts";

/** Slashes and up to two `/v1`, then the rest of the path without a slash at its end. */
const PARTS = /^\/{1,2}((?:v1\/{1,2}){0,2})(?!v1\/)(.+?)\/?$/;

export type Corrected = {
  /** The provider that the path names; null at the root. */
  readonly provider: Provider | null;
  /** The paths below it that the client may have meant, in canonical form. The caller checks which of them is a route. */
  readonly paths: readonly string[];
};

/** @returns null where nothing can be corrected. */
export function correctPath(path: string, providers: ReadonlyMap<string, Provider>): Corrected | null {
  const sent = path.replace(/^\/\/(?!\/)/, "/");
  const inner = withoutPrefix(sent);
  const name = /^\/{1,2}([^/]+)\//.exec(inner)?.[1] ?? "";
  const provider = providers.get(name) ?? null;
  const tail = provider === null ? inner : inner.slice(inner.indexOf(name) + name.length);
  const [, versions = "", rest = ""] = PARTS.exec(tail) ?? [];
  // Below the prefixes, `/models` is a route of Coder's own API.
  const isCoderApi = provider === null && versions === "" && inner !== sent && isCoderName(rest);
  return rest === "" || isCoderApi ? null : { provider, paths: [`/v1/${rest}`, `/${rest}`] };
}

const isCoderName = (rest: string): boolean => CODER_API_NAMES.has(rest.split("/", 1)[0] ?? "");
