import { describe, expect, it } from "vitest";
import type { InterceptionResult } from "../../../src/events/compose.ts";
import { costOfResult } from "../../../src/gateway/app/call-cost.ts";
import { EMPTY_REPORT, type ResponseReport } from "../../../src/gateway/provider/response-reader.ts";
import { NO_PROVIDER_HEADERS } from "../../../src/gateway/upstream/provider-headers.ts";
import { createPricing, NOTHING, UNPRICED, type CostFacts } from "../../../src/shared/prices/pricing.ts";

const price = createPricing({
  providers: new Map([["claude", { list: "anthropic", factor: 1000, models: [] }]]),
  version: "",
});

const END: InterceptionResult = {
  outcome: "completed",
  status: 200,
  error: null,
  providerHeaders: NO_PROVIDER_HEADERS,
  usageOptIn: null,
  observation: null,
};

const costOf = (result: Partial<InterceptionResult>, elapsedMs = 5000): CostFacts =>
  costOfResult(
    price,
    { provider: "claude", model: "claude-opus-4-6" },
    { ...END, ...result },
    {
      at: elapsedMs,
      startedAt: 0,
    },
  );

const USAGE = {
  input_tokens: 100,
  output_tokens: 10,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
  extras: {},
  invalid: false,
  addsUp: true,
  raw: null,
};

const observed = (report: Partial<ResponseReport>): InterceptionResult["observation"] => ({
  usageState: report.usage ? "final" : "unknown",
  end: { bytes: 0, firstByteAt: null, truncated: false },
  sha256: null,
  report: { ...EMPTY_REPORT, ...report },
});

describe("the cost of a call", () => {
  it("is nothing where the gateway refused it", () => {
    expect(costOf({ outcome: "refused", status: 403, error: "model_not_allowed" })).toEqual(NOTHING);
  });

  it.each([
    ["the provider rejected the gateway's key", "upstream_key_rejected", 5000, NOTHING],
    ["there was no token for it", "upstream_token_unavailable", 5000, NOTHING],
    ["it responded with a redirect", "upstream_redirected", 5000, NOTHING],
    ["no connection was made within a second", "upstream_unreachable", 999, NOTHING],
    ["the connection was lost later", "upstream_unreachable", 1000, UNPRICED],
    ["it did not respond in time", "upstream_timeout", 5000, UNPRICED],
  ])("of one without a response, where %s, is nothing or unknown", (_, error, elapsedMs, cost) => {
    const result = { outcome: "upstream_error", status: 502, error } as const;
    expect(costOf(result, elapsedMs)).toEqual(cost);
    expect(costOf({ ...result, hasLost: true }, elapsedMs)).toEqual(UNPRICED);
  });

  it("is nothing where the last attempt made no connection within a second of its own", () => {
    const result = { outcome: "upstream_error", status: 502, error: "upstream_unreachable" } as const;
    expect(costOf({ ...result, sentAt: 4001 }, 5000)).toEqual(NOTHING);
    expect(costOf({ ...result, sentAt: 4000 }, 5000)).toEqual(UNPRICED);
  });

  it.each<[string, Partial<InterceptionResult>]>([
    ["the gateway failed", { outcome: "refused", status: 500, error: "internal" }],
    ["the client disconnected before the headers", { outcome: "cancelled", status: null }],
    ["the provider did not respond", { outcome: "upstream_error", status: 504 }],
    [
      "Cloudflare reports that the provider's server did not respond in time",
      { outcome: "upstream_error", status: 524, observation: observed({}) },
    ],
    ["a stream broke off before its usage", { outcome: "truncated", observation: observed({}) }],
  ])("is not known where %s", (_, result) => {
    expect(costOf(result)).toEqual(UNPRICED);
  });

  it("is nothing for a provider's error, unless that states a usage", () => {
    const failed = { outcome: "upstream_error", status: 429 } as const;
    expect(costOf({ ...failed, observation: observed({}) })).toEqual(NOTHING);
    expect(costOf({ ...failed, observation: observed({}), hasLost: true })).toEqual(UNPRICED);
    expect(costOf({ ...failed, observation: observed({ usage: USAGE }) }).micros).toBe(750);
  });

  it.each<[string, Partial<ResponseReport>]>([
    ["further runs, which may be of another model", { usage: { ...USAGE, extras: { iterations_input: 5 } } }],
    ["more tool calls than are kept", { usage: USAGE, toolCallCount: 1 }],
  ])("is partial with %s", (_, report) => {
    expect(costOf({ observation: observed({ usage: USAGE }) })).toMatchObject({ source: "computed" });
    expect(costOf({ observation: observed(report) })).toMatchObject({ micros: 750, source: "partial" });
  });
});
