/**
 * The contract of a policy: may this request go on? One file per policy; `wiring.ts` lists them in their order, and
 * the first refusal wins.
 */
import type { Provider } from "../provider/provider.ts";
import type { Refusal } from "../../shared/refusal.ts";

export type PolicyRequest = {
  readonly provider: Provider;
  /** The model as the provider will read it, to the letter; null where none is named (a passthrough, say). */
  readonly model: string | null;
  /** The request has a model do something. */
  readonly runsModel: boolean;
  readonly actorId: string;
  readonly initiatorId: string;
};

export type Policy = (request: PolicyRequest) => Refusal | null;

/** The first policy's refusal, or null: go on. */
export function applyPolicies(policies: readonly Policy[], request: PolicyRequest): Refusal | null {
  for (const policy of policies) {
    const refusal = policy(request);
    if (refusal) return refusal;
  }
  return null;
}
