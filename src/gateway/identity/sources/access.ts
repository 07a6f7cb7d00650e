/**
 * Source `access`: the token that Cloudflare Access adds in `Cf-Access-Jwt-Assertion`. Identifies the user or the service
 * token that Access let through.
 *
 * Only the token's signature is trusted: a caller that bypasses Access can send the header, but cannot sign it. If the
 * header is present, this source decides. If its token is invalid, no other source is tried.
 */
import { Refusal } from "../../../shared/refusal.ts";
import { readActorId, readName } from "../../../shared/actor-id.ts";
import type { Actor, IdentitySource } from "../identity.ts";
import { createTokenVerifier, type Claims } from "../signed-token.ts";

export const access: IdentitySource = {
  source: "access",
  verifies: true,
  configure: ({ options, report, deps }) => {
    const team = options.url("team_domain") ?? "";
    if (team !== "" && team !== new URL(team).origin) report("team_domain", "must not contain a path");
    const audience = options.requiredTexts("audience");
    const ownKeys = options.oneOf("own_keys", ["ignore", "forward"], "ignore");
    const tokens = createTokenVerifier(
      { ...FIXED_OPTIONS, issuer: team, jwksUrl: `${team}/cdn-cgi/access/certs`, audience },
      toActor,
      deps,
    );
    return {
      recognizes: tokens.recognizes,
      identify: async ({ accessToken: assertion, isFromPage }) =>
        // Access adds the token for the browser's cookie, whichever site's page made the request.
        assertion && (isFromPage ? FROM_PAGE : ((await tokens.identify(assertion)) ?? OTHER_ISSUER)),
      accessToken: { prefersCentralKey: ownKeys === "ignore" },
    };
  },
};

/** Access signs with RS256 only. */
const FIXED_OPTIONS = {
  algorithms: ["RS256"],
  maxAgeS: null,
  toleranceS: 30,
  cooldownMs: 30_000,
  timeoutMs: 5000,
} as const;

const FROM_PAGE = new Refusal("cross_origin");
const OTHER_ISSUER = new Refusal("invalid_credential", { detail: "access: the token is not from this team" });

/** `sub` is a user's UUID. For a service token `sub` is empty, and `common_name` is its client id. */
function toActor({ sub, common_name: clientId, email }: Claims, keyId: string): Actor | Refusal {
  const kind = sub === undefined || sub === "" ? "service" : "user";
  const id = readActorId(kind === "service" ? clientId : sub);
  if (id === null)
    return new Refusal("invalid_credential", { detail: "access: the token names no valid actor id" });
  const name = kind === "user" ? readName(email) : null;
  return { id, kind, name, source: "access", verified: true, keyId, mayAssert: null };
}
