/** A call as the ledger has it, for the pricing that the gateway uses. */
import type { CorrectedRecord } from "../../src/events/vocabulary.ts";
import { toPricedCall } from "../../src/gateway/app/call-cost.ts";
import { MAX_TOOL_CALLS } from "../../src/gateway/provider/response-reader.ts";
import type { Row } from "../../src/records/ledger/seal/rebuild.ts";
import { parseSealText } from "../../src/records/ledger/seal/sealed-facts.ts";
import { parseJson, parseObject } from "../../src/shared/json.ts";
import type { BilledUsage } from "../../src/shared/prices/cost.ts";
import type { CostFacts, CostSource, PricedCall } from "../../src/shared/prices/pricing.ts";

export type RecordedCall = {
  /** Of the interception, or retrieved usage's own. */
  readonly id: string;
  readonly corrects: CorrectedRecord;
  readonly provider: string;
  /** The model that responded, else the requested one. */
  readonly model: string | null;
  /** The cost of today: the recorded one, or that of the last correction. */
  readonly cost: CostFacts;
  /** How many corrections there are. */
  readonly corrections: number;
  /**
   * `no_prices`: the cost depends on no price, because the call has no usage. `unrecorded`: a fact that decides the cost is not in
   * the ledger: an earlier version did not record it, or it was deleted or erased.
   */
  readonly priced: PricedCall | "no_prices" | "unrecorded";
};

const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);
const countOf = (value: unknown): number | null => (typeof value === "number" ? value : null);

/** A recorded name is truncated at 256 characters, one fewer within a surrogate pair. A longer name is not known. */
const MAX_NAME = 255;

const isCut = (name: string | null): boolean => (name?.length ?? 0) >= MAX_NAME;

/** The extras of a usage; null where they are not recorded. */
function extrasOf(value: unknown): Readonly<Record<string, number>> | null {
  const object = typeof value === "string" ? parseObject(value) : null;
  return object && Object.values(object).every((figure) => typeof figure === "number")
    ? (object as Readonly<Record<string, number>>)
    : null;
}

const usageOf = (row: Row, extras: Readonly<Record<string, number>>): BilledUsage => ({
  input_tokens: countOf(row["input_tokens"]),
  output_tokens: countOf(row["output_tokens"]),
  cache_read_input_tokens: countOf(row["cache_read_input_tokens"]),
  cache_write_input_tokens: countOf(row["cache_write_input_tokens"]),
  extras,
});

function costOf(row: Row): CostFacts {
  const [micros, source, version] = ["cost_micros", "cost_source", "price_version"].map((name) => row[name]);
  return { micros: countOf(micros), source: source as CostSource, version: textOf(version) };
}

/** Whether an erasure removed one of these fields from an event. */
function isErased(seal: unknown, names: readonly string[]): boolean {
  const facts = typeof seal === "string" ? parseSealText(seal) : null;
  return names.some((name) => Object.hasOwn(facts?.erased ?? {}, name));
}

function common(row: Row): Pick<RecordedCall, "id" | "provider" | "model" | "cost" | "corrections"> {
  return {
    id: String(row["id"]),
    provider: String(row["provider"]),
    model: textOf(row["response_model"]) ?? textOf(row["model"]),
    cost: costOf(row),
    corrections: countOf(row["corrections"]) ?? 0,
  };
}

/** Of a row of `INTERCEPTIONS` (read-calls.ts). */
export function interceptionOf(recorded: Row): RecordedCall {
  const row = asServed(recorded);
  return { ...common(row), corrects: "interception_end", priced: pricedInterception(row) };
}

/** The call with the provider that responded and its id of the model: those of the last attempt, where attempts are recorded. */
function asServed(row: Row): Row {
  const attempt = parseJson(String(row["last_attempt"]));
  if (!Array.isArray(attempt)) return row;
  const [provider, sentModel] = attempt as readonly unknown[];
  return { ...row, provider, model: sentModel ?? row["model"] };
}

function pricedInterception(row: Row): RecordedCall["priced"] {
  // Of a gateway from before costs, which did not record all of their facts.
  if (row["cost_source"] === null) return "unrecorded";
  const reportedCost = textOf(row["reported_cost"]);
  const [model, served] = [textOf(row["model"]), textOf(row["response_model"])];
  if (row["usage"] === "unknown" && reportedCost === null) return "no_prices";
  // A response from the cache of AI Gateway: the provider charged nothing.
  if (row["cost_source"] === "reported" && reportedCost === null) return "no_prices";
  const extras = extrasOf(row["usage_metadata"]);
  if (extras === null && row["usage"] !== "unknown") return "unrecorded";
  if (isCut(model) || isCut(served)) return "unrecorded";
  if (isErased(row["end_seal"], ["model", "response_model"])) return "unrecorded";
  const tools = toolsOf(row);
  if (tools === null) return "unrecorded";
  const report = {
    model: served,
    usage: extras && usageOf(row, extras),
    serviceTier: textOf(row["service_tier"]),
    speed: textOf(row["speed"]),
    inferenceGeo: textOf(row["inference_geo"]),
    reportedCost,
    ...tools,
  };
  return toPricedCall({
    model,
    report,
    isFinal: row["usage"] === "final",
    at: Date.parse(String(row["ended_at"])),
  });
}

type Tools = {
  readonly toolCalls: readonly { readonly kind: string }[];
  readonly toolCallCount: number;
};

/** The gateway records tool calls up to a bound, and counts the others. null where rows are deleted, or their kinds erased. */
function toolsOf(row: Row): Tools | null {
  const toolCallCount = countOf(row["tool_call_count"]) ?? 0;
  const kinds = parseJson(String(row["tool_kinds"]));
  if (!Array.isArray(kinds) || kinds.some((kind) => typeof kind !== "string")) return null;
  if (kinds.length < Math.min(toolCallCount, MAX_TOOL_CALLS)) return null;
  return { toolCalls: (kinds as string[]).map((kind) => ({ kind })), toolCallCount };
}

/** Of a row of `RETRIEVED` (read-calls.ts). */
export function retrievedOf(row: Row): RecordedCall {
  return { ...common(row), corrects: "retrieved_usage", priced: pricedRetrieved(row) };
}

function pricedRetrieved(row: Row): RecordedCall["priced"] {
  const terms = typeof row["price_terms"] === "string" ? parseObject(row["price_terms"]) : null;
  const extras = extrasOf(row["metadata"]);
  const served = textOf(row["response_model"]);
  if (row["cost_source"] === null || terms === null || extras === null || isCut(served)) return "unrecorded";
  if (isErased(row["seal"], ["response_model"])) return "unrecorded";
  return {
    requested: null,
    served,
    usage: usageOf(row, extras),
    isFinal: row["usage"] === "final",
    hosted: {
      webSearches: countOf(terms["web_searches"]) ?? 0,
      fileSearches: countOf(terms["file_searches"]) ?? 0,
    },
    hasMore: terms["more"] === true,
    terms: {
      serviceTier: textOf(terms["service_tier"]),
      speed: textOf(terms["speed"]),
      inferenceGeo: textOf(terms["inference_geo"]),
      isBatch: terms["batch"] === true,
    },
    reportedCost: textOf(terms["reported_cost"]),
    at: Date.parse(String(row["created_at"])),
  };
}
