/**
 * Policy: only the models that the provider's configuration lists. Names are compared exactly, without trimming or case
 * folding.
 */
import { Refusal } from "../../shared/refusal.ts";
import type { Policy } from "./policy.ts";

export const modelsPolicy: Policy = ({ provider, model, runsModel }) => {
  if (!runsModel || provider.models === null) return null;
  return model !== null && provider.models.includes(model) ? null : new Refusal("model_not_allowed");
};
