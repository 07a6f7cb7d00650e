import { describe, expect, it } from "vitest";
import {
  delegatedCredential,
  createDelegationVerifier,
  type Delegation,
} from "../../../src/gateway/initiator/delegation.ts";
import { readCredential } from "../../../src/gateway/identity/credential.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { chooseCredential } from "../../../src/gateway/upstream/credential.ts";
import { accepted, openaiProvider, OWNER } from "../../support/in-workerd/values.ts";

const KEY = "delegation-key-of-32-characters-1";
const NEXT = "delegation-key-of-32-characters-2";
const read = createDelegationVerifier({ keys: [KEY, NEXT], actor: "coder-gateway" });

const KEY_HEADER = "x-coder-ai-gateway-key";
const ID_HEADER = "x-coder-ai-gateway-delegated-key-id";
const SOURCE_HEADER = "x-coder-ai-gateway-source";
const WORKSPACE_HEADER = "x-coder-ai-gateway-workspace-id";

describe("a gateway that shows its key", () => {
  it("is the configured actor: a service that is verified and may assert", async () => {
    expect(await read(new Headers({ [KEY_HEADER]: KEY }))).toEqual({
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

  it.each([KEY, NEXT, ` ${KEY}\t`])("by any of its keys: %j", async (key) => {
    expect(accepted(await read(new Headers({ [KEY_HEADER]: key })))?.actor.id).toBe("coder-gateway");
  });

  it("tells of the user behind it", async () => {
    const headers = {
      [KEY_HEADER]: KEY,
      [ID_HEADER]: "aBcDeF0123",
      [SOURCE_HEADER]: "agents",
      [WORKSPACE_HEADER]: OWNER.toUpperCase(),
    };
    expect(await read(new Headers(headers))).toMatchObject({
      keyId: "aBcDeF0123",
      source: "agents",
      workspaceId: OWNER,
    });
  });

  it("without a key there is no gateway, whatever stands where its word would", async () => {
    const headers = { [ID_HEADER]: "a,b", [SOURCE_HEADER]: "AGENTS", [WORKSPACE_HEADER]: "x" };
    expect(await read(new Headers(headers))).toBeNull();
    expect(await read(new Headers({ x_coder_ai_gateway_key: KEY }))).toBeNull();
  });
});

describe("a delegation that is not accepted is refused, and nothing falls back", () => {
  const many = new Headers({ [KEY_HEADER]: KEY });
  many.append(KEY_HEADER, KEY);
  it.each([
    ["another key", { [KEY_HEADER]: `${KEY}x` }, "another key"],
    ["a beginning of the key", { [KEY_HEADER]: KEY.slice(0, -1) }, "another key"],
    ["the key in other case", { [KEY_HEADER]: KEY.toUpperCase() }, "another key"],
    ["an empty key", { [KEY_HEADER]: "" }, "another key"],
    ["blanks", { [KEY_HEADER]: "  " }, "another key"],
    ["odd characters", { [KEY_HEADER]: "\u00e4\u0430" }, "another key"],
    ["100 KB", { [KEY_HEADER]: "k".repeat(100_000) }, "another key"],
    ["the key twice", many, "more than one key"],
    ["both keys", { [KEY_HEADER]: `${KEY}, ${NEXT}` }, "more than one key"],
    ["the key and nothing", { [KEY_HEADER]: `${KEY},` }, "more than one key"],
  ])("%s", async (_, headers, detail) => {
    const refused = await read(new Headers(headers));
    expect(refused).toMatchObject({ code: "delegation_rejected", status: 401, data: { detail } });
  });

  // The attack: a client behind the gateway that sends such a header itself; where the gateway adds its own, two arrive.
  const MALFORMED = ["a".repeat(65), "a b", "a, b", "a_b", "a\u00a0", "{}", `"x"`, "\u0430"];
  it.each([
    ...MALFORMED.map((value) => [ID_HEADER, value]),
    ...["a".repeat(33), "Agents", "agents, agents", "a_b", "a\u2028"].map((value) => [SOURCE_HEADER, value]),
    ...["x", `${OWNER}, ${OWNER}`, `{${OWNER}}`, OWNER.replaceAll("-", "")].map((value) => [
      WORKSPACE_HEADER,
      value,
    ]),
  ] as [string, string][])("%s: %j", async (name, value) => {
    const refused = await read(new Headers({ [KEY_HEADER]: KEY, [name]: value }));
    expect(refused).toMatchObject({ code: "delegation_rejected", data: { detail: `${name} is malformed` } });
    // The key decides first: nobody without it learns what the other headers must look like.
    expect(await read(new Headers({ [KEY_HEADER]: "x", [name]: value }))).toMatchObject({
      data: { detail: "another key" },
    });
  });

  it("says nothing of the key to anybody", async () => {
    const refused = await read(new Headers({ [KEY_HEADER]: "CANARY-wrong-key" }));
    expect(JSON.stringify(refused)).not.toContain("CANARY");
  });
});

describe("the provider key of a client behind a gateway", () => {
  const delegation = async (): Promise<Delegation> =>
    accepted(await read(new Headers({ [KEY_HEADER]: KEY }))) as Delegation;
  const choose = async (headers: Record<string, string>, keys: readonly string[] = ["sk-central"]) => {
    const gateway = await delegation();
    const presented = delegatedCredential(gateway, await readCredential(new Headers(headers), []));
    if (presented instanceof Refusal) return presented.code;
    const chosen = chooseCredential(openaiProvider({ keys }), gateway.actor, presented, () => 0);
    return chosen instanceof Refusal ? chosen.code : [chosen.kind, chosen.header[1]];
  };

  it.each([
    ["none: the central one", {}, ["sk-central"], ["centralized", "Bearer sk-central"]],
    ["its own goes on", { authorization: "Bearer sk-own" }, ["sk-central"], ["byok", "Bearer sk-own"]],
    ["its own in X-Api-Key", { "x-api-key": "sk-own" }, [], ["byok", "Bearer sk-own"]],
    ["none, and no central one", {}, [], "provider_key_missing"],
    ["a malformed one", { authorization: "Basic eDp5" }, ["sk-central"], "credential_malformed"],
  ])("%s", async (_, headers, keys, expected) => {
    expect(await choose(headers as Record<string, string>, keys)).toEqual(expected);
  });

  it.each([
    ["the gateway's key in Authorization", { authorization: `Bearer ${KEY}` }],
    ["the gateway's key in X-Api-Key", { "x-api-key": KEY }],
    ["a client key of ours", { authorization: "Bearer aei_0123456789abcdef" }],
    ["a governance token twice", { "x-coder-ai-governance-token": "tok", authorization: "Bearer tok" }],
  ])("%s is nobody's provider key", async (_, headers) => {
    expect(await choose(headers as Record<string, string>)).toEqual(["centralized", "Bearer sk-central"]);
    expect(await choose(headers as Record<string, string>, [])).toBe("provider_key_missing");
  });
});
