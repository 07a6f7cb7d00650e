/** Policy: only the models that the provider's config lists, compared to the letter: no trimming, no folding of case. */
import { Refusal } from "../../shared/refusal.ts";
import type { Policy } from "./policy.ts";

export const modelsPolicy: Policy = ({ provider, model, runsModel }) => {
  if (!runsModel || provider.models === null) return null;
  return model !== null && provider.models.includes(model) ? null : new Refusal("model_not_allowed");
};
