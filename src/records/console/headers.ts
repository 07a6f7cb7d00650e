/** Security headers of every response below `/console`, errors included. Recorded text is untrusted, and its readers are administrators. */

/** Scripts come from the console's own files only. Trusted Types close every sink that makes HTML or script of a text. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "permissions-policy":
    "accelerometer=(), camera=(), clipboard-read=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), usb=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "x-robots-tag": "noindex, nofollow",
};

export const NO_STORE = "no-store";
/** For a file whose name has a digest of its content. */
export const IMMUTABLE = "private, max-age=31536000, immutable";

/** Sets these headers. `cacheControl` is `no-store` except for a file whose name has a digest. */
export function secured(response: Response, id: string, cacheControl = NO_STORE): Response {
  const { headers } = response;
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  headers.set("cache-control", cacheControl);
  headers.set("x-interception-id", id);
  return response;
}
