import { describe, expect, it } from "vitest";
import { readConfig } from "../../../src/gateway/config/config.ts";
import type { PriceRules, ProviderPrices } from "../../../src/shared/prices/pricing.ts";
import { registry } from "../../../src/gateway/wiring.ts";

const PROVIDERS = {
  openai: { type: "openai", base_url: "https://api.openai.com/v1" },
  azure: { type: "openai", base_url: "https://company.openai.azure.com/openai/v1" },
  gemini: { type: "openai", base_url: "https://generativelanguage.googleapis.com/v1beta/openai" },
  proxy: { type: "openai", base_url: "https://proxy.example/v1" },
  claude: { type: "anthropic", base_url: "https://proxy.example" },
};

function read(prices?: unknown): PriceRules | readonly string[] {
  const config = readConfig({ PROVIDERS, ...(prices !== undefined && { PRICES: prices }) }, registry);
  return "issues" in config ? config.issues : config.prices;
}

const versionOf = (prices: unknown): unknown => {
  const rules = read(prices);
  return "version" in rules ? rules.version : rules;
};

function rulesOf(prices: unknown, provider: string): ProviderPrices | undefined {
  const rules = read(prices);
  if (!("providers" in rules)) throw new Error(rules.join());
  return rules.providers.get(provider);
}

describe("PRICES", () => {
  it.each([
    ["openai", "openai"],
    ["azure", "azure"],
    ["gemini", "google"],
    ["proxy", "openai"],
    ["claude", "anthropic"],
  ])("%s has the price list %s by default, without a discount", (provider, list) => {
    expect(rulesOf(undefined, provider)).toEqual({ list, factor: 1000, models: [] });
  });

  it("sets a list, a discount and the prices of models", () => {
    const models = {
      "Chat-Production": { as: "gpt-5" },
      "our-*": { input: 0.2, output: 0.6, request: 1 },
    };
    expect(rulesOf({ proxy: { list: "none", discount_percent: 12.5, models } }, "proxy")).toEqual({
      list: null,
      factor: 875,
      models: [
        { pattern: "chat-production", price: { as: "gpt-5" } },
        { pattern: "our-*", price: { rates: { input: 200_000, output: 600_000, request: 1_000_000 } } },
      ],
    });
  });

  it("has a version that tells two settings apart, and none without settings", () => {
    expect(versionOf(undefined)).toBe("");
    expect(versionOf({})).toMatch(/^[\da-f]{8}$/);
    expect(versionOf({ proxy: { discount_percent: 1 } })).not.toBe(
      versionOf({ proxy: { discount_percent: 2 } }),
    );
  });

  it("may be JSON, as every table", () => {
    expect(rulesOf('{"proxy":{"list":"mistral"}}', "proxy")?.list).toBe("mistral");
  });

  it.each<[unknown, string]>([
    [[], "PRICES must be a table or a JSON object"],
    [{ other: {} }, "PRICES.other must be the name of a provider in PROVIDERS"],
    [{ proxy: 1 }, "PRICES.proxy must be a table or a JSON object"],
    [
      { proxy: { list: "lists" } },
      'PRICES.proxy.list must be one of "openai", "anthropic", "azure", "google", "deepseek", "mistral", "x-ai", "bedrock", "none"',
    ],
    [{ proxy: { discount_percent: 101 } }, "PRICES.proxy.discount_percent must be a number from 0 to 100"],
    [
      { proxy: { discount: 1 } },
      "PRICES.proxy.discount is not a known key (known: list, discount_percent, models)",
    ],
    [
      { proxy: { models: { m: {} } } },
      "PRICES.proxy.models.m must have a price, or the name of a model as `as`",
    ],
    [
      { proxy: { models: { "*m": { as: "gpt-5" } } } },
      "PRICES.proxy.models.*m must be a model's name, or its beginning and a *",
    ],
    [
      { proxy: { models: { m: { input: -1 } } } },
      "PRICES.proxy.models.m.input must be a number from 0 to 1000000",
    ],
    [
      { proxy: { models: { m: { as: "gpt-5", input: 1 } } } },
      "PRICES.proxy.models.m.input does not apply beside `as`",
    ],
  ])("refuses %j", (prices, issue) => {
    expect(read(prices)).toContain(issue);
  });
});
