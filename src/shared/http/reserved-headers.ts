/** Request headers that no configuration can forward: they steer a hop, describe the caller, or carry a credential. */

/** Hop-by-hop fields (RFC 9110 §7.6.1), obsolete ones that are still in use included. */
export const HOP_BY_HOP = [
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

/** With `-` for `_`: servers that read CGI-style names treat both alike. A `*` stands for any rest. */
const RESERVED = [
  ...HOP_BY_HOP,
  "proxy-*",
  // The gateway sets them, or fetch does.
  "host",
  "content-length",
  "accept-encoding",
  "via",
  "expect",
  "x-interception-id",
  // Credentials of the caller.
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "cookie",
  "cookie2",
  "x-amz-*",
  "coder-*",
  "x-coder-*",
  // The gateway alone names the caller (upstream/caller-headers.ts).
  "x-ai-bridge-*",
  // The caller's connection, and what networks in front of the gateway add.
  "cf-*",
  "cloudflare-*",
  "cdn-loop",
  "forwarded",
  "forwarded-for",
  "x-forwarded",
  "x-forwarded-*",
  "x-original-forwarded-for",
  "x-original-host",
  "x-remote-ip",
  "x-remote-addr",
  "x-envoy-external-address",
  "fastly-client-ip",
  "x-real-ip",
  "true-client-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "exposed-credential-check",
  "malicious-uploads-detection",
  // Another method, path or part of the response than the gateway decided about and observes.
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
  "range",
  "if-range",
];

/** A name in lower case, or a prefix of at least three letters and a `*`. */
export const HEADER_PATTERN = /^[a-z][\w.-]*$|^[a-z][\w.-]{2,}\*$/;

/** Whether a name or prefix covers a reserved header. */
export function coversReserved(pattern: string): boolean {
  const [name, isPrefix] = split(pattern.toLowerCase().replaceAll("_", "-"));
  return RESERVED.some((entry) => {
    const [reserved, isReservedPrefix] = split(entry);
    return (
      name === reserved ||
      (isReservedPrefix && name.startsWith(reserved)) ||
      (isPrefix && reserved.startsWith(name))
    );
  });
}

const split = (pattern: string): readonly [name: string, isPrefix: boolean] =>
  pattern.endsWith("*") ? [pattern.slice(0, -1), true] : [pattern, false];
