/**
 * Tokens that an issuer has signed (JWT, RFC 7519): what `jwt` and `access` have in common. Receives a token, hands on
 * its claims once signature, issuer, audience and times are right; believes nothing before.
 *
 * Verified claims are kept for up to a minute, and never past the token's own end.
 */
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from "jose";
import { Refusal } from "../../shared/refusal.ts";
import type { Secret } from "./credential.ts";
import type { Actor, SourceDeps } from "./identity.ts";
import { createKeyFinder, type FindKey, type JwksOptions, type KeyHint } from "./jwks.ts";
import { createTtlCache } from "../../shared/ttl-cache.ts";

export type TokenOptions = JwksOptions & {
  /** As `iss` has it, to the letter. */
  readonly issuer: string;
  /** Any of these in `aud`. */
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  readonly toleranceS: number;
  /** The greatest age by `iat`; null: only `exp` counts. */
  readonly maxAgeS: number | null;
};

/** Those that need no secret of ours to verify. */
export const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");

export type Claims = Readonly<Record<string, unknown>>;

export type TokenVerifier = {
  /** The token says that it is this issuer's: anybody can write that. */
  readonly recognizes: (secret: Secret) => boolean;
  /** null: it does not say so. */
  readonly identify: (secret: Secret) => Actor | Promise<Actor | Refusal> | null;
};

const VERIFIED_MS = 60_000;

/** `toActor`: whose the claims are, or why they are nobody's. */
export function createTokenVerifier(
  rules: TokenOptions,
  toActor: (claims: Claims, keyId: string) => Actor | Refusal,
  world: SourceDeps,
): TokenVerifier {
  const findKey = createKeyFinder(rules, world);
  const verified = createTtlCache<Actor>(world.now);
  const verify = async ({ value, sha256 }: Secret): Promise<Actor | Refusal> => {
    const claims = await verifiedClaims(value, rules, findKey, world.now());
    if (claims instanceof Refusal) return claims;
    const actor = toActor(claims, sha256.slice(0, 16));
    if (!(actor instanceof Refusal)) {
      verified.set(sha256, actor, Math.min(world.now() + VERIFIED_MS, endOf(claims, rules)));
    }
    return actor;
  };
  const recognizes = ({ value, sha256 }: Secret): boolean =>
    verified.get(sha256) !== null || issuerOf(value) === rules.issuer;
  return {
    recognizes: recognizes,
    identify: (secret) => verified.get(secret.sha256) ?? (recognizes(secret) ? verify(secret) : null),
  };
}

/** Three parts in base64url, the last of them perhaps empty, as those that nobody has signed have it. */
const FORM = /^[\w-]+\.[\w-]+\.[\w-]*$/;

function issuerOf(token: string): unknown {
  if (!FORM.test(token)) return null;
  try {
    return decodeJwt(token).iss;
  } catch {
    return null;
  }
}

/** When the token ends, in milliseconds since 1970. */
function endOf({ exp, iat }: JWTPayload, { maxAgeS, toleranceS }: TokenOptions): number {
  const ends = [exp, maxAgeS === null || iat === undefined ? undefined : iat + maxAgeS];
  return Math.min(
    ...ends.map((end) => (end === undefined ? Number.POSITIVE_INFINITY : (end + toleranceS) * 1000)),
  );
}

async function verifiedClaims(
  token: string,
  { issuer, audience, algorithms, toleranceS, maxAgeS }: TokenOptions,
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
    // jose takes 1e400, which JSON reads as infinite, for a number like others.
    return Number.isFinite(payload.exp) ? payload : refuse("its exp is no time");
  } catch (error) {
    return refused(error);
  }
}

const refuse = (detail: string): Refusal => new Refusal("invalid_credential", { detail: `token: ${detail}` });

/** By these a token brings its key along, says where to get it, or asks for rules of its own. */
const REJECTED_HEADERS = ["jwk", "jku", "x5u", "x5c", "crit", "b64"];

/** Which key the token says it is signed with: one of the issuer's own, by name at most. */
function readHeader(token: string, algorithms: readonly string[]): KeyHint | Refusal {
  let header: Readonly<Record<string, unknown>>;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    return refuse("its header cannot be read");
  }
  const { alg, kid } = header;
  if (typeof alg !== "string" || !algorithms.includes(alg))
    return refuse("its algorithm is none of those that count");
  const odd = REJECTED_HEADERS.find((name) => Object.hasOwn(header, name));
  if (odd !== undefined) return refuse(`its header has ${odd}`);
  if (kid === undefined) return { alg };
  return typeof kid === "string" ? { alg, kid } : refuse("its kid is no name");
}

/** The claim's name is one of RFC 7519's; nothing of the token's own is told. */
function refused(error: unknown): Refusal {
  if (!(error instanceof errors.JOSEError)) {
    const name = error instanceof Error ? error.name : "unknown";
    return new Refusal("identity_unavailable", { detail: `token: it could not be verified (${name})` });
  }
  const claim =
    error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired
      ? ` (${error.claim})`
      : "";
  return refuse(`${error.code}${claim}`);
}
