/** Budgets and rate limits of one call: it is reserved before the provider is called, and charged at its end. */
import { budgetEvent } from "../../events/compose.ts";
import type { BudgetEvent } from "../../events/event.ts";
import { EXTENDED_POSITIONS } from "../../events/event-id.ts";
import type { Settlement } from "../../events/budget-service.ts";
import type { CostFacts, QuoteCall } from "../../shared/prices/pricing.ts";
import { Refusal } from "../../shared/refusal.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import type { Account } from "../policy/budgets/accounts.ts";
import { hold, type HeldCall } from "../policy/budgets/budgets.ts";
import type { BudgetDeps, BudgetNotice, CallContext } from "../policy/budgets/call.ts";
import { keepLater, keepsLater, toLaterCall } from "../policy/budgets/later.ts";
import {
  greatest,
  likelyInput,
  ONE_CALL,
  UNLIMITED,
  worstCase,
  type Amounts,
} from "../policy/budgets/estimate.ts";
import { checkPlatformLimits, type PlatformLimiter } from "../policy/budgets/platform-limits.ts";
import { toLimitedCall, type LimitedCall } from "../policy/budgets/subject.ts";
import { usageOf, type Claimed, type EndedCall } from "./call-usage.ts";
import type { Forwardable } from "./upstream-call.ts";
import type { Exchange } from "./exchange.ts";

export type SpendingDeps = BudgetDeps & {
  readonly quote: QuoteCall;
  readonly platformLimits: readonly PlatformLimiter[];
};

export type Spending = {
  /** Reserves for the call; the refusal where it may not be made. */
  readonly reserve: (claimed: Claimed) => Promise<Refusal | null>;
  /** Charges the call, once. `cost`: null for a passthrough. */
  readonly ended: (result: EndedCall, cost: CostFacts | null) => void;
};

type ReservedCall = {
  readonly held: HeldCall;
  readonly claimed: Claimed;
  readonly most: Amounts;
  /** When the reservation was made, just before the provider is called. Milliseconds since 1970. */
  readonly sentAt: number;
};

/** null where nothing is limited. */
export function createSpending(exchange: Exchange, forwardable: Forwardable): Spending | null {
  const { deps } = exchange;
  const { budgets } = deps;
  if (budgets === null) return null;
  const context = callContext(exchange, forwardable);
  let held: ReservedCall | null = null;
  /** The call, where it reserved nothing: no rule is about it, or only rate limits of the platform are. */
  let unlimited: Claimed | null = null;
  let hasEnded = false;
  return {
    reserve: async (claimed) => {
      const call = limitedCall(exchange, forwardable, modelsOf(claimed));
      const limited = await checkPlatformLimits(budgets.platformLimits, call);
      if (limited) return limited;
      const most = mostOf(claimed, call.provider, exchange.startedAt, budgets.quote);
      const inputTokens = claimed.kind === "figures" ? likelyInput(claimed.figures) : 0;
      const result = await hold({ call, most, inputTokens, at: exchange.startedAt }, context, budgets);
      if (result instanceof Refusal) return result;
      if (result === null) {
        unlimited = claimed;
        return null;
      }
      // The client of an upload can disconnect while its call is reserved.
      if (hasEnded) {
        exchange.waitUntil(result.release());
        return null;
      }
      held = { held: result, claimed, most, sentAt: deps.now() };
      return null;
    },
    ended: (result, cost) => {
      hasEnded = true;
      if (held === null) {
        // Stored with no accounts, so that results of it are not charged to the accounts of their first reader.
        const id = unlimited && laterId(result, unlimited);
        if (id !== null) keepAccounts(exchange, forwardable, [], id);
        return;
      }
      const { held: reservation, claimed, most, sentAt } = held;
      held = null;
      if (!isMade(result)) {
        exchange.waitUntil(reservation.release());
        return;
      }
      const later = laterId(result, claimed);
      const used = usageOf(result, cost, {
        claimed,
        most,
        later,
        quote: budgets.quote,
        provider: forwardable.route.provider.name,
        at: exchange.startedAt,
        lostAfterMs: deps.now() - (result.attempts?.sentAt ?? sentAt),
      });
      exchange.waitUntil(reservation.settle(used));
      if (later !== null) keepAccounts(exchange, forwardable, reservation.accounts, later);
    },
  };
}

/** Stores the accounts of a call whose usage is known when it is read. `id`: the provider's. */
function keepAccounts(
  exchange: Exchange,
  { route: { provider } }: Forwardable,
  accounts: readonly Account[],
  id: string,
): void {
  const { budgets } = exchange.deps;
  if (budgets === null || !keepsLater(budgets)) return;
  const call = toLaterCall(accounts, exchange.startedAt);
  exchange.waitUntil(keepLater(budgets, { provider: provider.name, id }, call, exchange));
}

/** Whether the provider may have run the call, in any attempt. */
const isMade = ({ isUnsent, outcome, error, attempts }: EndedCall): boolean =>
  (attempts?.lost.length ?? 0) > 0 || (!isUnsent && (outcome !== "refused" || error === "internal"));

/** The provider's id of a call whose usage is known when it is read; null of others. */
function laterId({ outcome, observation }: EndedCall, claimed: Claimed): string | null {
  const isBackground = claimed.kind === "figures" && claimed.figures.isBackground;
  return outcome === "queued" || isBackground ? (observation?.report.id ?? null) : null;
}

/** The call, as rules see it. */
export const limitedCall = (
  { findings: { actor }, caller }: Exchange,
  forwardable: Forwardable,
  models: LimitedCall["models"],
): LimitedCall =>
  toLimitedCall(
    {
      caller: caller ?? forwardable.caller,
      actor,
      provider: forwardable.route.provider.name,
      credential: forwardable.credential,
    },
    models,
  );

function modelsOf(claimed: Claimed): LimitedCall["models"] {
  if (claimed.kind === "figures") {
    const { models, fallbackModels, toolModels } = claimed.figures;
    const named = [...models, ...fallbackModels, ...toolModels];
    return claimed.alias == null ? named : [...named, claimed.alias];
  }
  return [claimed.kind === "unknown" ? claimed.model : null];
}

function mostOf(claimed: Claimed, provider: string, at: number, quote: QuoteCall): Amounts {
  if (claimed.kind === "later") return ONE_CALL;
  if (claimed.kind === "unknown") return UNLIMITED;
  const own = worstCase(claimed.figures, { provider, at }, quote);
  if (!claimed.fallbacks) return own;
  return claimed.fallbacks
    .map((fallback) => worstCase(fallback.figures, { provider: fallback.provider, at }, quote))
    .reduce(greatest, own);
}

/** The context in which a request's calls are charged. */
export function callContext(exchange: Exchange, { caller }: Forwardable): CallContext {
  const { id, deps, recorder, after, waitUntil } = exchange;
  const positions = new Map<string, number>();
  const record = (type: BudgetEvent["record_type"], account: Account, facts: Partial<Facts>): void => {
    const count = positions.get(type) ?? 0;
    positions.set(type, count + 1);
    const position = count % EXTENDED_POSITIONS;
    // An event id has `EXTENDED_POSITIONS` positions. Further charges get new ids, so that no charge is lost. Further events of
    // other types are dropped.
    if (count > position && type !== "budget_charge") return;
    const now = deps.now();
    const eventOf = count > position ? uuidV7(now, deps.randomUuid()) : id;
    const { rule, subject, claim } = account;
    const all = { rule: claim.account, subject, measure: rule.measure, ...facts };
    recorder.record(budgetEvent(type, { id: eventOf, position, caller }, all, now));
  };
  return {
    id,
    after,
    waitUntil,
    notice: (notices) => {
      for (const notice of notices) record(TYPES[notice.kind], notice.account, factsOf(notice));
      if (notices.length > 0) void recorder.flush();
    },
    undelivered: (object, account, settlements) => {
      for (let at = 0; at < settlements.length; at += SETTLEMENTS_PER_EVENT) {
        const part = settlements.slice(at, at + SETTLEMENTS_PER_EVENT);
        record("budget_charge", account, { charges: { object, settlements: part } satisfies Charges });
      }
      void recorder.flush();
    },
  };
}

type Facts = Parameters<typeof budgetEvent>[2];
type Charges = { readonly object: string; readonly settlements: readonly Settlement[] };

const SETTLEMENTS_PER_EVENT = 32;

const TYPES = {
  threshold: "budget_threshold",
  exceeded: "budget_exceeded",
  rate_limited: "rate_limited",
  overrun: "budget_overrun",
} as const;

function factsOf(notice: BudgetNotice): Partial<Facts> {
  const { state, account } = notice;
  switch (notice.kind) {
    case "threshold":
      return { state, percent: notice.percent };
    case "overrun":
      return { state, amount: notice.charged };
    default:
      return { state, amount: account.claim.amount };
  }
}
