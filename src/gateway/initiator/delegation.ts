/**
 * Delegation: a gateway of Coder's own shows a key that it shares with this one, and speaks for its users. Receives the
 * headers; hands on the actor that the key makes of its sender, and what it says of the caller behind it.
 *
 * Where a key is sent nothing falls back: it is the right one, given once, with well-formed headers beside it, or the
 * request is refused, whatever other credential it has.
 */
import { sha256Hex } from "../../shared/digest.ts";
import type { Credential } from "../identity/credential.ts";
import type { Actor } from "../identity/identity.ts";
import { Refusal } from "../../shared/refusal.ts";
import { isUuid } from "../../shared/uuid.ts";
import { trimWhitespace } from "./owner-header.ts";

export type DelegationRules = {
  /** Any of these; several for rotation. */
  readonly keys: readonly string[];
  /** Who the gateway is. */
  readonly actor: string;
};

export type Delegation = {
  readonly actor: Actor;
  readonly key: string;
  /** The API key of the user behind it, what it is asked for, and where from; null where it does not say. */
  readonly keyId: string | null;
  readonly source: string | null;
  readonly workspaceId: string | null;
};

/** null: no key is sent, so nothing is delegated and the headers beside it are not read. Refuses `delegation_rejected`. */
export type VerifyDelegation = (headers: Headers) => Promise<Delegation | Refusal | null>;

const MAX_KEY = 1024;

export function createDelegationVerifier({ keys, actor }: DelegationRules): VerifyDelegation {
  let digests: readonly string[] | null = null;
  return async (headers) => {
    const sent = headers.get("x-coder-ai-gateway-key");
    if (sent === null) return null;
    const key = trimWhitespace(sent);
    // No key holds a comma: two of them arrive joined by one.
    if (key.includes(",")) return reject("more than one key");
    if (key.length > MAX_KEY) return reject("another key");
    digests ??= await Promise.all(keys.map(sha256Hex));
    const sha256 = await sha256Hex(key);
    if (!isOneOf(sha256, digests)) return reject("another key");
    const said = readDelegationHeaders(headers);
    if (said instanceof Refusal) return said;
    const itself = { id: actor, kind: "service", name: null, source: "delegation" } as const;
    return {
      actor: { ...itself, verified: true, keyId: sha256.slice(0, 16), mayAssert: true },
      key,
      ...said,
    };
  };
}

const reject = (detail: string): Refusal => new Refusal("delegation_rejected", { detail });

/** Looks at every one, each in constant time. */
function isOneOf(sha256: string, digests: readonly string[]): boolean {
  const encoder = new TextEncoder();
  const sent = encoder.encode(sha256);
  const found = digests.map((digest) => crypto.subtle.timingSafeEqual(sent, encoder.encode(digest)));
  return found.includes(true);
}

const DELEGATION_HEADERS: readonly (readonly [header: string, isWellFormed: (value: string) => boolean])[] = [
  ["x-coder-ai-gateway-delegated-key-id", (value) => /^[A-Za-z0-9-]{1,64}$/.test(value)],
  ["x-coder-ai-gateway-source", (value) => /^[a-z0-9-]{1,32}$/.test(value)],
  ["x-coder-ai-gateway-workspace-id", isUuid],
];

/** Each at most once: what a client may have slipped in beside the gateway's own makes two of it, and is refused. */
function readDelegationHeaders(
  headers: Headers,
): Pick<Delegation, "keyId" | "source" | "workspaceId"> | Refusal {
  const values: (string | null)[] = [];
  for (const [header, isWellFormed] of DELEGATION_HEADERS) {
    const value = trimWhitespace(headers.get(header) ?? "");
    if (value !== "" && !isWellFormed(value)) return reject(`${header} is malformed`);
    values.push(value || null);
  }
  const [keyId = null, source = null, workspaceId = null] = values;
  return { keyId, source, workspaceId: workspaceId?.toLowerCase() ?? null };
}

const NO_CREDENTIAL: Credential = {
  identity: null,
  assertion: null,
  ownKey: null,
  hasIdentityHeader: true,
  prefersCentralKey: false,
};

/**
 * What the client presents beside the gateway's key: as beside a governance token, `Authorization` or `X-Api-Key` is its
 * own provider key, and none is needed. The gateway's key is nobody's provider key, wherever else it stands.
 */
export function delegatedCredential(
  { key }: Delegation,
  presented: Credential | Refusal,
): Credential | Refusal {
  if (presented instanceof Refusal)
    return presented.code === "credential_missing" ? NO_CREDENTIAL : presented;
  const { ownKey: own } = presented;
  return {
    ...presented,
    ownKey: own?.value === key ? null : own,
    hasIdentityHeader: true,
    prefersCentralKey: false,
  };
}
