/** Finding H8: the records of an incident say which key, which object, which bytes, from where, and under which settings. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import {
  AGENTS,
  BODY,
  CENTRAL_CHAT,
  CHAT,
  chatResponse,
  CLIENT_KEY,
  json,
  only,
  OWN_KEY,
  post,
  sse,
  STREAM_BODY,
  typesOf,
} from "../../support/in-workerd/calls.ts";
import {
  CANARIES,
  disconnectsBeforeHeaders,
  openGateway,
  PROVIDERS,
  type Gateway,
} from "../../support/in-workerd/gateway-harness.ts";
import { alice, bob, clientKeys, storingProvider } from "../../support/in-workerd/object-store.ts";
import { drain, upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { OWNER, utf8 } from "../../support/in-workerd/values.ts";
import { within } from "../../support/in-workerd/waiting.ts";

const { OBJECTS } = env as unknown as { readonly OBJECTS: DurableObjectNamespace };

const keyId = async (credential: string): Promise<string> => (await sha256Hex(credential)).slice(0, 16);

/** The ids of the events that have a caller. */
const keyIdsOf = (events: readonly InterceptorEvent[]): readonly [string, unknown][] =>
  events.flatMap((event) => ("api_key_id" in event ? [[event.record_type, event.api_key_id]] : []));

describe("Finding H8: the key of a request", () => {
  // The attack: one of a service's two keys is stolen, and deletes files. The actor is the same with both.
  it("is on every event, so that two keys of one actor are told apart", async () => {
    const keys = ["aei_first-key-0123456789", "aei_stolen-key-0123456789"];
    const entries = keys.map(async (key) => ({
      sha256: await sha256Hex(key),
      actor: "bot",
      kind: "service",
    }));
    const gateway = await openGateway({
      provider: chatResponse,
      vars: { CLIENT_KEYS: JSON.stringify(await Promise.all(entries)) },
    });
    for (const key of keys) {
      const headers = { ...AGENTS, authorization: `Bearer ${key}` };
      const id = await keyId(key);
      const owned = await gateway.exchange(
        CENTRAL_CHAT,
        post(BODY, { ...headers, "x-coder-owner-id": OWNER }),
      );
      expect(keyIdsOf(owned.events)).toEqual([
        ["initiator_override", id],
        ["interception_start", id],
        ["interception_end", id],
      ]);
      const rejected = await gateway.exchange(
        CENTRAL_CHAT,
        post(BODY, { ...headers, "x-coder-owner-id": "x" }),
      );
      expect(keyIdsOf(rejected.events)[0]).toEqual(["initiator_override_rejected", id]);
      const deleted = await gateway.exchange("/central/v1/files/file-1", { method: "DELETE", headers });
      expect(keyIdsOf(deleted.events)).toEqual([
        ["passthrough_start", id],
        ["passthrough", id],
      ]);
    }
  });

  // The attack: guesses of a key, and a revoked key that is still in use.
  it.each<readonly [string, string, Record<string, string>, string]>([
    [
      "invalid_credential",
      "aei_revoked-0123456789",
      { authorization: "Bearer aei_revoked-0123456789" },
      CHAT,
    ],
    ["byok_not_accepted", CANARIES.ownKey, OWN_KEY, CENTRAL_CHAT],
    [
      "delegation_rejected",
      "guessed-0123456789-0123456789-01234",
      { ...CLIENT_KEY, "x-coder-ai-gateway-key": "guessed-0123456789-0123456789-01234" },
      CHAT,
    ],
    ["delegation_rejected", "x".repeat(2000), { "x-coder-ai-gateway-key": "x".repeat(2000) }, CHAT],
    [
      "credential_malformed",
      CANARIES.clientKey,
      { "x-coder-ai-governance-token": CANARIES.clientKey, authorization: "Basic eDp5" },
      CHAT,
    ],
    ["provider_key_missing", CANARIES.clientKey, CLIENT_KEY, CHAT],
    ["body_invalid", CANARIES.clientKey, CLIENT_KEY, CENTRAL_CHAT],
  ])("is on the refusal %s", async (reason, credential, headers, path) => {
    const gateway = await openGateway({ vars: DELEGATING });
    const { events } = await gateway.exchange(path, post("[]", headers));
    expect(only(events, "refusal")).toMatchObject({ reason, api_key_id: await keyId(credential) });
  });

  it("is the delegating gateway's on a refusal of the headers beside its key", async () => {
    const gateway = await openGateway({ vars: DELEGATING });
    const id = await keyId(DELEGATING.GATEWAY_KEY);
    for (const [headers, reason] of [
      [{ "x-coder-ai-gateway-source": "not a source!" }, "delegation_rejected"],
      [{ authorization: "Basic eDp5" }, "credential_malformed"],
    ] as const) {
      const sent = { "x-coder-ai-gateway-key": DELEGATING.GATEWAY_KEY, ...headers };
      const { events } = await gateway.exchange(CHAT, post(BODY, sent));
      expect(only(events, "refusal")).toMatchObject({ reason, api_key_id: id });
    }
  });

  it("is null on a refusal for which no credential was read", async () => {
    const gateway = await openGateway({ vars: DELEGATING });
    for (const headers of [{}, { authorization: "Basic eDp5" }, { "x-coder-ai-gateway-key": "a,b" }]) {
      const { events } = await gateway.exchange(CHAT, post(BODY, headers as Record<string, string>));
      expect(only(events, "refusal").api_key_id).toBeNull();
    }
  });
});

const DELEGATING = {
  DELEGATION: { keys: ["GATEWAY_KEY"] },
  GATEWAY_KEY: "gateway-0123456789-0123456789-0123",
};

/** A gateway whose provider stores objects, and checks their owners. */
const openOwned = async (): Promise<Gateway> =>
  openGateway({
    provider: storingProvider,
    vars: {
      PROVIDERS: { central: { ...PROVIDERS.central, objects: { owners: "check", delete: "off" } } },
      OWNER_ASSERTION: { source: "keys" },
      CLIENT_KEYS: await clientKeys(),
      OBJECTS,
    },
  });

describe("Finding H8: the objects of a passthrough", () => {
  // The attack: with a stolen key, single files, results and models are read and deleted.
  it.each([
    ["GET", "/central/v1/files/file-1", ["file-1"]],
    ["GET", "/central/v1/files/file-1/content", ["file-1"]],
    ["DELETE", "/central/v1/files/file-1", ["file-1"]],
    ["GET", "/central/v1/batches/batch_1", ["batch_1"]],
    ["POST", "/central/v1/batches/batch_1/cancel", ["batch_1"]],
    ["GET", "/central/v1/responses/resp_1", ["resp_1"]],
    ["DELETE", "/central/v1/responses/resp_1", ["resp_1"]],
    ["GET", "/central/v1/responses/resp_1/input_items", ["resp_1"]],
    ["DELETE", "/central/v1/conversations/conv_1/items/msg_1", ["conv_1", "msg_1"]],
    ["DELETE", "/central/v1/models/ft:gpt-4o:org::abc", ["ft:gpt-4o:org::abc"]],
    ["GET", "/central/v1/models/org/model-1", ["org/model-1"]],
    ["GET", "/central/v1/files/a%20b", ["a b"]],
    ["GET", "/anthropic/v1/files/file_1/content", ["file_1"]],
    ["GET", "/anthropic/v1/messages/batches/msgbatch_1/results", ["msgbatch_1"]],
    ["GET", "/anthropic/v1/models/claude-opus-4-6", ["claude-opus-4-6"]],
    ["GET", "/central/v1/files", []],
    ["GET", "/central/v1/models", []],
    ["POST", "/central/v1/audio/x", []],
  ])("of %s %s are recorded", async (method, path, ids) => {
    const gateway = await openGateway({ provider: () => json('{"id":"x"}') });
    const { events } = await gateway.exchange(path, {
      method,
      headers: path.startsWith("/central") ? CLIENT_KEY : OWN_KEY,
    });
    expect(only(events, "passthrough").object_ids).toEqual(ids);
  });

  it("are also those that its body names and its response creates, where owners are checked", async () => {
    const gateway = await openOwned();
    const upload = await gateway.exchange("/central/v1/files", post("{}", alice));
    const { id: file } = JSON.parse(upload.text) as { id: string };
    expect(only(upload.events, "passthrough").object_ids).toEqual([file]);
    const counted = await gateway.exchange(
      "/central/v1/responses/input_tokens",
      post(`{"model":"m","input":[{"content":[{"file_id":"${file}"}]}]}`, alice),
    );
    // The provider's response names another one.
    const ids = [file, "input_tokens"];
    expect(only(counted.events, "passthrough")).toMatchObject({ object_ids: ids, status: 200 });
    // The attack: Bob tries Alice's file.
    const tried = await gateway.exchange(
      "/central/v1/responses/input_tokens",
      post(`{"model":"m","input":[{"content":[{"file_id":"${file}"}]}]}`, bob),
    );
    expect(only(tried.events, "passthrough")).toMatchObject({
      object_ids: [file],
      error: "object_not_yours",
      api_key_id: await keyId(bob.authorization.slice("Bearer ".length)),
    });
  });

  // The attack: with a stolen key, another person's file, and a deletion that no one may make.
  it("are on the refusal where the caller does not get them", async () => {
    const gateway = await openOwned();
    const path = "/central/v1/files/file-of-another";
    const tried = await gateway.exchange(path, { headers: bob });
    expect(only(tried.events, "refusal")).toMatchObject({
      reason: "object_not_yours",
      object_ids: ["file-of-another"],
    });
    const strict = { ...PROVIDERS.central, objects: { delete: "off" } };
    const denying = await openGateway({ vars: { PROVIDERS: { central: strict } } });
    const denied = await denying.exchange(path, { method: "DELETE", headers: CLIENT_KEY });
    expect(only(denied.events, "refusal")).toMatchObject({
      reason: "objects_not_allowed",
      object_ids: ["file-of-another"],
    });
  });

  // The attack: ids without end, so that the record does not fit into its log line, or a secret as an id.
  it("are bounded in number and length, and never a configured secret", async () => {
    const gateway = await openOwned();
    const created: string[] = [];
    for (let n = 0; n < 20; n += 1) {
      const { text } = await gateway.exchange("/central/v1/files", post("{}", alice));
      created.push((JSON.parse(text) as { id: string }).id);
    }
    const { events } = await gateway.exchange(
      "/central/v1/responses/input_tokens",
      post(JSON.stringify({ model: "m", file_ids: created }), alice),
    );
    expect(only(events, "passthrough").object_ids).toEqual(created.slice(0, 16));
    const plain = await openGateway({ provider: () => json("{}") });
    const long = await plain.exchange(`/central/v1/files/${"x".repeat(300)}`, { headers: CLIENT_KEY });
    expect(only(long.events, "passthrough").object_ids).toEqual(["x".repeat(256)]);
    const secret = await plain.exchange(`/central/v1/files/${CANARIES.centralKey}`, { headers: CLIENT_KEY });
    expect(JSON.stringify(only(secret.events, "passthrough").object_ids)).not.toContain("CANARY");
  });
});

const FORM = [
  '--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n',
  '--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--x--\r\n',
].join("");
const formOf = (body: string) => ({
  method: "POST",
  body,
  headers: {
    ...OWN_KEY,
    "content-type": "multipart/form-data; boundary=x",
    "content-length": `${body.length}`,
  },
});

describe("Finding H8: the hash of a request's body", () => {
  const LIMITED = { PROVIDERS: { openai: { ...PROVIDERS.openai, models: ["gpt-4o"] } } };

  it("is that of the client's bytes, before the usage opt-in is added", async () => {
    const gateway = await openGateway({ provider: () => sse(wholeBody("data: [DONE]\n\n")) });
    const { events } = await gateway.exchange(CHAT, post(STREAM_BODY));
    expect(only(events, "interception_end").usage_opt_in).toBe("added");
    expect(only(events, "interception_start").request_sha256).toBe(await sha256Hex(STREAM_BODY));
    expect(await sha256Hex(gateway.sent[0]?.body ?? "")).not.toBe(await sha256Hex(STREAM_BODY));
  });

  it("is that of the decoded bytes", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const gzip = new Blob([BODY]).stream().pipeThrough(new CompressionStream("gzip"));
    const body = await new Response(gzip).bytes();
    const { events } = await gateway.exchange(CHAT, post(body, { ...OWN_KEY, "content-encoding": "gzip" }));
    expect(only(events, "interception_start").request_sha256).toBe(await sha256Hex(BODY));
    expect(gateway.sent[0]?.body).toEqual(utf8(BODY));
  });

  // The attack: a body that is refused or whose client disconnects leaves no trace of what it was.
  it("is there for a call that a policy refuses, and for one whose client disconnects", async () => {
    const sent = BODY.replace("gpt-4o", "gpt-5");
    const limited = await openGateway({ vars: LIMITED });
    const refused = await limited.exchange(CHAT, post(sent));
    expect(only(refused.events, "interception_end").error).toBe("model_not_allowed");
    expect(only(refused.events, "interception_start").request_sha256).toBe(await sha256Hex(sent));

    const client = new AbortController();
    const gateway = await openGateway({ provider: disconnectsBeforeHeaders(client) });
    const cancelled = await gateway.exchange(CHAT, { ...post(BODY), signal: client.signal });
    expect(only(cancelled.events, "interception_end").outcome).toBe("cancelled");
    expect(only(cancelled.events, "interception_start").request_sha256).toBe(await sha256Hex(BODY));
  });

  it("of a form is on the end of its call, also where the call is refused", async () => {
    const gateway = await openGateway({ provider: () => json('{"text":"x"}') });
    const path = "/openai/v1/audio/transcriptions";
    const { events } = await gateway.exchange(path, formOf(FORM));
    expect(only(events, "interception_start").request_sha256).toBeNull();
    expect(only(events, "interception_end")).toMatchObject({ upload_sha256: await sha256Hex(FORM) });
    const limited = await openGateway({ vars: LIMITED });
    const refused = await limited.exchange(path, formOf(FORM));
    expect(only(refused.events, "interception_end")).toMatchObject({
      error: "model_not_allowed",
      upload_sha256: await sha256Hex(FORM),
    });
  });

  it("of a batch is on the end of its call", async () => {
    const gateway = await openGateway({ provider: () => json('{"id":"batch_1"}') });
    const body = '{"input_file_id":"file-1","endpoint":"/v1/responses"}';
    const { events } = await gateway.exchange("/central/v1/batches", post(body, CLIENT_KEY));
    expect(only(events, "interception_end").upload_sha256).toBe(await sha256Hex(body));
    const owned = await openOwned();
    const batch = await owned.exchange("/central/v1/batches", post('{"endpoint":"/v1/responses"}', alice));
    expect(only(batch.events, "interception_end").upload_sha256).toBe(
      await sha256Hex('{"endpoint":"/v1/responses"}'),
    );
  });

  it("of a passthrough is there where its body was checked, and null where it passed unread", async () => {
    const limited = await openGateway({ provider: () => json("{}"), vars: LIMITED });
    const body = '{"model":"gpt-4o","input":"x"}';
    const counted = await limited.exchange("/openai/v1/responses/input_tokens", post(body));
    expect(only(counted.events, "passthrough").request_sha256).toBe(await sha256Hex(body));
    const refused = await limited.exchange(
      "/openai/v1/responses/input_tokens",
      post(body.replace("gpt-4o", "gpt-5")),
    );
    expect(only(refused.events, "passthrough")).toMatchObject({
      error: "model_not_allowed",
      request_sha256: await sha256Hex(body.replace("gpt-4o", "gpt-5")),
    });
    const unread = await limited.exchange("/openai/v1/files", formOf(FORM));
    expect(only(unread.events, "passthrough").request_sha256).toBeNull();
    const owned = await openOwned();
    const upload = { ...formOf(FORM), headers: { ...formOf(FORM).headers, ...alice } };
    const checked = await owned.exchange("/central/v1/files", upload);
    expect(only(checked.events, "passthrough").request_sha256).toBe(await sha256Hex(FORM));
  });
});

const HASHING = { RECORDING: { response_hash: true } };
const USAGE_EVENT = 'data: {"id":"x","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n';
const STREAM = [
  'data: {"id":"x","choices":[{"index":0,"delta":{"content":"é"}}]}\n\n',
  USAGE_EVENT,
  "data: [DONE]\n\n",
];

describe("Finding H8: the hash of a response", () => {
  it("is null without RECORDING.response_hash", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const { events } = await gateway.exchange(CHAT, post(BODY));
    expect(only(events, "interception_end").response_sha256).toBeNull();
  });

  it.each<readonly [string, string, () => Response]>([
    ["of a JSON body", BODY, chatResponse],
    ["of an error", BODY, () => json('{"error":{"message":"no","type":"x"}}', { status: 400 })],
    ["of a body without a length", BODY, () => new Response(wholeBody('{"id":', '"x"}'), { status: 200 })],
    ["of an empty body", BODY, () => new Response(wholeBody(), { headers: { "content-length": "0" } })],
    [
      "of a stream in pieces",
      STREAM_BODY.replace("{ ", '{ "stream_options":{"include_usage":true},'),
      () => sse(wholeBody(...STREAM)),
    ],
  ])("%s is that of the client's bytes", async (_, body, provider) => {
    const gateway = await openGateway({ provider, vars: HASHING });
    const { events, bytes } = await gateway.exchange(CHAT, post(body));
    expect(only(events, "interception_end").response_sha256).toBe(await sha256Hex(bytes));
  });

  it("of a stream with the gateway's own usage event is that of the provider's bytes", async () => {
    const gateway = await openGateway({ provider: () => sse(wholeBody(...STREAM)), vars: HASHING });
    const { events, text } = await gateway.exchange(CHAT, post(STREAM_BODY));
    expect(text).toBe(STREAM.join("").replace(USAGE_EVENT, ""));
    expect(only(events, "interception_end").response_sha256).toBe(await sha256Hex(STREAM.join("")));
  });

  it("is that of many pieces, whose memory is used again", async () => {
    const pieces = Array.from({ length: 300 }, (_, n) => `data: {"id":"${n}","x":"${"y".repeat(n)}"}\n\n`);
    for (const body of [STREAM_BODY, BODY]) {
      const gateway = await openGateway({ provider: () => sse(wholeBody(...pieces)), vars: HASHING });
      const { events } = await gateway.exchange(CHAT, post(body));
      expect(only(events, "interception_end").response_sha256).toBe(await sha256Hex(pieces.join("")));
    }
  });

  // The attack: a client disconnects, and later claims that a shorter response was all of it.
  it("is null where the client disconnects, and where the response breaks off", async () => {
    for (const body of [BODY, STREAM_BODY]) {
      const client = new AbortController();
      const upstream = upstreamBody();
      const gateway = await openGateway({
        provider: ({ signal }) => sse(upstream.failOnAbort(signal).stream),
        vars: HASHING,
      });
      const { response, settled } = await gateway.call(CHAT, { ...post(body), signal: client.signal });
      upstream.send(STREAM[0] ?? "");
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      await within(reader.read(), "the first event");
      client.abort();
      await settled();
      expect(only(gateway.events, "interception_end")).toMatchObject({
        outcome: "cancelled",
        response_sha256: null,
      });

      const broken = upstreamBody();
      const other = await openGateway({ provider: () => sse(broken.stream), vars: HASHING });
      const call = await other.call(CHAT, post(body));
      broken.send(STREAM[0] ?? "");
      const drained = drain(call.response.body);
      broken.fail();
      expect((await within(drained, "the body")).broken).toBe(true);
      await call.settled();
      expect(only(other.events, "interception_end").response_sha256).toBeNull();
    }
  });

  it("is null where there was no response, and where it was withheld for a secret", async () => {
    const absent = await openGateway({ provider: () => Promise.reject(new Error("down")), vars: HASHING });
    const { events } = await absent.exchange(CHAT, post(BODY));
    expect(only(events, "interception_end").response_sha256).toBeNull();
    const leaking = await openGateway({
      provider: () => json(`{"id":"${CANARIES.centralKey}"}`),
      vars: HASHING,
    });
    const leaked = await leaking.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect(only(leaked.events, "interception_end")).toMatchObject({
      error: "upstream_key_leaked",
      response_sha256: null,
    });
  });
});

const EDGE = { cf: { colo: "AMS", country: "NL" } } as object;
const FROM_EDGE = { "cf-connecting-ip": "2001:db8:1:2::5", "cf-ray": "8a1b2c3d4e5f6070-AMS" };
const NETWORK = {
  client_country: "NL",
  client_ray: "8a1b2c3d4e5f6070-AMS",
  client_ip: "2001:db8:1::/48",
};

describe("Finding H8: where a request came from", () => {
  it("is on the start of a call and of a passthrough, and on a refusal, as RECORDING.network permits", async () => {
    const gateway = await openGateway({
      provider: chatResponse,
      vars: { RECORDING: { network: "truncated" } },
    });
    const called = await gateway.exchange(CHAT, { ...post(BODY, { ...OWN_KEY, ...FROM_EDGE }), ...EDGE });
    expect(only(called.events, "interception_start")).toMatchObject(NETWORK);
    const listed = await gateway.exchange("/openai/v1/models", {
      headers: { ...OWN_KEY, ...FROM_EDGE },
      ...EDGE,
    });
    expect(only(listed.events, "passthrough_start")).toMatchObject(NETWORK);
    // The attack: a guessed key.
    const guessed = { authorization: "Bearer aei_guessed-0123456789", ...FROM_EDGE };
    const refused = await gateway.exchange(CHAT, { ...post(BODY, guessed), ...EDGE });
    expect(only(refused.events, "refusal")).toMatchObject(NETWORK);
    const unknown = await gateway.exchange("/nowhere", { headers: FROM_EDGE, ...EDGE });
    expect(only(unknown.events, "refusal")).toMatchObject(NETWORK);
  });

  it("is in no record by default", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const { events } = await gateway.exchange(CHAT, {
      ...post(BODY, { ...OWN_KEY, ...FROM_EDGE }),
      ...EDGE,
    });
    const text = JSON.stringify(events);
    for (const fact of ["2001:db8", "8a1b2c3d4e5f6070", '"NL"']) expect(text).not.toContain(fact);
  });

  // The attack: a client of a gateway without Cloudflare's edge sends the address of another person.
  it("is not what a client writes where no edge overwrites it", async () => {
    const gateway = await openGateway({ provider: chatResponse, vars: { RECORDING: { network: "full" } } });
    const { events } = await gateway.exchange(CHAT, post(BODY, { ...OWN_KEY, ...FROM_EDGE }));
    expect(only(events, "interception_start")).toMatchObject({
      client_country: null,
      client_ray: null,
      client_ip: null,
    });
  });
});

/** Of a model call, a passthrough and a form. */
const versionsWith = async (vars: Record<string, unknown>): Promise<readonly unknown[]> => {
  const gateway = await openGateway({ provider: chatResponse, vars });
  const { events: called } = await gateway.exchange(CHAT, post(BODY));
  const { events: listed } = await gateway.exchange("/openai/v1/models", { headers: OWN_KEY });
  const form = await gateway.exchange("/openai/v1/audio/transcriptions", formOf(FORM));
  expect(typesOf(form.events)[0]).toBe("interception_start");
  return [
    only(called, "interception_start").config_version,
    only(listed, "passthrough_start").config_version,
    only(form.events, "interception_start").config_version,
  ];
};

describe("Finding H8: the configuration of a request", () => {
  // The attack: settings are loosened for an hour, and then restored.
  it("is on the starts of calls and passthroughs, and differs while a setting does", async () => {
    const before = await versionsWith({});
    expect(before[0]).toMatch(/^[0-9a-f]{16}$/);
    expect(new Set(before).size).toBe(1);
    const loosened = await versionsWith({ OWNER_ASSERTION: { allow: "any" } });
    expect(loosened[0]).not.toBe(before[0]);
    expect(await versionsWith({})).toEqual(before);
  });
});
