/** The headers of every response of the console, errors included: recorded text is untrusted, and its readers are administrators. */

/** No script but the console's own files, and none from text: each sink of HTML is closed (Trusted Types). */
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
/** Of a file whose name has a digest of its content. */
export const IMMUTABLE = "private, max-age=31536000, immutable";

/** The response with these headers. `cacheControl`: only a file's is not `no-store`. */
export function secured(response: Response, id: string, cacheControl = NO_STORE): Response {
  const { headers } = response;
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  headers.set("cache-control", cacheControl);
  headers.set("x-interception-id", id);
  return response;
}
