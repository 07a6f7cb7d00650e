/** How a request is authorized at the provider: by a key in a header, or by headers that depend on the request. */
import type { LogOperatorEvent } from "../../shared/operator-log.ts";
import type { Refusal } from "../../shared/refusal.ts";
import type { NamedSecret } from "../../shared/secret-finder.ts";
import type { CentralKey, KeyHeader, Provider } from "../provider/provider.ts";
import type { UpstreamBody } from "./forward.ts";

export type UpstreamCredential = {
  readonly kind: "centralized" | "byok";
  /** A few characters from both ends of the key, by which its owner recognizes it; null if the key is too short. */
  readonly hint: string | null;
  /** null where `authorize` sets the headers. */
  readonly header: readonly [name: string, value: string] | null;
  readonly authorize?: Authorize;
  /** Called when the provider responds 401, which may mean that a fetched token is not valid any more. */
  readonly rejected?: () => void;
};

/** Everything outside of this folder that a credential uses which is fetched. */
export type KeyDeps = {
  readonly fetch: typeof fetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logError: LogOperatorEvent;
  /** Gets a fetched secret before its first use, so that no response passes it on. */
  readonly onSecret: (secret: NamedSecret) => void;
};

/**
 * Sets the headers of one request that depend on the time or on the request: a token that the gateway fetches, a signature.
 * It is called again for each attempt. @returns the refusal where the request cannot be authorized.
 */
export type Authorize = (request: UnauthorizedRequest) => Promise<Refusal | null>;

export type UnauthorizedRequest = {
  readonly url: string;
  readonly method: string;
  /** Complete but for those that are set here. */
  readonly headers: Headers;
  readonly body: UpstreamBody;
  /** Keeps the invocation alive after the response. */
  readonly waitUntil?: (promise: Promise<unknown>) => void;
};

export function keyCredential(
  { value }: Extract<CentralKey, { kind: "key" }>,
  provider: Provider,
): UpstreamCredential {
  const { keyHeader, dialect } = provider;
  const header = keyHeader === null ? dialect.keyHeader(value) : keyHeaderOf(value, keyHeader);
  return { kind: "centralized", hint: credentialHint(value), header };
}

/** https://developers.cloudflare.com/ai-gateway/configuration/authentication/ */
export const aiGatewayHeader = (token: string): readonly [name: string, value: string] => [
  "cf-aig-authorization",
  `Bearer ${token}`,
];

/**
 * AI Gateway's token, where it alone authorizes: AI Gateway adds a key that it stores. null for another provider.
 * https://developers.cloudflare.com/ai-gateway/configuration/bring-your-own-keys/
 */
export function storedCredential({ keys, aiGateway }: Provider): UpstreamCredential | null {
  const token = aiGateway?.token ?? null;
  if (token === null || keys.length > 0) return null;
  return { kind: "centralized", hint: credentialHint(token), header: aiGatewayHeader(token) };
}

export const keyHeaderOf = (key: string, name: KeyHeader): readonly [name: string, value: string] => [
  name,
  name === "authorization" ? `Bearer ${key}` : key,
];

/** Coder's format: 4 characters of each end from a length of 20, 2 from 10, 1 from 5; shorter keys have no hint. */
export function credentialHint(key: string): string | null {
  const shown = key.length >= 20 ? 4 : key.length >= 10 ? 2 : key.length >= 5 ? 1 : 0;
  return shown === 0 ? null : `${key.slice(0, shown)}...${key.slice(-shown)}`;
}
