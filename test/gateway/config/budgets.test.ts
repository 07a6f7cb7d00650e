import { describe, expect, it } from "vitest";
import { readConfig } from "../../../src/gateway/config/config.ts";
import { registry } from "../../../src/gateway/wiring.ts";

const PROVIDERS = { openai: { type: "openai", base_url: "https://a.example/v1" } };
const OBJECTS = { idFromName: () => null };

const read = (vars: Record<string, unknown>) =>
  readConfig({ PROVIDERS, BUDGET_OBJECTS: OBJECTS, ...vars }, registry);

function issuesOf(vars: Record<string, unknown>): readonly string[] {
  const config = read(vars);
  return "issues" in config ? config.issues : [];
}

function rulesOf(vars: Record<string, unknown>) {
  const config = read(vars);
  if ("issues" in config) throw new Error(config.issues.join("\n"));
  return config.budgets.rules;
}

describe("BUDGETS", () => {
  it("has defaults: fifty dollars for each person in a month of UTC, strict, hard and closed", () => {
    expect(rulesOf({ BUDGETS: { people: { dollars: 50 } } })).toEqual([
      {
        account: "budget:people",
        kind: "budget",
        name: "people",
        per: "initiator",
        filter: { providers: null, models: null, clients: null, claim: null },
        measure: "dollars",
        limit: 50_000_000,
        period: { kind: "calendar", unit: "month", timeZone: "UTC" },
        warnAt: [80],
        isHard: true,
        mode: "strict",
        minAttribution: "asserted",
        below: "actor",
        onUnavailable: "closed",
        unpriced: "refuse",
        ownKeys: false,
        status: 403,
      },
    ]);
  });

  it("is soft and open for all together, and where it only reports", () => {
    const rules = rulesOf({
      BUDGETS: { all: { per: "all", tokens: 9 }, report: { requests: 9, hard: false } },
    });
    expect(rules.map(({ mode, onUnavailable }) => [mode, onUnavailable])).toEqual([
      ["soft", "open"],
      ["strict", "open"],
    ]);
  });

  it("may be a text of JSON", () => {
    expect(
      rulesOf({ BUDGETS: '{"people":{"requests":1,"window_s":60,"warn_at":[95,50,95]}}' }),
    ).toMatchObject([{ period: { kind: "window", ms: 60_000 }, warnAt: [50, 95] }]);
  });

  it.each([
    [{}, "BUDGETS.a.dollars is required, or `tokens`, or `requests`"],
    [
      { dollars: 1, tokens: 1 },
      "BUDGETS.a.tokens does not apply beside another amount: write a rule for each",
    ],
    [{ dollars: -1 }, "BUDGETS.a.dollars must be a number from 0 to 1000000000"],
    [{ requests: 1.5 }, "BUDGETS.a.requests must be a whole number from 0 to 9007199254740991"],
    [
      { requests: 1, per: "key" },
      'BUDGETS.a.per must be one of "initiator", "actor", "client", "workspace", "all"',
    ],
    [
      { requests: 1, time_zone: "Mars/Base" },
      "BUDGETS.a.time_zone must be the name of a time zone, such as Europe/Berlin",
    ],
    [{ requests: 1, window_s: 60, period: "day" }, "BUDGETS.a.period does not apply beside window_s"],
    [{ requests: 1, window_s: 59 }, "BUDGETS.a.window_s must be a whole number from 60 to 31622400"],
    [{ requests: 1, warn_at: [0] }, "BUDGETS.a.warn_at must be a list of whole percentages from 1 to 1000"],
    [{ requests: 1, warn_at: 80 }, "BUDGETS.a.warn_at must be a list of whole percentages from 1 to 1000"],
    [{ requests: 1, claim: "team" }, 'BUDGETS.a.claim must be "name=value"'],
    [{ requests: 1, status: 404 }, "BUDGETS.a.status must be 403 or 429"],
    // Otherwise the rule would be about no call, unnoticed.
    [{ requests: 1, providers: ["opanai"] }, "BUDGETS.a.providers must be names of PROVIDERS"],
    [
      { requests: 1, min_attribution: "good" },
      'BUDGETS.a.min_attribution must be one of "authenticated", "signed", "asserted", "unverified", "claimed"',
    ],
  ])("rejects %o", (rule, issue) => {
    expect(issuesOf({ BUDGETS: { a: rule } })).toEqual([issue]);
  });

  it("rejects an unknown key, a name that an account cannot have, and a missing binding", () => {
    expect(issuesOf({ BUDGETS: { a: { requests: 1, dolars: 2 } } })[0]).toMatch(
      /^BUDGETS\.a\.dolars is not a known key/,
    );
    expect(issuesOf({ BUDGETS: { "A b": { requests: 1 } } })).toEqual([
      "BUDGETS.A b must match ^[a-z0-9]+(?:[-_][a-z0-9]+)*$",
    ]);
    expect(issuesOf({ BUDGETS: { a: { requests: 1 } }, BUDGET_OBJECTS: undefined })).toEqual([
      "BUDGETS requires BUDGET_OBJECTS: a Durable Object namespace of the records Worker",
    ]);
  });
});

describe("RATE_LIMITS", () => {
  it("has a rule for each of its limits", () => {
    expect(
      rulesOf({ RATE_LIMITS: { burst: { requests: 60, concurrent: 8 } } }).map(({ account }) => account),
    ).toEqual(["rate:burst:requests", "rate:burst:concurrent"]);
  });

  it.each([
    [{}, "RATE_LIMITS.a.requests is required, or `tokens`, `concurrent` or `binding`"],
    [{ requests: 0 }, "RATE_LIMITS.a.requests must be a whole number from 1 to 9007199254740991"],
    [{ binding: "LIMITER" }, "LIMITER is required: the configuration names it as a binding"],
    [{ requests: 1, providers: ["none"] }, "RATE_LIMITS.a.providers must be names of PROVIDERS"],
  ])("rejects %o", (rule, issue) => {
    expect(issuesOf({ RATE_LIMITS: { a: rule } })).toContain(issue);
  });

  it("of the platform takes neither a limit nor what only an exact one can do", () => {
    const LIMITER = { limit: () => null };
    const issues = issuesOf({
      LIMITER,
      RATE_LIMITS: { a: { binding: "LIMITER", requests: 1, below: "refuse" } },
    });
    expect(issues).toContain(
      "RATE_LIMITS.a.requests does not apply beside binding, whose limit stands in wrangler.toml",
    );
    expect(issues.join("\n")).toMatch(/RATE_LIMITS\.a\.below is not a known key/);
    expect(
      read({ LIMITER, BUDGET_OBJECTS: undefined, RATE_LIMITS: { a: { binding: "LIMITER" } } }),
    ).not.toHaveProperty("issues");
  });
});
