import { Refusal } from "../refusal.ts";

/** The request's path and query as they are routed: `path` is safe to compare with fixed tables, `search` is verbatim. */
export type Target = { readonly path: string; readonly search: string };

/** Coder's names for its own gateway. */
export const GATEWAY_NAMES = ["ai-gateway", "aibridge"] as const;
/** Where Coder's own gateway has the same routes and the same API, so that its clients need only another host name. */
export const ROUTE_PREFIXES = GATEWAY_NAMES.map((name) => `/api/v2/${name}`);

const MAX_URL = 16_384;
/** Spellings of `/`, `\`, `.`, `%`, and control characters that a later hop might read as something else (RFC 3986 §6.2.2). */
const AMBIGUOUS = /%(?:2[ef5]|5c|[01][0-9a-f]|7f)|\\|\/\.\.?(?:\/|$)|[^\x21-\x7e]/i;
const BROKEN_ESCAPE = /%(?![0-9a-f]{2})/i;

/**
 * Reads the path of the request line as `readSentTarget` does, and also refuses doubled slashes (`bad_path`).
 */
export function readTarget(head: RequestHead): Target | Refusal {
  const target = readSentTarget(head);
  return target instanceof Refusal || !hasDoubledSlash(target) ? target : new Refusal("bad_path");
}

/** Some clients join a base URL that ends in a slash with a path that begins with one. */
export const hasDoubledSlash = ({ path }: Target): boolean => path.includes("//");

/**
 * Reads the path of the request line. The Host header cannot change it.
 *
 * `request.url` is `scheme://` + Host + target, unchecked: with `Host: x/openai/v1?` the real path moves into the
 * query. So the origin is removed by the Host's own length. Nothing is normalized: a path that would need it is refused
 * (`bad_path`), as is a URL over 16 KiB (`url_too_long`).
 */
export function readSentTarget(head: RequestHead): Target | Refusal {
  const known = targets.get(head);
  if (known) return known;
  const target = read(head);
  targets.set(head, target);
  return target;
}

/** The path that Hono's routes are matched against. A URL that `readTarget` refuses matches no route but `/`. */
export function routablePath(request: RequestHead): string {
  const target = readTarget(request);
  return target instanceof Refusal ? "/" : target.path;
}

type RequestHead = Pick<Request, "url" | "headers">;
/** Each request is read twice: by Hono and by the app. */
const targets = new WeakMap<RequestHead, Target | Refusal>();

function read({ url, headers }: RequestHead): Target | Refusal {
  if (url.length > MAX_URL) return new Refusal("url_too_long");
  const rest = afterOrigin(url, headers.get("host"));
  const query = rest.indexOf("?");
  const path = (query < 0 ? rest : rest.slice(0, query)) || "/";
  if (AMBIGUOUS.test(path) || BROKEN_ESCAPE.test(path)) return new Refusal("bad_path");
  const search = query < 0 ? "" : withoutFragment(rest.slice(query));
  return { path, search };
}

function afterOrigin(url: string, host: string | null): string {
  const start = url.indexOf("://") + 3;
  if (host && /[/?#\\@]/.test(host) && url.startsWith(host, start)) return url.slice(start + host.length);
  const path = url.slice(start).search(/[/?#]/);
  return path < 0 ? "/" : withoutFragment(url.slice(start + path));
}

function withoutFragment(text: string): string {
  const hash = text.indexOf("#");
  return hash < 0 ? text : text.slice(0, hash);
}
