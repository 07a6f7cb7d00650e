/**
 * An issuer's public keys (JWKS, RFC 7517). Receives what a token says of its key, hands on that key; asks only the one
 * configured address, whatever a token names, and that once per cool-down, whatever tokens are sent.
 *
 * While the issuer does not answer, the keys it gave last are used for up to a day. jose's own `createRemoteJWKSet` is not
 * used: in a Worker it shares no fetch between requests, has no bound on the answer, and asks again for each request
 * while it has no keys.
 */
import { createLocalJWKSet, errors, type CryptoKey, type JSONWebKeySet, type LocalJWKSet } from "jose";
import { fetchText } from "../../shared/http/fetch-text.ts";
import { Refusal } from "../../shared/refusal.ts";
import { createSingleFlight } from "./single-flight.ts";
import type { SourceDeps } from "./identity.ts";

export type JwksOptions = {
  readonly jwksUrl: string;
  readonly cooldownMs: number;
  readonly timeoutMs: number;
};

/** What a token's header says of its key. */
export type KeyHint = { readonly alg: string; readonly kid?: string };

/** Refuses `invalid_credential` where the issuer has no such key, `identity_unavailable` where that is not known. */
export type FindKey = (hint: KeyHint) => Promise<CryptoKey | Refusal>;

/** After this the issuer is asked again, so that a key it has withdrawn does not live on. */
const REFRESH_MS = 10 * 60 * 1000;
/** Keys older than that are used no more, even if the issuer does not answer. */
const MAX_STALE_MS = 24 * 60 * 60 * 1000;
/** Instead of the cool-down while there are no keys at all and so nobody can be known. */
const FIRST_COOLDOWN_MS = 1000;
const MAX_JWKS_BYTES = 256 * 1024;

type KeySet = { readonly keys: LocalJWKSet; readonly since: number };

export function createKeyFinder(
  { jwksUrl, cooldownMs, timeoutMs }: JwksOptions,
  { fetch: fetcher, now }: SourceDeps,
): FindKey {
  let held: KeySet | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  /** Why the last question had no answer; null where it had one. */
  let failure: string | null = null;
  const fly = createSingleFlight<void>(timeoutMs, now);

  const isCoolingDown = (): boolean => now() - askedAt < (held ? cooldownMs : FIRST_COOLDOWN_MS);
  /** Waits for the question that is being asked, or asks it unless it was asked just now. */
  const refresh = (): Promise<unknown> =>
    fly("", async () => {
      if (isCoolingDown()) return;
      askedAt = now();
      failure = `jwks: no response within ${timeoutMs} ms`;
      const answer = await askForKeys(fetcher, jwksUrl, timeoutMs);
      if (typeof answer === "string") failure = `jwks: ${answer}`;
      else [held, failure] = [{ keys: answer, since: now() }, null];
    });
  const find = async (hint: KeyHint): Promise<CryptoKey | Refusal | null> => {
    if (!held || now() - held.since >= MAX_STALE_MS) return unavailable(failure ?? "jwks: no keys");
    return keyOf(held.keys, hint);
  };

  return async (hint) => {
    // With keys at hand only one request waits for newer ones; without, all do.
    const isFresh = held !== null && now() - held.since < REFRESH_MS;
    if (!isFresh && !(held && isCoolingDown())) await refresh();
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

/** null: there is no such key. */
async function keyOf(keys: LocalJWKSet, { alg, kid }: KeyHint): Promise<CryptoKey | Refusal | null> {
  try {
    return await keys(kid === undefined ? { alg } : { alg, kid });
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return null;
    if (error instanceof errors.JWKSMultipleMatchingKeys) {
      return new Refusal("invalid_credential", {
        detail: "jwks: several keys, and the token does not say which",
      });
    }
    return unavailable(
      `jwks: a key that cannot be used (${error instanceof Error ? error.name : "unknown"})`,
    );
  }
}

/** The keys, or why there are none. */
async function askForKeys(
  fetcher: typeof fetch,
  url: string,
  timeoutMs: number,
): Promise<LocalJWKSet | string> {
  const headers = { accept: "application/jwk-set+json, application/json" };
  const found = await fetchText(fetcher, { url, headers, timeoutMs, maxBytes: MAX_JWKS_BYTES });
  if ("failure" in found) return found.failure;
  if (found.status !== 200) return `status ${found.status}`;
  try {
    return createLocalJWKSet(JSON.parse(found.text) as JSONWebKeySet);
  } catch {
    return "its answer is no key set";
  }
}
