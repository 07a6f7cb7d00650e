/**
 * Charges what is read later than its call: results of a batch, and a response that was made in the background. The accounts are those
 * of the call, not those of its reader. Of a batch that was not created through the gateway, those of the first reader.
 */
import type { Settlement } from "../../events/budget-service.ts";
import { Refusal } from "../../shared/refusal.ts";
import { accountsOf, byObject, type Account } from "../policy/budgets/accounts.ts";
import type { ObjectDeps } from "../policy/budgets/call.ts";
import { ONE_CALL } from "../policy/budgets/estimate.ts";
import { accountsOfLater, findLater, keepLater, keepsLater, toLaterCall } from "../policy/budgets/later.ts";
import { notify } from "../policy/budgets/settle.ts";
import { matchesModel, type LimitedCall } from "../policy/budgets/subject.ts";
import type { Forwardable } from "./upstream-call.ts";
import type { Exchange } from "./exchange.ts";
import { callContext, limitedCall, type SpendingDeps } from "./spending.ts";

/** The usage of one model. */
export type RetrievedUse = {
  readonly model: string | null;
  /** Micro-dollars. */
  readonly dollars: number;
  readonly tokens: number;
};

export type Retrieved = {
  /** The provider's id of the response, the batch, or its file of results. */
  readonly id: string;
  readonly isBatch: boolean;
  readonly uses: readonly RetrievedUse[];
  /** The results are not all, or not all have a price. */
  readonly isEstimate: boolean;
};

/** Charges results of an earlier call that were read now, after the response. */
export function chargeRetrieved(exchange: Exchange, forwardable: Forwardable, retrieved: Retrieved): void {
  const { budgets } = exchange.deps;
  if (budgets !== null && keepsLater(budgets))
    exchange.waitUntil(charge(exchange, forwardable, retrieved, budgets));
}

/** Batches and files of which this isolate knows that their accounts are stored, or that there are none. */
const linked = new Set<string>();
const MAX_LINKED = 10_000;

/** A batch's file of results is charged to the accounts of the batch. */
export function linkLater(
  exchange: Exchange,
  forwardable: Forwardable,
  { batchId, fileId }: { readonly batchId: string; readonly fileId: string },
): void {
  const { budgets } = exchange.deps;
  const { name: provider } = forwardable.route.provider;
  const key = JSON.stringify([provider, batchId, fileId]);
  if (budgets === null || !keepsLater(budgets) || linked.has(key)) return;
  if (linked.size >= MAX_LINKED) linked.clear();
  linked.add(key);
  const link = async (): Promise<void> => {
    const batch = await findLater(budgets, { provider, id: batchId }, exchange);
    if (batch === null) return;
    const kept =
      batch === "unavailable" ? batch : await keepLater(budgets, { provider, id: fileId }, batch, exchange);
    if (kept === "unavailable") linked.delete(key);
  };
  exchange.waitUntil(link());
}

async function charge(
  exchange: Exchange,
  forwardable: Forwardable,
  retrieved: Retrieved,
  deps: SpendingDeps & ObjectDeps,
): Promise<void> {
  const { objects } = deps;
  const { name: provider } = forwardable.route.provider;
  const context = callContext(exchange, forwardable);
  const id = `${provider}/${retrieved.id}`;
  const accounts = await accountsOfRetrieved(exchange, forwardable, retrieved, deps);
  for (const [object, charged] of byObject(accounts)) {
    const [first] = charged;
    if (!first) continue;
    const settlement = settlementOf({ id, deliveredBy: context.id }, charged, retrieved);
    const result = await objects.settle(object, [settlement], context);
    if (result === null) context.undelivered(object, first, [settlement]);
    else notify(result.news, result.states, charged, context);
  }
}

async function accountsOfRetrieved(
  exchange: Exchange,
  forwardable: Forwardable,
  { id, isBatch, uses }: Retrieved,
  deps: SpendingDeps & ObjectDeps,
): Promise<readonly Account[]> {
  const { name: provider } = forwardable.route.provider;
  const name = { provider, id };
  const readers = (models: readonly (string | null)[]): Promise<readonly Account[]> =>
    accountsOfReader(exchange, limitedCall(exchange, forwardable, models), deps);
  const known = isBatch
    ? await keepLater(deps, name, toLaterCall(await readers([null]), exchange.startedAt), exchange)
    : await findLater(deps, name, exchange);
  if (known === "unavailable") {
    // The accounts are not known. Those of the reader would be charged in place of others. The next reading charges the right ones.
    exchange.deps.logError({ event: "budget_not_charged", provider, interception_id: exchange.id });
    return [];
  }
  const accounts = known ? accountsOfLater(deps, known) : await readers(uses.map(({ model }) => model));
  return accounts.filter(({ rule }) => uses.some(({ model }) => matchesModel(rule.filter.models, model)));
}

/** The accounts of the rules that do not refuse the reader. */
async function accountsOfReader(
  { startedAt: at }: Exchange,
  call: LimitedCall,
  { rules, nameObject }: SpendingDeps,
): Promise<readonly Account[]> {
  const budgets = rules.filter(({ kind }) => kind === "budget");
  const found = await Promise.all(
    budgets.map((rule) => accountsOf([rule], { call, most: ONE_CALL, inputTokens: 0, at }, nameObject)),
  );
  return found.flatMap((accounts) => (accounts instanceof Refusal ? [] : accounts));
}

function settlementOf(
  { id, deliveredBy }: Pick<Settlement, "id" | "deliveredBy">,
  accounts: readonly Account[],
  { isBatch, uses, isEstimate }: Retrieved,
): Settlement {
  const charges = accounts.map(({ rule, claim }) => {
    const own = uses.filter(({ model }) => matchesModel(rule.filter.models, model));
    const sum = (measure: "dollars" | "tokens"): number => own.reduce((all, use) => all + use[measure], 0);
    // A batch's own call is the one that created it. A response's call was charged, and its estimate is replaced.
    const calls = rule.measure === "requests" && !isBatch ? 1 : 0;
    const isSum = rule.measure === "dollars" || rule.measure === "tokens";
    return { ...claim, amount: isSum ? sum(rule.measure) : calls };
  });
  return {
    id,
    ...(deliveredBy === undefined ? {} : { deliveredBy }),
    isEstimate,
    charges,
    onlyReplaces: !isBatch,
  };
}
