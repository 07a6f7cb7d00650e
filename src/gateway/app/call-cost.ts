/** The cost of a call, from the observation of its response. */
import type { InterceptionResult, Subject } from "../../events/compose.ts";
import type { HostedCalls } from "../../shared/prices/cost.ts";
import { NOTHING, UNPRICED, type CostFacts, type PriceCall } from "../../shared/prices/pricing.ts";
import { usageState } from "../observation/outcome.ts";
import type { ResponseReport } from "../provider/response-reader.ts";

/** Tools that OpenAI runs and charges for beside the tokens. */
const WEB_SEARCH = "web_search_call";
const FILE_SEARCH = "file_search_call";
/** The same, by time or by image: the response does not state how much. */
const UNMEASURED = new Set(["code_interpreter_call", "image_generation_call"]);

type Call = Pick<Subject, "provider" | "model">;

export function costOfResult(
  price: PriceCall,
  { provider, model }: Call,
  { outcome, status, error, observation }: InterceptionResult,
  at: number,
): CostFacts {
  // An unexpected error of the gateway may come after the provider's response.
  if (observation === null) return outcome === "refused" && error !== "internal" ? NOTHING : UNPRICED;
  const { report } = observation;
  if (report.reportedCost === null && isFreeError(status, report)) return NOTHING;
  return costOfReport(price, provider, { model, report, isFinal: observation.usageState === "final", at });
}

/** Cloudflare's, in front of a provider that took the request and did not respond in time. */
const ORIGIN_TIMEOUT = 524;

/** Providers do not charge for the errors that they respond with. */
export const isFreeError = (status: number | null, { usage }: Pick<ReportedResponse, "usage">): boolean =>
  usage === null && (status ?? 0) >= 400 && status !== ORIGIN_TIMEOUT;

/** The cost of a response that was read after its call, or of a result of a batch. */
export function costOfRetrieved(
  price: PriceCall,
  provider: string,
  report: ResponseReport,
  { isBatch, at }: { readonly isBatch: boolean; readonly at: number },
): CostFacts {
  const isFinal = usageState(report) === "final";
  return costOfReport(price, provider, { model: null, report, isFinal, isBatch, at });
}

type ReportedResponse = Pick<
  NonNullable<InterceptionResult["observation"]>["report"],
  | "model"
  | "usage"
  | "serviceTier"
  | "speed"
  | "inferenceGeo"
  | "reportedCost"
  | "toolCalls"
  | "toolCallCount"
>;

type CompletedCall = {
  /** The model that the request named. */
  readonly model: string | null;
  readonly report: ReportedResponse;
  readonly isFinal: boolean;
  readonly isBatch?: boolean;
  readonly at: number;
};

function costOfReport(
  price: PriceCall,
  provider: string,
  { model, report, isFinal, isBatch = false, at }: CompletedCall,
): CostFacts {
  const { toolCalls, toolCallCount, serviceTier, speed, inferenceGeo } = report;
  return price(provider, {
    requested: model,
    served: report.model,
    usage: report.usage,
    isFinal,
    hosted: toolCallCount === 0 ? NO_CALLS : hostedCalls(toolCalls),
    hasMore: hasOtherCosts(report),
    terms: { serviceTier, speed, inferenceGeo, isBatch },
    reportedCost: report.reportedCost,
    at,
  });
}

/** Whether the call also costs what its figures do not say: tools, or runs of a model that may have another price. */
const hasOtherCosts = ({ toolCalls, toolCallCount, usage }: ReportedResponse): boolean =>
  toolCallCount > toolCalls.length ||
  toolCalls.some(({ kind }) => UNMEASURED.has(kind)) ||
  usage?.extras["iterations_input"] !== undefined;

const NO_CALLS: HostedCalls = { webSearches: 0, fileSearches: 0 };

function hostedCalls(calls: ReportedResponse["toolCalls"]): HostedCalls {
  const count = (kind: string): number => calls.filter((call) => call.kind === kind).length;
  return { webSearches: count(WEB_SEARCH), fileSearches: count(FILE_SEARCH) };
}
