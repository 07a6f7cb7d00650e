/**
 * Reads the credentials that a request presents: an identity credential, and in some requests the client's own provider
 * key. Returns each value with its SHA-256. The identity sources decide who holds it.
 */
import { cacheDigests } from "../../shared/digest-cache.ts";
import { keyIdOf, sha256Hex } from "../../shared/digest.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { KeyHeader } from "../provider/provider.ts";

/** The headers for a key beside `Authorization`, in order of precedence, with the names that operators read. */
const KEY_HEADERS: readonly (readonly [from: KeyHeader, name: string])[] = [
  ["x-api-key", "X-Api-Key"],
  ["api-key", "Api-Key"],
  ["x-goog-api-key", "X-Goog-Api-Key"],
];

export type Secret = {
  readonly value: string;
  readonly from: "x-coder-ai-governance-token" | "cf-access-jwt-assertion" | KeyHeader;
  /** SHA-256 of the whole value, 64 hex digits. */
  readonly sha256: string;
};

/** The credentials that one identity source accepts. */
export type AcceptedCredentials = {
  /** Whether the secret is a credential of this source. Such a secret is never a provider key, and is never forwarded. */
  readonly recognizes: (secret: Secret) => boolean;
  /**
   * Present if the source reads the token that Cloudflare Access adds; otherwise that header is ignored.
   * `prefersCentralKey`: the client's own provider key is then forwarded only if the gateway has no central key.
   */
  readonly accessToken?: { readonly prefersCentralKey: boolean };
};

export type Credential = {
  /**
   * The credential that identifies the caller: the governance token, else `Authorization: Bearer`, else `X-Api-Key`,
   * `api-key` or `x-goog-api-key`.
   * null if the request has only an access token of Cloudflare Access.
   */
  readonly identity: Secret | null;
  /** The token that Cloudflare Access added; null if there is none, or if no configured source reads it. */
  readonly accessToken: Secret | null;
  /**
   * The client's own provider key: the key sent in addition to an identity header, else the identity credential itself.
   * null if an identity source recognizes that key.
   */
  readonly ownKey: Secret | null;
  /** The caller is identified by a separate header, so the key's header holds the client's own provider key. */
  readonly hasIdentityHeader: boolean;
  /** The client's own provider key is forwarded only if the gateway has no central key for the provider. */
  readonly prefersCentralKey: boolean;
  /** A browser sent the request for a web page. Read only where a source reads the token that Access adds. */
  readonly isFromPage: boolean;
};

/** Prefix of the client keys that this gateway issues. A key with this prefix is never forwarded to a provider. */
export const CLIENT_KEY_PREFIX = "aei_";

const MAX_TOKEN = 8192;
/** token68, RFC 9110 §11.2: excludes blanks, commas, quotes and every character that is special in a log or a shell. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

/**
 * Reads the credential headers. If several headers hold a key, the first of `Authorization`, `X-Api-Key`, `api-key` and
 * `x-goog-api-key` counts, and the others are dropped.
 * @returns `credential_missing` if there is no credential; `aws_signature_unsupported` if `Authorization` has a signature of
 * AWS, which is for one host and identifies no one here; `credential_malformed` if a header is repeated, has another
 * scheme than Bearer, or does not hold a token.
 */
export async function readCredential(
  headers: HeaderReader,
  sources: readonly AcceptedCredentials[] = [],
): Promise<Credential | Refusal> {
  const sentGovernance = readHeader(headers, "x-coder-ai-governance-token", "X-Coder-AI-Governance-Token");
  if (sentGovernance instanceof Refusal) return sentGovernance;
  const access = sources.find((source) => source.accessToken !== undefined)?.accessToken;
  const sentAccess = access
    ? readHeader(headers, "cf-access-jwt-assertion", "Cf-Access-Jwt-Assertion")
    : null;
  if (sentAccess instanceof Refusal) return sentAccess;
  const sentKey = readKey(headers);
  if (sentKey instanceof Refusal) return withKeyId(sentKey, sentGovernance ?? sentAccess);
  // Only a token that was sent has a digest to wait for.
  const governance = sentGovernance && (await toSecret(sentGovernance));
  const accessToken = sentAccess && (await toSecret(sentAccess));
  const key = sentKey && (await toSecret(sentKey));
  const identity = governance ?? key;
  if (identity === null && accessToken === null) return new Refusal("credential_missing");
  return {
    identity,
    accessToken,
    ownKey: key && isIdentityCredential(key, governance, sources) ? null : key,
    hasIdentityHeader: governance !== null || accessToken !== null,
    prefersCentralKey: governance === null && accessToken !== null && access?.prefersCentralKey === true,
    isFromPage: accessToken !== null && isFromPage(headers),
  };
}

/** The refusal of a malformed credential, with the id of the one that was sent beside it. */
async function withKeyId({ code, data }: Refusal, sent: Token | null): Promise<Refusal> {
  return new Refusal(code, sent ? { ...data, keyId: keyIdOf(await fingerprint(sent.value)) } : data);
}

/**
 * Browsers send `Origin` with every request that is no GET or HEAD, and `Sec-Fetch-Site` and `Sec-Fetch-Mode` with all
 * (https://www.w3.org/TR/fetch-metadata/). No page can change or leave out either. A navigation counts also with
 * `Sec-Fetch-Site: none`: a link in a mail opens so, and no client of an AI API navigates.
 */
function isFromPage(headers: HeaderReader): boolean {
  const site = headers.get("sec-fetch-site");
  const isOfOtherSite = site !== null && site !== "none" && site !== "same-origin";
  return headers.has("origin") || isOfOtherSite || /navigate/i.test(headers.get("sec-fetch-mode") ?? "");
}

/** An identity credential is never a provider key, even if another header identifies the caller. */
function isIdentityCredential(
  key: Secret,
  governance: Secret | null,
  sources: readonly AcceptedCredentials[],
): boolean {
  if (key.value.startsWith(CLIENT_KEY_PREFIX) || key.value === governance?.value) return true;
  return sources.some((source) => source.recognizes(key));
}

/** A token as sent, before its digest is known. */
type Token = Pick<Secret, "value" | "from">;

/** A header that holds only a token; null if it is absent or blank. */
function readHeader(headers: HeaderReader, from: Secret["from"], name: string): Token | Refusal | null {
  const value = headers.get(from)?.trim() ?? "";
  if (value === "") return null;
  return isToken(value) ? { value, from } : new Refusal("credential_malformed", { detail: name });
}

/** The schemes of AWS's signatures: AWS4-HMAC-SHA256, AWS4-ECDSA-P256-SHA256. */
const AWS_SIGNATURE = /^\s*aws4-/i;

function readKey(headers: HeaderReader): Token | Refusal | null {
  const authorization = headers.get("authorization");
  if (authorization === null) return readKeyHeader(headers);
  if (AWS_SIGNATURE.test(authorization)) return new Refusal("aws_signature_unsupported");
  const value = /^bearer +(\S+)\s*$/i.exec(authorization)?.[1];
  if (value === undefined || !isToken(value))
    return new Refusal("credential_malformed", { detail: "Authorization" });
  return { value, from: "authorization" };
}

/** A blank header counts as absent, a malformed one does not: a valid key beside it is not used in its place. */
function readKeyHeader(headers: HeaderReader): Token | Refusal | null {
  for (const [from, name] of KEY_HEADERS) {
    const key = readHeader(headers, from, name);
    if (key !== null) return key;
  }
  return null;
}

function isToken(value: string): boolean {
  return value.length <= MAX_TOKEN && TOKEN.test(value);
}

async function toSecret({ value, from }: Token): Promise<Secret> {
  return { value, from, sha256: await fingerprint(value) };
}

/** The same few tokens are sent again and again. */
const fingerprint = cacheDigests(sha256Hex);
