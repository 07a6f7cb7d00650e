/**
 * Plain values for many tests. Each builder returns a complete, valid value; a test overrides only the fields that it
 * tests.
 */
import type { Credential, Secret } from "../../../src/gateway/identity/credential.ts";
import type { Actor } from "../../../src/gateway/identity/identity.ts";
import {
  readOwnerClaim,
  type OwnerClaim,
  type Asserter,
} from "../../../src/gateway/initiator/owner-claim.ts";
import type { AssertionRules } from "../../../src/gateway/initiator/rules.ts";
import { anthropic } from "../../../src/gateway/provider/anthropic/dialect.ts";
import { openai } from "../../../src/gateway/provider/openai/dialect.ts";
import type { CentralKey, Provider } from "../../../src/gateway/provider/provider.ts";
import type { KeyDeps } from "../../../src/gateway/upstream/provider-key.ts";
import { Refusal, type RefusalCode } from "../../../src/shared/refusal.ts";

export const OWNER = "7f3c2a10-1234-4abc-9def-000000000001";
export const CODER_AGENTS_UA = "coder-agents/v2.24.0 (linux/amd64)";

export function openaiProvider(over: Partial<Provider> = {}): Provider {
  return {
    name: "openai",
    dialect: openai,
    baseUrl: "https://api.openai.example/v1",
    keys: [],
    keyHeader: null,
    accountHeaders: [],
    injectUsage: true,
    coderHeaders: false,
    forwardHeaders: [],
    objects: { read: null, write: null, delete: null },
    models: null,
    filterModels: true,
    keepsCache: false,
    retries: { attempts: 1, deadlineMs: 30_000, waitMs: 500, retryOn: "not_run" },
    headersMs: null,
    breaker: null,
    concurrency: null,
    fallbacks: [],
    modelIds: new Map(),
    aiGateway: null,
    actorHeaders: false,
    ...over,
  };
}

export const centralKeys = (...values: readonly string[]): readonly CentralKey[] =>
  values.map((value) => ({ kind: "key", value }));

/** Of credentials that fetch nothing. */
export const KEY_DEPS: KeyDeps = {
  fetch: () => Promise.reject(new Error("an unexpected fetch")),
  now: () => 0,
  logError: () => undefined,
  onSecret: () => undefined,
};

export function anthropicProvider(over: Partial<Provider> = {}): Provider {
  return openaiProvider({
    name: "anthropic",
    dialect: anthropic,
    baseUrl: "https://api.anthropic.example",
    ...over,
  });
}

export function providers(...list: readonly Provider[]): ReadonlyMap<string, Provider> {
  return new Map(list.map((provider) => [provider.name, provider]));
}

export function actor(over: Partial<Actor> = {}): Actor {
  return {
    id: "ci-bot",
    kind: "service",
    name: "CI bot",
    source: "keys",
    verified: true,
    keyId: "0123456789abcdef",
    mayAssert: null,
    ...over,
  };
}

/** An actor known only by the fingerprint of its own provider key. */
export const fingerprint: Actor = actor({
  id: "byok:0123456789abcdef0123456789abcdef",
  kind: "unknown",
  name: null,
  source: "byok",
  verified: false,
});

export function rules(over: Partial<AssertionRules> = {}): AssertionRules {
  return {
    source: "coder",
    allow: "any",
    actors: [],
    onInvalid: "ignore",
    signature: "off",
    once: false,
    directory: "off",
    ...over,
  };
}

/** The claim of Coder Agents, with the service account's key and these headers. */
export function claim(
  headers: Readonly<Record<string, string>> | Headers,
  { asserter = {}, at = 0, method = "POST", uri = "/openai/v1/chat/completions" }: ClaimOptions = {},
): OwnerClaim {
  const sender: Asserter = { actor: actor(), isCoderAgents: true, isDelegating: false, ...asserter };
  return readOwnerClaim(
    sender,
    { method, url: "https://gateway.test", uri, headers: new Headers(headers) },
    at,
  );
}

export type ClaimOptions = {
  readonly asserter?: Partial<Asserter>;
  readonly at?: number;
  readonly method?: string;
  readonly uri?: string;
};

export function secret(value: string, from: Secret["from"] = "authorization"): Secret {
  return { value, from, sha256: "0".repeat(64) };
}

/** The credential of a request without a governance token. */
export function ungoverned(ownKey: Secret): Credential {
  return {
    identity: ownKey,
    accessToken: null,
    ownKey,
    hasIdentityHeader: false,
    prefersCentralKey: false,
    isFromPage: false,
  };
}

/** The credential of a request with a governance token, and possibly its own provider key. */
export function governed(token: string, ownKey: Secret | null): Credential {
  const identity = secret(token, "x-coder-ai-governance-token");
  return {
    identity,
    accessToken: null,
    ownKey,
    hasIdentityHeader: true,
    prefersCentralKey: false,
    isFromPage: false,
  };
}

/** The credential of a request that came through Cloudflare Access. */
export function asserted(token: string, ownKey: Secret | null, prefersCentralKey = true): Credential {
  return {
    identity: ownKey,
    accessToken: secret(token, "cf-access-jwt-assertion"),
    ownKey,
    hasIdentityHeader: true,
    prefersCentralKey,
    isFromPage: false,
  };
}

const encoder = new TextEncoder();

export const utf8 = (text: string): Uint8Array => encoder.encode(text);
export const text = (bytes: Uint8Array): string =>
  new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.byteLength;
  }
  return joined;
}

/** Returns the value; fails the test if it is a refusal. */
export function accepted<T>(value: T): Exclude<T, Refusal> {
  if (value instanceof Refusal) throw new Error(`refused: ${JSON.stringify(value)}`);
  return value as Exclude<T, Refusal>;
}

/** The code of a refusal; null if the value is not a refusal. */
export function reasonOf(value: unknown): RefusalCode | null {
  return value instanceof Refusal ? value.code : null;
}

export function statusOf(value: unknown): number | null {
  return value instanceof Refusal ? value.status : null;
}
