/** The usage that a call is charged for at its end: figures of the provider, or estimates (docs/budgets.md). */
import type { InterceptionResult } from "../../events/compose.ts";
import type { CostFacts, QuoteCall } from "../../shared/prices/pricing.ts";
import type { Used } from "../policy/budgets/call.ts";
import { likelyCase, NOTHING, ONE_CALL, sessionsOf, type Amounts } from "../policy/budgets/estimate.ts";
import type { RequestFigures } from "../provider/request-figures.ts";
import { sumOf } from "../provider/usage.ts";
import { isFreeError, isNotRun } from "./call-cost.ts";
import type { UpstreamResult } from "./upstream-call.ts";

/** How a call ended, of any kind. */
export type EndedCall = Pick<
  InterceptionResult,
  "outcome" | "status" | "error" | "observation" | "isUnsent"
> & {
  /** Of a request that may be sent more than once. */
  readonly attempts?: UpstreamResult["attempts"] | undefined;
  /** The provider whose response it is, where it may be another one than that of the request. */
  readonly servedBy?: string | undefined;
};

/** The claim of a request: its figures, or that it creates a batch, or that nothing of it is known. */
export type Claimed =
  | ClaimedFigures
  /** A batch: its results are charged when they are read. */
  | { readonly kind: "later" }
  | { readonly kind: "unknown"; readonly model: string | null };

export type ClaimedFigures = {
  readonly kind: "figures";
  /** With the model by the provider's id of it. */
  readonly figures: RequestFigures;
  readonly isStream: boolean;
  /** The client's name of the model, where the figures have another one. */
  readonly alias?: string | null;
  /** The figures at each provider that the call may go to if its own one fails. */
  readonly fallbacks?: readonly { readonly provider: string; readonly figures: RequestFigures }[];
};

export type UsageContext = {
  readonly claimed: Claimed;
  /** The reservation, which is for one attempt. */
  readonly most: Amounts;
  readonly quote: QuoteCall;
  readonly provider: string;
  /** When the call began, in milliseconds since 1970. */
  readonly at: number;
  /** The provider's id of a call whose usage is known when it is read; null of others. */
  readonly later: string | null;
  /** Milliseconds from the provider's call to its end. */
  readonly lostAfterMs: number;
};

export function usageOf(result: EndedCall, cost: CostFacts | null, context: UsageContext): Used {
  const used = usageOfLast(result, cost, contextAt(result.servedBy, context));
  const lost = (result.attempts?.lost ?? []).flatMap((provider) => usageOfLost(contextAt(provider, context)));
  return lost.length === 0 ? used : { ...used, lost: { ...NOTHING, ...sumUp(lost) } };
}

type LostUsage = { readonly tokens: number; readonly dollars: number };

const sumUp = (lost: readonly LostUsage[]): LostUsage => ({
  tokens: lost.reduce((sum, { tokens }) => sum + tokens, 0),
  dollars: lost.reduce((sum, { dollars }) => sum + dollars, 0),
});

/** The context at the provider of an attempt. */
function contextAt(name: string | undefined, context: UsageContext): UsageContext {
  const { claimed } = context;
  if (claimed.kind !== "figures") return context;
  const fallback = claimed.fallbacks?.find(({ provider }) => provider === name);
  return fallback ? { ...context, ...fallback, claimed: { ...claimed, figures: fallback.figures } } : context;
}

/** By the attempt whose response the client got. */
function usageOfLast(
  { observation, status, error, isUnsent }: EndedCall,
  cost: CostFacts | null,
  context: UsageContext,
): Used {
  const { claimed, most, quote, provider, at, later, lostAfterMs } = context;
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
  const seen = { input, output, responseBytes: observation?.end.bytes ?? 0 };
  const likely = (): Amounts => likelyCase(figures, seen, { provider, at }, quote);
  if (observation?.usageState === "final") {
    const tokens = (input ?? 0) + (output ?? 0);
    // A tool ran whose cost the response does not state.
    const beside = cost?.source === "partial" ? sessionsOf(figures) : 0;
    // A tier that the response names can have no price.
    const dollars = known === null ? (likely().dollars ?? 0) : known + beside;
    return { amounts: { ...ONE_CALL, tokens, dollars }, isEstimate: known === null, hasTokens: true };
  }
  const { tokens, dollars } = endsUnseen(figures, isStream) ? most : likely();
  const amounts = { ...ONE_CALL, tokens, dollars: Math.max(dollars ?? 0, known ?? 0) };
  // Its usage is known when it is read, and then replaces the estimate.
  return { amounts, isEstimate: true, ...(later === null ? {} : { as: `${provider}/${later}` }) };
}

/** Of a lost attempt, as of a call of which nothing is known. Its estimate is at most what was reserved. */
function usageOfLost({ claimed, most, quote, provider, at }: UsageContext): LostUsage | [] {
  if (claimed.kind !== "figures") return [];
  const { figures, isStream } = claimed;
  const unseen = { input: null, output: null, responseBytes: 0 };
  const likely = endsUnseen(figures, isStream) ? most : likelyCase(figures, unseen, { provider, at }, quote);
  const atMost = (name: "tokens" | "dollars"): number =>
    Math.min(likely[name] ?? 0, most[name] ?? Number.POSITIVE_INFINITY);
  return { tokens: atMost("tokens"), dollars: atMost("dollars") };
}

/** A response that is not streamed, or is made in the background, goes on to its end, whether it arrives or not. */
const endsUnseen = ({ isBackground }: RequestFigures, isStream: boolean): boolean =>
  !isStream || isBackground;
