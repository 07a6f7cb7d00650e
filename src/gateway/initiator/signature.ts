/**
 * Coder's request signature, version 1: HMAC-SHA256 over nine lines (docs/signing.md). `readSignatureHeader` parses the
 * headers; `createSignatureVerifier` verifies the MAC against the configured secrets. Of the body, only its SHA-256 is
 * needed: of the bytes that the provider reads, so of a compressed body decoded.
 */
import { fromHex } from "../../shared/hex.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { trimWhitespace, type CoderIdHeaders } from "./owner-header.ts";

/** The maximum difference between a signature's timestamp and the gateway's clock, in either direction. */
export const WINDOW_MS = 300_000;

/** The parts of a request that a signature covers, besides its body. */
export type SignableRequest = {
  readonly method: string;
  /** Only its scheme is read, and its host where there is no Host header. */
  readonly url: string;
  /** Path and query as the client sent them. */
  readonly uri: string;
  readonly headers: HeaderReader;
};

/** From when until when a signature is accepted: milliseconds since 1970. */
type Freshness = { readonly from: number; readonly until: number };

/** Coder's own format. */
export type CoderSignature = Freshness & {
  readonly kind: "presented";
  readonly format: "coder";
  /** 64 lower-case hex digits. */
  readonly mac: string;
  /** The signed text before and after the body's SHA-256. */
  readonly before: string;
  readonly after: string;
};

/** An HTTP message signature (RFC 9421), read by `http-signature/`. */
export type HttpSignature = Freshness & {
  readonly kind: "presented";
  readonly format: "http";
  readonly keyId: string;
  /** `alg`; null where it was not sent. */
  readonly algorithm: string | null;
  readonly nonce: string;
  /** The signed text. */
  readonly base: string;
  readonly signature: Uint8Array<ArrayBuffer>;
  /** The signed digest of the content as sent: 64 lower-case hex digits. */
  readonly contentSha256: string;
};

export type PresentedSignature = CoderSignature | HttpSignature;

/** `uncovered`: a well-formed HTTP message signature that leaves out a part of the request that it must cover. */
export type SignatureHeader =
  | PresentedSignature
  | { readonly kind: "absent" }
  | { readonly kind: "malformed" }
  | { readonly kind: "uncovered" };

const MAC = /^v1=([0-9a-f]{64})$/;
const TIMESTAMP = /^[1-9][0-9]{0,11}$/;

/**
 * Parses the two signature headers. Each must be sent exactly once (`Headers.get` joins repeated values with a comma)
 * and in its only valid spelling. If both are empty, the signature is absent.
 */
export function readSignatureHeader(
  { method, uri, headers }: SignableRequest,
  ids: CoderIdHeaders,
): SignatureHeader {
  const signature = trimmed(headers.get("x-coder-signature"));
  const timestamp = trimmed(headers.get("x-coder-signature-timestamp"));
  if (signature === "" && timestamp === "") return { kind: "absent" };
  const mac = MAC.exec(signature)?.[1];
  if (mac === undefined || !TIMESTAMP.test(timestamp)) return { kind: "malformed" };
  const at = Number(timestamp) * 1000;
  return {
    kind: "presented",
    format: "coder",
    from: at - WINDOW_MS,
    until: at + WINDOW_MS,
    mac,
    before: `v1\n${timestamp}\n${method}\n${uri}`,
    after: [
      `owner=${trimmed(ids.owner)}`,
      `chat=${trimmed(ids.chat)}`,
      `subchat=${trimmed(ids.subchat)}`,
      `workspace=${trimmed(ids.workspace)}`,
    ].join("\n"),
  };
}

/**
 * The value as sent, without the blanks around it; empty if the header is absent. A header value cannot hold a line
 * break.
 */
const trimmed = (sent: string | null): string => trimWhitespace(sent ?? "");

/** Whether the signature is accepted at `now` (milliseconds since 1970). */
export function isFresh({ from, until }: PresentedSignature, now: number): boolean {
  return from <= now && now <= until;
}

/**
 * Whether a configured key signed this request with a body of this SHA-256 (64 lower-case hex digits): as the provider
 * reads it for Coder's format, as the client sent it for an HTTP message signature.
 */
export type VerifySignature = (presented: PresentedSignature, bodySha256: string) => Promise<boolean>;

const HMAC = { name: "HMAC", hash: "SHA-256" };

/**
 * `crypto.subtle.verify` compares the MACs in constant time. The key is the secret's text (UTF-8), even if that text is
 * hexadecimal.
 */
export function createSignatureVerifier(
  secrets: readonly string[],
): (presented: CoderSignature, bodySha256: string) => Promise<boolean> {
  const encoder = new TextEncoder();
  let keys: readonly CryptoKey[] | null = null;
  const importKey = (secret: string): Promise<CryptoKey> =>
    crypto.subtle.importKey("raw", encoder.encode(secret), HMAC, false, ["verify"]);
  return async ({ mac, before, after }, bodySha256) => {
    keys ??= await Promise.all(secrets.map(importKey));
    const signature = fromHex(mac);
    const text = encoder.encode(`${before}\n${bodySha256}\n${after}`);
    for (const key of keys) if (await crypto.subtle.verify("HMAC", key, signature, text)) return true;
    return false;
  };
}
