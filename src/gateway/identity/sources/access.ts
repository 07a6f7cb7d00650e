/**
 * Source `access`: the token that Cloudflare Access adds in `Cf-Access-Jwt-Assertion`. Identifies the user or the service
 * token that Access let through.
 *
 * Only the token's signature is trusted: a caller that bypasses Access can send the header, but cannot sign it. If the
 * header is present and no governance token is, this source decides. If its token is invalid, no other source is tried.
 */
import { Refusal } from "../../../shared/refusal.ts";
import { accessTokenOptions } from "../../../shared/tokens/access-token.ts";
import { createTokenVerifier } from "../../../shared/tokens/signed-token.ts";
import { readActorId, readName } from "../../../shared/actor-id.ts";
import type { Actor, IdentitySource } from "../identity.ts";
import type { Claims } from "../../../shared/claims.ts";

export const access: IdentitySource = {
  source: "access",
  verifies: true,
  configure: ({ options, report, deps }) => {
    const team = options.url("team_domain") ?? "";
    if (team !== "" && team !== new URL(team).origin) report("team_domain", "must not contain a path");
    const audience = options.requiredTexts("audience");
    const services = options.texts("services");
    const ownKeys = options.oneOf("own_keys", ["ignore", "forward"], "ignore");
    const tokens = createTokenVerifier(
      accessTokenOptions(team, audience),
      (claims, keyId) => toActor(claims, keyId, services),
      deps,
    );
    return {
      recognizes: tokens.recognizes,
      identify: async ({ identity, accessToken: assertion, isFromPage }) => {
        // A credential that the client chose to send precedes one that Access adds, also where it is invalid.
        if (assertion === null || identity?.from === "x-coder-ai-governance-token") return null;
        // Access adds the token for the browser's cookie, whichever site's page made the request.
        return isFromPage ? FROM_PAGE : ((await tokens.identify(assertion)) ?? OTHER_ISSUER);
      },
      accessToken: { prefersCentralKey: ownKeys === "ignore" },
    };
  },
};

const FROM_PAGE = new Refusal("cross_origin");
const OTHER_ISSUER = new Refusal("invalid_credential", { detail: "access: the token is not from this team" });

/** The client id of a service token. A client certificate's common name has another form. */
const CLIENT_ID = /^[0-9a-f]{32}\.access$/;

/**
 * `sub` is a user's UUID. For a service token `sub` is empty, and `common_name` is its client id.
 * `services`: the client ids that are permitted; null permits each one.
 */
function toActor(
  { sub, common_name: commonName, email }: Claims,
  keyId: string,
  services: readonly string[] | null,
): Actor | Refusal {
  const kind = sub === undefined || sub === "" ? "service" : "user";
  const id = readActorId(kind === "service" ? commonName : sub);
  if (id === null)
    return new Refusal("invalid_credential", { detail: "access: the token names no valid actor id" });
  if (kind === "service" && !(services?.includes(id) ?? CLIENT_ID.test(id)))
    return new Refusal("invalid_credential", { detail: "access: the token is not of a permitted service" });
  const name = kind === "user" ? readName(email) : null;
  return { id, kind, name, source: "access", verified: true, keyId, mayAssert: null };
}
