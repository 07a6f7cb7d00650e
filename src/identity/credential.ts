/**
 * What the request presents: an identity credential, and perhaps the client's own provider key beside it. Receives the
 * headers, hands on values with their SHA-256; decides nothing about whose they are.
 */
import { sha256Hex } from "../digest.ts";
import { Refusal } from "../refusal.ts";

export type Secret = {
  readonly value: string;
  readonly from: "x-coder-ai-governance-token" | "authorization" | "x-api-key";
  /** SHA-256 of the whole value, 64 hex digits. */
  readonly sha256: string;
};

export type Credential = {
  /** What says who is calling: the governance token, else `Authorization: Bearer`, else `X-Api-Key`. */
  readonly identity: Secret;
  /**
   * The client's own provider key: what stands beside a governance token, else the identity credential itself; null
   * where that is a client key of this gateway.
   */
  readonly own: Secret | null;
  /** Identity came in the governance header, so `Authorization`/`X-Api-Key` are the client's own provider key. */
  readonly governed: boolean;
};

/** What this gateway's own client keys begin with: such a key is nobody's provider key, and goes nowhere but here. */
export const CLIENT_KEY_PREFIX = "aei_";

const MAX_TOKEN = 8192;
/** token68, RFC 9110 §11.2: no blank, comma, quote or anything a log or shell could trip over. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/**
 * Refuses `credential_missing` where there is none and `credential_malformed` where one is repeated, not a bearer, or
 * not a token. Where `Authorization` and `X-Api-Key` are both sent, the first counts and the second is dropped.
 */
export async function readCredential(headers: Headers): Promise<Credential | Refusal> {
  const governance = headers.get("x-coder-ai-governance-token")?.trim() ?? "";
  const own = ownKey(headers);
  if (own instanceof Refusal) return own;
  const sent = own && (await secret(own.value, own.from));
  // Whatever says who is calling is no provider key, in whichever header it stands beside itself.
  const ownSecret = sent?.value.startsWith(CLIENT_KEY_PREFIX) || sent?.value === governance ? null : sent;
  if (governance !== "") {
    if (!isToken(governance)) return new Refusal("credential_malformed", "X-Coder-AI-Governance-Token");
    return {
      identity: await secret(governance, "x-coder-ai-governance-token"),
      own: ownSecret,
      governed: true,
    };
  }
  if (sent === null) return new Refusal("credential_missing");
  return { identity: sent, own: ownSecret, governed: false };
}

function ownKey(headers: Headers): Pick<Secret, "value" | "from"> | Refusal | null {
  const authorization = headers.get("authorization");
  if (authorization !== null) {
    const bearer = /^bearer +(\S+)\s*$/i.exec(authorization)?.[1];
    if (bearer === undefined || !isToken(bearer)) return new Refusal("credential_malformed", "Authorization");
    return { value: bearer, from: "authorization" };
  }
  const apiKey = headers.get("x-api-key")?.trim() ?? "";
  if (apiKey === "") return null;
  return isToken(apiKey)
    ? { value: apiKey, from: "x-api-key" }
    : new Refusal("credential_malformed", "X-Api-Key");
}

function isToken(value: string): boolean {
  return value.length <= MAX_TOKEN && TOKEN.test(value);
}

async function secret(value: string, from: Secret["from"]): Promise<Secret> {
  return { value, from, sha256: await fingerprint(value) };
}

/**
 * SHA-256 of the tokens last seen, by the whole token: the same few call again and again, and a digest costs a
 * twentieth of our share of a request. Bounded, so that strangers' tokens cannot fill memory; it grants nothing, as
 * every look-up goes on by the digest.
 */
const fingerprints = new Map<string, string>();
const MAX_FINGERPRINTS = 512;

async function fingerprint(token: string): Promise<string> {
  const known = fingerprints.get(token);
  if (known !== undefined) return known;
  const sha256 = await sha256Hex(token);
  if (fingerprints.size >= MAX_FINGERPRINTS) fingerprints.clear();
  fingerprints.set(token, sha256);
  return sha256;
}
