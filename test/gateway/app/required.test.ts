/** `RECORDING.required` as the app keeps it: a sink that must take an interception's start, and one that does not. */
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
  type Setup,
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

type Write = Sink["write"];
const ledger = (write: Write, required = true): Sink => ({ name: "ledger", required, write });

/** The ways in which a sink can refuse a group; what it says of that is nobody's to see. */
const REFUSING: readonly (readonly [string, Write])[] = [
  [
    "throws",
    () => {
      throw new TypeError(CANARIES.prompt);
    },
  ],
  ["rejects", () => Promise.reject(new TypeError(CANARIES.prompt))],
  ["rejects later", () => new Promise((_, reject) => void setTimeout(() => reject(new TypeError("x")), 0))],
];

const OWNED = { ...AGENTS, "x-coder-owner-id": OWNER };
const MODELS = "/central/v1/models";

const forbidding: Deps["policies"][number] = () => new Refusal("model_not_allowed");
const failingAtTheEnd: Write = (events) =>
  typesOf(events).includes("interception_end") ? Promise.reject(new Error("down")) : Promise.resolve();

/** Turns of the event loop, in which whatever is free to go on does. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => void setTimeout(resolve, 0));
}

describe("H7 a required sink that does not take the start", () => {
  it.each(REFUSING)("and %s: 503, nothing is fetched, and all of it is told elsewhere", async (_, write) => {
    const house = await openGateway({ sinks: [ledger(write)] });
    const { response, text, events } = await house.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(response.status).toBe(503);
    expect(response.headers.get("x-interceptor-error")).toBe("recording_unavailable");
    expect(JSON.parse(text)).toEqual({
      error: {
        message: "The request could not be recorded, and nothing is forwarded unrecorded here.",
        type: "server_error",
        param: null,
        code: "recording_unavailable",
      },
    });
    expect(house.sent).toEqual([]);
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
    expect(house.operatorErrors).toEqual([`sink ledger failed: TypeError (interception ${ID})`]);
  });

  it("is said in the route's dialect", async () => {
    const house = await openGateway({ sinks: [ledger(() => Promise.reject(new Error("down")))] });
    const { response, text } = await house.exchange("/anthropic/v1/messages", post(MESSAGES_BODY));
    expect(response.status).toBe(503);
    expect(JSON.parse(text)).toEqual({
      type: "error",
      error: {
        type: "api_error",
        message: "The request could not be recorded, and nothing is forwarded unrecorded here.",
      },
      request_id: ID,
    });
  });

  it("is asked to take the end and the refusal all the same: it may be back", async () => {
    const groups: string[][] = [];
    const write = (events: readonly InterceptorEvent[]): Promise<void> => {
      groups.push(typesOf(events));
      return groups.length === 1 ? Promise.reject(new Error("down")) : Promise.resolve();
    };
    const house = await openGateway({ sinks: [ledger(write)] });
    await house.exchange(CHAT, post(BODY));
    expect(groups).toEqual([["interception_start"], ["interception_end"], ["refusal"]]);
  });

  it("one of two is enough, in whichever order they stand", async () => {
    const down = ledger(() => Promise.reject(new Error("down")));
    const up = { ...ledger(() => Promise.resolve()), name: "other" };
    for (const sinks of [
      [down, up],
      [up, down],
    ]) {
      const house = await openGateway({ sinks });
      expect((await house.exchange(CHAT, post(BODY))).response.status).toBe(503);
      expect(house.sent).toEqual([]);
    }
  });

  it("comes before policy: what is refused there would have been recorded too", async () => {
    const house = await openGateway({
      sinks: [ledger(() => Promise.reject(new Error("down")))],
      parts: { policies: [forbidding] },
    });
    expect((await house.exchange(CHAT, post(BODY))).response.status).toBe(503);
  });

  it.each<[string, string, RequestInit, number]>([
    ["a missing credential", CHAT, post(BODY, {}), 401],
    ["an unknown route", "/nothing", { headers: OWN_KEY }, 404],
    ["a bad body", CHAT, post("no json"), 400],
    ["the probe of health", "/healthz", {}, 200],
  ])("changes nothing where there is no interception: %s", async (_, path, init, status) => {
    const house = await openGateway({ sinks: [ledger(() => Promise.reject(new Error("down")))] });
    expect((await house.exchange(path, init)).response.status).toBe(status);
  });
});

/** A house whose ledger has the first group and says nothing of it until told. */
async function waiting(setup: Setup = {}): Promise<{
  house: Gateway;
  isAsked: () => boolean;
  answer: PromiseWithResolvers<void>;
}> {
  const answer = Promise.withResolvers<void>();
  let times = 0;
  const write: Write = () => {
    times += 1;
    return times === 1 ? answer.promise : undefined;
  };
  const house = await openGateway({ provider: chatResponse, ...setup, sinks: [ledger(write)] });
  return { house, isAsked: () => times > 0, answer };
}

describe("H7 a required sink that takes its time", () => {
  it("holds the request back until it has the start, then lets it go on unchanged", async () => {
    const { house, isAsked, answer } = await waiting();
    const visiting = house.exchange(CHAT, post(BODY));
    await until(isAsked, "the ledger being asked");
    await turns();
    expect(house.sent).toEqual([]);
    answer.resolve();
    const { response, bytes, events } = await visiting;
    expect(response.status).toBe(200);
    expect(bytes).toEqual(fixture("chat/json").bytes);
    expect(typesOf(events)).toEqual(["interception_start", "token_usage", "interception_end"]);
    expect(house.sent).toHaveLength(1);
  });

  it("and refuses in the end: 503, and nothing was fetched", async () => {
    const { house, isAsked, answer } = await waiting();
    const visiting = house.exchange(CHAT, post(BODY));
    await until(isAsked, "the ledger being asked");
    answer.reject(new Error("down"));
    expect((await visiting).response.status).toBe(503);
    expect(house.sent).toEqual([]);
  });

  it("G22 a client that leaves meanwhile costs the provider nothing: cancelled", async () => {
    const client = new AbortController();
    const { house, isAsked, answer } = await waiting();
    const visiting = house.exchange(CHAT, { ...post(BODY), signal: client.signal });
    await until(isAsked, "the ledger being asked");
    client.abort();
    answer.resolve();
    const { events } = await visiting;
    expect(house.sent).toEqual([]);
    expect(only(events, "interception_end")).toMatchObject({ outcome: "cancelled", status: null });
  });

  it("is not waited for at the end: the client has its answer before", async () => {
    const end = Promise.withResolvers<void>();
    const write: Write = (events) => (typesOf(events).includes("interception_end") ? end.promise : undefined);
    const house = await openGateway({ provider: chatResponse, sinks: [ledger(write)] });
    const { response, settled } = await house.call(CHAT, post(BODY));
    expect((await within(drain(response.body), "the answer")).bytes).toEqual(fixture("chat/json").bytes);
    end.resolve();
    await settled();
  });

  it("that fails only at the end harms no answer: what was to be known before is", async () => {
    const house = await openGateway({
      provider: () => sse(wholeBody(fixture("chat/plain").bytes)),
      sinks: [ledger(failingAtTheEnd)],
    });
    const { response, text, broken } = await house.exchange(CHAT, post(STREAM_BODY));
    expect([response.status, broken]).toEqual([200, false]);
    expect(text).toContain("data: [DONE]");
    expect(house.operatorErrors).toEqual([`sink ledger failed: Error (interception ${ID})`]);
  });
});

describe("H7 a passthrough where recording is required", () => {
  it.each(REFUSING)("with an owner, and a sink that %s: 503, nothing is fetched", async (_, write) => {
    const house = await openGateway({ sinks: [ledger(write)] });
    const { response, events } = await house.exchange(MODELS, { headers: OWNED });
    expect(response.status).toBe(503);
    expect(response.headers.get("x-interceptor-error")).toBe("recording_unavailable");
    expect(house.sent).toEqual([]);
    expect(typesOf(events)).toEqual(["initiator_override", "refusal"]);
  });

  it("with an owner header that does not count likewise: that is recorded too", async () => {
    const house = await openGateway({ sinks: [ledger(() => Promise.reject(new Error("down")))] });
    const headers = { ...AGENTS, "x-coder-owner-id": "not-a-uuid" };
    const { response, events } = await house.exchange(MODELS, { headers });
    expect(response.status).toBe(503);
    expect(house.sent).toEqual([]);
    expect(typesOf(events)).toEqual(["initiator_override_rejected", "refusal"]);
  });

  it("with an owner waits until that is taken, then goes on", async () => {
    const answer = Promise.withResolvers<void>();
    const groups: string[][] = [];
    const write: Write = (events) => {
      groups.push(typesOf(events));
      return groups.length === 1 ? answer.promise : undefined;
    };
    const house = await openGateway({ provider: chatResponse, sinks: [ledger(write)] });
    const visiting = house.exchange(MODELS, { headers: OWNED });
    await until(() => groups.length > 0, "the ledger being asked");
    await turns();
    expect(house.sent).toEqual([]);
    answer.resolve();
    expect((await visiting).response.status).toBe(200);
    expect(groups).toEqual([["initiator_override"], ["passthrough"]]);
  });

  it("without an owner goes on: it has no start that could be missing", async () => {
    const house = await openGateway({
      provider: chatResponse,
      sinks: [ledger(() => Promise.reject(new Error("down")))],
    });
    const { response, events } = await house.exchange(MODELS, { headers: AGENTS });
    expect(response.status).toBe(200);
    expect(typesOf(events)).toEqual(["passthrough"]);
  });
});

describe("H5 H7 where nothing is required", () => {
  it.each([...REFUSING, ["hangs", () => new Promise<void>(() => undefined)] as const])(
    "a sink that %s neither delays nor changes an answer",
    async (_, write) => {
      const house = await openGateway({ provider: chatResponse, sinks: [ledger(write, false)] });
      const { response } = await house.call(CHAT, post(BODY));
      expect(response.status).toBe(200);
      expect((await within(drain(response.body), "the answer")).bytes).toEqual(fixture("chat/json").bytes);
      expect(house.sent).toHaveLength(1);
    },
  );

  it("with every sink down a request is forwarded: 200", async () => {
    const sinks = REFUSING.map(([name, write]) => ({ ...ledger(write, false), name }));
    const house = await openGateway({ provider: chatResponse, sinks });
    expect((await house.exchange(CHAT, post(BODY))).response.status).toBe(200);
    expect(house.operatorErrors).toHaveLength(3);
  });
});

describe("the order in which things are recorded", () => {
  it("the owner, the start and the prompt are with the sinks before the provider is asked, as one group", async () => {
    const before: string[][] = [];
    const house: Gateway = await openGateway({
      vars: { RECORDING: { prompts: true } },
      allowedContent: [CANARIES.prompt],
      provider: () => {
        before.push(...house.groups.map(typesOf));
        return chatResponse();
      },
    });
    await house.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(before).toEqual([["initiator_override", "interception_start", "prompt_usage"]]);
    expect(house.groups.map(typesOf)).toEqual([
      ["initiator_override", "interception_start", "prompt_usage"],
      ["token_usage", "interception_end"],
    ]);
  });

  it("with an answer of tools and thoughts: its usage, its end, then those", async () => {
    const vars = { RECORDING: { thoughts: true } };
    const house = await openGateway({
      vars,
      provider: () => sse(wholeBody(fixture("messages/thinking").bytes)),
    });
    await house.exchange("/anthropic/v1/messages", post(MESSAGES_BODY));
    expect(house.groups.map(typesOf)).toEqual([
      ["interception_start"],
      ["token_usage", "interception_end", "tool_usage", "model_thought"],
    ]);
  });

  it("what policy refuses has its start, its end and its refusal in groups of their own", async () => {
    const vars = { PROVIDERS: { openai: { ...PROVIDERS.openai, models: [] } } };
    const house = await openGateway({ vars });
    await house.exchange(CHAT, post(BODY));
    expect(house.groups.map(typesOf)).toEqual([["interception_start"], ["interception_end"], ["refusal"]]);
  });

  it("an owner rejected with on_invalid = reject comes with the refusal", async () => {
    const house = await openGateway({ vars: { OWNER_ASSERTION: { on_invalid: "reject" } } });
    await house.exchange(CENTRAL_CHAT, post(BODY, { ...AGENTS, "x-coder-owner-id": "not-a-uuid" }));
    expect(house.groups.map(typesOf)).toEqual([["initiator_override_rejected", "refusal"]]);
  });
});
