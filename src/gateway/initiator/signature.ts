/**
 * Coder's signature, version 1, on a model call: HMAC-SHA256 over nine lines (docs/signing.md). Reads it off the
 * headers, and checks it against the configured secrets. Knows nothing of bodies but their SHA-256.
 */
import { trimWhitespace } from "./owner-header.ts";

/** How far a timestamp may be from our clock, either way. */
export const WINDOW_MS = 300_000;

export type PresentedSignature = {
  readonly kind: "presented";
  /** Unix seconds. */
  readonly timestamp: number;
  /** 64 lower-case hex digits. */
  readonly mac: string;
  /** The signed text: what stands before the body's SHA-256 in it, and what behind. */
  readonly before: string;
  readonly after: string;
};

export type SignatureHeader =
  PresentedSignature | { readonly kind: "absent" } | { readonly kind: "malformed" };

const MAC = /^v1=([0-9a-f]{64})$/;
const TIMESTAMP = /^[1-9][0-9]{0,11}$/;

/**
 * `uri`: path and query as the client sent them. Each of the two headers must be there exactly once (twice arrives as a
 * list) and in its one spelling; both empty are as absent.
 */
export function readSignatureHeader(headers: Headers, method: string, uri: string): SignatureHeader {
  const signature = valueOf(headers, "x-coder-signature");
  const timestamp = valueOf(headers, "x-coder-signature-timestamp");
  if (signature === "" && timestamp === "") return { kind: "absent" };
  const mac = MAC.exec(signature)?.[1];
  if (mac === undefined || !TIMESTAMP.test(timestamp)) return { kind: "malformed" };
  return {
    kind: "presented",
    timestamp: Number(timestamp),
    mac,
    before: `v1\n${timestamp}\n${method}\n${uri}`,
    after: [
      `owner=${valueOf(headers, "x-coder-owner-id")}`,
      `chat=${valueOf(headers, "x-coder-chat-id")}`,
      `subchat=${valueOf(headers, "x-coder-subchat-id")}`,
      `workspace=${valueOf(headers, "x-coder-workspace-id")}`,
    ].join("\n"),
  };
}

/** As it was sent, but for the blanks around it; empty where it is absent. No header's value holds a line break. */
function valueOf(headers: Headers, name: string): string {
  return trimWhitespace(headers.get(name) ?? "");
}

export function isFresh({ timestamp }: PresentedSignature, now: number): boolean {
  return Math.abs(now - timestamp * 1000) <= WINDOW_MS;
}

/** Whether one of the secrets has signed this, with a body of this SHA-256 (64 lower-case hex digits). */
export type VerifySignature = (presented: PresentedSignature, bodySha256: string) => Promise<boolean>;

const HMAC = { name: "HMAC", hash: "SHA-256" };

/** The comparison is the platform's own, in constant time. Each secret's text is the key, hexadecimal or not. */
export function createSignatureVerifier(secrets: readonly string[]): VerifySignature {
  const encoder = new TextEncoder();
  let keys: readonly CryptoKey[] | null = null;
  const importKey = (secret: string): Promise<CryptoKey> =>
    crypto.subtle.importKey("raw", encoder.encode(secret), HMAC, false, ["verify"]);
  return async ({ mac, before, after }, bodySha256) => {
    keys ??= await Promise.all(secrets.map(importKey));
    const [sent, text] = [fromHex(mac), encoder.encode(`${before}\n${bodySha256}\n${after}`)];
    for (const key of keys) if (await crypto.subtle.verify("HMAC", key, sent, text)) return true;
    return false;
  };
}

function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) =>
    Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16),
  );
}
