import { describe, expect, it } from "vitest";
import { modelsPolicy } from "../../../src/gateway/policy/models.ts";
import { applyPolicies, type Policy, type PolicyRequest } from "../../../src/gateway/policy/policy.ts";
import { JsonSource } from "../../../src/gateway/provider/json-source.ts";
import { readModelCall } from "../../../src/gateway/provider/model-call.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { accepted, openaiProvider, reasonOf, statusOf, utf8 } from "../../support/in-workerd/values.ts";

function request(
  modelName: string | null,
  models: readonly string[] | null,
  over: Partial<PolicyRequest> = {},
): PolicyRequest {
  return {
    provider: openaiProvider({ models }),
    model: modelName,
    runsModel: true,
    actorId: "ci-bot",
    initiatorId: "ci-bot",
    ...over,
  };
}

const model = (body: string): string | null => accepted(readModelCall(new JsonSource(utf8(body)))).model;

describe("D14 the allow-list of models", () => {
  it("allows every model without a list", () => {
    expect(modelsPolicy(request("anything", null))).toBeNull();
    expect(modelsPolicy(request(null, null))).toBeNull();
  });

  it("allows exactly the listed models", () => {
    const list = ["gpt-4o", "ft:gpt-4o:org::id"];
    for (const name of list) expect(modelsPolicy(request(name, list))).toBeNull();
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
  ])("D14 refuses %j with 403 if only gpt-4o is listed", (name) => {
    const refusal = modelsPolicy(request(name, ["gpt-4o"]));
    expect(reasonOf(refusal)).toBe("model_not_allowed");
    expect(statusOf(refusal)).toBe(403);
  });

  it("D14 checks the model after JSON unescaping, as the provider will read it", () => {
    expect(modelsPolicy(request(model('{"model":"gpt-4\\u006f"}'), ["gpt-4o"]))).toBeNull();
    expect(modelsPolicy(request(model('{"model":" gpt-4o"}'), ["gpt-4o"]))).not.toBeNull();
    expect(modelsPolicy(request(model('{"model":"gpt-4o\\n"}'), ["gpt-4o"]))).not.toBeNull();
  });

  it("refuses a request that names no model if there is a list", () => {
    expect(reasonOf(modelsPolicy(request(null, ["gpt-4o"])))).toBe("model_not_allowed");
  });

  it("J5 refuses every model if the list is empty", () => {
    for (const name of ["gpt-4o", "", null]) {
      expect(reasonOf(modelsPolicy(request(name, [])))).toBe("model_not_allowed");
    }
  });

  it("allows a request that runs no model", () => {
    expect(modelsPolicy(request(null, [], { runsModel: false }))).toBeNull();
  });
});

describe("several policies", () => {
  const evaluated: string[] = [];
  const policy =
    (name: string, refusal: Refusal | null): Policy =>
    () => {
      evaluated.push(name);
      return refusal;
    };

  it("return the first refusal without evaluating later policies", () => {
    evaluated.length = 0;
    const refusal = new Refusal("model_not_allowed", { detail: "second" });
    const policies = [policy("1", null), policy("2", refusal), policy("3", new Refusal("internal"))];
    expect(applyPolicies(policies, request("m", null))).toBe(refusal);
    expect(evaluated).toEqual(["1", "2"]);
  });

  it("allow the request if every policy allows it, or if there are none", () => {
    expect(applyPolicies([policy("1", null), policy("2", null)], request("m", null))).toBeNull();
    expect(applyPolicies([], request("m", null))).toBeNull();
  });

  it("receive the whole request", () => {
    const received: PolicyRequest[] = [];
    const sent = request("m", ["m"], { initiatorId: "someone" });
    applyPolicies([(policyRequest) => (received.push(policyRequest), null)], sent);
    expect(received).toEqual([sent]);
  });
});
