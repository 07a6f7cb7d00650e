/** The budgets and rate limits that a described request would be charged to, as they are now. Nothing is reserved. */
import type { ExplainedBudget } from "../../../events/explanation.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { accountsOf, type Account } from "../../policy/budgets/accounts.ts";
import { likelyInput, UNLIMITED, worstCase } from "../../policy/budgets/estimate.ts";
import { refusalFor } from "../../policy/budgets/refusals.ts";
import { toLimitedCall } from "../../policy/budgets/subject.ts";
import { modelsOf, namedModels } from "../../provider/path-model.ts";
import { NO_FIGURES } from "../../provider/request-figures.ts";
import type { Route } from "../../provider/route.ts";
import { callerOf } from "../caller.ts";
import type { RequestDecision } from "../decide.ts";
import type { Deps } from "../deps.ts";
import type { ExplainInput } from "./input.ts";

export type ExplainedBudgets = {
  /** null where nothing is limited. */
  readonly budgets: readonly ExplainedBudget[] | null;
  /** The refusal of the first budget that denies the request. */
  readonly refusal: Refusal | null;
};

/** `input.usage`: null where the description does not say what the request may use. */
export async function explainBudgets(
  decided: RequestDecision,
  { provider, pathModel }: Route,
  { usage, headers }: ExplainInput,
  { budgets: limits, config, now }: Deps,
): Promise<ExplainedBudgets> {
  if (limits === null) return { budgets: null, refusal: null };
  const at = now();
  const models = modelsOf(namedModels(pathModel, usage?.model ?? null));
  const figures = usage && {
    ...NO_FIGURES,
    models,
    textBytes: usage.bytes,
    outputLimit: usage.outputLimit,
  };
  const caller = callerOf("", headers, decided, config.assertion);
  const { actor, credential } = decided;
  const call = toLimitedCall({ caller, actor, provider: provider.name, credential }, models);
  const most = figures
    ? worstCase(figures, { provider: provider.name, at }, limits.quote)
    : { ...UNLIMITED, dollars: 0, tokens: 0 };
  const inputTokens = figures ? likelyInput(figures) : 0;
  const accounts = await accountsOf(limits.rules, { call, most, inputTokens, at }, limits.nameObject);
  if (accounts instanceof Refusal) return { budgets: [], refusal: accounts };
  const explained = await Promise.all(
    accounts.map((account) => explainAccount(account, figures !== null, limits, at)),
  );
  return {
    budgets: explained.map(({ budget }) => budget),
    refusal: explained.find(({ refusal }) => refusal !== null)?.refusal ?? null,
  };
}

async function explainAccount(
  account: Account,
  isKnown: boolean,
  { objects }: NonNullable<Deps["budgets"]>,
  at: number,
): Promise<{ readonly budget: ExplainedBudget; readonly refusal: Refusal | null }> {
  const { rule, subject, claim, object } = account;
  const [state = null] = (await objects?.read(object, [claim])) ?? [];
  const amount =
    isKnown || rule.measure === "requests" || rule.measure === "concurrent" ? claim.amount : null;
  const isBeyond =
    rule.isHard && state !== null && state.spent + state.reserved + (amount ?? 0) > state.limit;
  return {
    budget: {
      rule: claim.account,
      subject_kind: subject.kind,
      subject_source: subject.source,
      subject_id: subject.kind === "all" ? null : subject.id,
      measure: rule.measure,
      would_reserve: amount,
      spent: state?.spent ?? null,
      reserved: state?.reserved ?? null,
      limit: state?.limit ?? claim.limit,
      resets_at: state ? new Date(state.resetsAt).toISOString() : null,
    },
    refusal: isBeyond && state ? refusalFor(account, state, at) : null,
  };
}
