/** The client's headers as the provider may see them. A deny-list: a header that is not listed is forwarded verbatim. */
import { BODY_HEADERS } from "../../shared/http/body-headers.ts";
import type { HeaderReader, NamedHeaders } from "../../shared/http/named-headers.ts";
import { connectionHeaders, HOP_BY_HOP } from "./hop-by-hop.ts";

/** Headers that the gateway sets, that a network in front of it sets, or that describe the client's own connection. */
const DROPPED_HEADERS = new Set([
  ...HOP_BY_HOP,
  "host",
  "content-length", // fetch measures the body itself
  "accept-encoding", // replaced by identity: a compressed stream arrives in one piece once it is touched
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
  "signature", // of the request to this gateway
  "signature-input",
  // Added by managed transforms of the gateway's zone, and about the client:
  // https://developers.cloudflare.com/rules/transform/managed-transforms/reference/
  "exposed-credential-check",
  "malicious-uploads-detection",
]);

/** `cloudflare-workers-*`: by these a caller of a Worker chooses its version (gradual deployments). */
const DROPPED_PREFIX = /^(?:cf-|cloudflare-workers-|x-forwarded-|x-coder-)/;
/**
 * The `X-Coder-*` headers for an upstream that is Coder itself. Tokens and signatures are never forwarded, nor is the
 * owner as the client sent it, which may have been rejected.
 */
const CODER_FORWARDED = /^x-coder-(?!owner-id$|ai-g|signature|.*token)/;

/**
 * Towards a destination that is not a Cloudflare zone, the platform adds the client's address as `x-real-ip` unless the
 * Worker sets that header. `CF-Connecting-IP`, which it adds too, cannot be set.
 * https://developers.cloudflare.com/fundamentals/reference/http-headers/#cf-connecting-ip-in-worker-subrequests
 *
 * An address for documentation (RFC 5737): it is no host's, so no provider's rule can match it, unlike an unspecified,
 * loopback or private address, which some servers trust.
 */
export const REAL_IP = "192.0.2.1";

/** The gateway's entry in `Via` (RFC 9110 §7.6.3), which reveals a request that loops back to a gateway. */
export const VIA_MARK = "ai-edge-interceptor";
const LOOPED = new RegExp(`(?:^|[\\s,])${VIA_MARK}(?:$|[\\s,(])`);

/** A decoded body is another representation. */
const OF_ENCODED_BODY: ReadonlySet<string> = new Set(BODY_HEADERS);

export type UpstreamHeaderOptions = {
  /** The body was compressed, and is forwarded decoded. */
  readonly isDecoded?: boolean;
  /** Forward `X-Coder-*` (except credentials and signatures), for an upstream that is Coder itself. */
  readonly coderHeaders: boolean;
  /** The accepted owner, the only one that such an upstream receives; null if there is none. */
  readonly owner: string | null;
  /** The one credential that the provider receives. */
  readonly credential: readonly [name: string, value: string];
};

/** The headers to send: the client's without the dropped ones, plus the provider's credential. */
export function upstreamHeaders(sent: NamedHeaders, options: UpstreamHeaderOptions): Headers {
  const listed = connectionHeaders(sent);
  // A native copy and deletions take fewer instructions than copying each field.
  const headers = new Headers(sent.native);
  for (const name of sent.names) {
    if (!isForwarded(name, options) || listed?.has(name)) headers.delete(name);
  }
  if (options.coderHeaders && options.owner !== null) headers.set("x-coder-owner-id", options.owner);
  headers.set("accept-encoding", "identity");
  headers.set("via", `1.1 ${VIA_MARK}`);
  headers.set("x-real-ip", REAL_IP);
  headers.set(options.credential[0], options.credential[1]);
  return headers;
}

function isForwarded(name: string, { coderHeaders, isDecoded }: UpstreamHeaderOptions): boolean {
  if (DROPPED_HEADERS.has(name)) return false;
  // Servers that read CGI-style names treat `_` as `-`, so both spellings follow the same rules.
  const hyphenated = name.includes("_") ? name.replaceAll("_", "-") : name;
  if (hyphenated !== name && DROPPED_HEADERS.has(hyphenated)) return false;
  if (isDecoded && OF_ENCODED_BODY.has(hyphenated)) return false;
  if (!DROPPED_PREFIX.test(hyphenated)) return true;
  return coderHeaders && hyphenated === name && CODER_FORWARDED.test(name);
}

/** Whether this request has already passed through a gateway of this kind. */
export function hasLooped(headers: HeaderReader): boolean {
  return LOOPED.test(headers.get("via") ?? "");
}
