/**
 * An issuer's public keys (JWKS, RFC 7517). Finds the key that a token's header names. Keys are fetched from the one
 * configured URL only, regardless of the token, and at most once per cool-down, regardless of the number of tokens.
 *
 * While the issuer does not respond, the keys fetched last remain in use for up to a day. jose's own
 * `createRemoteJWKSet` is not used: in a Worker it shares no fetch between requests, does not bound the response, and
 * fetches again for each request while it has no keys.
 */
import { errorName } from "../operator-log.ts";
import { createLocalJWKSet, type CryptoKey, type JSONWebKeySet, type JWK, type LocalJWKSet } from "jose";
import { JWKSMultipleMatchingKeys, JWKSNoMatchingKey } from "jose/errors";
import { fetchText } from "../http/fetch-text.ts";
import { Refusal } from "../refusal.ts";
import { createSingleFlight } from "../single-flight.ts";

export type JwksOptions = {
  readonly jwksUrl: string;
  /** Minimum interval between fetches of the key set. A newly published key may be rejected for this long. */
  readonly cooldownMs: number;
  readonly timeoutMs: number;
};

/** Everything outside of this folder that verifying a token uses. `now`: milliseconds since 1970. */
export type TokenDeps = { readonly fetch: typeof fetch; readonly now: () => number };

/** The key that a token's header names. */
export type KeyHint = { readonly alg: string; readonly kid?: string };

/** @returns `invalid_credential` if the issuer has no such key, `identity_unavailable` if that cannot be determined. */
export type FindKey = (hint: KeyHint) => Promise<CryptoKey | Refusal>;

/** Age at which keys are fetched again, so that a withdrawn key is rejected. */
const REFRESH_MS = 10 * 60 * 1000;
/** Age beyond which keys are not used, even if the issuer does not respond. */
const MAX_STALE_MS = 24 * 60 * 60 * 1000;
/** Replaces the cool-down while there are no keys, because no token can be verified then. */
const FIRST_COOLDOWN_MS = 1000;
const MAX_JWKS_BYTES = 256 * 1024;

type KeySet = { readonly keys: LocalJWKSet; readonly since: number };

export function createKeyFinder(
  { jwksUrl, cooldownMs, timeoutMs }: JwksOptions,
  { fetch: fetcher, now }: TokenDeps,
): FindKey {
  let keySet: KeySet | null = null;
  let lastFetchAt = Number.NEGATIVE_INFINITY;
  /** Why the last fetch failed; null if it succeeded. */
  let failure: string | null = null;
  const runShared = createSingleFlight<void>(timeoutMs, now);

  const isCoolingDown = (): boolean => now() - lastFetchAt < (keySet ? cooldownMs : FIRST_COOLDOWN_MS);
  /** Joins the pending fetch, or starts one unless the last one was too recent. */
  const refresh = (): Promise<unknown> =>
    runShared("", async () => {
      if (isCoolingDown()) return;
      lastFetchAt = now();
      // A caller's own timer may end before the fetch does.
      failure = `jwks: no response within ${timeoutMs} ms`;
      const keys = await fetchKeys(fetcher, jwksUrl, timeoutMs);
      if (typeof keys === "string") failure = `jwks: ${keys}`;
      else [keySet, failure] = [{ keys, since: now() }, null];
    });
  const find = async (hint: KeyHint): Promise<CryptoKey | Refusal | null> => {
    if (!keySet || now() - keySet.since >= MAX_STALE_MS) return unavailable(failure ?? "jwks: no keys");
    return selectKey(keySet.keys, hint);
  };

  return async (hint) => {
    // If there are stale keys, only one request per cool-down waits for newer ones. If there are no keys, all requests do.
    const isFresh = keySet !== null && now() - keySet.since < REFRESH_MS;
    if (!isFresh && !(keySet && isCoolingDown())) await refresh();
    const key = await find(hint);
    if (key !== null) return key;
    await refresh();
    return (
      (await find(hint)) ??
      (failure === null
        ? new Refusal("invalid_credential", { detail: "jwks: no such key" })
        : unavailable(failure))
    );
  };
}

const unavailable = (detail: string): Refusal => new Refusal("identity_unavailable", { detail });

/** @returns null if there is no such key. */
async function selectKey(keys: LocalJWKSet, { alg, kid }: KeyHint): Promise<CryptoKey | Refusal | null> {
  try {
    return await keys(kid === undefined ? { alg } : { alg, kid });
  } catch (error) {
    if (error instanceof JWKSNoMatchingKey) return null;
    if (error instanceof JWKSMultipleMatchingKeys) {
      return new Refusal("invalid_credential", { detail: "jwks: several keys match the token's header" });
    }
    return unavailable(`jwks: unusable key (${errorName(error)})`);
  }
}

/** @returns the keys, or the reason why there are none. */
async function fetchKeys(
  fetcher: typeof fetch,
  url: string,
  timeoutMs: number,
): Promise<LocalJWKSet | string> {
  const headers = { accept: "application/jwk-set+json, application/json" };
  const response = await fetchText(fetcher, { url, headers, timeoutMs, maxBytes: MAX_JWKS_BYTES });
  if ("failure" in response) return response.failure;
  if (response.status !== 200) return `status ${response.status}`;
  try {
    const keySet = JSON.parse(response.text) as JSONWebKeySet;
    const keys = createLocalJWKSet(keySet);
    // An issuer that signs has a key to verify with: such a set is a mistake, and must not displace the good keys.
    return keySet.keys.some(isUsable) ? keys : "the key set has no usable key";
  } catch {
    return "the response is not a key set";
  }
}

/** Whether a key can verify signatures. */
const isUsable = ({ kty, use }: JWK): boolean =>
  (kty === "RSA" || kty === "EC" || kty === "OKP") && (use === undefined || use === "sig");
