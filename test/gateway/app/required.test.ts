/** `RECORDING.required` in the app: nothing is forwarded unless a required sink takes the interception's start. */
import { describe, expect, it } from "vitest";
import type { Deps } from "../../../src/gateway/app/deps.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { Sink } from "../../../src/gateway/sinks/recorder.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import {
  CANARIES,
  ID,
  openGateway,
  PROVIDERS,
  type Gateway,
} from "../../support/in-workerd/gateway-harness.ts";
import {
  AGENTS,
  BODY,
  CENTRAL_CHAT,
  CHAT,
  chatResponse,
  MESSAGES_BODY,
  only,
  OWN_KEY,
  post,
  sse,
  STREAM_BODY,
  typesOf,
} from "../../support/in-workerd/calls.ts";
import { fixture } from "../../support/in-workerd/fixtures.ts";
import { drain, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { OWNER } from "../../support/in-workerd/values.ts";
import { until, within } from "../../support/in-workerd/waiting.ts";

type Write = (events: readonly InterceptorEvent[]) => Promise<void>;
const ledger = (write: Write, required = true): Sink => ({
  kind: "awaited",
  name: "ledger",
  required,
  write,
});

/** Ways in which a sink can fail to take a group. The errors' messages must not reach the client or the operator. */
const FAILURES: readonly (readonly [string, Write])[] = [
  [
    "throws",
    async () => {
      throw new TypeError(CANARIES.prompt);
    },
  ],
  ["rejects", () => Promise.reject(new TypeError(CANARIES.prompt))],
  ["rejects later", () => new Promise((_, reject) => void setTimeout(() => reject(new TypeError("x")), 0))],
];

const OWNED = { ...AGENTS, "x-coder-owner-id": OWNER };
const MODELS = "/central/v1/models";

const denyAll: Deps["policies"][number] = () => new Refusal("model_not_allowed");
const isDown: Write = () => Promise.reject(new Error("down"));
const failAtEnd: Write = (events) =>
  typesOf(events).includes("interception_end") ? Promise.reject(new Error("down")) : Promise.resolve();

/** Some turns of the event loop: every step that is not blocked goes on. */
async function runEventLoop(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => void setTimeout(resolve, 0));
}

describe("H7 a required sink that does not take the start", () => {
  it.each(FAILURES)(
    "and %s: responds 503, fetches nothing, and passes every event to the other sinks",
    async (_, write) => {
      const gateway = await openGateway({ sinks: [ledger(write)] });
      const { response, text, events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, OWNED));
      expect(response.status).toBe(503);
      expect(response.headers.get("x-interceptor-error")).toBe("recording_unavailable");
      expect(JSON.parse(text)).toEqual({
        error: {
          message: "The request could not be recorded, so it was not forwarded. Retry later.",
          type: "server_error",
          param: null,
          code: "recording_unavailable",
        },
      });
      expect(gateway.sent).toEqual([]);
      expect(typesOf(events)).toEqual([
        "initiator_override",
        "interception_start",
        "interception_end",
        "refusal",
      ]);
      expect(only(events, "interception_end")).toMatchObject({
        outcome: "refused",
        status: 503,
        error: "recording_unavailable",
        usage: "unknown",
      });
      expect(only(events, "refusal")).toMatchObject({
        reason: "recording_unavailable",
        status: 503,
        actor_id: "ci-bot",
        initiator_id: OWNER,
      });
      expect(gateway.operatorErrors).toEqual([
        { event: "sink_failed", sink: "ledger", interception_id: ID, error: "TypeError" },
      ]);
    },
  );

  it("causes a 503 in the route's dialect", async () => {
    const gateway = await openGateway({ sinks: [ledger(() => Promise.reject(new Error("down")))] });
    const { response, text } = await gateway.exchange("/anthropic/v1/messages", post(MESSAGES_BODY));
    expect(response.status).toBe(503);
    expect(JSON.parse(text)).toEqual({
      type: "error",
      error: {
        type: "api_error",
        message: "The request could not be recorded, so it was not forwarded. Retry later.",
      },
      request_id: ID,
    });
  });

  it("still receives the end and the refusal, because it may have recovered", async () => {
    const groups: string[][] = [];
    const write = (events: readonly InterceptorEvent[]): Promise<void> => {
      groups.push(typesOf(events));
      return groups.length === 1 ? Promise.reject(new Error("down")) : Promise.resolve();
    };
    const gateway = await openGateway({ sinks: [ledger(write)] });
    await gateway.exchange(CHAT, post(BODY));
    expect(groups).toEqual([["interception_start"], ["interception_end", "refusal"]]);
  });

  it("causes a 503 also where another required sink takes the start, in either order", async () => {
    const down = ledger(() => Promise.reject(new Error("down")));
    const up = { ...ledger(() => Promise.resolve()), name: "other" };
    for (const sinks of [
      [down, up],
      [up, down],
    ]) {
      const gateway = await openGateway({ sinks });
      expect((await gateway.exchange(CHAT, post(BODY))).response.status).toBe(503);
      expect(gateway.sent).toEqual([]);
    }
  });

  it("takes precedence over policy, whose refusal would have to be recorded too", async () => {
    const gateway = await openGateway({
      sinks: [ledger(() => Promise.reject(new Error("down")))],
      parts: { policies: [denyAll] },
    });
    expect((await gateway.exchange(CHAT, post(BODY))).response.status).toBe(503);
  });

  it.each<[string, string, RequestInit, number]>([
    ["a missing credential", CHAT, post(BODY, {}), 401],
    ["an unknown route", "/nothing", { headers: OWN_KEY }, 404],
    ["a bad body", CHAT, post("no json"), 400],
    ["the health check", "/healthz", {}, 200],
  ])("changes no response where there is no interception: %s", async (_, path, init, status) => {
    const gateway = await openGateway({ sinks: [ledger(() => Promise.reject(new Error("down")))] });
    expect((await gateway.exchange(path, init)).response.status).toBe(status);
  });
});

/** A gateway whose ledger takes the first group only when the test settles `firstWrite`. */
async function openWithPendingLedger(): Promise<{
  gateway: Gateway;
  isWriting: () => boolean;
  firstWrite: PromiseWithResolvers<void>;
}> {
  const firstWrite = Promise.withResolvers<void>();
  let times = 0;
  const write: Write = () => {
    times += 1;
    return times === 1 ? firstWrite.promise : Promise.resolve();
  };
  const gateway = await openGateway({ provider: chatResponse, sinks: [ledger(write)] });
  return { gateway, isWriting: () => times > 0, firstWrite };
}

describe("H7 a slow required sink", () => {
  it("delays the request until it has the start, then the request goes on unchanged", async () => {
    const { gateway, isWriting, firstWrite } = await openWithPendingLedger();
    const exchange = gateway.exchange(CHAT, post(BODY));
    await until(isWriting, "the ledger's first write");
    await runEventLoop();
    expect(gateway.sent).toEqual([]);
    firstWrite.resolve();
    const { response, bytes, events } = await exchange;
    expect(response.status).toBe(200);
    expect(bytes).toEqual(fixture("chat/json").bytes);
    expect(typesOf(events)).toEqual(["interception_start", "token_usage", "interception_end"]);
    expect(gateway.sent).toHaveLength(1);
  });

  it("causes a 503 without a fetch where it fails later", async () => {
    const { gateway, isWriting, firstWrite } = await openWithPendingLedger();
    const exchange = gateway.exchange(CHAT, post(BODY));
    await until(isWriting, "the ledger's first write");
    firstWrite.reject(new Error("down"));
    expect((await exchange).response.status).toBe(503);
    expect(gateway.sent).toEqual([]);
  });

  it("G22 a client that disconnects meanwhile causes no fetch, and the outcome is cancelled", async () => {
    const client = new AbortController();
    const { gateway, isWriting, firstWrite } = await openWithPendingLedger();
    const exchange = gateway.exchange(CHAT, { ...post(BODY), signal: client.signal });
    await until(isWriting, "the ledger's first write");
    client.abort();
    firstWrite.resolve();
    const { events } = await exchange;
    expect(gateway.sent).toEqual([]);
    expect(only(events, "interception_end")).toMatchObject({ outcome: "cancelled", status: null });
  });

  it("does not delay the response when it takes the end", async () => {
    const end = Promise.withResolvers<void>();
    const write: Write = (events) =>
      typesOf(events).includes("interception_end") ? end.promise : Promise.resolve();
    const gateway = await openGateway({ provider: chatResponse, sinks: [ledger(write)] });
    const { response, settled } = await gateway.call(CHAT, post(BODY));
    expect((await within(drain(response.body), "the response")).bytes).toEqual(fixture("chat/json").bytes);
    end.resolve();
    await settled();
  });

  it("does not break the response where it fails only at the end", async () => {
    const gateway = await openGateway({
      provider: () => sse(wholeBody(fixture("chat/plain").bytes)),
      sinks: [ledger(failAtEnd)],
    });
    const { response, text, broken } = await gateway.exchange(CHAT, post(STREAM_BODY));
    expect([response.status, broken]).toEqual([200, false]);
    expect(text).toContain("data: [DONE]");
    expect(gateway.operatorErrors).toEqual([
      { event: "sink_failed", sink: "ledger", interception_id: ID, error: "Error" },
    ]);
  });
});

const FORM = [
  "--b",
  'content-disposition: form-data; name="purpose"',
  "",
  "batch",
  "--b",
  'content-disposition: form-data; name="file"; filename="a"',
  "",
  "x".repeat(70_000),
  "--b--",
  "",
].join("\r\n");
const FORM_HEADERS = {
  "content-type": "multipart/form-data; boundary=b",
  "content-length": `${FORM.length}`,
};
/** A list of models applies to `/listed`: what runs a model is examined while it is forwarded. */
const LISTED = { listed: { ...PROVIDERS.central, models: ["gpt-4o"] } };

/** Passthroughs of every kind: how a body is forwarded, and who may send it. */
const KINDS: readonly (readonly [string, string, RequestInit])[] = [
  ["GET of a list", "/central/v1/models", {}],
  ["GET of a filtered list", "/listed/v1/models", {}],
  ["HEAD of a file", "/central/v1/files/file-1", { method: "HEAD" }],
  ["GET of files", "/central/v1/files", {}],
  ["GET of a file's content", "/central/v1/files/file-1/content", {}],
  ["DELETE of a file", "/central/v1/files/file-1", { method: "DELETE" }],
  ["POST without a body", "/central/v1/batches/batch_1/cancel", { method: "POST" }],
  ["POST with a small body", "/central/v1/conversations", { method: "POST", body: "{}" }],
  ["POST with an examined body", "/listed/v1/responses/resp_1/cancel", { method: "POST", body: "{}" }],
  ["PUT", "/central/v1/conversations/conv_1", { method: "PUT", body: "{}" }],
  ["multipart upload, streamed", "/central/v1/files", { method: "POST", body: FORM, headers: FORM_HEADERS }],
  ["form that is examined", "/listed/v1/audio/voices", { method: "POST", body: FORM, headers: FORM_HEADERS }],
  ["GET of a response to be observed", "/central/v1/responses/resp_1", {}],
];

describe("H7 a passthrough where recording is required", () => {
  // H2 of the security review: each of these was forwarded with a central key, and nothing of it was stored.
  it.each(
    KINDS.flatMap(([kind, path, init]) =>
      [AGENTS, OWNED].map((headers) => ({
        kind: `${kind}, ${headers === OWNED ? "with" : "without"} an owner`,
        path,
        init: { ...init, headers: { ...(init.headers as Record<string, string>), ...headers } },
      })),
    ),
  )("is refused with 503, and the provider gets nothing: $kind", async ({ path, init }) => {
    const gateway = await openGateway({
      vars: { PROVIDERS: { ...PROVIDERS, ...LISTED } },
      sinks: [ledger(isDown)],
    });
    const { response, events } = await gateway.exchange(path, init);
    expect(response.status).toBe(503);
    expect(response.headers.get("x-interceptor-error")).toBe("recording_unavailable");
    expect(gateway.sent).toEqual([]);
    const override = "x-coder-owner-id" in init.headers ? ["initiator_override"] : [];
    expect(typesOf(events)).toEqual([...override, "passthrough_start", "passthrough", "refusal"]);
    expect(only(events, "passthrough")).toMatchObject({
      outcome: "refused",
      status: 503,
      error: "recording_unavailable",
    });
  });

  it.each(FAILURES)("is refused with 503, without a fetch, where the sink %s", async (_, write) => {
    const gateway = await openGateway({ sinks: [ledger(write)] });
    const { response } = await gateway.exchange(MODELS, { headers: OWNED });
    expect(response.status).toBe(503);
    expect(response.headers.get("x-interceptor-error")).toBe("recording_unavailable");
    expect(gateway.sent).toEqual([]);
  });

  it("with a rejected owner header is refused too, because the rejection must be recorded", async () => {
    const gateway = await openGateway({ sinks: [ledger(isDown)] });
    const headers = { ...AGENTS, "x-coder-owner-id": "not-a-uuid" };
    const { response, events } = await gateway.exchange(MODELS, { headers });
    expect(response.status).toBe(503);
    expect(gateway.sent).toEqual([]);
    expect(typesOf(events)).toEqual([
      "initiator_override_rejected",
      "passthrough_start",
      "passthrough",
      "refusal",
    ]);
  });

  it.each([
    ["with an owner", OWNED, ["initiator_override", "passthrough_start"]],
    ["without an owner", AGENTS, ["passthrough_start"]],
  ] as const)("%s waits until the sink has its start", async (_, headers, first) => {
    const firstWrite = Promise.withResolvers<void>();
    const groups: string[][] = [];
    const write: Write = (events) => {
      groups.push(typesOf(events));
      return groups.length === 1 ? firstWrite.promise : Promise.resolve();
    };
    const gateway = await openGateway({ provider: chatResponse, sinks: [ledger(write)] });
    const exchange = gateway.exchange(MODELS, { headers });
    await until(() => groups.length > 0, "the ledger's first write");
    await runEventLoop();
    expect(gateway.sent).toEqual([]);
    firstWrite.resolve();
    expect((await exchange).response.status).toBe(200);
    expect(groups).toEqual([first, ["passthrough"]]);
  });

  it("that has no credential for the provider to see is not recorded, and not delayed", async () => {
    const gateway = await openGateway({ sinks: [ledger(isDown)] });
    for (const [path, method] of [
      ["/anthropic/api/hello", "HEAD"],
      ["/", "HEAD"],
      ["/healthz", "GET"],
    ] as const) {
      const { response, events } = await gateway.exchange(path, { method });
      expect([path, response.status, typesOf(events)]).toEqual([path, 200, []]);
    }
  });
});

describe("H5 H7 where no sink is required", () => {
  it.each([...FAILURES, ["hangs", () => new Promise<void>(() => undefined)] as const])(
    "a sink that %s neither delays nor changes the response",
    async (_, write) => {
      const gateway = await openGateway({ provider: chatResponse, sinks: [ledger(write, false)] });
      const { response } = await gateway.call(CHAT, post(BODY));
      expect(response.status).toBe(200);
      expect((await within(drain(response.body), "the response")).bytes).toEqual(fixture("chat/json").bytes);
      expect(gateway.sent).toHaveLength(1);
    },
  );

  it("a request is forwarded although every sink fails", async () => {
    const sinks = FAILURES.map(([name, write]) => ({ ...ledger(write, false), name }));
    const gateway = await openGateway({ provider: chatResponse, sinks });
    expect((await gateway.exchange(CHAT, post(BODY))).response.status).toBe(200);
    expect(gateway.operatorErrors).toHaveLength(3);
  });
});

describe("the order of recorded events", () => {
  it("the sinks get the override, the start and the prompt as one group before the provider is called", async () => {
    const before: string[][] = [];
    const gateway: Gateway = await openGateway({
      vars: { RECORDING: { prompts: true } },
      allowedContent: [CANARIES.prompt],
      provider: () => {
        before.push(...gateway.groups.map(typesOf));
        return chatResponse();
      },
    });
    await gateway.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(before).toEqual([["initiator_override", "interception_start", "prompt_usage"]]);
    expect(gateway.groups.map(typesOf)).toEqual([
      ["initiator_override", "interception_start", "prompt_usage"],
      ["token_usage", "interception_end"],
    ]);
  });

  it("the end's group has the usage, the end, the tool calls and then the thoughts", async () => {
    const vars = { RECORDING: { thoughts: true } };
    const gateway = await openGateway({
      vars,
      provider: () => sse(wholeBody(fixture("messages/thinking").bytes)),
    });
    await gateway.exchange("/anthropic/v1/messages", post(MESSAGES_BODY));
    expect(gateway.groups.map(typesOf)).toEqual([
      ["interception_start"],
      ["token_usage", "interception_end", "tool_usage", "model_thought"],
    ]);
  });

  it("a request that policy refuses has one group for its start, and one for its end and the refusal", async () => {
    const vars = { PROVIDERS: { openai: { ...PROVIDERS.openai, models: [] } } };
    const gateway = await openGateway({ vars });
    await gateway.exchange(CHAT, post(BODY));
    expect(gateway.groups.map(typesOf)).toEqual([["interception_start"], ["interception_end", "refusal"]]);
  });

  it("an owner rejected with on_invalid = reject is in one group with the refusal", async () => {
    const gateway = await openGateway({ vars: { OWNER_ASSERTION: { on_invalid: "reject" } } });
    await gateway.exchange(CENTRAL_CHAT, post(BODY, { ...AGENTS, "x-coder-owner-id": "not-a-uuid" }));
    expect(gateway.groups.map(typesOf)).toEqual([["initiator_override_rejected", "refusal"]]);
  });
});
