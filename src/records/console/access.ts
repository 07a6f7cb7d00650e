/** Signing in by Cloudflare Access: the token that it adds to every request that it lets through. */
import { sha256Hex } from "../../shared/digest.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { TokenDeps } from "../../shared/tokens/jwks.ts";
import { createTokenVerifier } from "../../shared/tokens/signed-token.ts";
import { identifiedBy, type Identified } from "./grant.ts";
import type { AccessSettings } from "./settings.ts";

/** The person whom a token of Cloudflare Access names; a refusal where it is not valid or Access is not configured. */
export type VerifyAccess = (token: string) => Promise<Identified | Refusal>;

const reject = (detail: string): Refusal =>
  new Refusal("invalid_credential", { detail: `access: ${detail}` });

/**
 * Only the token's signature is trusted: a caller that bypasses Access can send the header, but cannot sign it. A service token
 * has no subject, so that no program signs in as a person.
 */
export function createVerifyAccess(settings: AccessSettings | null, deps: TokenDeps): VerifyAccess {
  if (settings === null) return () => Promise.resolve(reject("not configured"));
  const tokens = createTokenVerifier<Identified>(
    settings.token,
    (claims) => identifiedBy(claims, "access", settings) ?? reject("the token names no person"),
    deps,
  );
  return async (value) =>
    (await tokens.identify({ value, sha256: await sha256Hex(value) })) ??
    reject("the token is not from this team");
}
