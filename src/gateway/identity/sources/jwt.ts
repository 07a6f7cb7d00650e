/**
 * Source `jwt`: tokens of any issuer that publishes its keys, as OpenID Connect providers do under `jwks_uri`. Accepts
 * tokens whose `iss` is the configured one, and returns the actor that their claims name.
 *
 * Only the configuration sets the URL of the keys. There is no discovery, so no response can change it.
 */
import { oneOfIssue, type ReportIssue } from "../../../shared/config/fields.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { readName } from "../../../shared/actor-id.ts";
import { ownClaim, type Claims } from "../../../shared/claims.ts";
import { readActingParties, readTokenId } from "../acting-party.ts";
import { missingClaim, readRequiredClaims } from "../required-claims.ts";
import type { Actor, IdentitySource, SourceOptions } from "../identity.ts";
import { ALGORITHMS, createTokenVerifier, type TokenOptions } from "../../../shared/tokens/signed-token.ts";

export const jwt: IdentitySource = {
  source: "jwt",
  verifies: true,
  configure: ({ options, report, deps }) => {
    const tokenOptions = readTokenOptions(options, report);
    const actorClaims = readActorClaims(options, report);
    const source = readSource(options, report);
    const required = readRequiredClaims(
      options.nested("require")?.table ?? null,
      tokenOptions.issuer,
      report,
    );
    const tokens = createTokenVerifier(
      tokenOptions,
      (claims, keyId) => {
        const missing = missingClaim(claims, required);
        return missing === null
          ? toActor(claims, keyId, { ...actorClaims, source, issuer: tokenOptions.issuer })
          : reject(`${missing} has no required value`);
      },
      deps,
    );
    return {
      recognizes: tokens.recognizes,
      identify: async ({ identity }) => identity && tokens.identify(identity),
    };
  },
};

const SOURCE_NAME = /^jwt(?:-[a-z0-9]{1,32})?$/;

/** The source that actors are recorded with: two issuers may give one id to two people. */
function readSource(options: SourceOptions, report: ReportIssue): string {
  const name = options.text("name") ?? "jwt";
  if (!SOURCE_NAME.test(name)) report("name", `must match ${SOURCE_NAME.source}`);
  return name;
}

const NO_LIMIT = 0;
/** Bound of the rest of a token's life where `max_age_s` is not set. */
const MAX_REMAINING_S = 86_400;

function readTokenOptions(options: SourceOptions, report: ReportIssue): TokenOptions {
  const maxAgeS = options.count("max_age_s", 1, 365 * 86_400, NO_LIMIT) || null;
  const algorithms = options.texts("algorithms") ?? ["RS256", "ES256"];
  if (algorithms.length === 0) report("algorithms", "must list at least one algorithm");
  for (const [index, algorithm] of algorithms.entries()) {
    if (!ALGORITHMS.includes(algorithm)) report(`algorithms[${index}]`, oneOfIssue(ALGORITHMS));
  }
  return {
    issuer: options.required("issuer") ?? "",
    // `url` validates it, but the text is used: a trailing slash is significant here.
    jwksUrl: (options.url("jwks_url") && options.text("jwks_url")) ?? "",
    audience: options.requiredTexts("audience"),
    algorithms,
    maxAgeS,
    maxRemainingS: maxAgeS === null ? MAX_REMAINING_S : null,
    toleranceS: options.count("clock_tolerance_s", 0, 300, 30),
    cooldownMs: options.count("cooldown_s", 1, 3600, 30) * 1000,
    timeoutMs: options.count("timeout_ms", 1, 30_000, 5000),
  };
}

/** The claims that describe the actor. */
type ActorClaims = {
  readonly actorClaim: string;
  readonly nameClaim: string | null;
  readonly kind: "user" | "service";
  /** A token whose claim has this value belongs to a service. */
  readonly service: { readonly claim: string; readonly value: string | true } | null;
};

function readActorClaims(options: SourceOptions, report: ReportIssue): ActorClaims {
  const claim = options.text("service_claim");
  const value = options.text("service_value");
  if (claim === null && value !== null) report("service_value", "must not be set without service_claim");
  return {
    actorClaim: options.text("actor_claim") ?? "sub",
    nameClaim: options.text("name_claim"),
    kind: options.oneOf("kind", ["user", "service"], "user"),
    service: claim === null ? null : { claim, value: value ?? true },
  };
}

const reject = (detail: string): Refusal => new Refusal("invalid_credential", { detail: `token: ${detail}` });

/**
 * Without `act`, the token's subject is the actor. With it, the acting party is, and the subject is the one that it acts
 * for: it never counts as the caller. The claims that describe an actor are read where its id is.
 */
function toActor(
  claims: Claims,
  keyId: string,
  {
    actorClaim,
    nameClaim,
    kind,
    service,
    source,
    issuer,
  }: ActorClaims & {
    readonly source: string;
    readonly issuer: string;
  },
): Actor | Refusal {
  const subject = readTokenId(ownClaim(claims, actorClaim));
  if (subject === null) return reject(`${actorClaim} is not a valid actor id`);
  const nameIn = (described: Claims): string | null =>
    nameClaim === null ? null : readName(ownClaim(described, nameClaim));
  const act = ownClaim(claims, "act");
  const parties = act === undefined ? null : readActingParties(act, issuer);
  if (act !== undefined && parties === null) return reject("act is malformed");
  const [acting] = parties ?? [];
  const described = acting?.claims ?? claims;
  return {
    id: acting?.id ?? subject,
    kind: service && ownClaim(described, service.claim) === service.value ? "service" : kind,
    name: nameIn(described),
    ...(parties && { onBehalfOf: { subject, name: nameIn(claims), chain: parties.map(({ id }) => id) } }),
    source,
    verified: true,
    keyId,
    mayAssert: null,
    claims: described,
  };
}
