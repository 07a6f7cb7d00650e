/** The provider's stored objects: who may read, change and delete them. */
import { describe, expect, it } from "vitest";
import { sha256Hex } from "../../../src/shared/digest.ts";
import { CLIENT_KEY, json, OWN_KEY, post } from "../../support/in-workerd/calls.ts";
import { CANARIES, openGateway } from "../../support/in-workerd/gateway-harness.ts";
import { checkObjects } from "../../../src/gateway/policy/objects.ts";
import type { ObjectRules } from "../../../src/gateway/provider/provider.ts";
import { findRoute } from "../../../src/gateway/provider/route.ts";
import { actor, openaiProvider, providers } from "../../support/in-workerd/values.ts";
import { issuesOf, provider, read } from "../config/read-config.ts";

const SERVICE = { authorization: "Bearer aei_service-client-key-0123456789" };
const clientKeys = async () =>
  JSON.stringify([
    { sha256: await sha256Hex(CANARIES.clientKey), actor: "alice", kind: "user" },
    { sha256: await sha256Hex(SERVICE.authorization.slice(7)), actor: "ci", kind: "service" },
  ]);

const central = { type: "openai", base_url: "https://central.example/v1", keys: ["CENTRAL_KEY"] };

async function errorOf(
  [method, path]: readonly [string, string],
  headers: Record<string, string>,
  options: Record<string, unknown> = {},
): Promise<string | null> {
  const PROVIDERS = {
    central: { ...central, ...options },
    claude: {
      type: "anthropic",
      base_url: "https://central.example/claude",
      keys: ["CENTRAL_KEY"],
      ...options,
    },
    own: { type: "openai", base_url: "https://own.example/v1", ...options },
  };
  const vars = { PROVIDERS, CLIENT_KEYS: await clientKeys() };
  const gateway = await openGateway({ vars, provider: () => json("{}") });
  const { response } = await gateway.exchange(path, { method, headers });
  expect(gateway.sent.length).toBe(response.status === 200 ? 1 : 0);
  return response.headers.get("x-interceptor-error");
}

const DELETIONS = [
  ["DELETE", "/central/v1/models/ft:gpt-4o:org::id"],
  ["DELETE", "/central/v1/files/file-1"],
  ["DELETE", "/central/v1/batches/batch_1"],
  ["DELETE", "/central/v1/responses/resp_1"],
  ["DELETE", "/central/v1/conversations/conv_1"],
  ["DELETE", "/claude/v1/files/file_1"],
  ["DELETE", "/claude/v1/messages/batches/msgbatch_1"],
] as const;
const LISTED = [
  ["GET", "/central/v1/files"],
  ["GET", "/central/v1/files/file-1/content"],
  ["HEAD", "/central/v1/files/file-1"],
  ["POST", "/central/v1/files"],
  ["GET", "/central/v1/batches"],
  ["POST", "/central/v1/batches"],
  ["POST", "/central/v1/batches/batch_1/cancel"],
  ["PUT", "/central/v1/batches/batch_1"],
  ["GET", "/claude/v1/files"],
  ["GET", "/claude/v1/messages/batches/msgbatch_1/results"],
] as const;
const BY_ID = [
  ["GET", "/central/v1/responses/resp_1"],
  ["POST", "/central/v1/responses/resp_1/cancel"],
  ["POST", "/central/v1/conversations"],
  ["GET", "/central/v1/models"],
  ["GET", "/central/v1/models/gpt-4o"],
] as const;

// The attack: a user of the central key lists, reads and destroys what all its other users have stored.
describe("Finding M6: the objects behind a central key", () => {
  it.each(DELETIONS)("no caller deletes: %s %s", async (...request) => {
    expect(await errorOf(request, CLIENT_KEY)).toBe("objects_not_allowed");
    expect(await errorOf(request, SERVICE)).toBe("objects_not_allowed");
    expect(await errorOf(request, SERVICE, { objects: { delete: [{ actor: "ci" }] } })).toBeNull();
  });

  it.each(LISTED)("services alone use: %s %s", async (...request) => {
    expect(await errorOf(request, CLIENT_KEY)).toBe("objects_not_allowed");
    expect(await errorOf(request, SERVICE)).toBeNull();
    expect(await errorOf(request, CLIENT_KEY, { objects: { read: "on", write: "on" } })).toBeNull();
  });

  it.each(BY_ID)("any caller uses: %s %s", async (...request) => {
    expect(await errorOf(request, CLIENT_KEY)).toBeNull();
  });

  it("Finding H2: are refused to each caller where they are off, batches as well", async () => {
    const objects = { read: "off", write: "off", delete: "off" };
    for (const request of [...DELETIONS, ...LISTED, BY_ID[0], BY_ID[1], BY_ID[2]])
      expect(await errorOf(request, SERVICE, { objects })).toBe("objects_not_allowed");
  });
});

describe("the objects of the client's own key", () => {
  it("are the client's, unless a setting says otherwise", async () => {
    for (const [method, path] of [...DELETIONS, ...LISTED].filter(([, one]) => one.startsWith("/central"))) {
      const request = [method, path.replace("central", "own")] as const;
      expect(await errorOf(request, OWN_KEY)).toBeNull();
      const off = { objects: { read: "off", write: "off", delete: "off" } };
      expect(await errorOf(request, OWN_KEY, off)).toBe("objects_not_allowed");
    }
  });
});

async function errorOfCall(
  body: string,
  objects: object,
  headers: Record<string, string> = CLIENT_KEY,
): Promise<string | null> {
  const PROVIDERS = { central: { ...central, objects } };
  const gateway = await openGateway({
    vars: { PROVIDERS, CLIENT_KEYS: await clientKeys() },
    provider: () => json("{}"),
  });
  const path = body.includes('"messages"') ? "/central/v1/chat/completions" : "/central/v1/responses";
  const { response, events } = await gateway.exchange(path, post(body, headers));
  expect(gateway.sent.length).toBe(response.status === 200 ? 1 : 0);
  expect(events.filter(({ record_type: type }) => type === "interception_end")).toHaveLength(1);
  return response.headers.get("x-interceptor-error");
}

const bodyWith = (member: string): string => `{"model":"m","input":"hi",${member}}`;
const DENIED = "objects_not_allowed";

describe("model calls that store responses or continue from stored ones", () => {
  const STORES = ['"background":true', '"store":true', '"store":1', String.raw`"\u0073tore":true`];
  const CONTINUES = [
    '"previous_response_id":"resp_1"',
    '"conversation":"conv_1"',
    '"conversation":{"id":"conv_1"}',
  ];

  it.each(STORES)("are refused where write is denied: %s", async (member) => {
    expect(await errorOfCall(bodyWith(member), { write: "off" })).toBe(DENIED);
    expect(await errorOfCall(bodyWith(member), { write: [{ kind: "service" }] })).toBe(DENIED);
    expect(await errorOfCall(bodyWith(member), { write: [{ kind: "service" }] }, SERVICE)).toBeNull();
    expect(await errorOfCall(bodyWith(member), { write: "on", read: "off" })).toBeNull();
    expect(await errorOfCall(bodyWith(member), {})).toBeNull();
  });

  it.each(CONTINUES)("are refused where read is denied: %s", async (member) => {
    expect(await errorOfCall(bodyWith(member), { read: "off" })).toBe(DENIED);
    expect(await errorOfCall(bodyWith(member), { read: [{ kind: "service" }] })).toBe(DENIED);
    expect(await errorOfCall(bodyWith(member), { read: [{ kind: "service" }] }, SERVICE)).toBeNull();
    expect(await errorOfCall(bodyWith(member), { write: "off" })).toBeNull();
  });

  it("include a chat completion that is stored on request, and no other call", async () => {
    const off = { read: "off", write: "off" };
    expect(await errorOfCall('{"model":"m","messages":[],"store":true}', off)).toBe(DENIED);
    for (const member of [
      '"store":false',
      '"store":null',
      '"background":false',
      '"previous_response_id":null',
      '"user":"u"',
    ])
      expect(await errorOfCall(bodyWith(member), off)).toBeNull();
  });
});

const isAllowed = (
  rule: Partial<Exclude<ObjectRules["write"], string | null>[number]>,
  over = {},
): boolean => {
  const rules = [{ source: null, kind: null, actor: null, claim: null, ...rule }];
  const one = openaiProvider({ objects: { read: null, write: rules, delete: null } });
  const route = findRoute("/openai/v1/files", new Headers(), providers(one));
  if (!route) throw new Error("no route");
  const request = { method: "POST", actor: actor(over), credential: { kind: "centralized" } as const };
  return checkObjects(route, request) === null;
};

describe("the rules", () => {
  it.each([
    ["source", { source: "keys" }, {}, { source: "jwt" }],
    ["kind", { kind: "service" }, {}, { kind: "user" }],
    ["actor", { actor: "ci-bot" }, {}, { id: "ci-bot2" }],
    ["claim", { claim: ["scope", ["files"]] }, { claims: { scope: "files" } }, { claims: { scope: "none" } }],
    [
      "a claim that is a list",
      { claim: ["groups", ["a"]] },
      { claims: { groups: ["b", "a"] } },
      { claims: {} },
    ],
    ["an inherited claim", { claim: ["x", ["a"]] }, { claims: { x: "a" } }, {}],
    ["all points", { source: "keys", kind: "service" }, {}, { source: "keys", kind: "user" }],
    ["a verified actor", { actor: "ci-bot" }, {}, { verified: false }],
  ] as const)("match by %s", (_, rule, matching, other) => {
    expect([isAllowed(rule, matching), isAllowed(rule, other)]).toEqual([true, false]);
  });

  it("are read from the configuration", () => {
    const objects = {
      write: [{ source: "jwt", kind: "service", claim: { scope: ["files"] } }],
      delete: "off",
    };
    expect(read(provider({ objects })).providers.get("openai")?.objects).toEqual({
      read: null,
      write: [{ source: "jwt", kind: "service", actor: null, claim: ["scope", ["files"]] }],
      delete: "off",
    });
  });

  it("check owners with a binding alone", () => {
    const objects = { owners: "check" };
    const OBJECTS = { idFromName: () => undefined, get: () => undefined };
    const checked = read({ ...provider({ objects }), OBJECTS }).providers.get("openai")?.objects;
    expect(checked).toEqual({ read: null, write: null, delete: null, owners: "check" });
    const issue = "PROVIDERS.openai.objects.owners requires OBJECTS: a Durable Object namespace";
    expect(issuesOf(provider({ objects }))).toEqual([issue]);
    expect(issuesOf({ ...provider({ objects }), OBJECTS: {} })).toContain(
      "OBJECTS must be a Durable Object namespace",
    );
    expect(read(provider({ objects: { owners: "off" } })).providers.get("openai")?.objects.owners).toBe(
      undefined,
    );
  });

  it.each([
    [{ owners: true }],
    [{ owners: "on" }],
    [{ write: "yes" }],
    [{ write: true }],
    [{ write: [{}] }],
    [{ write: ["keys"] }],
    [{ write: [{ kind: "robot" }] }],
    [{ write: [{ sources: "keys" }] }],
    [{ write: [{ claim: {} }] }],
    [{ write: [{ claim: { a: "1", b: "2" } }] }],
    [{ remove: "off" }],
    ["off"],
  ])("J2 rejects %j", (objects) => {
    expect(issuesOf(provider({ objects }))[0]).toMatch(/^PROVIDERS\.openai\.objects/);
  });
});
