/**
 * What the request presents: an identity credential, and perhaps the client's own provider key beside it. Receives the
 * headers, hands on values with their SHA-256; decides nothing about whose they are.
 */
import { sha256Hex } from "../../shared/digest.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { SourceInstance } from "./identity.ts";

export type Secret = {
  readonly value: string;
  readonly from: "x-coder-ai-governance-token" | "cf-access-jwt-assertion" | "authorization" | "x-api-key";
  /** SHA-256 of the whole value, 64 hex digits. */
  readonly sha256: string;
};

export type Credential = {
  /**
   * What says who is calling: the governance token, else `Authorization: Bearer`, else `X-Api-Key`. null: none of them is
   * there, only an assertion.
   */
  readonly identity: Secret | null;
  /** What Cloudflare Access says of the caller; null where it says nothing, or where no source would trust it. */
  readonly assertion: Secret | null;
  /**
   * The client's own provider key: what stands beside a header that only says who is calling, else the identity
   * credential itself; null where it is one that a source judges.
   */
  readonly ownKey: Secret | null;
  /** Who is calling is said in a header of its own, so `Authorization`/`X-Api-Key` are the client's own provider key. */
  readonly hasIdentityHeader: boolean;
  /** The client's own provider key goes upstream only where the gateway has none. */
  readonly prefersCentralKey: boolean;
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
export async function readCredential(
  headers: Headers,
  sources: readonly SourceInstance[] = [],
): Promise<Credential | Refusal> {
  const governance = await headerSecret(
    headers,
    "x-coder-ai-governance-token",
    "X-Coder-AI-Governance-Token",
  );
  if (governance instanceof Refusal) return governance;
  const access = sources.find((source) => source.assertion !== undefined)?.assertion;
  const assertion = access
    ? await headerSecret(headers, "cf-access-jwt-assertion", "Cf-Access-Jwt-Assertion")
    : null;
  if (assertion instanceof Refusal) return assertion;
  const sent = await readSentKey(headers);
  if (sent instanceof Refusal) return sent;
  const identity = governance ?? sent;
  if (identity === null && assertion === null) return new Refusal("credential_missing");
  return {
    identity,
    assertion,
    ownKey: sent && isIdentityCredential(sent, governance, sources) ? null : sent,
    hasIdentityHeader: governance !== null || assertion !== null,
    prefersCentralKey: governance === null && assertion !== null && access?.ownKeyYields === true,
  };
}

/** Whatever says who is calling is no provider key, in whichever header it stands beside itself. */
function isIdentityCredential(
  sent: Secret,
  governance: Secret | null,
  sources: readonly SourceInstance[],
): boolean {
  if (sent.value.startsWith(CLIENT_KEY_PREFIX) || sent.value === governance?.value) return true;
  return sources.some((source) => source.recognizes(sent));
}

/** A header that holds nothing but a token; null where it is absent or blank. */
async function headerSecret(
  headers: Headers,
  from: Secret["from"],
  name: string,
): Promise<Secret | Refusal | null> {
  const value = headers.get(from)?.trim() ?? "";
  if (value === "") return null;
  return isToken(value) ? secret(value, from) : new Refusal("credential_malformed", { detail: name });
}

async function readSentKey(headers: Headers): Promise<Secret | Refusal | null> {
  const authorization = headers.get("authorization");
  if (authorization === null) return headerSecret(headers, "x-api-key", "X-Api-Key");
  const bearer = /^bearer +(\S+)\s*$/i.exec(authorization)?.[1];
  if (bearer === undefined || !isToken(bearer))
    return new Refusal("credential_malformed", { detail: "Authorization" });
  return secret(bearer, "authorization");
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
