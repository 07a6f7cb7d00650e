/**
 * Delegation: a gateway of Coder's own presents a key that it shares with this gateway, and may then assert its users
 * as owners. The key's holder becomes the actor; the headers sent with the key describe the caller behind it.
 *
 * If a key is sent, nothing falls back. The key must be valid, sent once, and accompanied by well-formed headers.
 * Otherwise the request is refused, regardless of its other credentials.
 */
import { isSameDigest, keyIdOf, sha256Hex } from "../../shared/digest.ts";
import type { Credential } from "../identity/credential.ts";
import type { Actor } from "../identity/identity.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { isUuid } from "../../shared/uuid.ts";
import { trimWhitespace } from "./owner-header.ts";

export type DelegationRules = {
  /** The accepted keys; several during a rotation. */
  readonly keys: readonly string[];
  /** The actor id of the delegating gateway. */
  readonly actor: string;
};

export type Delegation = {
  readonly actor: Actor;
  readonly key: string;
  /** The user's API key id, where the call comes from, and its workspace; null where the gateway does not send it. */
  readonly keyId: string | null;
  readonly source: string | null;
  readonly workspaceId: string | null;
};

/**
 * Returns null if no key is sent: nothing is delegated, and the headers that describe the caller are not read. Refuses
 * with `delegation_rejected`.
 */
export type VerifyDelegation = (headers: HeaderReader) => Promise<Delegation | Refusal | null>;

const MAX_KEY = 1024;

export function createDelegationVerifier({ keys, actor }: DelegationRules): VerifyDelegation {
  let digests: readonly string[] | null = null;
  return async (headers) => {
    const sent = headers.get("x-coder-ai-gateway-key");
    if (sent === null) return null;
    const key = trimWhitespace(sent);
    // A key cannot contain a comma, but `Headers.get` joins two values with one.
    if (key.includes(",")) return reject("more than one key");
    const sha256 = await sha256Hex(key);
    const keyId = keyIdOf(sha256);
    digests ??= await Promise.all(keys.map(sha256Hex));
    if (key.length > MAX_KEY || !isOneOf(sha256, digests)) return reject("unknown key", keyId);
    const caller = readDelegationHeaders(headers, keyId);
    if (caller instanceof Refusal) return caller;
    const gateway = { id: actor, kind: "service", name: null, source: "delegation" } as const;
    return {
      actor: { ...gateway, verified: true, keyId, mayAssert: true },
      key,
      ...caller,
    };
  };
}

const reject = (detail: string, keyId?: string): Refusal =>
  new Refusal("delegation_rejected", { detail, ...(keyId !== undefined && { keyId }) });

/** Compares with every digest, each in constant time. */
function isOneOf(sha256: string, digests: readonly string[]): boolean {
  const matches = digests.map((digest) => isSameDigest(sha256, digest));
  return matches.includes(true);
}

const DELEGATION_HEADERS: readonly (readonly [header: string, isWellFormed: (value: string) => boolean])[] = [
  ["x-coder-ai-gateway-delegated-key-id", (value) => /^[A-Za-z0-9-]{1,64}$/.test(value)],
  ["x-coder-ai-gateway-source", (value) => /^[a-z0-9-]{1,32}$/.test(value)],
  ["x-coder-ai-gateway-workspace-id", isUuid],
];

/** Each header at most once. A header that a client adds to the gateway's own makes two values, which are refused. */
function readDelegationHeaders(
  headers: HeaderReader,
  gatewayKeyId: string,
): Pick<Delegation, "keyId" | "source" | "workspaceId"> | Refusal {
  const values: (string | null)[] = [];
  for (const [header, isWellFormed] of DELEGATION_HEADERS) {
    const value = trimWhitespace(headers.get(header) ?? "");
    if (value !== "" && !isWellFormed(value)) return reject(`${header} is malformed`, gatewayKeyId);
    values.push(value || null);
  }
  const [keyId = null, source = null, workspaceId = null] = values;
  return { keyId, source, workspaceId: workspaceId?.toLowerCase() ?? null };
}

const NO_CREDENTIAL: Credential = {
  identity: null,
  accessToken: null,
  ownKey: null,
  hasIdentityHeader: true,
  prefersCentralKey: false,
  isFromPage: false,
};

/**
 * The credential of the client behind a delegating gateway. As with a governance token, the key in `Authorization`,
 * `X-Api-Key`, `api-key` or `x-goog-api-key` is then the client's own provider key, and it is optional. The delegation key
 * itself never counts as a provider key, in any header.
 */
export function delegatedCredential(
  { key }: Delegation,
  presented: Credential | Refusal,
): Credential | Refusal {
  if (presented instanceof Refusal)
    return presented.code === "credential_missing" ? NO_CREDENTIAL : presented;
  const { ownKey } = presented;
  return {
    ...presented,
    ownKey: ownKey?.value === key ? null : ownKey,
    hasIdentityHeader: true,
    prefersCentralKey: false,
  };
}
