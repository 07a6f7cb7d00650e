import { describe, expect, it } from "vitest";
import { limitsOf, MODEL_LIMITS } from "../../../src/shared/prices/model-limits.ts";
import { createPricing, createQuoting } from "../../../src/shared/prices/pricing.ts";
import { priceTable } from "../../../src/shared/prices/model-price.ts";
import { STANDARD_TERMS } from "../../support/in-workerd/terms.ts";
import { seededRandom } from "../../support/rechunk.ts";

const AT = Date.UTC(2026, 10, 30, 12);
const LISTS = ["openai", "anthropic", "google", "mistral", "deepseek", "x-ai"];
const rules = {
  providers: new Map(LISTS.map((list) => [list, { list, factor: 1000, models: [] }])),
  version: "",
};
const price = createPricing(rules);
const quote = createQuoting(rules);

/** Names of models that the lists have: those that a pattern spells out. */
const named = LISTS.flatMap((list) =>
  (priceTable()[list]?.models ?? []).flatMap(([patterns]) =>
    patterns.flatMap((pattern) =>
      typeof pattern === "string" && /^[=^]/.test(pattern) ? [[list, pattern.slice(1)] as const] : [],
    ),
  ),
);

describe("the quote of a call", () => {
  it("is never below what a call within its limits costs, regardless of the kind of its tokens", () => {
    expect(named.length).toBeGreaterThan(200);
    const random = seededRandom(20_261_130);
    const upTo = (limit: number): number => Math.floor(random() * (limit + 1));
    for (const [list, model] of named) {
      for (let n = 0; n < 10; n += 1) {
        const input = upTo(n < 5 ? 400_000 : 2000);
        const output = upTo(50_000);
        const hosted = { webSearches: upTo(3), fileSearches: upTo(3) };
        const most = quote(list, { model, input, output, hosted, terms: STANDARD_TERMS, at: AT });
        const read = upTo(input);
        const written = upTo(input - read);
        const usage = {
          input_tokens: input - read - written,
          output_tokens: output,
          cache_read_input_tokens: read,
          cache_write_input_tokens: written,
          extras: {
            cache_ephemeral_1h_input: upTo(written),
            prompt_audio: upTo(input - read - written),
            completion_reasoning: upTo(output),
            completion_audio: upTo(Math.floor(output / 3)),
          },
        };
        const { micros, source } = price(list, {
          requested: model,
          served: null,
          usage,
          isFinal: true,
          hosted,
          hasMore: false,
          terms: STANDARD_TERMS,
          reportedCost: null,
          at: AT,
        });
        if (micros === null || source !== "computed") continue;
        expect(most, `${list}/${model} ${JSON.stringify(usage)}`).not.toBeNull();
        expect(most ?? 0, `${list}/${model} ${JSON.stringify(usage)}`).toBeGreaterThanOrEqual(micros);
      }
    }
  });

  // By hand: gpt-4o at $2.50 and $10 per million tokens; Claude Opus 4.6 at $10 for a write to the cache of an hour, and $25.
  it.each([
    ["openai", "gpt-4o", 1000, 1000, 12_500],
    ["anthropic", "claude-opus-4-6", 1000, 1000, 35_000],
    ["openai", "my-llama", 1, 1, null],
  ])("of %s %s for %i and %i tokens is %s", (list, model, input, output, micros) => {
    const hosted = { webSearches: 0, fileSearches: 0 };
    expect(quote(list, { model, input, output, hosted, terms: STANDARD_TERMS, at: AT })).toBe(micros);
  });

  it("has the factor of the tier, and none for a tier without one", () => {
    const call = {
      model: "gpt-4o",
      input: 1000,
      output: 1000,
      hosted: { webSearches: 0, fileSearches: 0 },
      at: AT,
    };
    const of = (serviceTier: string) =>
      quote("openai", { ...call, terms: { ...STANDARD_TERMS, serviceTier } });
    expect([of("priority"), of("flex"), of("scale")]).toEqual([21_250, 6250, null]);
  });
});

describe("the limits of models", () => {
  it.each([
    ["gpt-4o-2024-08-06", 16_384],
    ["openai/gpt-5-mini", 128_000],
    ["claude-opus-4-6", 128_000],
    ["claude-haiku-4-5-20251001", 64_000],
    ["us.anthropic.claude-haiku-4-5-20251001-v1:0", 64_000],
    ["gemini-2.5-pro", 65_536],
    ["my-llama", 128_000],
    [null, 128_000],
  ])("of %s are at most %i tokens of output", (model, output) => {
    expect(limitsOf(model).output).toBe(output);
  });

  it("are found by the longest beginning first", () => {
    for (const [at, [begins]] of MODEL_LIMITS.entries())
      for (const [earlier] of MODEL_LIMITS.slice(0, at))
        expect(begins.startsWith(earlier), `${begins} after ${earlier}`).toBe(false);
  });
});
