/** The subject that a rule charges for a call. */
import { isStrong } from "../../../events/attribution-strength.ts";
import type { BudgetSubject } from "../../../events/budget-service.ts";
import type { Caller } from "../../../events/compose.ts";
import { hasClaim, type Claims } from "../../../shared/claims.ts";
import type { Actor } from "../../identity/identity.ts";
import { matchesName } from "../../../shared/prices/pricing.ts";
import type { Rule, RuleFilter } from "./rule.ts";

/** A call as the rules see it. */
export type LimitedCall = {
  readonly caller: Caller;
  readonly claims: Claims;
  readonly provider: string;
  readonly isOwnKey: boolean;
  /** The models that may run; null: one that is not named. */
  readonly models: readonly (string | null)[];
};

type Decided = {
  readonly caller: Caller;
  readonly actor: Pick<Actor, "verified" | "claims"> | null;
  readonly provider: string;
  readonly credential: { readonly kind: "centralized" | "byok" };
};

/** `models`: see `LimitedCall`. */
export const toLimitedCall = (
  { caller, actor, provider, credential }: Decided,
  models: LimitedCall["models"],
): LimitedCall => ({
  caller,
  // Only an issuer's word counts.
  claims: actor?.verified ? (actor.claims ?? {}) : {},
  provider,
  isOwnKey: credential.kind === "byok",
  models,
});

export type Subject = BudgetSubject;

/** Whether the rule is about the call. */
export function isAbout({ filter, ownKeys }: Rule, call: LimitedCall): boolean {
  if (call.isOwnKey && !ownKeys) return false;
  return isMatch(filter, call);
}

export function isMatch({ providers, models, clients, claim }: RuleFilter, call: LimitedCall): boolean {
  if (providers !== null && !providers.includes(call.provider)) return false;
  if (clients !== null && !clients.includes(call.caller.client)) return false;
  if (claim !== null && !hasClaim(call.claims, claim[0], [claim[1]])) return false;
  return call.models.some((model) => matchesModel(models, model));
}

/** `models`: of the rule. `model`: null where it is not known, which matches. */
export const matchesModel = (models: RuleFilter["models"], model: string | null): boolean =>
  models === null || model === null || models.some((pattern) => matchesName(pattern, model.toLowerCase()));

/** null where the rule demands better evidence than the call has. */
export function subjectOf(
  { per, minAttribution, below, account }: Pick<Rule, "per" | "minAttribution" | "below" | "account">,
  { caller }: LimitedCall,
): Subject | null {
  const actor: Subject = { kind: "principal", source: caller.identity_source, id: caller.actor_id };
  switch (per) {
    case "initiator":
      if (isStrong(caller.attribution, minAttribution))
        return { kind: "principal", source: caller.initiator_source, id: caller.initiator_id };
      return below === "actor" ? actor : null;
    case "actor":
      return actor;
    case "client":
      return { kind: "client", source: null, id: caller.client };
    case "workspace":
      return { kind: "workspace", source: null, id: caller.workspace_id };
    case "key":
      return { kind: "key", source: null, id: caller.api_key_id };
    case "all":
      return { kind: "all", source: null, id: account };
  }
}
