/** `POST /spend/corrections`. */
import { describe, expect, it } from "vitest";
import { MAX_CORRECTIONS } from "../../../src/events/cost-correction.ts";
import type { RecordsService } from "../../../src/events/records-service.ts";
import { openWithBudgets } from "../../support/in-workerd/budget-gateway.ts";
import { CORRECTION } from "../../support/in-workerd/events.ts";
import { alice } from "../../support/in-workerd/object-store.ts";

const PATH = "/api/v2/ai-gateway/spend/corrections";
const ADMIN = { authorization: "Bearer admin-token-0123456789" };
const RECORDS: RecordsService = {
  fetch: () => Promise.resolve(new Response("records")),
  store: () => Promise.resolve(),
  spendOf: () => Promise.resolve(null),
  authorize: ({ authorization }) =>
    Promise.resolve(authorization === ADMIN.authorization ? null : { code: "admin_only", data: {} }),
};

const { record_type: _, cause, corrected_by, created_at, difference_micros, ...FACTS } = CORRECTION;

async function post(body: unknown, headers: Record<string, string> = ADMIN, path = PATH) {
  const gateway = await openWithBudgets({ budgets: {}, vars: { RECORDS } });
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const { response, text, events } = await gateway.exchange(path, init);
  const corrections = events.filter(({ record_type: type }) => type === "cost_correction");
  return { status: response.status, json: JSON.parse(text) as Record<string, unknown>, corrections };
}

describe("POST /spend/corrections", () => {
  it("records each correction as an event of its call, with the difference and the administrator", async () => {
    const second = {
      ...FACTS,
      position: 1,
      cost_micros: null,
      cost_source: "unpriced",
      price_version: null,
      former_cost_micros: 1216,
    };
    const { status, json, corrections } = await post({ cause, corrections: [FACTS, second] });
    expect([status, json]).toEqual([200, { recorded: 2 }]);
    expect(corrections).toEqual([
      {
        record_type: "cost_correction",
        ...FACTS,
        cause,
        difference_micros,
        corrected_by: expect.stringMatching(/^token:[0-9a-f]{16}$/),
        created_at: expect.any(String),
      },
      expect.objectContaining({ position: 1, cost_micros: null, difference_micros: -1216 }),
    ]);
    expect([corrected_by, created_at]).toHaveLength(2);
  });

  // The attack: a person lowers their own spend.
  it("is for the admin alone", async () => {
    const { status, corrections } = await post({ cause, corrections: [FACTS] }, alice);
    expect([status, corrections]).toEqual([401, []]);
  });

  it.each<readonly [string, unknown]>([
    ["body", []],
    ["body", { cause, corrections: [FACTS], of: "x" }],
    ["cause", { corrections: [FACTS] }],
    ["cause", { cause: " ", corrections: [FACTS] }],
    ["cause", { cause: "x".repeat(201), corrections: [FACTS] }],
    ["corrections", { cause }],
    ["corrections", { cause, corrections: [] }],
    ["corrections", { cause, corrections: Array.from({ length: MAX_CORRECTIONS + 1 }, () => FACTS) }],
    ["corrections[1]", { cause, corrections: [FACTS, null] }],
    ...[
      { interception_id: "x" },
      // Another spelling would be another event: the correction would count twice.
      { interception_id: FACTS.interception_id.toUpperCase() },
      { position: 16 },
      { position: -1 },
      { position: 0.5 },
      { corrects: "refusal" },
      { cost_micros: -1 },
      { cost_micros: 0.5 },
      { cost_micros: null },
      { cost_source: "unpriced" },
      { cost_source: "guessed" },
      { price_version: 1 },
      { price_version: "x".repeat(65) },
      { former_cost_micros: null },
      { former_cost_source: undefined },
      { corrected_by: "token:0" },
    ].map((wrong) => ["corrections[0]", { cause, corrections: [{ ...FACTS, ...wrong }] }] as const),
  ])("refuses a wrong %s: %j", async (param, body) => {
    const { status, json, corrections } = await post(body);
    expect([status, corrections]).toEqual([400, []]);
    expect(JSON.stringify(json)).toContain(`"${param}"`);
  });

  it("takes no parameters", async () => {
    const { status, corrections } = await post({ cause, corrections: [FACTS] }, ADMIN, `${PATH}?x=1`);
    expect([status, corrections]).toEqual([400, []]);
  });
});
