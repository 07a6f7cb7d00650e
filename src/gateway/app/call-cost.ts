/** The cost of a call, from the observation of its response. */
import type { InterceptionResult, Subject } from "../../events/compose.ts";
import type { PriceTerms } from "../../events/fields.ts";
import type { BilledUsage, HostedCalls } from "../../shared/prices/cost.ts";
import {
  NOTHING,
  NOTHING_CACHED,
  UNPRICED,
  type CostFacts,
  type PriceCall,
  type PricedCall,
} from "../../shared/prices/pricing.ts";
import { usageState } from "../observation/outcome.ts";
import type { ResponseReport } from "../provider/response-reader.ts";
import { isCached } from "../upstream/provider-headers.ts";

/** Tools that OpenAI runs and charges for beside the tokens. */
const WEB_SEARCH = "web_search_call";
const FILE_SEARCH = "file_search_call";
/** The same, by time or by image: the response does not state how much. */
const UNMEASURED = new Set(["code_interpreter_call", "image_generation_call"]);

type Call = Pick<Subject, "provider" | "model">;

export function costOfResult(
  price: PriceCall,
  { provider, model }: Call,
  result: InterceptionResult,
  { at, startedAt }: { readonly at: number; readonly startedAt: number },
): CostFacts {
  const { status, observation, providerHeaders, hasLost, sentAt = startedAt } = result;
  if (observation === null) return hasRunNothing(result, at - sentAt) ? NOTHING : UNPRICED;
  const { report } = observation;
  if (isFreeError(status, report)) return hasLost ? UNPRICED : NOTHING;
  if (isCached(providerHeaders)) return NOTHING_CACHED;
  return price(provider, toPricedCall({ model, report, isFinal: observation.usageState === "final", at }));
}

/** Of a call without a response. `elapsedMs`: since its last attempt was sent, else since the request arrived. */
function hasRunNothing(
  { outcome, error, isUnsent = false, hasLost }: InterceptionResult,
  elapsedMs: number,
): boolean {
  if (hasLost) return false;
  // An unexpected error of the gateway may come after the provider's response.
  const isRefused = outcome === "refused" && error !== "internal";
  return isUnsent || isRefused || isNotRun(error, elapsedMs);
}

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

/** Cloudflare's, in front of a provider that took the request and did not respond in time. */
const ORIGIN_TIMEOUT = 524;

/** Providers do not charge for the errors that they respond with, unless the response states a usage or a cost. */
export const isFreeError = (
  status: number | null,
  { usage, reportedCost }: Pick<ReportedResponse, "usage" | "reportedCost">,
): boolean => usage === null && reportedCost === null && (status ?? 0) >= 400 && status !== ORIGIN_TIMEOUT;

/** The cost of a response that was read after its call, or of a result of a batch; and what it depends on beside the figures. */
export function costOfRetrieved(
  price: PriceCall,
  provider: string,
  report: ResponseReport,
  { isBatch, at }: { readonly isBatch: boolean; readonly at: number },
): { readonly cost: CostFacts; readonly terms: PriceTerms } {
  const isFinal = usageState(report) === "final";
  const call = toPricedCall({ model: null, report, isFinal, isBatch, at });
  return { cost: price(provider, call), terms: toPriceTerms(call) };
}

/** As `toPricedCall` of tools/reprice/recorded-call.ts reads them. */
function toPriceTerms({ terms, hosted, hasMore, reportedCost }: PricedCall): PriceTerms {
  return {
    ...(terms.serviceTier !== null && { service_tier: terms.serviceTier }),
    ...(terms.speed !== null && { speed: terms.speed }),
    ...(terms.inferenceGeo !== null && { inference_geo: terms.inferenceGeo }),
    ...(reportedCost !== null && { reported_cost: reportedCost }),
    ...(terms.isBatch && { batch: true }),
    ...(hosted.webSearches > 0 && { web_searches: hosted.webSearches }),
    ...(hosted.fileSearches > 0 && { file_searches: hosted.fileSearches }),
    ...(hasMore && { more: true }),
  };
}

/** The facts that decide the cost of a response: as it was observed, or as it was recorded. */
type ReportedResponse = Pick<
  NonNullable<InterceptionResult["observation"]>["report"],
  "model" | "serviceTier" | "speed" | "inferenceGeo" | "reportedCost" | "toolCallCount"
> & {
  readonly usage: BilledUsage | null;
  readonly toolCalls: readonly { readonly kind: string }[];
};

type CompletedCall = {
  /** The model that the request named. */
  readonly model: string | null;
  readonly report: ReportedResponse;
  readonly isFinal: boolean;
  readonly isBatch?: boolean;
  readonly at: number;
};

/** The call that is priced: when it ends, and when `npm run reprice` computes its cost again. */
export function toPricedCall({ model, report, isFinal, isBatch = false, at }: CompletedCall): PricedCall {
  const { toolCalls, toolCallCount, serviceTier, speed, inferenceGeo } = report;
  return {
    requested: model,
    served: report.model,
    usage: report.usage,
    isFinal,
    hosted: toolCallCount === 0 ? NO_CALLS : hostedCalls(toolCalls),
    hasMore: hasOtherCosts(report),
    terms: { serviceTier, speed, inferenceGeo, isBatch },
    reportedCost: report.reportedCost,
    at,
  };
}

/** Whether the call has costs that its figures do not include: tools, or runs of a model that may have another price. */
const hasOtherCosts = ({ toolCalls, toolCallCount, usage }: ReportedResponse): boolean =>
  toolCallCount > toolCalls.length ||
  toolCalls.some(({ kind }) => UNMEASURED.has(kind)) ||
  usage?.extras["iterations_input"] !== undefined;

const NO_CALLS: HostedCalls = { webSearches: 0, fileSearches: 0 };

function hostedCalls(calls: ReportedResponse["toolCalls"]): HostedCalls {
  const count = (kind: string): number => calls.filter((call) => call.kind === kind).length;
  return { webSearches: count(WEB_SEARCH), fileSearches: count(FILE_SEARCH) };
}
