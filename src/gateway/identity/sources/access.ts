/**
 * Source `access`: what Cloudflare Access says of the caller, in `Cf-Access-Jwt-Assertion`. Receives that header's token,
 * hands on the user, or the service token, that Access let through.
 *
 * The header is believed for its signature and nothing else: a caller that goes round Access can send it, not sign it.
 * Where it is sent it decides: if it is wrong, no other source is asked.
 */
import { Refusal } from "../../../shared/refusal.ts";
import { readActorId, readName } from "../actor-id.ts";
import type { Actor, IdentitySource } from "../identity.ts";
import { createTokenVerifier, type Claims } from "../signed-token.ts";

export const access: IdentitySource = {
  source: "access",
  verifies: true,
  configure: ({ options, report: problems, deps: world }) => {
    const team = options.url("team_domain") ?? "";
    if (team !== "" && team !== new URL(team).origin) problems("team_domain", "holds a path");
    const audience = options.requiredTexts("audience");
    const ownKeys = options.oneOf("own_keys", ["ignore", "forward"], "ignore");
    const tokens = createTokenVerifier(
      { ...FIXED, issuer: team, jwksUrl: `${team}/cdn-cgi/access/certs`, audience },
      toActor,
      world,
    );
    return {
      recognizes: tokens.recognizes,
      identify: ({ assertion }) => assertion && (tokens.identify(assertion) ?? NOT_OURS),
      assertion: { ownKeyYields: ownKeys === "ignore" },
    };
  },
};

/** As Access signs. */
const FIXED = {
  algorithms: ["RS256"],
  maxAgeS: null,
  toleranceS: 30,
  cooldownMs: 30_000,
  timeoutMs: 5000,
} as const;

const NOT_OURS = new Refusal("invalid_credential", { detail: "access: not from this team" });

/** `sub` is a user's UUID; of a service token it is empty, and `common_name` is its client id. */
function toActor({ sub, common_name: service, email }: Claims, keyId: string): Actor | Refusal {
  const kind = sub === undefined || sub === "" ? "service" : "user";
  const id = readActorId(kind === "service" ? service : sub);
  if (id === null) return new Refusal("invalid_credential", { detail: "access: it names nobody" });
  const name = kind === "user" ? readName(email) : null;
  return { id, kind, name, source: "access", verified: true, keyId, mayAssert: null };
}
