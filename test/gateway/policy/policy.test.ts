import { describe, expect, it } from "vitest";
import { modelsPolicy } from "../../../src/gateway/policy/models.ts";
import { applyPolicies, type Policy, type PolicyRequest } from "../../../src/gateway/policy/policy.ts";
import { readModelCall } from "../../../src/gateway/provider/model-call.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { accepted, openaiProvider, reasonOf, statusOf, utf8 } from "../../support/in-workerd/values.ts";

function request(
  named: string | null,
  models: readonly string[] | null,
  over: Partial<PolicyRequest> = {},
): PolicyRequest {
  return {
    provider: openaiProvider({ models }),
    model: named,
    runsModel: true,
    actorId: "ci-bot",
    initiatorId: "ci-bot",
    ...over,
  };
}

const model = (body: string): string | null => accepted(readModelCall(utf8(body))).model;

describe("D14 which models may be asked for", () => {
  it("without a list, all", () => {
    expect(modelsPolicy(request("anything", null))).toBeNull();
    expect(modelsPolicy(request(null, null))).toBeNull();
  });

  it("with a list, those on it, exactly as written", () => {
    const list = ["gpt-4o", "ft:gpt-4o:org::id"];
    for (const one of list) expect(modelsPolicy(request(one, list))).toBeNull();
  });

  it.each([
    " gpt-4o",
    "gpt-4o ",
    "GPT-4o",
    "gpt-4o\n",
    "\tgpt-4o",
    "gpt-4o\u0000",
    "gpt-4\u043e",
    "gpt\u20114o",
    "ｇpt-4o",
    "gpt-4o\u200b",
    "gpt-4",
    "gpt-4o-mini",
    "openai/gpt-4o",
    "",
  ])("D14 %j is not gpt-4o: 403", (other) => {
    const refusal = modelsPolicy(request(other, ["gpt-4o"]));
    expect(reasonOf(refusal)).toBe("model_not_allowed");
    expect(statusOf(refusal)).toBe(403);
  });

  it("D14 the string judged is the string that is forwarded: as JSON spells it, escapes read", () => {
    expect(modelsPolicy(request(model('{"model":"gpt-4\\u006f"}'), ["gpt-4o"]))).toBeNull();
    expect(modelsPolicy(request(model('{"model":" gpt-4o"}'), ["gpt-4o"]))).not.toBeNull();
    expect(modelsPolicy(request(model('{"model":"gpt-4o\\n"}'), ["gpt-4o"]))).not.toBeNull();
  });

  it("with a list, none is named: 403", () => {
    expect(reasonOf(modelsPolicy(request(null, ["gpt-4o"])))).toBe("model_not_allowed");
  });

  it("J5 with an empty list, none at all", () => {
    for (const one of ["gpt-4o", "", null]) {
      expect(reasonOf(modelsPolicy(request(one, [])))).toBe("model_not_allowed");
    }
  });

  it("a request that has no model do anything names none", () => {
    expect(modelsPolicy(request(null, [], { runsModel: false }))).toBeNull();
  });
});

describe("several policies", () => {
  const asked: string[] = [];
  const policy =
    (name: string, refusal: Refusal | null): Policy =>
    () => {
      asked.push(name);
      return refusal;
    };

  it("the first refusal wins, and no later policy is asked", () => {
    asked.length = 0;
    const refusal = new Refusal("model_not_allowed", { detail: "second" });
    const policies = [policy("1", null), policy("2", refusal), policy("3", new Refusal("internal"))];
    expect(applyPolicies(policies, request("m", null))).toBe(refusal);
    expect(asked).toEqual(["1", "2"]);
  });

  it("all agreeing, or none there, is going on", () => {
    expect(applyPolicies([policy("1", null), policy("2", null)], request("m", null))).toBeNull();
    expect(applyPolicies([], request("m", null))).toBeNull();
  });

  it("each is given the whole request", () => {
    const given: PolicyRequest[] = [];
    const one = request("m", ["m"], { initiatorId: "someone" });
    applyPolicies([(own) => (given.push(own), null)], one);
    expect(given).toEqual([one]);
  });
});
