/**
 * The provider's headers as the client may see them. A deny-list of kinds; a header of another kind is forwarded verbatim,
 * because SDKs read many: `retry-after`, `x-should-retry`, request ids, and the rate limits (`x-ratelimit-*`,
 * `anthropic-ratelimit-*`), by which they slow down before the provider rejects a request. Those stay for a central key too.
 */
import { declaredKind, deleteBodyHeaders } from "../../shared/http/body-headers.ts";
import { NamedHeaders } from "../../shared/http/named-headers.ts";
import { HOP_BY_HOP } from "../../shared/http/reserved-headers.ts";
import type { SecretFinder } from "../../shared/secret-finder.ts";
import { connectionHeaders } from "./hop-by-hop.ts";

/**
 * - Only the gateway's refusals have `x-interceptor-error`. `x-coder-ai-gateway-error` makes a delegating Coder treat a
 *   provider's 401 as the gateway's, and retry.
 * - The others set state or policy for a browser on the gateway's origin, or instruct a server in front of the gateway.
 */
const DROPPED: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  "x-interceptor-error",
  "x-coder-ai-gateway-error",
  "set-cookie",
  "set-cookie2",
  "set-login",
  "clear-site-data",
  "refresh",
  "link",
  "sourcemap",
  "x-sourcemap",
  "alt-svc",
  "alt-used",
  "strict-transport-security",
  "expect-ct",
  "nel",
  "report-to",
  "reporting-endpoints",
  "service-worker-allowed",
  "service-worker-navigation-preload",
  "speculation-rules",
  "supports-loading-mode",
  "x-frame-options",
  "x-xss-protection",
  "x-download-options",
  "x-dns-prefetch-control",
  "x-ua-compatible",
  "referrer-policy",
  "permissions-policy",
  "feature-policy",
  "document-policy",
  "require-document-policy",
  "origin-agent-cluster",
  "origin-trial",
  "timing-allow-origin",
  "x-permitted-cross-domain-policies",
  "accept-ch",
  "accept-ch-lifetime",
  "critical-ch",
  "activate-storage-access",
  "observe-browsing-topics",
  "use-as-dictionary",
  "x-accel-redirect",
  "x-accel-expires",
  "x-sendfile",
  "x-lighttpd-send-file",
]);
const DROPPED_KINDS =
  /^(?:access-control-|cross-origin-|content-security-policy|x-content-security-policy|x-webkit-csp|public-key-pins|attribution-reporting-)/;

/** Names of the account that the central key belongs to. */
const ACCOUNT = /(?:^|-)(?:organi[sz]ation|project|account|workspace|tenant|subscription)(?:-(?:id|name))?$/;

/** How the provider wants its response cached. Responses are for one caller. */
const CACHING = /^(?:age|expires|pragma|cache-tag|surrogate-(?:control|key)|(?:[\w-]+-)?cdn-cache-control)$/;

/** A page of any type that is shown on the gateway's origin runs no script and loads nothing. */
const SANDBOX = "sandbox; default-src 'none'";

export type ClientHeaderOptions = {
  readonly interceptionId: string;
  /**
   * The client's body is not the one that the length, encoding and digest headers describe (it was decoded, or an event was
   * removed).
   */
  readonly isModified: boolean;
  /** The request had a central key. */
  readonly isCentral: boolean;
  /** The provider's Cache-Control stays. */
  readonly keepsCache: boolean;
  readonly secrets: SecretFinder | null;
  /** The same headers, where they were read before. */
  readonly received?: NamedHeaders;
};

/**
 * Changes a copy of the provider's headers into the client's.
 *
 * @returns The name of a configured secret that a header contained; null if none did. That header is removed.
 */
export function toClientHeaders(headers: Headers, options: ClientHeaderOptions): string | null {
  const { interceptionId, isModified, isCentral, keepsCache, secrets } = options;
  const { received = new NamedHeaders(headers) } = options;
  const listed = connectionHeaders(received);
  // One pass over the headers that are there costs less than a lookup of each that may be, and one search of all of them
  // less than one of each.
  const leaked = secrets && findLeak(received, secrets);
  for (const [name, value] of received.entries) {
    const isDropped =
      DROPPED.has(name) ||
      DROPPED_KINDS.test(name) ||
      (isCentral && ACCOUNT.test(name)) ||
      (!keepsCache && CACHING.test(name)) ||
      listed?.has(name) === true ||
      (leaked !== null && (secrets?.findAny(value) ?? secrets?.find(name)) != null);
    if (isDropped) headers.delete(name);
  }
  if (isModified) deleteBodyHeaders(headers);
  headers.set("x-interception-id", interceptionId);
  headers.set("x-content-type-options", "nosniff");
  if (!keepsCache) headers.set("cache-control", "private, no-store");
  if (declaredKind(received) === "opaque") headers.set("content-security-policy", SANDBOX);
  return leaked;
}

function findLeak({ entries }: NamedHeaders, { find, findAny }: SecretFinder): string | null {
  let names = "";
  let values = "";
  for (const [name, value] of entries) {
    names += `${name}\n`;
    values += `${value}\n`;
  }
  return findAny(values) ?? find(names);
}
