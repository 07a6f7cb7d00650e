/**
 * Which headers go on, each way. Both ways go by a deny-list: what is not named here is forwarded verbatim.
 * Hop-by-hop fields: RFC 9110 §7.6.1, with the obsolete ones that still turn up.
 */

const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Set by us, by the network before us, or about the caller's own connection: no caller may speak to the provider with these. */
const DROPPED_REQUEST_HEADERS = new Set([
  ...HOP_BY_HOP,
  "host",
  "content-length", // fetch counts the body again
  "accept-encoding", // ours: identity (a compressed stream arrives in one piece once it is touched)
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "coder-session-token",
  "cookie",
  "cookie2",
  "expect",
  "forwarded",
  "forwarded-for",
  "x-forwarded",
  "x-original-forwarded-for",
  "x-original-host",
  "x-remote-ip",
  "x-remote-addr",
  "x-envoy-external-address",
  "fastly-client-ip",
  "x-http-method-override",
  "x-method-override",
  "via",
  "cdn-loop",
  "x-real-ip",
  "true-client-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-original-url",
  "x-rewrite-url",
  "x-interception-id",
]);

const DROPPED_REQUEST_PREFIX = /^(?:cf-|x-forwarded-|x-coder-)/;
/** For an upstream that is Coder itself: never tokens or signatures, nor the owner as it was sent, which may not have counted. */
const CODER_FORWARDED = /^x-coder-(?!owner-id$|ai-g|signature|.*token)/;

/**
 * `x-interceptor-error` is ours to set, and only on refusals; by `x-coder-ai-gateway-error` a delegating Coder takes a
 * provider's 401 for ours, and asks again.
 */
const DROPPED_RESPONSE_HEADERS = [
  ...HOP_BY_HOP,
  "set-cookie",
  "set-cookie2",
  "x-interceptor-error",
  "x-coder-ai-gateway-error",
];

/** Our mark in `Via` (RFC 9110 §7.6.3), by which a request that comes round again is recognised. */
export const VIA_MARK = "ai-edge-interceptor";
const LOOPED = new RegExp(`(?:^|[\\s,])${VIA_MARK}(?:$|[\\s,(])`);

export type UpstreamHeaderOptions = {
  /** Forward `X-Coder-*` (bar credentials and signatures), for an upstream that is Coder itself. */
  readonly coderHeaders: boolean;
  /** The owner that counted, the only one such an upstream hears of; null where none did. */
  readonly owner: string | null;
  /** The one credential the provider gets. */
  readonly credential: readonly [name: string, value: string];
};

/** The caller's headers as the provider may see them, with the provider's credential. */
export function upstreamHeaders(from: Headers, options: UpstreamHeaderOptions): Headers {
  const listed = connectionHeaders(from);
  // Copied whole and natively, then cut: that takes fewer instructions than to carry each field over.
  const to = new Headers(from);
  for (const name of from.keys()) {
    if (!isForwarded(name, options.coderHeaders) || listed?.has(name)) to.delete(name);
  }
  if (options.coderHeaders && options.owner !== null) to.set("x-coder-owner-id", options.owner);
  to.set("accept-encoding", "identity");
  to.set("via", `1.1 ${VIA_MARK}`);
  to.set(options.credential[0], options.credential[1]);
  return to;
}

function isForwarded(name: string, coderHeaders: boolean): boolean {
  if (DROPPED_REQUEST_HEADERS.has(name)) return false;
  // Servers that read CGI-style names take `_` for `-`: judge both spellings as one.
  const plain = name.includes("_") ? name.replaceAll("_", "-") : name;
  if (plain !== name && DROPPED_REQUEST_HEADERS.has(plain)) return false;
  if (!DROPPED_REQUEST_PREFIX.test(plain)) return true;
  return coderHeaders && plain === name && CODER_FORWARDED.test(name);
}

/**
 * Makes a copy of the provider's headers what the client gets: all but hop-by-hop ones and cookies, plus the
 * interception's id. `reframed`: the body is not, byte for byte, what they measured (decoded, or something taken out).
 */
export function toClientHeaders(headers: Headers, interceptionId: string, reframed: boolean): void {
  const listed = connectionHeaders(headers);
  for (const name of DROPPED_RESPONSE_HEADERS) headers.delete(name);
  if (listed) for (const name of listed) headers.delete(name);
  if (reframed) {
    headers.delete("content-encoding");
    headers.delete("content-length");
  }
  headers.set("x-interception-id", interceptionId);
}

/** Whether this request has already been through an interceptor. */
export function hasLooped(headers: Headers): boolean {
  return LOOPED.test(headers.get("via") ?? "");
}

/** A header's name, RFC 9110 §5.1: of what is none there is no header, and to take it out would throw. */
const NAME = /^[\w!#$%&'*+.^`|~-]+$/;

/** Names that `Connection` makes hop-by-hop for this message, or null where it names none. */
function connectionHeaders(headers: Headers): Set<string> | null {
  const value = headers.get("connection");
  if (!value || /^\s*(?:close|keep-alive)\s*$/i.test(value)) return null;
  const listed = value.split(",").map((name) => name.trim().toLowerCase());
  return new Set(listed.filter((name) => NAME.test(name)));
}
