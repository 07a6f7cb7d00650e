/**
 * Coder's signature, version 1, implemented from its description (docs/signing.md), independent of the code under test.
 */
import { sha256Hex } from "../../../src/shared/digest.ts";
import { utf8 } from "./values.ts";
import { toHex } from "../../../src/shared/hex.ts";

export const SIGNING_KEY = "CANARY-signing-secret-of-32-characters";

export type ToSign = {
  readonly uri: string;
  readonly method?: string;
  readonly body?: string | Uint8Array;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly secret?: string;
  /** The request's `x-coder-…-id` headers as sent. */
  readonly headers: Readonly<Record<string, string>>;
};

/** Returns the request's headers with the two signature headers added. */
export async function signed({ uri, method = "POST", body = "", at, secret = SIGNING_KEY, headers }: ToSign) {
  const timestamp = String(Math.floor(at / 1000));
  const idLine = (name: string): string => `${name}=${headers[`x-coder-${name}-id`] ?? ""}`;
  const lines = ["v1", timestamp, method, uri, await sha256Hex(body)];
  const text = [...lines, idLine("owner"), idLine("chat"), idLine("subchat"), idLine("workspace")].join("\n");
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", utf8(secret), hmac, false, ["sign"]);
  const mac = toHex(new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(text))));
  return { ...headers, "x-coder-signature": `v1=${mac}`, "x-coder-signature-timestamp": timestamp };
}

/** A replay cache that has seen no signature, for tests that repeat a signed request at another gateway. */
export const EMPTY_REPLAY_CACHE = {
  idFromName: (name: string) => name,
  get: () => ({ fetch: () => Promise.resolve(new Response(null, { status: 201 })) }),
};
