/** Findings as an explanation: who, by which rule and with which kind of key, without any key, credential or header value. */
import { keyIdOf } from "../../../shared/digest.ts";
import type { ExplainedCredential, Explanation } from "../../../events/explanation.ts";
import type { Refusal } from "../../../shared/refusal.ts";
import type { Credential, Secret } from "../../identity/credential.ts";
import type { Findings } from "../decide.ts";

type Context = {
  readonly destination: Explanation["destination"];
  /** Whether delegation is configured. */
  readonly delegates: boolean;
  readonly refusal: Refusal | null;
  readonly budgets: Explanation["budgets"];
};

export function toExplanation(findings: Findings, context: Context): Explanation {
  const { route, client, presented, actor } = findings;
  return {
    destination: context.destination,
    route: route && {
      provider: route.provider.name,
      provider_type: route.provider.dialect.type,
      route: route.route.path,
      kind: route.route.kind,
    },
    client: client && client.name,
    presented: presented && toPresented(presented),
    delegation: delegationOf(findings, context),
    actor: actor && {
      id: actor.id,
      kind: actor.kind,
      name: actor.name,
      source: actor.source,
      verified: actor.verified,
      key_id: actor.keyId,
      may_assert: actor.mayAssert,
    },
    ...toDecision(findings, context.refusal),
    upstream_key: toKey(findings),
    budgets: findings.decision?.needs === "signature" ? null : context.budgets,
  };
}

/** While the signature is undecided, everything that depends on it is too. */
function toDecision({ decision, flags }: Findings, refusal: Refusal | null) {
  const undecided = decision?.needs === "signature" ? ("signature" as const) : null;
  const { rule = null, signature = null, directory = null, candidates = [] } = decision?.trace ?? {};
  const initiator = decision && !undecided ? decision.initiator : null;
  return {
    initiator: initiator && {
      id: initiator.id,
      source: initiator.source,
      name: initiator.name,
      attribution: initiator.attribution,
    },
    rule,
    signature,
    directory,
    candidates: undecided ? [] : candidates,
    undecided,
    flags: undecided ? [] : flags,
    refusal: refusal && !undecided ? toRefusal(refusal) : null,
  };
}

const toRefusal = ({ code, status, message, data }: Refusal): Explanation["refusal"] => ({
  reason: code,
  status,
  message,
  detail: data.detail ?? null,
});

function delegationOf({ delegation }: Findings, { delegates, refusal }: Context): Explanation["delegation"] {
  if (!delegates) return "off";
  if (delegation) return "accepted";
  return refusal?.code === "delegation_rejected" ? "rejected" : "absent";
}

function toPresented({ identity, accessToken: assertion, ownKey }: Credential): Explanation["presented"] {
  return { identity: toCredential(identity), assertion: toCredential(assertion), own: toCredential(ownKey) };
}

const toCredential = (secret: Secret | null): ExplainedCredential | null =>
  secret && { header: secret.from, key_id: keyId(secret) };

/** As `api_key_id` has it in the records. */
const keyId = ({ sha256 }: Secret): string => keyIdOf(sha256);

function toKey({ credential, presented }: Findings): Explanation["upstream_key"] {
  if (!credential) return null;
  const { kind, header } = credential;
  const own = kind === "byok" ? presented?.ownKey : null;
  // A token that is fetched, and a signature, are in `Authorization`.
  return { kind, header: header?.[0] ?? "authorization", key_id: own ? keyId(own) : null };
}
