/** The charge of a call whose earlier attempts may have cost something. */
import { describe, expect, it } from "vitest";
import {
  usageOf,
  type ClaimedFigures,
  type EndedCall,
  type UsageContext,
} from "../../../src/gateway/app/call-usage.ts";
import type { Account } from "../../../src/gateway/policy/budgets/accounts.ts";
import { ONE_CALL, type Amounts } from "../../../src/gateway/policy/budgets/estimate.ts";
import { settlementsOf } from "../../../src/gateway/policy/budgets/settle.ts";
import { NO_FIGURES } from "../../../src/gateway/provider/request-figures.ts";
import { EMPTY_REPORT } from "../../../src/gateway/provider/response-reader.ts";

/** Reserved for one attempt. A token costs two micro-dollars. */
const MOST = { ...ONE_CALL, tokens: 1000, dollars: 2000 };
const MEASURES = ["dollars", "tokens", "requests", "concurrent"] as const;
const accounts = MEASURES.map(
  (measure) =>
    ({
      rule: { measure, kind: "budget", mode: "strict" },
      claim: { account: measure, amount: MOST[measure] },
    }) as unknown as Account,
);

const contextOf = (isStream: boolean, textBytes: number, later: string | null = null): UsageContext => ({
  claimed: { kind: "figures", figures: { ...NO_FIGURES, models: ["gpt-4o"], textBytes }, isStream },
  most: MOST,
  quote: (_, { input, output }) => 2 * (input + output),
  provider: "openai",
  at: 0,
  later,
  lostAfterMs: 5000,
});

/** The last attempt ended so, after `lost` others. */
const ended = (lost: number, rest: Partial<EndedCall> = {}): EndedCall => ({
  outcome: "upstream_error",
  status: 502,
  error: "upstream_unreachable",
  observation: null,
  attempts: { lost: Array<string>(lost).fill("openai"), sentAt: 0 },
  ...rest,
});
const USAGE = {
  input_tokens: 10,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
  output_tokens: 20,
};
const known = {
  outcome: "completed",
  status: 200,
  error: null,
  observation: {
    usageState: "final",
    report: { ...EMPTY_REPORT, usage: USAGE },
    end: { bytes: 9 },
  },
} as unknown as EndedCall;
const cost = { micros: 60, source: "computed", version: "v" } as const;
const rejected = { ...known, status: 429, observation: { ...known.observation, report: EMPTY_REPORT } };
/** A response of which nothing is known. */
const unknown = {
  ...known,
  observation: { ...known.observation, usageState: "unknown", report: EMPTY_REPORT },
};

const quoteByProvider: UsageContext["quote"] = (provider, { input, output }) =>
  (provider === "backup" ? 8 : 2) * (input + output);

describe("a call with lost attempts", () => {
  it("is charged each of them at the price of its own provider", () => {
    const context = contextOf(true, 400);
    const { figures } = context.claimed as ClaimedFigures;
    const claimed = { ...context.claimed, fallbacks: [{ provider: "backup", figures }] } as ClaimedFigures;
    const lostAt = (...lost: string[]): Amounts | undefined =>
      usageOf({ ...ended(0, known), attempts: { lost, sentAt: 0 } }, cost, {
        ...context,
        claimed,
        quote: quoteByProvider,
      }).lost;
    expect(lostAt("openai")).toMatchObject({ dollars: 200, tokens: 100 });
    expect(lostAt("backup")).toMatchObject({ dollars: 800, tokens: 100 });
    expect(lostAt("openai", "backup")).toEqual({ dollars: 1000, tokens: 200, requests: 0, concurrent: 0 });
  });

  it.each<[string, EndedCall, boolean, number, readonly number[]]>([
    ["the last one's figures, none lost", ended(0, known), true, 400, [60, 30, 1, 0]],
    ["the last one's figures, one lost stream", ended(1, known), true, 400, [60 + 200, 30 + 100, 1, 0]],
    ["the last one's figures, two lost bodies", ended(2, known), false, 400, [60 + 4000, 30 + 2000, 1, 0]],
    ["each lost one up to the reservation", ended(2, known), true, 40_000, [60 + 4000, 30 + 2000, 1, 0]],
    [
      "nothing for a last one that was rejected",
      ended(1, rejected as EndedCall),
      true,
      400,
      [200, 100, 1, 0],
    ],
    ["nothing for a last one that was not sent", ended(1, { isUnsent: true }), true, 400, [200, 100, 1, 0]],
    ["a reservation for the last one that was lost too", ended(1), false, 400, [4000, 2000, 1, 0]],
    [
      "the estimate of the last one up to the reservation",
      ended(1, unknown as unknown as EndedCall),
      true,
      40_000,
      [4000, 2000, 1, 0],
    ],
  ])("is charged %s", (_, result, isStream, textBytes, amounts) => {
    const context = contextOf(isStream, textBytes);
    const used = usageOf(result, result.observation === null ? null : cost, context);
    const [settlement, ...others] = settlementsOf(accounts, used, { id: "call" }, true);
    expect([settlement?.id, others]).toEqual(["call", []]);
    expect(settlement?.charges.map(({ amount }) => amount)).toEqual(amounts);
  });

  it("keeps their charge where the usage of the last one is known later", () => {
    const context = contextOf(false, 400, "resp_1");
    const used = usageOf(ended(1), null, context);
    const settlements = settlementsOf(accounts, used, { id: "call" }, true);
    expect(
      settlements.map(({ id, isEstimate, charges }) => [id, isEstimate, charges.map(({ amount }) => amount)]),
    ).toEqual([
      ["call", false, [2000, 1000, 0, 0]],
      ["openai/resp_1", true, [2000, 1000, 1, 0]],
    ]);
    // Nothing was reserved in mode `soft`, so nothing but the usage has to be charged.
    const soft = (lost: number) =>
      settlementsOf(accounts, usageOf(ended(lost), null, context), { id: "call" }).map(({ id }) => id);
    expect([soft(0), soft(1)]).toEqual([["openai/resp_1"], ["call", "openai/resp_1"]]);
  });

  it("has no estimate where nothing of the request is known", () => {
    const context: UsageContext = { ...contextOf(false, 0), claimed: { kind: "unknown", model: null } };
    expect(usageOf(ended(1), null, context)).toEqual({ amounts: ONE_CALL, isEstimate: false });
  });
});
