/**
 * The `act` claim of a token (RFC 8693 §4.1): the party that acts for the token's subject, and within it the party that
 * acted before. The outermost one is the current actor; the others are for the record only.
 */
import { readActorId } from "../../shared/actor-id.ts";
import { ownClaim, type Claims } from "../../shared/claims.ts";

export type ActingParty = {
  /** `sub`; followed by `@` and `iss` if another issuer named it. */
  readonly id: string;
  readonly claims: Claims;
};

const MAX_PARTIES = 5;

/**
 * The parties, the current actor first. null if the claim is malformed: a level without a valid `sub`, a value of another
 * type, or more than five levels. `issuer`: the token's own.
 */
export function readActingParties(
  act: unknown,
  issuer: string,
): readonly [ActingParty, ...ActingParty[]] | null {
  const parties: ActingParty[] = [];
  for (let level = act; level !== undefined;) {
    const claims = asClaims(level);
    const id = claims && readPartyId(claims, issuer);
    if (!claims || !id || parties.length === MAX_PARTIES) return null;
    parties.push({ id, claims });
    level = ownClaim(claims, "act");
  }
  const [current, ...prior] = parties;
  return current ? [current, ...prior] : null;
}

const asClaims = (value: unknown): Claims | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Claims) : null;

/** An issuer without `@`, so that the last one in an id separates the two. */
const OTHER_ISSUER = /^https:\/\/[^@]+$/;

function readPartyId(claims: Claims, issuer: string): string | null {
  const id = readTokenId(ownClaim(claims, "sub"));
  const iss = ownClaim(claims, "iss");
  if (id === null || iss === undefined || iss === issuer) return id;
  return typeof iss === "string" && OTHER_ISSUER.test(iss) ? readActorId(`${id}@${iss}`) : null;
}

/** An id out of a token; null if it is not one, or has the form of another issuer's party. */
export function readTokenId(value: unknown): string | null {
  const id = readActorId(value);
  return id?.includes("@https://") ? null : id;
}
