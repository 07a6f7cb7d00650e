/** Budgets and rate limits of one call: it is reserved before the provider is called, and charged at its end. */
import { budgetEvent, type InterceptionResult } from "../../events/compose.ts";
import type { BudgetEvent } from "../../events/event.ts";
import { EXTENDED_POSITIONS } from "../../events/event-id.ts";
import type { Settlement } from "../../events/budget-service.ts";
import type { CostFacts, QuoteCall } from "../../shared/prices/pricing.ts";
import { Refusal } from "../../shared/refusal.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import type { Account } from "../policy/budgets/accounts.ts";
import { hold, type HeldCall } from "../policy/budgets/budgets.ts";
import type { BudgetDeps, BudgetNotice, CallContext, Used } from "../policy/budgets/call.ts";
import { keepLater, toLaterCall } from "../policy/budgets/later.ts";
import {
  likelyCase,
  likelyInput,
  sessionsOf,
  ONE_CALL,
  UNLIMITED,
  worstCase,
  type Amounts,
} from "../policy/budgets/estimate.ts";
import { checkPlatformLimits, type PlatformLimiter } from "../policy/budgets/platform-limits.ts";
import { toLimitedCall, type LimitedCall } from "../policy/budgets/subject.ts";
import type { RequestFigures } from "../provider/request-figures.ts";
import { sumOf } from "../provider/usage.ts";
import { isFreeError } from "./call-cost.ts";
import type { Forwardable, UpstreamResult } from "./upstream-call.ts";
import type { Exchange } from "./exchange.ts";

export type SpendingDeps = BudgetDeps & {
  readonly quote: QuoteCall;
  readonly platformLimits: readonly PlatformLimiter[];
};

/** The claim of a request: its figures, or that it creates a batch, or that nothing of it is known. */
export type Claimed =
  | { readonly kind: "figures"; readonly figures: RequestFigures; readonly isStream: boolean }
  /** A batch: its results are charged when they are read. */
  | { readonly kind: "later" }
  | { readonly kind: "unknown"; readonly model: string | null };

export type Spending = {
  /** Reserves for the call; the refusal where it may not be made. */
  readonly reserve: (claimed: Claimed) => Promise<Refusal | null>;
  /** Charges the call, once. `cost`: null for a passthrough. */
  readonly ended: (result: EndedCall, cost: CostFacts | null) => void;
};

/** How a call ended, of any kind. */
export type EndedCall = Pick<InterceptionResult, "outcome" | "status" | "error" | "observation"> & {
  /** The client had disconnected before the provider was called. */
  readonly isUnsent?: boolean;
  /** Of a request that may be sent more than once. */
  readonly attempts?: UpstreamResult["attempts"];
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
  /** The call, where no rule is about it. */
  let unlimited: Claimed | null = null;
  const keep = (accounts: readonly Account[], id: string): void => {
    const call = toLaterCall(accounts, exchange.startedAt);
    exchange.waitUntil(keepLater(budgets, { provider: forwardable.route.provider.name, id }, call, context));
  };
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
        // Its results are charged to no account, and not to those of their reader.
        const id = unlimited && laterId(result, unlimited);
        if (id !== null) keep([], id);
        return;
      }
      const { held: reservation, claimed, most, sentAt } = held;
      held = null;
      if (!isMade(result)) {
        exchange.waitUntil(reservation.release());
        return;
      }
      const provider = forwardable.route.provider.name;
      const later = laterId(result, claimed);
      const lostAfterMs = deps.now() - (result.attempts?.sentAt ?? sentAt);
      const used = usedBy(result, cost, { claimed, most, exchange, provider, later, lostAfterMs });
      exchange.waitUntil(reservation.settle(used));
      if (later !== null) keep(reservation.accounts, later);
    },
  };
}

/** Whether the provider may have run the call, in any attempt. */
const isMade = ({ isUnsent, outcome, error, attempts }: EndedCall): boolean =>
  (attempts?.lost ?? 0) > 0 || (!isUnsent && (outcome !== "refused" || error === "internal"));

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
    return [...models, ...fallbackModels, ...toolModels];
  }
  return [claimed.kind === "unknown" ? claimed.model : null];
}

function mostOf(claimed: Claimed, provider: string, at: number, quote: QuoteCall): Amounts {
  if (claimed.kind === "later") return ONE_CALL;
  return claimed.kind === "unknown" ? UNLIMITED : worstCase(claimed.figures, { provider, at }, quote);
}

type UsedContext = {
  readonly claimed: Claimed;
  readonly most: Amounts;
  readonly exchange: Exchange;
  readonly provider: string;
  /** `laterId`. */
  readonly later: string | null;
  /** Milliseconds from the provider's call to its end. */
  readonly lostAfterMs: number;
};

/** Failures at which the provider has run nothing. */
const NOT_RUN = new Set(["upstream_redirected", "upstream_key_rejected", "upstream_token_unavailable"]);
/**
 * Milliseconds. The platform reports a refused connection and a lost one alike. A refused connection fails sooner; a lost one
 * may have run the model.
 */
const UNREACHABLE_MS = 1000;

export const isNotRun = (error: string | null, lostAfterMs: number): boolean =>
  error !== null &&
  (NOT_RUN.has(error) || (error === "upstream_unreachable" && lostAfterMs < UNREACHABLE_MS));

function usedBy(result: EndedCall, cost: CostFacts | null, context: UsedContext): Used {
  const used = usedByLast(result, cost, context);
  const lost = result.attempts?.lost ?? 0;
  return lost > 0 ? withLost(used, lost, context) : used;
}

/** By the attempt whose response the client got. */
function usedByLast(
  { observation, status, error, isUnsent }: EndedCall,
  cost: CostFacts | null,
  context: UsedContext,
): Used {
  const { claimed, most, exchange, provider, later, lostAfterMs } = context;
  const nothing: Used = { amounts: ONE_CALL, isEstimate: false };
  if (isUnsent) return nothing;
  if (claimed.kind !== "figures")
    return cost === null
      ? nothing
      : { amounts: { ...ONE_CALL, dollars: cost.micros ?? 0 }, isEstimate: false };
  if (observation === null && isNotRun(error, lostAfterMs)) return nothing;
  if (observation !== null && isFreeError(status, observation.report)) return nothing;
  const usage = observation?.report.usage ?? null;
  const input =
    usage && sumOf(usage.input_tokens, usage.cache_read_input_tokens, usage.cache_write_input_tokens);
  const output = usage?.output_tokens ?? null;
  const { figures, isStream } = claimed;
  const known = cost?.micros ?? null;
  const priced = { provider, at: exchange.startedAt };
  const quote = exchange.deps.budgets?.quote ?? (() => null);
  const seen = { input, output, responseBytes: observation?.end.bytes ?? 0 };
  const likely = (): Amounts => likelyCase(figures, seen, priced, quote);
  if (observation?.usageState === "final") {
    const tokens = (input ?? 0) + (output ?? 0);
    // A tool ran whose cost the response does not state.
    const beside = cost?.source === "partial" ? sessionsOf(figures) : 0;
    // A tier that the response names can have no price.
    const dollars = known === null ? (likely().dollars ?? 0) : known + beside;
    return { amounts: { ...ONE_CALL, tokens, dollars }, isEstimate: known === null, hasTokens: true };
  }
  // A response that is not streamed, or is made in the background, goes on to its end, whether it arrives or not.
  const { tokens, dollars } = isStream && !figures.isBackground ? likely() : most;
  const amounts = { ...ONE_CALL, tokens, dollars: Math.max(dollars ?? 0, known ?? 0) };
  // Its usage is known when it is read, and then replaces the estimate.
  return { amounts, isEstimate: true, ...(later === null ? {} : { as: `${provider}/${later}` }) };
}

/**
 * Attempts that were given up and may have run count as calls of which nothing is known. An estimate is bounded by the
 * reservation, which is for one call: the sum is therefore none, unless later figures replace it.
 */
function withLost(used: Used, lost: number, { claimed, most, exchange, provider }: UsedContext): Used {
  if (claimed.kind !== "figures") return used;
  const { figures, isStream } = claimed;
  const quote = exchange.deps.budgets?.quote ?? (() => null);
  const unseen = { input: null, output: null, responseBytes: 0 };
  const each =
    isStream && !figures.isBackground
      ? likelyCase(figures, unseen, { provider, at: exchange.startedAt }, quote)
      : most;
  const sum = (name: "tokens" | "dollars"): number => {
    const last = used.amounts[name] ?? 0;
    const bound = (used.isEstimate && most[name]) || Number.POSITIVE_INFINITY;
    return Math.min(last, bound) + lost * Math.min(each[name] ?? 0, most[name] ?? Number.POSITIVE_INFINITY);
  };
  const amounts = { ...used.amounts, tokens: sum("tokens"), dollars: sum("dollars") };
  return { ...used, amounts, isEstimate: used.as !== undefined };
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
