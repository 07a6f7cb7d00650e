import { readFileSync } from "node:fs";
import { calcPrice, findProvider } from "@pydantic/genai-prices";
import { describe, expect, it } from "vitest";
import { costOf, type BilledUsage } from "../../src/shared/prices/cost.ts";
import { findRates, priceListOf, priceTable, type Rates } from "../../src/shared/prices/model-price.ts";
import { createPricing } from "../../src/shared/prices/pricing.ts";
import { PRICE_LISTS } from "../../src/shared/prices/price-table.ts";
import { EXTRA_MODELS } from "../../tools/prices/source.ts";
import { PRICE_TABLE_PATH } from "../../tools/tables.ts";
import { priceTableText } from "../../tools/tables/prices.ts";

/** A name that the pattern matches. */
function nameFor(pattern: string | readonly string[]): string {
  if (typeof pattern !== "string") return pattern.map(nameFor).find((name) => !name.includes("*")) ?? "";
  const text = pattern.slice(1);
  return pattern.startsWith("/")
    ? text
        .replace(/^\^/, "")
        .replace(/\$$/, "")
        .replaceAll("\\.", ".")
        .replaceAll("\\d{4}", "2026")
        .replaceAll("\\d{2}", "10")
        .replaceAll("\\d{8}", "20261001")
    : text;
}

const isExtra = (model: string): boolean => EXTRA_MODELS.some(({ id }) => model.startsWith(id));

const MODELS = Object.entries(priceTable()).flatMap(([list, { models }]) =>
  models
    .flatMap(([patterns]) => patterns.map(nameFor))
    .filter((model) => model !== "" && !/[\\[(*?]/.test(model) && !isExtra(model))
    .map((model) => ({ list, model })),
);

const USAGES: readonly BilledUsage[] = [
  { input_tokens: 1234, output_tokens: 567 },
  { input_tokens: 1000, output_tokens: 10, cache_read_input_tokens: 5000, cache_write_input_tokens: 300 },
  { input_tokens: 150_000, output_tokens: 10_000, cache_read_input_tokens: 60_000 },
  { input_tokens: 900_000, output_tokens: 64_000, cache_read_input_tokens: 90_000 },
  { input_tokens: 0, output_tokens: 0 },
].map((figures) => ({
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
  extras: {},
  ...figures,
}));

const TIMES = [
  "2024-12-01T00:00:00Z",
  "2025-08-01T17:00:00Z",
  "2026-02-01T03:00:00Z",
  "2026-11-30T12:00:00Z",
];

/** A model that the data set lists without any price has none, and does not cost nothing. */
const isFree = (rates: Rates | null): boolean => rates !== null && Object.keys(rates).length === 0;

/** In dollars, by the data set's own library; null where it has no price. */
function expected(list: string, model: string, usage: BilledUsage, at: string): number | null {
  const read = usage.cache_read_input_tokens ?? 0;
  const written = usage.cache_write_input_tokens ?? 0;
  const result = calcPrice(
    {
      input_tokens: (usage.input_tokens ?? 0) + read + written,
      output_tokens: usage.output_tokens ?? 0,
      cache_read_tokens: read,
      cache_write_tokens: written,
    },
    model,
    { providerId: list, timestamp: new Date(at) },
  );
  return result?.total_price ?? null;
}

const bedrockCost = (requested: string, usage: BilledUsage): number | null =>
  createPricing({
    providers: new Map([["p", { list: "bedrock", factor: 1000, models: [] }]]),
    version: "",
  })("p", {
    requested,
    served: null,
    usage,
    isFinal: true,
    hosted: { webSearches: 0, fileSearches: 0 },
    hasMore: false,
    terms: { serviceTier: null, speed: null, inferenceGeo: null, isBatch: false },
    reportedCost: null,
    at: Date.UTC(2026, 10, 30),
  }).micros;

describe("the price table", () => {
  it("is that of the data set (npm run tables)", async () => {
    expect(readFileSync(PRICE_TABLE_PATH, "utf8")).toBe(await priceTableText(PRICE_TABLE_PATH));
  });

  it("has several hundred models", () => {
    expect(MODELS.length).toBeGreaterThan(300);
  });

  it.each(TIMES)("costs as much as the data set's own library says, at %s", (at) => {
    const wrong: string[] = [];
    for (const { list, model } of MODELS)
      for (const usage of USAGES) {
        const rates = findRates(list, model, Date.parse(at));
        const cost =
          rates && costOf(usage, { webSearches: 0, fileSearches: 0 }, rates, { tokens: 1000, all: 1000 });
        const dollars = expected(list, model, usage, at);
        const isSame =
          dollars === null || isFree(rates)
            ? cost === null
            : Math.abs((cost?.micros ?? Number.NaN) - dollars * 1e6) <= 1;
        if (!isSame) wrong.push(`${list} ${model} ${JSON.stringify(usage)}: ${cost?.micros}, not ${dollars}`);
      }
    expect(wrong.slice(0, 20)).toEqual([]);
  });

  it("has the prices of the data set for every model of Claude at Bedrock that it prices", () => {
    const ids = findProvider({ providerId: "aws" })?.models.map(({ id }) => id) ?? [];
    const names = ids
      .filter((id) => id.includes("anthropic.claude-"))
      .flatMap((id) => {
        const name = id.replace(/^(?:regional|global)\./, "");
        return id.startsWith("regional.") ? [name, `us.${name}`] : [`global.${name}`];
      });
    const usage = { input_tokens: 1000, output_tokens: 100, extras: {} };
    const caches = { cache_read_input_tokens: 5000, cache_write_input_tokens: 300 };
    const billed = { ...usage, ...caches };
    const priced = names.flatMap((name) => {
      const micros = bedrockCost(name, billed);
      const dollars = expected("aws", name, billed, "2026-11-30T12:00:00Z");
      return micros === null || dollars === null ? [] : [{ name, micros, dollars }];
    });
    const wrong = priced.filter(({ micros, dollars }) => Math.abs(micros - dollars * 1e6) > 1);
    expect(wrong).toEqual([]);
    expect(priced.length).toBeGreaterThan(20);
  });

  it.each([
    ["https://api.openai.com/v1", "openai"],
    ["https://api.anthropic.com", "anthropic"],
    ["https://my-company.openai.azure.com/openai/v1", "azure"],
    ["https://generativelanguage.googleapis.com/v1beta/openai", "google"],
    ["https://api.deepseek.com", "deepseek"],
    ["https://bedrock-mantle.us-east-1.api.aws/anthropic", "bedrock"],
    ["https://bedrock-runtime.eu-west-1.amazonaws.com/anthropic", "bedrock"],
    ["https://aws-external-anthropic.us-east-1.api.aws", null],
    ["https://gateway.example/v1", null],
    ["https://evil.example/https://api.openai.com", null],
  ])("the API at %s has the prices of %s", (url, list) => {
    expect(priceListOf(url)).toBe(list);
    expect(list === null || list in PRICE_LISTS).toBe(true);
  });
});
