/** A sign-in's result: the person or token, the way, and the scopes that follow from them. */
import { ownClaim, type Claims } from "../../shared/claims.ts";
import { sortedScopes, type Scopes } from "../../shared/scopes.ts";
import type { ConsoleSettings, PersonClaims } from "./settings.ts";

export const SIGN_IN_WAYS = ["token", "oidc", "access"] as const;
export type SignInWay = (typeof SIGN_IN_WAYS)[number];

/** A person or token without its scopes. */
export type Identified = {
  readonly way: SignInWay;
  /** The name that events and the console's page have: the token's, or the person's. */
  readonly name: string;
  /** The token's SHA-256, or the person's id at the identity provider. */
  readonly subject: string;
  /** The values of the role claim; a token has no roles. */
  readonly roles: readonly string[];
};

/** Ways that this deployment offers. */
export function offeredWays({ tokens, tokenSignIn, oidc, access }: ConsoleSettings): readonly SignInWay[] {
  const offered = { token: tokenSignIn && tokens.length > 0, oidc: oidc !== null, access: access !== null };
  return SIGN_IN_WAYS.filter((way) => offered[way]);
}

/** The scopes by the present settings; none where the token or the way is gone, or no role has any. */
export function scopesOf({ way, name, subject, roles }: Identified, settings: ConsoleSettings): Scopes {
  if (!offeredWays(settings).includes(way)) return [];
  if (way === "token")
    return settings.tokens.find((token) => token.sha256 === subject && token.name === name)?.scopes ?? [];
  return sortedScopes(["*", ...roles].flatMap((role) => settings.roles.get(role) ?? []));
}

const MAX_TEXT = 200;
const MAX_ROLES = 200;

const isText = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= MAX_TEXT;

/** The person whom verified claims name; null where they name none. */
export function identifiedBy(
  claims: Claims,
  way: SignInWay,
  { name, role }: PersonClaims,
): Identified | null {
  const subject = ownClaim(claims, "sub");
  if (!isText(subject)) return null;
  const named = nestedClaim(claims, name);
  const roles = [nestedClaim(claims, role)].flat().filter(isText);
  // "*" is a role of the settings, not of the identity provider.
  const held = roles.filter((value) => value !== "*").slice(0, MAX_ROLES);
  return { way, name: isText(named) ? named : subject, subject, roles: held };
}

/** A claim may have dots in its own name, as a URL has. */
function nestedClaim(claims: Claims, path: string): unknown {
  const whole = ownClaim(claims, path);
  if (whole !== undefined) return whole;
  let current: unknown = claims;
  for (const step of path.split(".")) {
    if (typeof current !== "object" || current === null || Array.isArray(current)) return undefined;
    current = ownClaim(current as Claims, step);
  }
  return current;
}
