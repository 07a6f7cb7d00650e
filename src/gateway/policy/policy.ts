/**
 * The contract of a policy, which decides whether a request may be forwarded. Each policy is one file. `wiring.ts`
 * lists the policies in order, and the first refusal wins.
 */
import type { Provider } from "../provider/provider.ts";
import type { Refusal } from "../../shared/refusal.ts";

export type PolicyRequest = {
  readonly provider: Provider;
  /** The model exactly as the provider will read it; null if the request names none (for example a passthrough). */
  readonly model: string | null;
  /** Whether the request runs a model. */
  readonly runsModel: boolean;
  readonly actorId: string;
  readonly initiatorId: string;
};

export type Policy = (request: PolicyRequest) => Refusal | null;

/** Returns the first policy's refusal, or null if every policy allows the request. Later policies are not evaluated. */
export function applyPolicies(policies: readonly Policy[], request: PolicyRequest): Refusal | null {
  for (const policy of policies) {
    const refusal = policy(request);
    if (refusal) return refusal;
  }
  return null;
}
