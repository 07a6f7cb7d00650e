import { describe, expect, it } from "vitest";
import type { Api } from "../../../src/records/api/contract.ts";
import type { Deps } from "../../../src/gateway/app/deps.ts";
import { ROUTE_PREFIXES, type Target } from "../../../src/shared/http/target.ts";
import { Refusal, REFUSALS, type RefusalCode } from "../../../src/shared/refusal.ts";
import { registry } from "../../../src/gateway/wiring.ts";
import {
  checkPairs,
  CANARIES,
  ID,
  openGateway,
  PROVIDERS,
  T0,
  type Gateway,
  type Setup,
} from "../../support/in-workerd/gateway-harness.ts";
import {
  AGENTS,
  BODY,
  CENTRAL_CHAT,
  CHAT,
  chatResponse,
  CLIENT_KEY,
  json,
  MESSAGES_BODY,
  only,
  OWN_KEY,
  post,
  sse,
  STREAM_BODY,
  typesOf,
} from "../../support/in-workerd/calls.ts";
import { fixture } from "../../support/in-workerd/fixtures.ts";
import { drain, upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { CODER_AGENTS_UA, OWNER, text, utf8 } from "../../support/in-workerd/values.ts";
import { until, within } from "../../support/in-workerd/waiting.ts";

const CHAT_ID = "0a0a0a0a-0000-4000-8000-00000000000a";
const WORKSPACE_ID = "0b0b0b0b-0000-4000-8000-00000000000b";
const NOT_DELEGATED = { delegated_key_id: null, delegated_source: null };
const NO_CODER_IDS = { chat_id: null, subchat_id: null, workspace_id: null, ...NOT_DELEGATED };
const NOTHING_WRONG = { error: null, error_message: null };
const NO_CONTENT = { tool_call_count: 0, thought_count: 0 };
const AT = (ms: number): string => new Date(T0 + ms).toISOString();

describe("one interception, from its first event to its last", () => {
  it("of Coder Agents for an owner, with a central key and a JSON answer", async () => {
    const house: Gateway = await openGateway({
      provider: () => {
        house.clock.at += 40;
        return json(fixture("chat/json").bytes, {
          headers: { "x-request-id": "req_1", "set-cookie": "a=1" },
        });
      },
    });
    const { response, bytes, events } = await house.exchange(
      CENTRAL_CHAT,
      post(BODY, {
        ...AGENTS,
        "x-coder-owner-id": OWNER.toUpperCase(),
        "x-coder-chat-id": CHAT_ID,
        "x-coder-workspace-id": WORKSPACE_ID,
      }),
    );
    const who = {
      actor_id: "ci-bot",
      actor_kind: "service",
      initiator_id: OWNER,
      attribution: "asserted",
      identity_source: "keys",
    };
    const hints = { client: "Coder Agents", user_agent: CODER_AGENTS_UA, client_session_id: CHAT_ID };
    const coder = { chat_id: CHAT_ID, subchat_id: null, workspace_id: WORKSPACE_ID, ...NOT_DELEGATED };
    const asked = {
      provider: "central",
      provider_type: "openai",
      route: "/chat/completions",
      model: "gpt-4o",
      streaming: false,
      credential_kind: "centralized",
      credential_hint: "sk-c...cdef",
      started_at: AT(0),
    };
    const tokens = {
      input_tokens: 20,
      output_tokens: 12,
      cache_read_input_tokens: 10,
      cache_write_input_tokens: null,
    };
    expect(events).toEqual([
      {
        record_type: "initiator_override",
        interception_id: ID,
        ...who,
        owner_id: OWNER,
        owner_username: null,
        rule: "any",
        signature: "off",
        directory: "off",
        candidates: [
          { who: "owner", id: OWNER, rejection_reason: null },
          { who: "actor", id: "ci-bot", rejection_reason: "overridden" },
        ],
        ...hints,
        ...coder,
        provider: "central",
        created_at: AT(0),
      },
      {
        record_type: "interception_start",
        interception_id: ID,
        ...who,
        // printf %s aei_CANARY-client-key-0123456789 | sha256sum
        api_key_id: "2f9492882e36c476",
        ...hints,
        ...coder,
        ...asked,
        // A20: the name is the actor's, never the owner's.
        metadata: { actor_name: "CI bot" },
        initiator_name: null,
        flags: [],
        correlating_tool_call_id: null,
        thread_parent_id: null,
        thread_root_id: null,
        prompt_count: 1,
      },
      {
        record_type: "token_usage",
        interception_id: ID,
        initiator_id: OWNER,
        msg_id: "chatcmpl-CfA1b2C3d4E5f6G7h8I9j0K1",
        ...tokens,
        usage: "final",
        created_at: AT(40),
        metadata: { prompt_audio: 0 },
      },
      {
        record_type: "interception_end",
        interception_id: ID,
        ...who,
        ...hints,
        ...coder,
        ...asked,
        outcome: "completed",
        status: 200,
        finish_reason: "stop",
        ...NOTHING_WRONG,
        ...NO_CONTENT,
        ...tokens,
        usage: "final",
        usage_invalid: false,
        observation: "complete",
        msg_id: "chatcmpl-CfA1b2C3d4E5f6G7h8I9j0K1",
        response_model: "gpt-4o-2024-08-06",
        response_bytes: fixture("chat/json").bytes.length,
        first_byte_ms: 40,
        duration_ms: 40,
        ended_at: AT(40),
      },
    ]);
    expect(bytes).toEqual(fixture("chat/json").bytes);
    expect([...response.headers]).toEqual([
      ["content-length", String(bytes.length)],
      ["content-type", "application/json"],
      ["x-interception-id", ID],
      ["x-request-id", "req_1"],
    ]);
    expect(house.operatorErrors).toEqual([]);
    expect(house.sent).toHaveLength(1);
    const [sent] = house.sent;
    expect(sent?.url).toBe("https://central.example/v1/chat/completions");
    expect(text(sent?.body ?? new Uint8Array())).toBe(BODY);
    expect([...(sent?.headers ?? [])]).toEqual([
      ["accept-encoding", "identity"],
      ["authorization", `Bearer ${CANARIES.centralKey}`],
      ["content-type", "application/json"],
      ["user-agent", CODER_AGENTS_UA],
      ["via", "1.1 ai-edge-interceptor"],
    ]);
  });

  it("of an unknown client with its own key and a stream", async () => {
    const { bytes: answer, text: whole } = fixture("messages/cache");
    const house: Gateway = await openGateway({
      provider: () => {
        house.clock.at += 65;
        return sse(wholeBody(answer), { headers: { "request-id": "req_2" } });
      },
    });
    const {
      response,
      text: got,
      events,
    } = await house.exchange(
      "/anthropic/v1/messages?beta=true",
      post(MESSAGES_BODY, { "x-api-key": CANARIES.ownKey, "anthropic-version": "2023-06-01" }),
    );
    const who = {
      actor_id: "byok:35394ca1cef557f8732235c2823860c2",
      actor_kind: "unknown",
      initiator_id: "byok:35394ca1cef557f8732235c2823860c2",
      attribution: "unverified",
      identity_source: "byok",
    };
    const hints = { client: "Unknown", user_agent: null, client_session_id: null };
    const asked = {
      provider: "anthropic",
      provider_type: "anthropic",
      route: "/v1/messages",
      model: "claude-opus-4-6",
      streaming: true,
      credential_kind: "byok",
      credential_hint: "sk-C...cdef",
      started_at: AT(0),
    };
    const tokens = {
      input_tokens: 4,
      output_tokens: 15,
      cache_read_input_tokens: 30000,
      cache_write_input_tokens: 1200,
    };
    expect(events).toEqual([
      {
        record_type: "interception_start",
        interception_id: ID,
        ...who,
        api_key_id: "35394ca1cef557f8",
        ...hints,
        ...NO_CODER_IDS,
        ...asked,
        metadata: {},
        initiator_name: null,
        flags: [],
        correlating_tool_call_id: null,
        thread_parent_id: null,
        thread_root_id: null,
        prompt_count: 0,
      },
      {
        record_type: "token_usage",
        interception_id: ID,
        initiator_id: "byok:35394ca1cef557f8732235c2823860c2",
        msg_id: "msg_01XFDUDYJgAACzvnptvVoYEL",
        ...tokens,
        usage: "final",
        created_at: AT(65),
        metadata: { cache_ephemeral_5m_input: 200, cache_ephemeral_1h_input: 1000 },
      },
      {
        record_type: "interception_end",
        interception_id: ID,
        ...who,
        ...hints,
        ...NO_CODER_IDS,
        ...asked,
        outcome: "completed",
        status: 200,
        finish_reason: "end_turn",
        ...NOTHING_WRONG,
        ...NO_CONTENT,
        ...tokens,
        usage: "final",
        usage_invalid: false,
        observation: "complete",
        msg_id: "msg_01XFDUDYJgAACzvnptvVoYEL",
        response_model: "claude-opus-4-6-20260205",
        response_bytes: answer.length,
        first_byte_ms: 65,
        duration_ms: 65,
        ended_at: AT(65),
      },
    ]);
    expect(got).toBe(whole);
    expect(response.headers.get("request-id")).toBe("req_2");
    const [sent] = house.sent;
    expect(sent?.url).toBe("https://api.anthropic.example/v1/messages?beta=true");
    expect(sent?.headers.get("x-api-key")).toBe(CANARIES.ownKey);
    expect(sent?.headers.get("anthropic-version")).toBe("2023-06-01");
    expect(text(sent?.body ?? new Uint8Array())).toBe(MESSAGES_BODY);
  });

  it("that reports no usage has no token_usage event, and nulls for figures", async () => {
    const { events } = await (
      await openGateway({ provider: () => json(fixture("chat/json-without-usage").bytes) })
    ).exchange("/openai/v1/chat/completions", post(BODY));
    expect(typesOf(events)).toEqual(["interception_start", "interception_end"]);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "completed",
      usage: "unknown",
      input_tokens: null,
      output_tokens: null,
    });
  });
});

describe("the usage opt-in", () => {
  const usageChunk = /data: \{[^\n]*"choices":\[\],"usage"[^\n]*\n\n/;

  it("asks for usage where the client did not, records it, and hides the one event from the client", async () => {
    const { bytes, text: whole } = fixture("chat/plain");
    const house = await openGateway({
      provider: () => sse(wholeBody(bytes), { headers: { "content-length": "5" } }),
    });
    const {
      text: got,
      response,
      events,
    } = await house.exchange("/openai/v1/chat/completions", post(STREAM_BODY));
    expect(text(house.sent[0]?.body ?? new Uint8Array())).toBe(
      STREAM_BODY.replace("{", '{"stream_options":{"include_usage":true},'),
    );
    expect(whole).toMatch(usageChunk);
    expect(got).toBe(whole.replace(usageChunk, ""));
    expect(response.headers.has("content-length")).toBe(false);
    expect(only(events, "token_usage")).toMatchObject({
      input_tokens: 19,
      output_tokens: 10,
      usage: "final",
    });
  });

  it.each([
    ["the client asked itself", STREAM_BODY.replace("{", '{"stream_options":{"include_usage":true},'), {}],
    ["the provider's switch is off", STREAM_BODY, { ...PROVIDERS.openai, inject_usage: false }],
  ])("stays away where %s: both ways byte for byte", async (_, body, openai) => {
    const { bytes, text: whole } = fixture("chat/plain");
    const vars = { PROVIDERS: { ...PROVIDERS, openai: { ...PROVIDERS.openai, ...openai } } };
    const house = await openGateway({ vars, provider: () => sse(wholeBody(bytes)) });
    const { text: got, events } = await house.exchange("/openai/v1/chat/completions", post(body));
    expect(text(house.sent[0]?.body ?? new Uint8Array())).toBe(body);
    expect(got).toBe(whole);
    expect(only(events, "token_usage").usage).toBe("final");
  });

  it("is not for JSON answers, nor for other APIs", async () => {
    const house = await openGateway({ provider: chatResponse });
    await house.exchange("/openai/v1/chat/completions", post(BODY));
    await house.exchange("/openai/v1/responses", post(STREAM_BODY));
    await house.exchange("/anthropic/v1/messages", post(MESSAGES_BODY));
    expect(house.sent.map(({ body }) => text(body))).toEqual([BODY, STREAM_BODY, MESSAGES_BODY]);
  });
});

type Refused = {
  readonly reason: RefusalCode;
  readonly path?: string;
  readonly init?: RequestInit;
  readonly setup?: Setup;
  /** What the event says beyond the reason. */
  readonly event?: Record<string, unknown>;
  readonly param?: string;
};

const at = (path: string) => ({
  provider: path.split("/")[1] ?? "",
  route: path.replace(/^\/\w+(\/v1)?/, ""),
});
const UNKNOWN = { client: "Unknown" };

/** Paths of the passthroughs that run a model, by whether their body names it. */
const routesThat = (runsModel: "named" | "hidden") =>
  registry.dialects.flatMap(({ type, mount, routes }) =>
    routes.flatMap((route) =>
      route.kind === "passthrough" && route.runsModel === runsModel
        ? [`/${type}${mount}${route.path.replace("/*", "/x")}`]
        : [],
    ),
  );

/** Refusals before an interception begins: nothing is fetched, and there is nothing but the refusal to tell. */
const BEFORE: readonly Refused[] = [
  { reason: "loop", init: post(BODY, { ...OWN_KEY, via: "1.1 ai-edge-interceptor" }) },
  { reason: "not_found", path: "/nothing", init: post(BODY) },
  { reason: "not_found", path: "/openai/v1/fine_tuning/jobs", init: { headers: OWN_KEY } },
  { reason: "bad_path", path: "/openai/v1/models/%2fx", init: { headers: OWN_KEY } },
  { reason: "url_too_long", path: `${CHAT}?q=${"x".repeat(17_000)}`, init: post(BODY) },
  {
    reason: "method_not_allowed",
    path: CHAT,
    init: { headers: OWN_KEY },
    event: { ...at(CHAT), client: null },
  },
  {
    reason: "websocket_unsupported",
    path: "/openai/v1/responses",
    init: { headers: { ...OWN_KEY, upgrade: "websocket" } },
    event: { ...at("/openai/v1/responses"), client: null },
  },
  { reason: "credential_missing", path: CHAT, init: post(BODY, {}), event: { ...at(CHAT), ...UNKNOWN } },
  {
    reason: "credential_malformed",
    path: CHAT,
    init: post(BODY, { authorization: "Basic CANARY" }),
    event: { ...at(CHAT), ...UNKNOWN, detail: "Authorization" },
  },
  {
    reason: "invalid_credential",
    path: CHAT,
    init: post(BODY, { authorization: "Bearer aei_unknown" }),
    event: { ...at(CHAT), ...UNKNOWN, detail: "no such client key" },
  },
  {
    reason: "invalid_credential",
    path: CHAT,
    init: post(BODY, { ...OWN_KEY, "x-coder-ai-governance-token": "CANARY-wrong" }),
    event: { ...at(CHAT), ...UNKNOWN },
  },
  {
    reason: "byok_not_accepted",
    path: CENTRAL_CHAT,
    init: post(BODY),
    event: {
      ...at(CENTRAL_CHAT),
      ...UNKNOWN,
      actor_id: "byok:35394ca1cef557f8732235c2823860c2",
    },
  },
  {
    reason: "provider_key_missing",
    path: CHAT,
    init: post(BODY, CLIENT_KEY),
    event: { ...at(CHAT), ...UNKNOWN, actor_id: "ci-bot" },
  },
];

const BYOK_WHO = {
  actor_id: "byok:35394ca1cef557f8732235c2823860c2",
  initiator_id: "byok:35394ca1cef557f8732235c2823860c2",
};

/** Refusals of the body: the caller is known by then. */
const OF_BODY: readonly Refused[] = [
  { reason: "body_encoded", init: post(BODY, { ...OWN_KEY, "content-encoding": "gzip" }) },
  {
    reason: "body_too_large",
    init: post(BODY),
    setup: { vars: { LIMITS: { body_bytes: 10 } } },
    event: { detail: "counted while reading" },
  },
  {
    reason: "body_too_large",
    init: post(BODY, { ...OWN_KEY, "content-length": "11" }),
    setup: { vars: { LIMITS: { body_bytes: 10 } } },
    event: { detail: "declared 11 bytes" },
  },
  { reason: "body_invalid", init: post(`{"model": CANARY`) },
  { reason: "body_invalid", init: post("[]"), event: { detail: "not an object" } },
  { reason: "field_invalid", init: post('{"model":["CANARY"]}'), param: "model" },
  { reason: "field_repeated", init: post('{"model":"a","model":"CANARY"}'), param: "model" },
].map(
  (one) => ({ ...one, path: CHAT, event: { ...at(CHAT), ...UNKNOWN, ...BYOK_WHO, ...one.event } }) as Refused,
);

describe("refusals before an interception begins", () => {
  it.each([...BEFORE, ...OF_BODY].map((one) => [one.reason, one] as const))(
    "%s: the dialect's body, both headers, one event, nothing fetched",
    async (reason, { path = CHAT, init, setup, event, param = null }) => {
      const house = await openGateway(setup);
      const { response, text: body, events } = await house.exchange(path, init);
      const [status, message] = REFUSALS[reason];
      expect(response.status).toBe(status);
      expect(response.headers.get("x-interceptor-error")).toBe(reason);
      expect(response.headers.get("x-interception-id")).toBe(ID);
      expect(response.headers.get("content-type")).toBe("application/json");
      expect(JSON.parse(body)).toMatchObject({
        error: { message: param ? `${message} (${param})` : message, code: reason, param },
      });
      expect(events).toEqual([
        {
          record_type: "refusal",
          interception_id: ID,
          reason,
          status,
          detail: null,
          method: init?.method ?? "GET",
          provider: null,
          route: null,
          client: null,
          actor_id: null,
          initiator_id: null,
          created_at: AT(0),
          ...event,
        },
      ]);
      expect(house.sent).toEqual([]);
      expect(house.operatorErrors).toEqual([]);
    },
  );

  it("D15 speak the dialect of the route, whatever the body is", async () => {
    const house = await openGateway();
    const { response, text: body } = await house.exchange("/anthropic/v1/messages", post("no json"));
    expect(response.status).toBe(400);
    expect(JSON.parse(body)).toEqual({
      type: "error",
      error: {
        type: "invalid_request_error",
        message: "The request's body is not a JSON object in UTF-8, or nests too deeply.",
      },
      request_id: ID,
    });
  });

  it.each([
    [CHAT, "POST"],
    ["/openai/v1/models", "GET, HEAD, POST, PUT, PATCH, DELETE"],
  ])("D7 405 on %s names the methods that the route takes", async (path, allowed) => {
    const { response } = await (await openGateway()).exchange(path, { method: "OPTIONS", headers: OWN_KEY });
    expect(response.status).toBe(405);
    const named = (response.headers.get("allow") ?? "").split(",").map((method) => method.trim());
    expect(named.toSorted()).toEqual(allowed.split(", ").toSorted());
  });

  it("D16 426 says what to come back with", async () => {
    const house = await openGateway();
    const init = { headers: { ...OWN_KEY, upgrade: "websocket" } };
    const { response } = await house.exchange("/openai/v1/responses", init);
    expect(response.status).toBe(426);
    expect(response.headers.get("upgrade")).toBe("HTTP/1.1");
  });
});

/** Every route of every dialect by every path that leads to it: a provider's name, the root, Coder's prefixes before either. */
const EVERY_PATH = ["", ...ROUTE_PREFIXES]
  .flatMap((prefix) =>
    registry.dialects.flatMap(({ type, mount, routes }) =>
      routes.flatMap((route) => {
        const below = route.kind === "passthrough" && route.below && !route.path.endsWith("/*");
        const paths = [route.path.replace("/*", "/x"), ...(below ? [`${route.path}/x`] : [])];
        return paths.flatMap((path) =>
          [`/${type}`, ""].map((name) => [route.kind, `${prefix}${name}${mount}${path}`] as const),
        );
      }),
    ),
  )
  // At the root two dialects may have the same.
  .filter(([, path], index, all) => all.findIndex((one) => one[1] === path) === index);

const methodsFor = (kind: string): readonly string[] =>
  kind === "intercept" ? ["POST"] : ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
const initFor = (method: string, headers: Record<string, string>): RequestInit =>
  method === "POST" ? post(BODY, headers) : { method, headers };

describe("D12 every route of every dialect", () => {
  it("is among those paths, under each prefix", () => {
    const paths = EVERY_PATH.map(([, path]) => path);
    for (const { type, mount, routes } of registry.dialects) {
      for (const { path } of routes) {
        const named = `/${type}${mount}${path.replace("/*", "/x")}`;
        expect(paths.filter((one) => one.endsWith(named))).toHaveLength(1 + ROUTE_PREFIXES.length);
      }
    }
    expect(paths.length).toBeGreaterThan(100);
  });

  it.each(EVERY_PATH)("%s %s: by no method without a credential: 401, no fetch", async (kind, path) => {
    const house = await openGateway();
    for (const method of methodsFor(kind)) {
      const { response, events } = await house.exchange(path, initFor(method, {}));
      expect([method, response.status, typesOf(events)]).toEqual([method, 401, ["refusal"]]);
    }
    expect(house.sent).toEqual([]);
  });

  it.each(EVERY_PATH)("%s %s: passes identity, initiator and policy", async (kind, path) => {
    const asked: unknown[] = [];
    const policy: Deps["policies"][number] = (request) => {
      asked.push([request.actorId, request.initiatorId]);
      return new Refusal("model_not_allowed");
    };
    const house = await openGateway({ parts: { policies: [policy] } });
    const headers = { ...OWN_KEY, "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": OWNER };
    const methods = methodsFor(kind);
    for (const method of methods) {
      const { response, events } = await house.exchange(path, initFor(method, headers));
      expect([method, response.status]).toEqual([method, 403]);
      expect(only(events, "initiator_override").initiator_id).toBe(OWNER);
    }
    expect(asked).toEqual(methods.map(() => [BYOK_WHO.actor_id, OWNER]));
    expect(house.sent).toEqual([]);
  });

  it.each(EVERY_PATH)("%s %s: takes no unsigned owner where owners must be signed", async (kind, path) => {
    const signing = { signature: "require", signing_keys: ["SIGNING_KEY"] };
    const house = await openGateway({ vars: { OWNER_ASSERTION: signing, SIGNING_KEY: "s".repeat(32) } });
    const headers = { ...OWN_KEY, "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": OWNER };
    for (const method of methodsFor(kind)) {
      const { response } = await house.exchange(path, initFor(method, headers));
      expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
        401,
        "signature_required",
      ]);
    }
    expect(house.sent).toEqual([]);
  });

  it.each(EVERY_PATH)("%s %s: refuses another gateway's key, whatever else is sent", async (kind, path) => {
    const house = await openGateway({
      vars: { DELEGATION: { keys: ["GATEWAY_KEY"] }, GATEWAY_KEY: "g".repeat(32) },
    });
    const headers = { ...OWN_KEY, "x-coder-ai-gateway-key": "h".repeat(32) };
    for (const method of methodsFor(kind)) {
      const { response } = await house.exchange(path, initFor(method, headers));
      expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
        401,
        "delegation_rejected",
      ]);
    }
    expect(house.sent).toEqual([]);
  });
});

const failing = async (setup: Setup, path = CHAT, init = post(BODY)) => {
  const house = await openGateway(setup);
  const visited = await house.exchange(path, init);
  return { house, ...visited, end: only(visited.events, "interception_end") };
};

/** Parts that fail, with a message that nobody is to see. */
const brokenPolicy: Deps["policies"][number] = () => {
  throw new RangeError(CANARIES.prompt);
};
const brokenSource = (): never => {
  throw new SyntaxError(CANARIES.prompt);
};

describe("an interception that is refused or fails", () => {
  it("D14 J5 by policy: begins, ends as refused, and nothing is fetched", async () => {
    const vars = { PROVIDERS: { openai: { ...PROVIDERS.openai, models: [] } } };
    const { response, events, end, house } = await failing({ vars });
    expect(typesOf(events)).toEqual(["interception_start", "interception_end", "refusal"]);
    expect(end).toMatchObject({
      outcome: "refused",
      status: 403,
      error: "model_not_allowed",
      usage: "unknown",
      first_byte_ms: null,
      response_bytes: 0,
    });
    expect(response.status).toBe(403);
    expect(house.sent).toEqual([]);
  });

  it("G1 by a fetch that throws: E502, upstream_error", async () => {
    const {
      response,
      events,
      end,
      text: body,
    } = await failing({
      provider: () => {
        throw new TypeError("CANARY https://api.openai.example/v1 refused");
      },
    });
    expect(response.status).toBe(502);
    expect(response.headers.get("x-interceptor-error")).toBe("upstream_unreachable");
    expect(typesOf(events)).toEqual(["interception_start", "interception_end", "refusal"]);
    expect(end).toMatchObject({ outcome: "upstream_error", status: 502, error: "upstream_unreachable" });
    expect(only(events, "refusal").detail).toBe("TypeError");
    expect(JSON.parse(body)).toMatchObject({ error: { type: "server_error" } });
  });

  it("G1 by a fetch that rejects with nothing at all", async () => {
    const { response, events } = await failing({ provider: () => Promise.reject() });
    expect(response.status).toBe(502);
    expect(only(events, "refusal").detail).toBe("unknown");
  });

  it("G2 by headers that never come: E504, and the upstream is closed", async () => {
    const { response, end, house } = await failing({
      vars: { LIMITS: { headers_ms: 1 } },
      provider: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
        }),
    });
    expect(response.status).toBe(504);
    expect(house.sent[0]?.signal.aborted).toBe(true);
    expect(end).toMatchObject({ outcome: "upstream_error", status: 504, error: "upstream_timeout" });
  });

  it.each([301, 302, 303, 307, 308])("D10 by a %i: E502 and no second fetch", async (status) => {
    const { response, end, house } = await failing({
      provider: () => new Response(null, { status, headers: { location: "https://evil.example/CANARY" } }),
    });
    expect(response.status).toBe(502);
    expect(response.headers.get("location")).toBeNull();
    expect(house.sent).toHaveLength(1);
    expect(end).toMatchObject({ outcome: "upstream_error", error: "upstream_redirected" });
  });

  it("C17 by a provider that quotes the central key: the client does not see it", async () => {
    const { response, end, events } = await failing(
      {
        provider: () => json(`{"error":{"message":"bad key ${CANARIES.centralKey}"}}`, { status: 401 }),
      },
      CENTRAL_CHAT,
      post(BODY, CLIENT_KEY),
    );
    expect(response.status).toBe(502);
    expect(response.headers.get("x-interceptor-error")).toBe("upstream_key_rejected");
    expect(end).toMatchObject({ outcome: "upstream_error", status: 502, error: "upstream_key_rejected" });
    expect(only(events, "refusal").detail).toBe("status 401");
  });

  it("by an error in ourselves: E500, refused, and the console is told no more than its name", async () => {
    const {
      response,
      events,
      end,
      house,
      text: body,
    } = await failing({ parts: { policies: [brokenPolicy] } });
    expect(response.status).toBe(500);
    expect(JSON.parse(body)).toEqual({
      error: { message: "The gateway failed.", type: "server_error", param: null, code: "internal" },
    });
    expect(typesOf(events)).toEqual(["interception_start", "interception_end", "refusal"]);
    expect(end).toMatchObject({ outcome: "refused", status: 500, error: "internal" });
    expect(house.operatorErrors).toEqual([`interceptor failed: RangeError (interception ${ID})`]);
    expect(house.sent).toEqual([]);
  });

  it("by an error in ourselves before there is an interception: E500 and a refusal", async () => {
    const house = await openGateway({
      sources: [{ verifies: true, recognizes: () => false, identify: brokenSource }],
    });
    const { response, events } = await house.exchange(CHAT, post(BODY));
    expect(response.status).toBe(500);
    expect(typesOf(events)).toEqual(["refusal"]);
    expect(house.operatorErrors).toEqual([`interceptor failed: SyntaxError (interception ${ID})`]);
  });

  it.each([400, 401, 403, 404, 429, 500, 503, 529])(
    "G7 by the provider's own %i: status, body and headers as they were sent",
    async (status) => {
      const answer = fixture("chat/json-error").bytes;
      const headers = {
        "retry-after": "7",
        "x-should-retry": "false",
        "x-ratelimit-remaining-requests": "0",
      };
      const { response, bytes, events, end } = await failing({
        provider: () => json(answer, { status, headers }),
      });
      expect(response.status).toBe(status);
      expect(bytes).toEqual(answer);
      expect(Object.fromEntries(response.headers)).toMatchObject(headers);
      expect(response.headers.get("x-interceptor-error")).toBeNull();
      expect(typesOf(events)).toEqual(["interception_start", "interception_end"]);
      expect(end).toMatchObject({ outcome: "upstream_error", status, error: "tokens" });
    },
  );

  it.each(["application/json", "text/event-stream", "text/html"])(
    "G7 G10 by the provider's own 503 in %s, to a call with the central key: as it was sent",
    async (type) => {
      const answer = utf8('data: {"error":{"type":"overloaded"}}\n\n');
      const { bytes, response, end } = await failing(
        {
          provider: () =>
            new Response(wholeBody(answer), {
              status: 503,
              headers: { "content-type": type, "retry-after": "1" },
            }),
        },
        CENTRAL_CHAT,
        post(BODY, CLIENT_KEY),
      );
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(bytes).toEqual(answer);
      expect(end).toMatchObject({ outcome: "upstream_error", status: 503 });
    },
  );

  it("by a stream that breaks off: truncated, and the client's breaks too", async () => {
    const { broken, end } = await failing({
      provider: () => {
        const body = upstreamBody();
        body.send("data: {}\n\n");
        queueMicrotask(() => body.fail());
        return sse(body.stream);
      },
    });
    expect(broken).toBe(true);
    expect(end).toMatchObject({ outcome: "truncated", status: 200, usage: "unknown" });
  });
});

const eventsOf = async (headers: Record<string, string>, vars: Record<string, unknown> = {}) => {
  const house = await openGateway({ vars, provider: chatResponse });
  return (await house.exchange(CENTRAL_CHAT, post(BODY, headers))).events;
};

describe("on whose account", () => {
  const OWNED = { ...AGENTS, "x-coder-owner-id": OWNER };

  it("A3 without an owner header there is no override event", async () => {
    expect(typesOf(await eventsOf(AGENTS))).toEqual([
      "interception_start",
      "token_usage",
      "interception_end",
    ]);
  });

  it.each([
    ["A5 not permitted", OWNED, { OWNER_ASSERTION: { allow: "off" } }, "not_permitted"],
    ["A6 another client", { ...OWNED, "user-agent": "claude-cli/2" }, {}, "client"],
    ["A7 nil", { ...AGENTS, "x-coder-owner-id": "00000000-0000-0000-0000-000000000000" }, {}, "version"],
    ["A9 variant", { ...AGENTS, "x-coder-owner-id": OWNER.replace("9def", "cdef") }, {}, "variant"],
    ["A10 form", { ...AGENTS, "x-coder-owner-id": "CANARY-not-a-uuid" }, {}, "form"],
    ["A11 several", { ...AGENTS, "x-coder-owner-id": `${OWNER}, ${OWNER}` }, {}, "multiple"],
  ])("%s: the actor stays, and the rejection is told", async (_, headers, vars, reason) => {
    const all = await eventsOf(headers, vars);
    expect(typesOf(all)).toEqual([
      "initiator_override_rejected",
      "interception_start",
      "token_usage",
      "interception_end",
    ]);
    const rejected = only(all, "initiator_override_rejected");
    expect(rejected).toMatchObject({
      actor_id: "ci-bot",
      initiator_id: "ci-bot",
      attribution: "authenticated",
      reason,
      value_length: headers["x-coder-owner-id"].length,
    });
    for (const event of all) expect(event).toMatchObject({ initiator_id: "ci-bot" });
  });

  it("A14 the rejected value is told by length and hash alone, whole event", async () => {
    const all = await eventsOf({ ...AGENTS, "x-coder-owner-id": "not-a-uuid", "x-coder-chat-id": CHAT_ID });
    expect(only(all, "initiator_override_rejected")).toEqual({
      record_type: "initiator_override_rejected",
      interception_id: ID,
      actor_id: "ci-bot",
      actor_kind: "service",
      initiator_id: "ci-bot",
      attribution: "authenticated",
      identity_source: "keys",
      reason: "form",
      value_length: 10,
      // printf %s not-a-uuid | sha256sum
      value_sha256: "2184a32a3bae6ad7",
      rule: "any",
      signature: null,
      directory: null,
      candidates: [
        { who: "owner", id: null, rejection_reason: "form" },
        { who: "actor", id: "ci-bot", rejection_reason: null },
      ],
      client: "Coder Agents",
      user_agent: CODER_AGENTS_UA,
      client_session_id: CHAT_ID,
      ...NO_CODER_IDS,
      chat_id: CHAT_ID,
      provider: "central",
      created_at: AT(0),
    });
  });

  it.each([
    ["A5", OWNED, { allow: "off" }, "not_permitted"],
    ["A6", { ...OWNED, "user-agent": "curl/8" }, {}, "client"],
    ["A10", { ...AGENTS, "x-coder-owner-id": "CANARY" }, {}, "form"],
  ])(
    "%s with on_invalid = reject it is E400, told twice over, and nothing is fetched",
    async (_, headers, rules, reason) => {
      const house = await openGateway({ vars: { OWNER_ASSERTION: { ...rules, on_invalid: "reject" } } });
      const { response, text: body, events: all } = await house.exchange(CENTRAL_CHAT, post(BODY, headers));
      expect(response.status).toBe(400);
      expect(response.headers.get("x-interceptor-error")).toBe("owner_rejected");
      expect(JSON.parse(body)).toMatchObject({ error: { message: "X-Coder-Owner-Id was not accepted." } });
      expect(typesOf(all)).toEqual(["initiator_override_rejected", "refusal"]);
      expect(only(all, "refusal")).toMatchObject({
        detail: reason,
        actor_id: "ci-bot",
        initiator_id: "ci-bot",
      });
      expect(house.sent).toEqual([]);
    },
  );

  it("A1 with on_invalid = reject a valid owner goes on", async () => {
    const all = await eventsOf(OWNED, { OWNER_ASSERTION: { on_invalid: "reject" } });
    expect(only(all, "initiator_override").initiator_id).toBe(OWNER);
  });

  it("A17 X_Coder_Owner_Id is nobody's", async () => {
    const all = await eventsOf({ ...AGENTS, x_coder_owner_id: OWNER });
    expect(only(all, "interception_start").initiator_id).toBe("ci-bot");
  });

  it("A18 Connection: X-Coder-Owner-Id takes nothing away", async () => {
    const all = await eventsOf({ ...OWNED, connection: "X-Coder-Owner-Id" });
    expect(only(all, "initiator_override").owner_id).toBe(OWNER);
  });

  it("A21 malformed ids beside the owner are dropped, and the owner stands", async () => {
    const all = await eventsOf({
      ...OWNED,
      "x-coder-chat-id": "CANARY chat",
      "x-coder-subchat-id": "x".repeat(5000),
      "x-coder-workspace-id": `${OWNER}, ${OWNER}`,
    });
    for (const type of ["initiator_override", "interception_start", "interception_end"] as const) {
      expect(only(all, type)).toMatchObject({ initiator_id: OWNER, ...NO_CODER_IDS });
    }
  });
});

describe("a passthrough", () => {
  it("is forwarded, counted by one event, and its bytes are not looked at", async () => {
    const answer = utf8('{"object":"list","data":[],"usage":{"prompt_tokens":5}}');
    const house: Gateway = await openGateway({
      provider: () => {
        house.clock.at += 30;
        return json(answer, { headers: { "x-request-id": "r", "set-cookie": "a=1" } });
      },
    });
    const { response, bytes, events } = await house.exchange("/openai/v1/models/gpt-4o?limit=5", {
      headers: { ...OWN_KEY, "user-agent": "curl/8" },
    });
    expect(bytes).toEqual(answer);
    expect(response.headers.get("x-request-id")).toBe("r");
    expect(response.headers.has("set-cookie")).toBe(false);
    expect(house.sent[0]).toMatchObject({
      url: "https://api.openai.example/v1/models/gpt-4o?limit=5",
      method: "GET",
    });
    expect(events).toEqual([
      {
        record_type: "passthrough",
        interception_id: ID,
        ...BYOK_WHO,
        actor_kind: "unknown",
        attribution: "unverified",
        identity_source: "byok",
        client: "Unknown",
        user_agent: "curl/8",
        client_session_id: null,
        ...NO_CODER_IDS,
        method: "GET",
        provider: "openai",
        provider_type: "openai",
        route: "/models",
        status: 200,
        duration_ms: 30,
        created_at: AT(30),
      },
    ]);
  });

  it.each([0, 1, 1024 * 1024])(
    "F1 its body of %i bytes goes on as it came, with and without a length",
    async (size) => {
      const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 167) % 256);
      const house = await openGateway({ provider: chatResponse });
      await house.exchange("/openai/v1/files", post(bytes, { ...OWN_KEY, "content-length": String(size) }));
      await house.exchange("/openai/v1/files", post(wholeBody(...(size > 0 ? [bytes] : []))));
      expect(house.sent.map(({ body }) => body)).toEqual([bytes, bytes]);
    },
  );

  it.each([
    ["by its declared length", { "content-length": "11" }],
    ["while counting", {}],
  ])("F2 its body over the limit is refused %s", async (_, headers) => {
    const house = await openGateway({ vars: { LIMITS: { body_bytes: 10 } } });
    const { response, events } = await house.exchange(
      "/openai/v1/files",
      post("x".repeat(11), { ...OWN_KEY, ...headers }),
    );
    expect(response.status).toBe(413);
    expect(typesOf(events)).toEqual(["refusal"]);
    expect(house.sent).toEqual([]);
  });

  const LISTED = { PROVIDERS: { ...PROVIDERS, openai: { ...PROVIDERS.openai, models: ["gpt-4o"] } } };
  const modelRoutes = routesThat("named");

  it.each(routesThat("hidden"))(
    "D14 POST %s runs models that its body does not name, so a list of models refuses it",
    async (path) => {
      const models = { models: ["gpt-4o"] };
      const vars = {
        PROVIDERS: {
          openai: { ...PROVIDERS.openai, ...models },
          anthropic: { ...PROVIDERS.anthropic, ...models },
        },
      };
      const house = await openGateway({ vars, provider: chatResponse });
      // The attack: an allowed model on top, another one inside.
      const body = '{"model":"gpt-4o","requests":[{"params":{"model":"o9"}}]}';
      const { response } = await house.exchange(path, { method: "POST", body, headers: OWN_KEY });
      expect(response.status).toBe(403);
      expect(house.sent).toEqual([]);
    },
  );

  it.each(modelRoutes)(
    "D14 POST %s has a model do something, so a list of models holds for it",
    async (path) => {
      const models = { models: ["gpt-4o"] };
      const vars = {
        PROVIDERS: {
          openai: { ...PROVIDERS.openai, ...models },
          anthropic: { ...PROVIDERS.anthropic, ...models },
        },
      };
      const house = await openGateway({ vars, provider: chatResponse });
      const status = async (body: BodyInit | null): Promise<number> =>
        (await house.exchange(path, { method: "POST", body, headers: OWN_KEY })).response.status;
      expect(await status('{"model":"gpt-4o"}')).toBe(200);
      // To cancel something has no body and no model do anything.
      expect(await status(null)).toBe(200);
      for (const body of [
        '{"model":"GPT-4o"}',
        '{"model":"gpt-4o","model":"o9"}',
        '{"input_file_id":"file-1"}',
        "{}",
        "no json",
        '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\ngpt-4o\r\n--b--',
        Uint8Array.of(0x1f, 0x8b, 0x08),
        " ",
      ]) {
        expect(await status(body)).toBe(403);
      }
      expect(house.sent.map(({ body }) => text(body))).toEqual(['{"model":"gpt-4o"}', ""]);
    },
  );

  it("D14 without a list of models no body is looked at", async () => {
    const house = await openGateway({ provider: chatResponse });
    for (const path of modelRoutes) await house.exchange(path, post("no json"));
    expect(house.sent.map(({ body }) => text(body))).toEqual(modelRoutes.map(() => "no json"));
  });

  it.each(["/openai/v1/models", "/openai/v1/files", "/openai/v1/responses/resp_1"])(
    "D14 reading %s is no matter of a list of models",
    async (path) => {
      const house = await openGateway({ vars: LISTED, provider: chatResponse });
      expect((await house.exchange(path, { headers: OWN_KEY })).response.status).toBe(200);
      expect((await house.exchange(path, { method: "DELETE", headers: OWN_KEY })).response.status).toBe(200);
    },
  );

  it.each([
    ["GET", { "content-length": "5" }],
    ["HEAD", { "content-length": "1" }],
    ["GET", { "transfer-encoding": "chunked" }],
  ])("a %s that says it has a body, by %j, is refused: 400", async (method, headers) => {
    const house = await openGateway();
    const { response } = await house.exchange("/openai/v1/models", {
      method,
      headers: { ...OWN_KEY, ...headers },
    });
    expect(response.status).toBe(400);
    expect(response.headers.get("x-interceptor-error")).toBe("body_unexpected");
    expect(house.sent).toEqual([]);
  });

  it("a GET of no length goes on", async () => {
    const house = await openGateway({ provider: chatResponse });
    const headers = { ...OWN_KEY, "content-length": "0" };
    expect((await house.exchange("/openai/v1/models", { headers })).response.status).toBe(200);
  });

  it("F10 whose body the client breaks off is refused as incomplete: not the provider's fault", async () => {
    const client = upstreamBody();
    client.send("abc");
    const house = await openGateway();
    const visiting = house.exchange(
      "/openai/v1/files",
      post(client.stream, { ...OWN_KEY, "content-length": "10" }),
    );
    await until(client.isConsumed, "the bytes being taken");
    client.fail();
    const { response, events } = await visiting;
    expect(response.status).toBe(400);
    expect(only(events, "refusal")).toMatchObject({
      reason: "body_incomplete",
      detail: "while it was forwarded",
    });
  });

  it("G1 D10 a failed one is refused, with no other event", async () => {
    for (const provider of [
      () => Promise.reject(new Error("x")),
      () => Response.redirect("https://evil.example"),
    ]) {
      const { response, events } = await (
        await openGateway({ provider })
      ).exchange("/openai/v1/models", { headers: OWN_KEY });
      expect(response.status).toBe(502);
      expect(typesOf(events)).toEqual(["refusal"]);
    }
  });

  it("G7 the provider's error is its answer, and the event has its status", async () => {
    const house = await openGateway({ provider: () => json("{}", { status: 404 }) });
    const { response, events } = await house.exchange("/openai/v1/models/none", { headers: OWN_KEY });
    expect(response.status).toBe(404);
    expect(only(events, "passthrough").status).toBe(404);
  });

  it("E10 G22 a client that leaves before the headers is counted once, as 499", async () => {
    const client = new AbortController();
    const house = await openGateway({
      provider: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
          client.abort();
        }),
    });
    const { response, events } = await house.exchange("/openai/v1/models", {
      headers: OWN_KEY,
      signal: client.signal,
    });
    expect(response.status).toBe(499);
    expect(only(events, "passthrough").status).toBe(499);
  });
});

describe("a client that leaves", () => {
  it("G22 before the headers: the upstream is aborted; one end, cancelled, without a status", async () => {
    const client = new AbortController();
    const house = await openGateway({
      provider: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
          client.abort();
        }),
    });
    const { response, events } = await house.exchange(CHAT, { ...post(BODY), signal: client.signal });
    expect(response.status).toBe(499);
    expect(house.sent[0]?.signal.aborted).toBe(true);
    expect(typesOf(events)).toEqual(["interception_start", "interception_end"]);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "cancelled",
      status: null,
      error: null,
      usage: "unknown",
    });
  });

  it("before it was looked at: nothing is fetched", async () => {
    const house = await openGateway();
    const { events } = await house.exchange(CHAT, { ...post(BODY), signal: AbortSignal.abort() });
    expect(house.sent).toEqual([]);
    expect(only(events, "interception_end")).toMatchObject({ outcome: "cancelled", status: null });
  });

  it.each([
    ["beside", "/anthropic/v1/messages", MESSAGES_BODY, "messages/cut"],
    ["through", CHAT, STREAM_BODY, "chat/usage-beside-content-cut"],
  ])(
    "G23 in mid-stream (%s): the upstream is aborted; partial usage, one end",
    async (_, path, body, name) => {
      const client = new AbortController();
      const upstream = upstreamBody();
      const house = await openGateway({ provider: ({ signal }) => sse(upstream.failOnAbort(signal).stream) });
      const { response, settled } = await house.call(path, { ...post(body), signal: client.signal });
      upstream.send(fixture(name).bytes);
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      client.abort();
      expect(house.sent[0]?.signal.aborted).toBe(true);
      await settled();
      checkPairs(house.events);
      expect(only(house.events, "interception_end")).toMatchObject({
        outcome: "cancelled",
        status: 200,
        usage: "partial",
      });
      expect(only(house.events, "token_usage").usage).toBe("partial");
    },
  );

  it("while the provider's error is looked through for the central key: cancelled, not the provider's fault", async () => {
    const client = new AbortController();
    const upstream = upstreamBody();
    const house = await openGateway({
      provider: ({ signal }) => {
        upstream.send('{"error":');
        setTimeout(() => client.abort(), 0);
        return new Response(upstream.failOnAbort(signal).stream, { status: 500 });
      },
    });
    const { events } = await house.exchange(CENTRAL_CHAT, {
      ...post(BODY, CLIENT_KEY),
      signal: client.signal,
    });
    expect(only(events, "interception_end").outcome).toBe("cancelled");
  });

  it("G27 in the tick of the end: still one end", async () => {
    const client = new AbortController();
    const upstream = upstreamBody();
    const house = await openGateway({ provider: ({ signal }) => sse(upstream.failOnAbort(signal).stream) });
    const { response, settled } = await house.call(CHAT, { ...post(STREAM_BODY), signal: client.signal });
    const got = drain(response.body);
    upstream.send(fixture("chat/plain").bytes);
    await until(upstream.isConsumed, "the bytes being taken");
    upstream.end();
    client.abort();
    await got;
    await settled();
    checkPairs(house.events);
    expect(["completed", "cancelled"]).toContain(only(house.events, "interception_end").outcome);
  });
});

describe("H1 H7 sinks that fail and are not required", () => {
  const throwing = {
    name: "broken",
    required: false,
    write: () => {
      throw new TypeError(CANARIES.prompt);
    },
  };
  const rejecting = {
    name: "down",
    required: false,
    write: () => Promise.reject(new RangeError(CANARIES.prompt)),
  };

  it("harm neither the answer nor the other sinks, and are complained of once a visit each", async () => {
    const house = await openGateway({ sinks: [throwing, rejecting], provider: chatResponse });
    const { response, bytes, events } = await house.exchange(CHAT, post(BODY));
    expect(response.status).toBe(200);
    expect(bytes).toEqual(fixture("chat/json").bytes);
    expect(typesOf(events)).toEqual(["interception_start", "token_usage", "interception_end"]);
    expect(house.operatorErrors.toSorted()).toEqual([
      `sink broken failed: TypeError (interception ${ID})`,
      `sink down failed: RangeError (interception ${ID})`,
    ]);
  });

  it("harm no stream, no refusal and no passthrough either", async () => {
    const house = await openGateway({
      sinks: [throwing, rejecting],
      provider: ({ url }) =>
        url.endsWith("/models") ? chatResponse() : sse(wholeBody(fixture("chat/plain").bytes)),
    });
    expect((await house.exchange(CHAT, post(STREAM_BODY))).text).toContain("data: [DONE]");
    expect((await house.exchange(CHAT, post("no json"))).response.status).toBe(400);
    expect((await house.exchange("/openai/v1/models", { headers: OWN_KEY })).response.status).toBe(200);
    expect(house.operatorErrors).toHaveLength(6);
  });

  it("a sink that never settles holds up no answer", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const hanging = { name: "slow", required: false, write: () => promise };
    const house = await openGateway({ sinks: [hanging], provider: chatResponse });
    const { response } = await house.call(CHAT, post(BODY));
    expect((await within(drain(response.body), "the answer")).bytes).toEqual(fixture("chat/json").bytes);
    resolve();
  });
});

describe("what is ours to answer", () => {
  it("GET /healthz, without a credential, an event or a fetch", async () => {
    const house = await openGateway();
    const { response, text: body, events } = await house.exchange("/healthz");
    expect([response.status, body]).toEqual([200, "ok\n"]);
    expect(events).toEqual([]);
  });

  it.each(["POST", "DELETE"])("and no %s there", async (method) => {
    const { response } = await (await openGateway()).exchange("/healthz", { method, headers: OWN_KEY });
    expect(response.status).toBe(404);
  });

  it.each(["/", "/openai", "/anthropic/", "/api/v2/ai-gateway", "/api/v2/aibridge/anthropic"])(
    "HEAD %s, a base URL, without a credential",
    async (path) => {
      const house = await openGateway();
      const { response, events } = await house.exchange(path, { method: "HEAD" });
      expect(response.status).toBe(200);
      expect(events).toEqual([]);
      expect(house.sent).toEqual([]);
    },
  );

  it.each([
    ["HEAD", "/nothing"],
    ["GET", "/"],
    ["GET", "/openai"],
  ])("%s %s is none", async (method, path) => {
    expect((await (await openGateway()).exchange(path, { method })).response.status).toBe(404);
  });

  it("HEAD /api/hello, which Claude Code probes, goes to the provider", async () => {
    const house = await openGateway({ provider: () => new Response(null) });
    await house.exchange("/api/hello", { method: "HEAD", headers: OWN_KEY });
    expect(house.sent[0]).toMatchObject({ url: "https://api.anthropic.example/api/hello", method: "HEAD" });
  });
});

const SESSIONS = "/api/v2/ai-gateway/sessions";

/** An API over the records that takes one path, and answers as it is told. */
function records(answer: Api["respond"]): { parts: Partial<Deps>; asked: [Request, Target][] } {
  const asked: [Request, Target][] = [];
  const api: Api = {
    hasPath: (path) => path === SESSIONS,
    methodsOf: () => ["GET", "HEAD"],
    respond: async (request, target, judge) => {
      asked.push([request, target]);
      return answer(request, target, judge);
    },
    // As Coder's API says it.
    errorBody: ({ message, param }) =>
      param === null ? { message } : { message, validations: [{ field: param, detail: "" }] },
  };
  return { parts: { api }, asked };
}

describe("questions about the records", () => {
  it("go to the API, with path and query as they were sent, and no identity, route or provider", async () => {
    const { parts, asked } = records(async () => Response.json({ count: 0 }, { headers: { etag: '"1"' } }));
    const house = await openGateway({ parts });
    const { response, text: body, events } = await house.exchange(`${SESSIONS}?limit=5&q=a%20b`);
    expect([response.status, body]).toEqual([200, '{"count":0}']);
    expect(response.headers.get("x-interception-id")).toBe(ID);
    expect(response.headers.get("etag")).toBe('"1"');
    expect(asked.map(([{ method }, target]) => [method, target])).toEqual([
      ["GET", { path: SESSIONS, search: "?limit=5&q=a%20b" }],
    ]);
    expect(events).toEqual([]);
    expect(house.sent).toEqual([]);
  });

  it.each(["GET", "HEAD", "POST", "DELETE", "OPTIONS"])(
    "a %s there is the API's to judge",
    async (method) => {
      const { parts, asked } = records(async () => new Response(null));
      await (await openGateway({ parts })).exchange(SESSIONS, { method });
      expect(asked.map(([request]) => request.method)).toEqual([method]);
    },
  );

  it.each([
    [new Refusal("admin_only", { detail: "another token" }), { message: REFUSALS.admin_only[1] }],
    [
      new Refusal("filter_invalid", { param: "started_after" }),
      {
        message: "A query parameter is not valid. (started_after)",
        validations: [{ field: "started_after", detail: "" }],
      },
    ],
    [new Refusal("ledger_unavailable"), { message: REFUSALS.ledger_unavailable[1] }],
    [new Refusal("not_found"), { message: REFUSALS.not_found[1] }],
  ])("%o is said in Coder's words, and is an event", async (refusal, body) => {
    const { parts } = records(async () => refusal);
    const house = await openGateway({ parts });
    const { response, text: got, events } = await house.exchange(SESSIONS, { headers: CLIENT_KEY });
    expect(response.status).toBe(refusal.status);
    expect(response.headers.get("x-interceptor-error")).toBe(refusal.code);
    expect(response.headers.get("x-interception-id")).toBe(ID);
    expect(JSON.parse(got)).toEqual(body);
    expect(events).toEqual([
      {
        record_type: "refusal",
        interception_id: ID,
        reason: refusal.code,
        status: refusal.status,
        detail: refusal.data.detail ?? null,
        method: "GET",
        provider: null,
        route: null,
        client: null,
        actor_id: null,
        initiator_id: null,
        created_at: AT(0),
      },
    ]);
    expect(house.operatorErrors).toEqual([]);
  });

  it("D7 405 names the methods that the records take", async () => {
    const { parts } = records(async () => new Refusal("method_not_allowed"));
    const { response } = await (await openGateway({ parts })).exchange(SESSIONS, { method: "POST" });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD");
  });

  it("an API that fails is E500 in its own words; the console is told no more than the error's name", async () => {
    const { parts } = records(() => Promise.reject(new RangeError(CANARIES.prompt)));
    const house = await openGateway({ parts });
    const { response, text: body, events } = await house.exchange(SESSIONS);
    expect(response.status).toBe(500);
    expect(JSON.parse(body)).toEqual({ message: "The gateway failed." });
    expect(typesOf(events)).toEqual(["refusal"]);
    expect(house.operatorErrors).toEqual([`interceptor failed: RangeError (interception ${ID})`]);
  });

  it.each([
    ["/api/v2/ai-gateway/sessions/%2e%2e", 404],
    ["/api/v2/ai-gateway/sessions//x", 404],
    [`${SESSIONS}?q=${"x".repeat(17_000)}`, 414],
  ])("D3 D13 %.50s is refused before the API sees it", async (path, status) => {
    const { parts, asked } = records(async () => new Response(null));
    expect((await (await openGateway({ parts })).exchange(path)).response.status).toBe(status);
    expect(asked).toEqual([]);
  });

  it("what is not the API's goes on to the providers, under the same prefix", async () => {
    const { parts, asked } = records(async () => new Response(null));
    const house = await openGateway({ parts, provider: chatResponse });
    const { response } = await house.exchange(`/api/v2/ai-gateway${CHAT}`, post(BODY));
    expect(response.status).toBe(200);
    expect(asked).toEqual([]);
    expect(house.sent).toHaveLength(1);
  });
});

describe("requests as they come to the provider", () => {
  it.each([
    [
      "numbers beyond 2^53 and odd white space",
      '{ "model" :"gpt-4o",\t"seed":9007199254740993 , "x":1.0e+2}\n',
    ],
    ["escapes and key order", '{"z":"\\u00fc\\/","model":"gpt-4o","a":"ü"}'],
    ["repeated keys that are not judged", '{"model":"gpt-4o","x":1,"x":2}'],
    ["D8 a place of its own", '{"model":"gpt-4o","api_base":"https://evil.example","base_url":"x"}'],
    ["F5 __proto__", '{"model":"gpt-4o","__proto__":{"stream":true}}'],
  ])("F1 F11 %s: byte for byte, to the provider's own place", async (_, body) => {
    const house = await openGateway({ provider: chatResponse });
    await house.exchange(CHAT, post(body));
    await house.exchange(CHAT, post(wholeBody(utf8(body))));
    expect(house.sent.map((sent) => text(sent.body))).toEqual([body, body]);
    expect(house.sent.map(({ url }) => new URL(url).origin)).toEqual(
      Array(2).fill("https://api.openai.example"),
    );
  });

  it("F1 1 MiB is byte-identical", async () => {
    const body = `{"model":"gpt-4o","messages":["${"ü".repeat(512 * 1024)}"]}`;
    const house = await openGateway({ provider: chatResponse });
    await house.exchange(CHAT, post(body));
    expect(text(house.sent[0]?.body ?? new Uint8Array())).toBe(body);
  });

  it("D9 headers that name other places have no effect", async () => {
    const house = await openGateway({ provider: chatResponse });
    await house.exchange(
      CHAT,
      post(BODY, {
        ...OWN_KEY,
        "x-forwarded-host": "evil.example",
        forwarded: "host=evil.example",
        "x-portkey-custom-host": "https://evil.example",
        "x-original-url": "https://evil.example/",
      }),
    );
    expect(house.sent.map(({ url }) => url)).toEqual(["https://api.openai.example/v1/chat/completions"]);
  });

  it("a governance token stays here, and the client's own key goes on", async () => {
    const house = await openGateway({ provider: chatResponse });
    const { events } = await house.exchange(
      CHAT,
      post(BODY, { ...OWN_KEY, "x-coder-ai-governance-token": CANARIES.clientKey }),
    );
    expect(house.sent[0]?.headers.get("authorization")).toBe(`Bearer ${CANARIES.ownKey}`);
    expect(only(events, "interception_start")).toMatchObject({ actor_id: "ci-bot", credential_kind: "byok" });
  });

  it.each([
    ["00000000", "CENTRAL_KEY"],
    ["55555555", "CENTRAL_KEY"],
    ["55555556", "KEY_2"],
    ["ffffffff", "KEY_3"],
  ])("several central keys take turns: chance %s is %s", async (chance, name) => {
    const keys: Record<string, string> = { KEY_2: "sk-second", KEY_3: "sk-third" };
    const central = { ...PROVIDERS.central, keys: ["CENTRAL_KEY", "KEY_2", "KEY_3"] };
    const house = await openGateway({
      vars: { PROVIDERS: { ...PROVIDERS, central }, ...keys },
      provider: chatResponse,
      parts: { randomUuid: () => `${chance}-89ab-4abc-8def-0123456789ab` },
    });
    await house.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect(house.sent[0]?.headers.get("authorization")).toBe(`Bearer ${keys[name] ?? CANARIES.centralKey}`);
  });

  it("the model is recorded as written, cut at 256 characters", async () => {
    const house = await openGateway({ provider: chatResponse });
    const { events } = await house.exchange(CHAT, post(`{"model":" GPT${"x".repeat(300)}"}`));
    expect(only(events, "interception_start").model).toBe(` GPT${"x".repeat(252)}`);
  });

  it("nor is the model cut through a surrogate pair", async () => {
    const house = await openGateway({ provider: chatResponse });
    const { events } = await house.exchange(CHAT, post(`{"model":"${"x".repeat(255)}😀"}`));
    expect(only(events, "interception_start").model).toBe("x".repeat(255));
  });

  it("the session's id in Claude Code's body is found", async () => {
    const house = await openGateway({ provider: () => json(fixture("messages/json").bytes) });
    const { events } = await house.exchange(
      "/anthropic/v1/messages",
      post('{"model":"m","metadata":{"user_id":"user_x_session_S1"}}', {
        ...OWN_KEY,
        "user-agent": "claude-cli/2.1.330 (external, cli)",
      }),
    );
    for (const type of ["interception_start", "interception_end"] as const) {
      expect(only(events, type)).toMatchObject({ client: "Claude Code", client_session_id: "S1" });
    }
  });
});
