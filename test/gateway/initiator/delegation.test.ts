import { describe, expect, it } from "vitest";
import {
  delegatedCredential,
  createDelegationVerifier,
  type Delegation,
} from "../../../src/gateway/initiator/delegation.ts";
import { readCredential } from "../../../src/gateway/identity/credential.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { createCentralKeys } from "../../../src/gateway/upstream/central-keys.ts";
import { chooseCredential } from "../../../src/gateway/upstream/credential.ts";
import { accepted, centralKeys, openaiProvider, OWNER, KEY_DEPS } from "../../support/in-workerd/values.ts";

const KEY = "delegation-key-of-32-characters-1";
const NEXT = "delegation-key-of-32-characters-2";
const verify = createDelegationVerifier({ keys: [KEY, NEXT], actor: "coder-gateway" });

const KEY_HEADER = "x-coder-ai-gateway-key";
const ID_HEADER = "x-coder-ai-gateway-delegated-key-id";
const SOURCE_HEADER = "x-coder-ai-gateway-source";
const WORKSPACE_HEADER = "x-coder-ai-gateway-workspace-id";

describe("a gateway that presents a delegation key", () => {
  it("becomes the configured actor: a verified service that may assert", async () => {
    expect(await verify(new Headers({ [KEY_HEADER]: KEY }))).toEqual({
      actor: {
        id: "coder-gateway",
        kind: "service",
        name: null,
        source: "delegation",
        verified: true,
        // printf %s delegation-key-of-32-characters-1 | sha256sum
        keyId: "a4c42d57b9b461af",
        mayAssert: true,
      },
      key: KEY,
      keyId: null,
      source: null,
      workspaceId: null,
    });
  });

  it.each([KEY, NEXT, ` ${KEY}\t`])("is accepted with each configured key: %j", async (key) => {
    expect(accepted(await verify(new Headers({ [KEY_HEADER]: key })))?.actor.id).toBe("coder-gateway");
  });

  it("describes the user behind it", async () => {
    const headers = {
      [KEY_HEADER]: KEY,
      [ID_HEADER]: "aBcDeF0123",
      [SOURCE_HEADER]: "agents",
      [WORKSPACE_HEADER]: OWNER.toUpperCase(),
    };
    expect(await verify(new Headers(headers))).toMatchObject({
      keyId: "aBcDeF0123",
      source: "agents",
      workspaceId: OWNER,
    });
  });

  it("is not recognized without a key, and its other headers are ignored", async () => {
    const headers = { [ID_HEADER]: "a,b", [SOURCE_HEADER]: "AGENTS", [WORKSPACE_HEADER]: "x" };
    expect(await verify(new Headers(headers))).toBeNull();
    expect(await verify(new Headers({ x_coder_ai_gateway_key: KEY }))).toBeNull();
  });
});

describe("a delegation that is not accepted", () => {
  const many = new Headers({ [KEY_HEADER]: KEY });
  many.append(KEY_HEADER, KEY);
  it.each([
    ["another key", { [KEY_HEADER]: `${KEY}x` }, "unknown key"],
    ["a prefix of the key", { [KEY_HEADER]: KEY.slice(0, -1) }, "unknown key"],
    ["the key in upper case", { [KEY_HEADER]: KEY.toUpperCase() }, "unknown key"],
    ["an empty key", { [KEY_HEADER]: "" }, "unknown key"],
    ["blanks", { [KEY_HEADER]: "  " }, "unknown key"],
    ["non-ASCII characters", { [KEY_HEADER]: "\u00e4\u0430" }, "unknown key"],
    ["100 KB", { [KEY_HEADER]: "k".repeat(100_000) }, "unknown key"],
    ["the key twice", many, "more than one key"],
    ["both keys", { [KEY_HEADER]: `${KEY}, ${NEXT}` }, "more than one key"],
    ["the key and an empty value", { [KEY_HEADER]: `${KEY},` }, "more than one key"],
  ])("refuses %s, and nothing falls back", async (_, headers, detail) => {
    const refused = await verify(new Headers(headers));
    expect(refused).toMatchObject({ code: "delegation_rejected", status: 401, data: { detail } });
  });

  // The attack: a client behind the gateway sends such a header itself. The gateway adds its own, so two values arrive.
  const MALFORMED = ["a".repeat(65), "a b", "a, b", "a_b", "a\u00a0", "{}", `"x"`, "\u0430"];
  it.each([
    ...MALFORMED.map((value) => [ID_HEADER, value]),
    ...["a".repeat(33), "Agents", "agents, agents", "a_b", "a\u2028"].map((value) => [SOURCE_HEADER, value]),
    ...["x", `${OWNER}, ${OWNER}`, `{${OWNER}}`, OWNER.replaceAll("-", "")].map((value) => [
      WORKSPACE_HEADER,
      value,
    ]),
  ] as [string, string][])("refuses a malformed %s: %j", async (name, value) => {
    const refused = await verify(new Headers({ [KEY_HEADER]: KEY, [name]: value }));
    expect(refused).toMatchObject({ code: "delegation_rejected", data: { detail: `${name} is malformed` } });
    // The key is checked first: a sender without it does not learn the form of the other headers.
    expect(await verify(new Headers({ [KEY_HEADER]: "x", [name]: value }))).toMatchObject({
      data: { detail: "unknown key" },
    });
  });

  it("never puts the key into the refusal", async () => {
    const refused = await verify(new Headers({ [KEY_HEADER]: "CANARY-wrong-key" }));
    expect(JSON.stringify(refused)).not.toContain("CANARY");
  });
});

describe("the provider key of a client behind a delegating gateway", () => {
  const delegation = async (): Promise<Delegation> =>
    accepted(await verify(new Headers({ [KEY_HEADER]: KEY }))) as Delegation;
  const choose = async (headers: Record<string, string>, keys: readonly string[] = ["sk-central"]) => {
    const gateway = await delegation();
    const presented = delegatedCredential(gateway, await readCredential(new Headers(headers), []));
    if (presented instanceof Refusal) return presented.code;
    const provider = openaiProvider({ keys: centralKeys(...keys) });
    const central = createCentralKeys([provider], KEY_DEPS);
    const chosen = chooseCredential(provider, gateway.actor, presented, { central, random: () => 0 });
    return chosen instanceof Refusal ? chosen.code : [chosen.kind, chosen.header?.[1]];
  };

  it.each([
    ["the central key if the client sends none", {}, ["sk-central"], ["centralized", "Bearer sk-central"]],
    ["the client's own key", { authorization: "Bearer sk-own" }, ["sk-central"], ["byok", "Bearer sk-own"]],
    ["the client's own key in X-Api-Key", { "x-api-key": "sk-own" }, [], ["byok", "Bearer sk-own"]],
    ["nothing if there is no central key either", {}, [], "provider_key_missing"],
    [
      "nothing if the credential is malformed",
      { authorization: "Basic eDp5" },
      ["sk-central"],
      "credential_malformed",
    ],
  ])("is %s", async (_, headers, keys, expected) => {
    expect(await choose(headers as Record<string, string>, keys)).toEqual(expected);
  });

  it.each([
    ["the gateway's key in Authorization", { authorization: `Bearer ${KEY}` }],
    ["the gateway's key in X-Api-Key", { "x-api-key": KEY }],
    ["a client key of this gateway", { authorization: "Bearer aei_0123456789abcdef" }],
    ["a governance token twice", { "x-coder-ai-governance-token": "tok", authorization: "Bearer tok" }],
  ])("is never %s", async (_, headers) => {
    expect(await choose(headers as Record<string, string>)).toEqual(["centralized", "Bearer sk-central"]);
    expect(await choose(headers as Record<string, string>, [])).toBe("provider_key_missing");
  });
});
