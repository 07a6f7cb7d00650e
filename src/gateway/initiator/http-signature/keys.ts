/** The keys of HTTP message signatures. With `ed25519` the gateway holds a public key only, and so nothing that can sign. */
import type { HttpSignature } from "../signature.ts";

export type HttpSignatureKey = {
  /** The `keyid` that selects it. */
  readonly id: string;
  readonly algorithm: "hmac-sha256" | "ed25519";
  /** The secret's text in UTF-8, or the 32 bytes of the public key. */
  readonly bytes: Uint8Array<ArrayBuffer>;
};

/** With another length, workerd's Ed25519 throws instead of returning false. */
const SIGNATURE_BYTES = { "hmac-sha256": 32, ed25519: 64 } as const;
const PARAMETERS = {
  "hmac-sha256": { name: "HMAC", hash: "SHA-256" },
  ed25519: { name: "Ed25519" },
} as const;

/**
 * Whether the named key signed this request, and its content has the digest that was signed. The key decides the
 * algorithm: `alg` can only contradict it (RFC 9421 §3.2).
 */
export type VerifyHttpSignature = (presented: HttpSignature, contentSha256: string) => Promise<boolean>;

export function createHttpSignatureVerifier(keys: readonly HttpSignatureKey[]): VerifyHttpSignature {
  const imported = new Map<string, CryptoKey>();
  return async ({ keyId, algorithm, signature, base, contentSha256: signed }, contentSha256) => {
    const key = keys.find(({ id }) => id === keyId);
    if (!key || (algorithm !== null && algorithm !== key.algorithm) || signed !== contentSha256) return false;
    if (signature.length !== SIGNATURE_BYTES[key.algorithm]) return false;
    const parameters = PARAMETERS[key.algorithm];
    // The key and not its promise is kept: a request that is cancelled would leave a promise that never settles.
    const use =
      imported.get(keyId) ?? (await crypto.subtle.importKey("raw", key.bytes, parameters, false, ["verify"]));
    imported.set(keyId, use);
    return crypto.subtle.verify(parameters, use, signature, new TextEncoder().encode(base));
  };
}
