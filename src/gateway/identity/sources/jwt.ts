/**
 * Source `jwt`: tokens of any issuer that publishes its keys (OpenID Connect providers do, as `jwks_uri`). Receives a
 * token whose `iss` is the configured one, hands on the actor that its claims name.
 *
 * Where the keys are is said by the config and by nothing else: no discovery, so that no answer can move it.
 */
import { Refusal } from "../../../shared/refusal.ts";
import { readActorId, readName } from "../actor-id.ts";
import type { Actor, IdentitySource, SourceOptions, ReportIssue } from "../identity.ts";
import { ALGORITHMS, createTokenVerifier, type Claims, type TokenOptions } from "../signed-token.ts";

export const jwt: IdentitySource = {
  source: "jwt",
  verifies: true,
  configure: ({ options, report: problems, deps: world }) => {
    const rules = readTokenOptions(options, problems);
    const who = readActorClaims(options, problems);
    const tokens = createTokenVerifier(rules, (claims, keyId) => toActor(claims, keyId, who), world);
    return {
      recognizes: tokens.recognizes,
      identify: ({ identity }) => identity && tokens.identify(identity),
    };
  },
};

const NO_LIMIT = 0;

function readTokenOptions(options: SourceOptions, problems: ReportIssue): TokenOptions {
  const algorithms = options.texts("algorithms") ?? ["RS256", "ES256"];
  if (algorithms.length === 0) problems("algorithms", "names none");
  for (const [at, algorithm] of algorithms.entries()) {
    if (!ALGORITHMS.includes(algorithm)) problems(`algorithms[${at}]`, `is none of ${ALGORITHMS.join(", ")}`);
  }
  return {
    issuer: options.required("issuer") ?? "",
    // As it stands: here a slash at the end counts.
    jwksUrl: (options.url("jwks_url") && options.text("jwks_url")) ?? "",
    audience: options.requiredTexts("audience"),
    algorithms,
    maxAgeS: options.count("max_age_s", 1, 365 * 86_400, NO_LIMIT) || null,
    toleranceS: options.count("clock_tolerance_s", 0, 300, 30),
    cooldownMs: options.count("cooldown_s", 1, 3600, 30) * 1000,
    timeoutMs: options.count("timeout_ms", 1, 30_000, 5000),
  };
}

/** Which claims say who it is. */
type ActorClaims = {
  readonly actorClaim: string;
  readonly nameClaim: string | null;
  readonly kind: "user" | "service";
  /** Makes a service of whoever has it. */
  readonly service: { readonly claim: string; readonly is: string | true } | null;
};

function readActorClaims(options: SourceOptions, problems: ReportIssue): ActorClaims {
  const claim = options.text("service_claim");
  const is = options.text("service_value");
  if (claim === null && is !== null) problems("service_value", "counts only with service_claim");
  return {
    actorClaim: options.text("actor_claim") ?? "sub",
    nameClaim: options.text("name_claim"),
    kind: options.oneOf("kind", ["user", "service"], "user"),
    service: claim === null ? null : { claim, is: is ?? true },
  };
}

function toActor(
  claims: Claims,
  keyId: string,
  { actorClaim, nameClaim, kind, service }: ActorClaims,
): Actor | Refusal {
  const claim = (name: string): unknown => (Object.hasOwn(claims, name) ? claims[name] : undefined);
  const id = readActorId(claim(actorClaim));
  if (id === null)
    return new Refusal("invalid_credential", { detail: `token: its ${actorClaim} is no actor's id` });
  return {
    id,
    kind: service && claim(service.claim) === service.is ? "service" : kind,
    name: nameClaim === null ? null : readName(claim(nameClaim)),
    source: "jwt",
    verified: true,
    keyId,
    mayAssert: null,
  };
}
