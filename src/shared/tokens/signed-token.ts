/**
 * Verifies tokens that an issuer signed (JWT, RFC 7519): for the gateway's sources `jwt` and `access`, and for signing in to
 * the console. The claims are used only after the signature, issuer, audience and times are verified.
 *
 * A verified token is cached for up to a minute, and never beyond its own expiry.
 */
import type { Claims } from "../claims.ts";
import { keyIdOf } from "../digest.ts";
import { errorName } from "../operator-log.ts";
import { decodeJwt, decodeProtectedHeader, jwtVerify, type JWTPayload } from "jose";
import { JOSEError, JWTClaimValidationFailed, JWTExpired } from "jose/errors";
import { Refusal } from "../refusal.ts";
import { createTtlCache } from "../ttl-cache.ts";
import { createKeyFinder, type FindKey, type JwksOptions, type KeyHint, type TokenDeps } from "./jwks.ts";

export type TokenOptions = JwksOptions & {
  /** Compared with `iss` exactly. */
  readonly issuer: string;
  /** `aud` must contain at least one of these. */
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  readonly toleranceS: number;
  /** Maximum age by `iat`; null: only `exp` limits the token. */
  readonly maxAgeS: number | null;
  /** Maximum seconds until `exp`; null: any. */
  readonly maxRemainingS: number | null;
};

/** The asymmetric algorithms: to verify them, the gateway needs no secret. */
export const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");

/** A token as it was sent. */
export type SentToken = {
  readonly value: string;
  /** SHA-256 of the value, 64 hex digits. */
  readonly sha256: string;
};

export type TokenVerifier<T> = {
  /** Whether the token's `iss` is this issuer. It is no proof: any caller can write that claim. */
  readonly recognizes: (token: SentToken) => boolean;
  /** @returns null if the token is not recognized. */
  readonly identify: (token: SentToken) => Promise<T | Refusal | null>;
};

const VERIFIED_MS = 60_000;
/** A holder can include its claims, and a token of 8 KiB can list 150 groups: 10 KB in memory. */
const MAX_VERIFIED = 1000;

/** `toHolder` maps verified claims to the holder of the token, or to a `Refusal` if they name no holder. */
export function createTokenVerifier<T>(
  options: TokenOptions,
  toHolder: (claims: Claims, keyId: string) => T | Refusal,
  deps: TokenDeps,
): TokenVerifier<T> {
  const findKey = createKeyFinder(options, deps);
  const verified = createTtlCache<T>(deps.now, MAX_VERIFIED);
  const verify = async ({ value, sha256 }: SentToken): Promise<T | Refusal> => {
    const claims = await verifyClaims(value, options, findKey, deps.now());
    if (claims instanceof Refusal) return claims;
    const holder = toHolder(claims, keyIdOf(sha256));
    if (!(holder instanceof Refusal)) {
      verified.set(sha256, holder, Math.min(deps.now() + VERIFIED_MS, expiryOf(claims, options)));
    }
    return holder;
  };
  const recognizes = ({ value, sha256 }: SentToken): boolean =>
    verified.get(sha256) !== null || issuerOf(value) === options.issuer;
  return {
    recognizes,
    identify: async (secret) => {
      const cached = verified.get(secret.sha256);
      if (cached !== null) return cached;
      return recognizes(secret) ? verify(secret) : null;
    },
  };
}

/** JWS compact serialization (RFC 7515 §7.1). The signature may be empty, as in an unsecured token. */
const COMPACT_JWS = /^[\w-]+\.[\w-]+\.[\w-]*$/;

function issuerOf(token: string): unknown {
  if (!COMPACT_JWS.test(token)) return null;
  try {
    return decodeJwt(token).iss;
  } catch {
    return null;
  }
}

/** When the token expires, in milliseconds since 1970. */
function expiryOf({ exp, iat }: JWTPayload, { maxAgeS, toleranceS }: TokenOptions): number {
  const limits = [exp, maxAgeS === null || iat === undefined ? undefined : iat + maxAgeS];
  return Math.min(
    ...limits.map((limit) => (limit === undefined ? Number.POSITIVE_INFINITY : (limit + toleranceS) * 1000)),
  );
}

async function verifyClaims(
  token: string,
  { issuer, audience, algorithms, toleranceS, maxAgeS, maxRemainingS }: TokenOptions,
  findKey: FindKey,
  now: number,
): Promise<JWTPayload | Refusal> {
  const hint = readHeader(token, algorithms);
  const key = hint instanceof Refusal ? hint : await findKey(hint);
  if (key instanceof Refusal) return key;
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer,
      audience: [...audience],
      algorithms: [...algorithms],
      requiredClaims: ["exp"],
      clockTolerance: toleranceS,
      currentDate: new Date(now),
      ...(maxAgeS !== null && { maxTokenAge: maxAgeS }),
    });
    // jose accepts 1e400, which JSON.parse reads as Infinity: a token that never expires.
    const { exp = Number.POSITIVE_INFINITY } = payload;
    if (!Number.isFinite(exp)) return reject("exp is not a finite number");
    const isTooLong = maxRemainingS !== null && exp - now / 1000 > maxRemainingS + toleranceS;
    return isTooLong ? reject("exp is too far away") : payload;
  } catch (error) {
    return toRefusal(error);
  }
}

const reject = (detail: string): Refusal => new Refusal("invalid_credential", { detail: `token: ${detail}` });

/** With these a token supplies its own key, names the place to fetch it from, or changes how it is verified. */
const REJECTED_HEADERS = ["jwk", "jku", "x5u", "x5c", "crit", "b64"];

/** The key that the token names. `kid` only selects one of the issuer's published keys. */
function readHeader(token: string, algorithms: readonly string[]): KeyHint | Refusal {
  let header: Readonly<Record<string, unknown>>;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    return reject("the header cannot be decoded");
  }
  const { alg, kid } = header;
  if (typeof alg !== "string" || !algorithms.includes(alg)) return reject("the algorithm is not allowed");
  const rejected = REJECTED_HEADERS.find((name) => Object.hasOwn(header, name));
  if (rejected !== undefined) return reject(`the header contains ${rejected}`);
  if (kid === undefined) return { alg };
  return typeof kid === "string" ? { alg, kid } : reject("kid is not a string");
}

/** The detail names at most one of RFC 7519's claims, and never a value of the token. */
function toRefusal(error: unknown): Refusal {
  if (!(error instanceof JOSEError)) {
    return new Refusal("identity_unavailable", {
      detail: `token: verification failed (${errorName(error)})`,
    });
  }
  const claim =
    error instanceof JWTClaimValidationFailed || error instanceof JWTExpired ? ` (${error.claim})` : "";
  return reject(`${error.code}${claim}`);
}
