/** HTTP message signatures (RFC 9421), made from the RFC's description and independent of the code under test. */
import { utf8 } from "./values.ts";

export const HTTP_SECRET = "CANARY-http-signature-secret-of-32";
/** The key pair of RFC 9421 appendix B.1.4 (`test-key-ed25519`). */
export const ED25519 = {
  kty: "OKP",
  crv: "Ed25519",
  d: "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU",
  x: "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs",
} as const;

export const base64 = (bytes: ArrayBuffer | Uint8Array): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)));

export async function contentDigest(body: string | Uint8Array): Promise<string> {
  const bytes = typeof body === "string" ? utf8(body) : Uint8Array.from(body);
  return `sha-256=:${base64(await crypto.subtle.digest("SHA-256", bytes))}:`;
}

export type ToHttpSign = {
  readonly method?: string;
  /** Absolute. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As it is sent, so compressed where it is. */
  readonly body?: string | Uint8Array;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The covered components; by default all that a gateway requires. */
  readonly components?: readonly string[];
  /** Parameters in their serialized form, in this order; null leaves one out. */
  readonly params?: Readonly<Record<string, string | null>>;
  readonly secret?: string;
  readonly algorithm?: "hmac-sha256" | "ed25519";
  readonly label?: string;
};

const lineOf = (name: string, { method = "POST", url }: ToHttpSign, headers: Headers): string => {
  const { protocol, host, pathname, search } = new URL(url);
  const derived: Readonly<Record<string, string>> = {
    "@method": method,
    "@authority": host,
    "@target-uri": `${protocol}//${host}${pathname}${search}`,
    "@path": pathname,
    "@query": search || "?",
    "@status": "200",
  };
  return `"${name}": ${derived[name] ?? headers.get(name) ?? ""}`;
};

/** The request's headers with `content-digest`, `signature-input` and `signature` added. */
export async function httpSigned(request: ToHttpSign): Promise<Record<string, string>> {
  const { body = "", at, algorithm = "hmac-sha256", label = "sig1" } = request;
  const digest = request.headers["content-digest"] ?? (await contentDigest(body));
  const headers = new Headers({ "content-digest": digest, ...request.headers });
  const created = Math.floor(at / 1000);
  const ids = [...headers.keys()].filter((name) => /^x-coder-.*-id$|^content-encoding$/.test(name));
  const components = request.components ?? ["@method", "@authority", "@target-uri", "content-digest", ...ids];
  const params = Object.entries({
    created: String(created),
    expires: String(created + 60),
    nonce: `"${crypto.randomUUID()}"`,
    keyid: algorithm === "ed25519" ? '"ed"' : '"mac"',
    ...request.params,
  }).flatMap(([name, value]) => (value === null ? [] : `;${name}=${value}`));
  const input = `(${components.map((name) => `"${name}"`).join(" ")})${params.join("")}`;
  const lines = [
    ...components.map((name) => lineOf(name, request, headers)),
    `"@signature-params": ${input}`,
  ];
  const signature = await signBytes(utf8(lines.join("\n")), request);
  return {
    ...Object.fromEntries(headers),
    "signature-input": `${label}=${input}`,
    signature: `${label}=:${base64(signature)}:`,
  };
}

async function signBytes(
  text: Uint8Array,
  { algorithm = "hmac-sha256", secret = HTTP_SECRET }: ToHttpSign,
): Promise<ArrayBuffer> {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key =
    algorithm === "ed25519"
      ? await crypto.subtle.importKey("jwk", ED25519, { name: "Ed25519" }, false, ["sign"])
      : await crypto.subtle.importKey("raw", utf8(secret), hmac, false, ["sign"]);
  return crypto.subtle.sign(algorithm === "ed25519" ? "Ed25519" : "HMAC", key, Uint8Array.from(text));
}
