import { describe, expect, it } from "vitest";
import type { BilledUsage } from "../../../src/shared/prices/cost.ts";
import type { Rates } from "../../../src/shared/prices/model-price.ts";
import { PRICE_VERSION } from "../../../src/shared/prices/price-table.ts";
import {
  createPricing,
  UNPRICED,
  type CostFacts,
  type ModelRule,
  type PricedCall,
} from "../../../src/shared/prices/pricing.ts";
import type { Terms } from "../../../src/shared/prices/tiers.ts";

const STANDARD: Terms = { serviceTier: null, speed: null, inferenceGeo: null, isBatch: false };
const NO_CALLS = { webSearches: 0, fileSearches: 0 };

type Figures = Partial<{
  in: number;
  out: number;
  read: number;
  write: number;
  extras: Record<string, number>;
}>;

const usageOf = (figures: Figures): BilledUsage => ({
  input_tokens: figures.in ?? 0,
  output_tokens: figures.out ?? 0,
  cache_read_input_tokens: figures.read ?? null,
  cache_write_input_tokens: figures.write ?? null,
  extras: figures.extras ?? {},
});

type Rules = { list?: string | null; factor?: number; models?: readonly ModelRule[]; version?: string };

function price(
  { list = "openai", factor = 1000, models = [], version = "" }: Rules,
  call: Partial<PricedCall>,
): CostFacts {
  const rules = { providers: new Map([["p", { list, factor, models }]]), version };
  return createPricing(rules)("p", {
    requested: null,
    served: null,
    usage: usageOf({}),
    isFinal: true,
    hosted: NO_CALLS,
    hasMore: false,
    terms: STANDARD,
    reportedCost: null,
    at: Date.UTC(2026, 10, 30),
    ...call,
  });
}

type Example = readonly [
  what: string,
  list: string,
  model: string,
  figures: Figures,
  terms: Partial<Terms>,
  micros: number | null,
];

/** By the providers' price pages, in November 2026. Dollars per million tokens are micro-dollars per token. */
const EXAMPLES: readonly Example[] = [
  ["cached input, rounded up", "openai", "gpt-5", { in: 1000, read: 500, out: 200 }, {}, 3313],
  ["flex costs half", "openai", "gpt-5", { in: 1000, read: 500, out: 200 }, { serviceTier: "flex" }, 1657],
  ["priority", "openai", "gpt-5", { in: 1000, read: 500, out: 200 }, { serviceTier: "priority" }, 6625],
  [
    "priority of a dated model",
    "openai",
    "gpt-4.1-2025-04-14",
    { in: 1000 },
    { serviceTier: "priority" },
    3500,
  ],
  ["a batch costs half", "openai", "gpt-4o", { in: 1000, out: 100 }, { isBatch: true }, 1750],
  ["an embedding", "openai", "text-embedding-3-small", { in: 1000 }, {}, 20],
  [
    "writes to both caches",
    "anthropic",
    "claude-sonnet-4-5-20250929",
    { in: 1000, read: 2000, write: 3000, out: 400, extras: { cache_ephemeral_1h_input: 1000 } },
    {},
    23_100,
  ],
  ["below the long context", "anthropic", "claude-sonnet-4-5", { in: 200_000, out: 10 }, {}, 600_150],
  ["a long context", "anthropic", "claude-sonnet-4-5", { in: 200_001, out: 10 }, {}, 1_200_231],
  [
    "a long context of cached tokens",
    "anthropic",
    "claude-sonnet-4-5",
    { in: 1, read: 200_000 },
    {},
    120_006,
  ],
  ["no long context", "anthropic", "claude-opus-4-8", { in: 300_000 }, {}, 1_500_000],
  ["searches", "anthropic", "claude-opus-4-8", { in: 1, extras: { web_search_requests: 3 } }, {}, 30_005],
  [
    "searches are not cheaper in a batch",
    "anthropic",
    "claude-opus-4-8",
    { in: 2, extras: { web_search_requests: 3 } },
    { isBatch: true },
    30_005,
  ],
  ["fast", "anthropic", "claude-opus-4-6", { in: 100, out: 10 }, { speed: "fast" }, 4500],
  ["fast of a later model", "anthropic", "claude-opus-5", { in: 100, out: 10 }, { speed: "fast" }, 1500],
  ["in the US", "anthropic", "claude-opus-4-6", { in: 100, out: 10 }, { inferenceGeo: "us" }, 825],
  ["anywhere", "anthropic", "claude-opus-4-6", { in: 100, out: 10 }, { inferenceGeo: "global" }, 750],
  [
    "a model that is newer than the data set",
    "anthropic",
    "claude-sonnet-5-5",
    { read: 1000, out: 10 },
    {},
    200,
  ],
  ["and its tier", "anthropic", "claude-haiku-5-5", { in: 100_001 }, {}, 50_001],
  ["Azure's name for a model", "azure", "gpt-35-turbo", { in: 1000 }, {}, 500],
  ["a model of another vendor there", "azure", "claude-opus-4-8", { in: 1000 }, {}, 5000],
  ["Bedrock's name, in a region", "bedrock", "anthropic.claude-opus-4-7", { in: 1000, out: 10 }, {}, 5775],
  ["with a version", "bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", { in: 1000 }, {}, 1100],
  ["in a geography", "bedrock", "us.anthropic.claude-opus-4-7", { in: 1000 }, {}, 5500],
  ["on a global endpoint", "bedrock", "global.anthropic.claude-opus-4-7", { in: 1000 }, {}, 5000],
  ["Anthropic's name there", "bedrock", "claude-opus-4-7", { in: 1000 }, {}, 5500],
  ["an earlier model there", "bedrock", "anthropic.claude-opus-4-1-20250805-v1:0", { in: 1 }, {}, null],
  ["a model of another vendor at Bedrock", "bedrock", "openai.gpt-oss-120b", { in: 1 }, {}, null],
  ["a tier of Bedrock", "bedrock", "anthropic.claude-opus-4-7", { in: 1 }, { serviceTier: "flex" }, null],
  ["a model that its vendor does not sell", "openai", "gpt-oss-20b", { in: 1 }, {}, null],
  [
    "audio",
    "openai",
    "gpt-realtime",
    { in: 100, out: 10, extras: { prompt_audio: 40, completion_audio: 4 } },
    {},
    1872,
  ],
  ["no tokens at all", "openai", "gpt-5", {}, {}, 0],
  ["an unknown model", "openai", "gpt-unknown", { in: 1000 }, {}, null],
  ["an unknown tier", "openai", "gpt-5", { in: 1000 }, { serviceTier: "scale" }, null],
  [
    "priority of a model without such a price",
    "openai",
    "gpt-5-nano",
    { in: 1 },
    { serviceTier: "priority" },
    null,
  ],
  ["an unknown speed", "anthropic", "claude-opus-4-6", { in: 1 }, { speed: "ludicrous" }, null],
  [
    "fast of a model that has no such price",
    "anthropic",
    "claude-haiku-4-5",
    { in: 1 },
    { speed: "fast" },
    null,
  ],
  ["an unknown place", "anthropic", "claude-opus-4-6", { in: 1 }, { inferenceGeo: "moon" }, null],
];

const costAt = (day: string): number | null =>
  price({}, { served: "o3", usage: usageOf({ in: 1_000_000 }), at: Date.parse(day) }).micros;

/** Of a minute of audio and a second. */
const ofMinute = (served: string, tokens: object): CostFacts =>
  price({}, { served, usage: { ...usageOf({ extras: { audio_seconds: 61 } }), ...tokens } });

const reported = (reportedCost: string, extras: Record<string, number> = {}): CostFacts =>
  price({}, { served: "gpt-5", usage: usageOf({ in: 1000, extras }), reportedCost });

describe("the cost of a call", () => {
  it.each(EXAMPLES)("%s", (_, list, model, figures, terms, micros) => {
    const cost = price(
      { list },
      { served: model, usage: usageOf(figures), terms: { ...STANDARD, ...terms } },
    );
    expect(cost).toEqual(micros === null ? UNPRICED : { micros, source: "computed", version: PRICE_VERSION });
  });

  it("follows from the model that responded, which may not be the one that was requested", () => {
    const call = { requested: "gpt-5", served: "gpt-4o-2024-08-06", usage: usageOf({ in: 1000 }) };
    expect(price({}, call).micros).toBe(2500);
    expect(price({}, { ...call, served: "no-such-model" }).micros).toBe(1250);
    expect(price({}, { ...call, served: null }).micros).toBe(1250);
  });

  it("at Bedrock is that of the endpoint in the request's name, also where the response has Anthropic's name", () => {
    const call = { served: "claude-opus-4-7", usage: usageOf({ in: 1000 }) };
    const at = (requested: string): number | null =>
      price({ list: "bedrock" }, { ...call, requested }).micros;
    expect(at("anthropic.claude-opus-4-7")).toBe(5500);
    expect(at("global.anthropic.claude-opus-4-7")).toBe(5000);
    const models: ModelRule[] = [{ pattern: "team", price: { as: "global.anthropic.claude-opus-4-7" } }];
    expect(price({ list: "bedrock", models }, { ...call, requested: "team" }).micros).toBe(5000);
  });

  it.each([
    ["the usage is not final", { isFinal: false }],
    ["something else was used", { hasMore: true }],
    ["a search has no price", { hosted: { webSearches: 1, fileSearches: 0 }, served: "gpt-4o-mini-tts" }],
  ])("is partial where %s", (_, call) => {
    expect(price({}, { served: "gpt-5", usage: usageOf({ in: 8 }), ...call })).toMatchObject({
      source: "partial",
    });
  });

  it("of audio follows from its length where the model is charged by it, whether it also has tokens or not", () => {
    const none = { input_tokens: null, output_tokens: null };
    // $0.006 a minute: https://platform.openai.com/docs/pricing
    const cost = { micros: 6100, source: "computed", version: PRICE_VERSION };
    expect(ofMinute("whisper-1", none)).toEqual(cost);
    expect(ofMinute("whisper-1", { input_tokens: 4, output_tokens: 9 })).toEqual(cost);
    expect(ofMinute("gpt-5", none)).toEqual(UNPRICED);
  });

  it("has the price of its time", () => {
    expect([costAt("2025-06-09T23:59:59Z"), costAt("2025-06-10T00:00:00Z")]).toEqual([10_000_000, 2_000_000]);
  });

  it("is exact beyond the whole numbers of a double, and unpriced where the sum is none", () => {
    const many = (tokens: number) => price({}, { served: "gpt-5", usage: usageOf({ in: tokens, out: 1 }) });
    expect(many(1e12).micros).toBe(1_250_000_000_010);
    const rates: Rates = { input: 1e12 };
    const models = [{ pattern: "m", price: { rates } }];
    expect(price({ models }, { served: "m", usage: usageOf({ in: 1e12 }) })).toEqual(UNPRICED);
  });

  it("is unpriced without usage, a price list or a configured provider", () => {
    expect(price({}, { served: "gpt-5", usage: null })).toEqual(UNPRICED);
    expect(price({ list: null }, { served: "gpt-5" })).toEqual(UNPRICED);
    expect(createPricing({ providers: new Map(), version: "" })("p", {} as PricedCall)).toEqual(UNPRICED);
  });
});

describe("a cost that the provider states", () => {
  it("counts before a computed one", () => {
    expect(reported("0.0125")).toEqual({ micros: 12_500, source: "reported", version: null });
    expect(reported("0.0000001").micros).toBe(1);
  });

  it("on the client's own key at a router is its fee and the price of the provider behind it", () => {
    expect(reported("0.0005", { is_byok: 1, upstream_inference_cost: 0.01 }).micros).toBe(10_500);
    expect(reported("0.0005", { is_byok: 0, upstream_inference_cost: 0.01 }).micros).toBe(500);
  });

  it("counts without usage", () => {
    expect(price({}, { usage: null, reportedCost: "1" })).toMatchObject({ micros: 1_000_000 });
  });

  it.each(["", "free", "-1", "1e30", "NaN"])("is not read where it is %j", (text) => {
    expect(reported(text)).toMatchObject({ micros: 1250, source: "computed" });
  });
});

describe("configured prices", () => {
  const models: readonly ModelRule[] = [
    { pattern: "deploy-*", price: { as: "gpt-4o" } },
    { pattern: "own", price: { rates: { input: 500_000, output: 2_000_000, request: 5_000_000 } } },
  ];

  it("give a deployment the price of its model, in upper or lower case", () => {
    const usage = usageOf({ in: 1000 });
    expect(price({ models }, { requested: "Deploy-7", served: "gpt-5", usage }).micros).toBe(2500);
  });

  it("give a model rates of its own, in every tier", () => {
    const call = { requested: "own", usage: usageOf({ in: 1000, out: 10, read: 100 }) };
    expect(price({ models }, call).micros).toBe(500 + 20 + 50 + 5000);
    expect(price({ models }, { ...call, terms: { ...STANDARD, serviceTier: "flex" } }).micros).toBe(5570);
  });

  it("count before a cost that the provider states", () => {
    expect(price({ models }, { requested: "own", reportedCost: "9" })).toMatchObject({
      source: "computed",
    });
  });

  it("subtract a discount, and state their version", () => {
    const cost = price({ factor: 850, version: "abcd" }, { served: "gpt-5", usage: usageOf({ in: 1000 }) });
    expect(cost).toEqual({ micros: 1063, source: "computed", version: `${PRICE_VERSION}+abcd` });
  });
});
