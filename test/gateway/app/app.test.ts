import { PRICE_VERSION } from "../../../src/shared/prices/price-table.ts";
import { describe, expect, it } from "vitest";
import type { RecordsService } from "../../../src/events/records-service.ts";
import type { Deps } from "../../../src/gateway/app/deps.ts";
import { ByteBudget, emptyHolding } from "../../../src/shared/byte-budget.ts";
import { ROUTE_PREFIXES } from "../../../src/shared/http/target.ts";
import { Refusal, REFUSALS, type RefusalCode } from "../../../src/shared/refusal.ts";
import type { Dialect } from "../../../src/gateway/provider/provider.ts";
import { createDeps, registry } from "../../../src/gateway/wiring.ts";
import {
  checkPairs,
  CANARIES,
  configOf,
  ID,
  disconnectsBeforeHeaders,
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
import { isAtRoot, samplePath } from "../../support/dialects.ts";
import { fixture } from "../../support/in-workerd/fixtures.ts";
import { EMPTY_REPLAY_CACHE } from "../../support/in-workerd/signing.ts";
import { drain, upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { CODER_AGENTS_UA, OWNER, text, utf8 } from "../../support/in-workerd/values.ts";
import { until, within } from "../../support/in-workerd/waiting.ts";

const CHAT_ID = "0a0a0a0a-0000-4000-8000-00000000000a";
const WORKSPACE_ID = "0b0b0b0b-0000-4000-8000-00000000000b";
const NOT_DELEGATED = { delegated_key_id: null, delegated_source: null, claimed_ids: null };
const NO_CODER_IDS = { chat_id: null, subchat_id: null, workspace_id: null, ...NOT_DELEGATED };
const NO_ERROR = { error: null, error_message: null };
const NO_CONTENT = { tool_call_count: 0, thought_count: 0 };
const AT = (ms: number): string => new Date(T0 + ms).toISOString();

const NO_HINTS = {
  earlier_prompt_count: 0,
  prompt_hashes: [],
  earlier_prompt_hashes: [],
  agent_id: null,
  parent_agent_id: null,
  client_prompt_id: null,
  request_class: null,
  end_user: null,
  request_encoding: null,
  delegation_chain: [],
};
const NO_NETWORK = { client_country: null, client_ray: null, client_ip: null };
/** Of the test's requests and configuration: incident.test.ts has their values. */
const STARTED_UNDER = {
  request_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
  config_version: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
  ...NO_NETWORK,
};
const NOT_HASHED = { upload_sha256: null, response_sha256: null };

describe("the events of one interception", () => {
  it("of Coder Agents for an owner, with a central key and a JSON response", async () => {
    const gateway: Gateway = await openGateway({
      provider: () => {
        gateway.clock.at += 40;
        return json(fixture("chat/json").bytes, {
          headers: { "x-request-id": "req_1", "set-cookie": "a=1" },
        });
      },
    });
    const { response, bytes, events } = await gateway.exchange(
      CENTRAL_CHAT,
      post(BODY, {
        ...AGENTS,
        "x-coder-owner-id": OWNER.toUpperCase(),
        "x-coder-chat-id": CHAT_ID,
        "x-coder-workspace-id": WORKSPACE_ID,
      }),
    );
    const principals = {
      actor_id: "ci-bot",
      actor_kind: "service",
      initiator_id: OWNER,
      attribution: "asserted",
      identity_source: "keys",
      initiator_source: "coder",
      // printf %s aei_CANARY-client-key-0123456789 | sha256sum
      api_key_id: "2f9492882e36c476",
    };
    const clientFields = { client: "Coder Agents", user_agent: CODER_AGENTS_UA, client_session_id: CHAT_ID };
    const coder = { chat_id: CHAT_ID, subchat_id: null, workspace_id: WORKSPACE_ID, ...NOT_DELEGATED };
    const call = {
      provider: "central",
      provider_type: "openai",
      route: "/chat/completions",
      model: "gpt-4o",
      streaming: false,
      credential_kind: "centralized",
      credential_hint: "sk-c...cdef",
      started_at: AT(0),
      worker_version: null,
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
        ...principals,
        owner_id: OWNER,
        owner_username: null,
        rule: "any",
        signature: "off",
        directory: "off",
        candidates: [
          { who: "owner", id: OWNER, rejection_reason: null },
          { who: "actor", id: "ci-bot", rejection_reason: "overridden" },
        ],
        ...clientFields,
        ...coder,
        provider: "central",
        created_at: AT(0),
        delegation_chain: [],
      },
      {
        record_type: "interception_start",
        interception_id: ID,
        ...principals,
        ...clientFields,
        ...coder,
        ...call,
        // A20: the name is the actor's, never the owner's.
        metadata: { actor_name: "CI bot" },
        initiator_name: null,
        flags: [],
        correlating_tool_call_id: null,
        thread_parent_id: null,
        thread_root_id: null,
        prompt_count: 1,
        ...NO_HINTS,
        ...STARTED_UNDER,
        client_kind: "agent",
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
        raw_usage: expect.any(String) as string,
      },
      {
        record_type: "interception_end",
        interception_id: ID,
        ...principals,
        ...clientFields,
        ...coder,
        ...call,
        outcome: "completed",
        status: 200,
        finish_reason: "stop",
        ...NO_ERROR,
        ...NO_CONTENT,
        ...tokens,
        usage: "final",
        usage_invalid: false,
        observation: "complete",
        msg_id: "chatcmpl-CfA1b2C3d4E5f6G7h8I9j0K1",
        response_model: "gpt-4o-2024-08-06",
        service_tier: "default",
        speed: null,
        inference_geo: null,
        reported_cost: null,
        cost_micros: 183,
        cost_source: "computed",
        price_version: PRICE_VERSION,
        response_bytes: fixture("chat/json").bytes.length,
        first_byte_ms: 40,
        duration_ms: 40,
        ended_at: AT(40),
        provider_request_id: "req_1",
        provider_ray: null,
        response_encoding: null,
        usage_opt_in: null,
        own_key_rejected: false,
        ...NOT_HASHED,
      },
    ]);
    expect(bytes).toEqual(fixture("chat/json").bytes);
    expect([...response.headers]).toEqual([
      ["cache-control", "private, no-store"],
      ["content-length", String(bytes.length)],
      ["content-type", "application/json"],
      ["x-content-type-options", "nosniff"],
      ["x-interception-id", ID],
      ["x-request-id", "req_1"],
    ]);
    expect(gateway.operatorErrors).toEqual([]);
    expect(gateway.sent).toHaveLength(1);
    const [sent] = gateway.sent;
    expect(sent?.url).toBe("https://central.example/v1/chat/completions");
    expect(text(sent?.body ?? new Uint8Array())).toBe(BODY);
    expect([...(sent?.headers ?? [])]).toEqual([
      ["accept-encoding", "identity"],
      ["authorization", `Bearer ${CANARIES.centralKey}`],
      ["content-type", "application/json"],
      ["user-agent", CODER_AGENTS_UA],
      ["via", "1.1 ai-edge-interceptor"],
      ["x-real-ip", "192.0.2.1"],
    ]);
  });

  it("of an unknown client with its own key and a streamed response", async () => {
    const { bytes: upstreamBytes, text: upstreamText } = fixture("messages/cache");
    const gateway: Gateway = await openGateway({
      provider: () => {
        gateway.clock.at += 65;
        return sse(wholeBody(upstreamBytes), { headers: { "request-id": "req_2" } });
      },
    });
    const {
      response,
      text: clientText,
      events,
    } = await gateway.exchange(
      "/anthropic/v1/messages?beta=true",
      post(MESSAGES_BODY, { "x-api-key": CANARIES.ownKey, "anthropic-version": "2023-06-01" }),
    );
    const principals = {
      actor_id: "byok:35394ca1cef557f8732235c2823860c2",
      actor_kind: "unknown",
      initiator_id: "byok:35394ca1cef557f8732235c2823860c2",
      attribution: "unverified",
      identity_source: "byok",
      initiator_source: "byok",
      api_key_id: "35394ca1cef557f8",
    };
    const clientFields = { client: "Unknown", user_agent: null, client_session_id: null };
    const call = {
      provider: "anthropic",
      provider_type: "anthropic",
      route: "/v1/messages",
      model: "claude-opus-4-6",
      streaming: true,
      credential_kind: "byok",
      credential_hint: "sk...ef",
      started_at: AT(0),
      worker_version: null,
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
        ...principals,
        ...clientFields,
        ...NO_CODER_IDS,
        ...call,
        metadata: {},
        initiator_name: null,
        flags: [],
        correlating_tool_call_id: null,
        thread_parent_id: null,
        thread_root_id: null,
        prompt_count: 0,
        ...NO_HINTS,
        ...STARTED_UNDER,
        client_kind: null,
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
        raw_usage: expect.any(String) as string,
      },
      {
        record_type: "interception_end",
        interception_id: ID,
        ...principals,
        ...clientFields,
        ...NO_CODER_IDS,
        ...call,
        outcome: "completed",
        status: 200,
        finish_reason: "end_turn",
        ...NO_ERROR,
        ...NO_CONTENT,
        ...tokens,
        usage: "final",
        usage_invalid: false,
        observation: "complete",
        msg_id: "msg_01XFDUDYJgAACzvnptvVoYEL",
        response_model: "claude-opus-4-6-20260205",
        service_tier: "standard",
        speed: null,
        inference_geo: null,
        reported_cost: null,
        cost_micros: 26_645,
        cost_source: "computed",
        price_version: PRICE_VERSION,
        response_bytes: upstreamBytes.length,
        first_byte_ms: 65,
        duration_ms: 65,
        ended_at: AT(65),
        provider_request_id: "req_2",
        provider_ray: null,
        response_encoding: null,
        usage_opt_in: null,
        own_key_rejected: false,
        ...NOT_HASHED,
      },
    ]);
    expect(clientText).toBe(upstreamText);
    expect(response.headers.get("request-id")).toBe("req_2");
    const [sent] = gateway.sent;
    expect(sent?.url).toBe("https://api.anthropic.example/v1/messages?beta=true");
    expect(sent?.headers.get("x-api-key")).toBe(CANARIES.ownKey);
    expect(sent?.headers.get("anthropic-version")).toBe("2023-06-01");
    expect(text(sent?.body ?? new Uint8Array())).toBe(MESSAGES_BODY);
  });

  it("with a response that reports no usage have no token_usage, and null for each figure", async () => {
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

  it("requests usage where the client did not, records it, and removes the usage event from the response", async () => {
    const { bytes, text: upstreamText } = fixture("chat/plain");
    const gateway = await openGateway({
      provider: () => sse(wholeBody(bytes), { headers: { "content-length": "5" } }),
    });
    const {
      text: clientText,
      response,
      events,
    } = await gateway.exchange("/openai/v1/chat/completions", post(STREAM_BODY));
    expect(text(gateway.sent[0]?.body ?? new Uint8Array())).toBe(
      STREAM_BODY.replace("{", '{"stream_options":{"include_usage":true},'),
    );
    expect(upstreamText).toMatch(usageChunk);
    expect(clientText).toBe(upstreamText.replace(usageChunk, ""));
    expect(response.headers.has("content-length")).toBe(false);
    expect(only(events, "token_usage")).toMatchObject({
      input_tokens: 19,
      output_tokens: 10,
      usage: "final",
    });
  });

  it.each([
    [
      "the client requests usage itself",
      STREAM_BODY.replace("{", '{"stream_options":{"include_usage":true},'),
      {},
    ],
    ["inject_usage is off", STREAM_BODY, { ...PROVIDERS.openai, inject_usage: false }],
  ])("changes neither request nor response where %s", async (_, body, openai) => {
    const { bytes, text: upstreamText } = fixture("chat/plain");
    const vars = { PROVIDERS: { ...PROVIDERS, openai: { ...PROVIDERS.openai, ...openai } } };
    const gateway = await openGateway({ vars, provider: () => sse(wholeBody(bytes)) });
    const { text: clientText, events } = await gateway.exchange("/openai/v1/chat/completions", post(body));
    expect(text(gateway.sent[0]?.body ?? new Uint8Array())).toBe(body);
    expect(clientText).toBe(upstreamText);
    expect(only(events, "token_usage").usage).toBe("final");
  });

  it("does not change requests for JSON responses or to other APIs", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    await gateway.exchange("/openai/v1/chat/completions", post(BODY));
    await gateway.exchange("/openai/v1/responses", post(STREAM_BODY));
    await gateway.exchange("/anthropic/v1/messages", post(MESSAGES_BODY));
    expect(gateway.sent.map(({ body }) => text(body))).toEqual([BODY, STREAM_BODY, MESSAGES_BODY]);
  });
});

type Refused = {
  readonly reason: RefusalCode;
  readonly path?: string;
  readonly init?: RequestInit;
  readonly setup?: Setup;
  /** Further fields of the refusal event. */
  readonly event?: Record<string, unknown>;
  readonly param?: string;
};

const routeOf = (path: string) => ({
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

/** Refusals before an interception begins: nothing is fetched, and the refusal is the only event. */
const EARLY_REFUSALS: readonly Refused[] = [
  { reason: "loop", init: post(BODY, { ...OWN_KEY, via: "1.1 ai-edge-interceptor" }) },
  { reason: "not_found", path: "/nothing", init: post(BODY) },
  { reason: "not_found", path: "/openai/v1/fine_tuning/jobs", init: { headers: OWN_KEY } },
  { reason: "bad_path", path: "/openai/v1/models/%2fx", init: { headers: OWN_KEY } },
  { reason: "url_too_long", path: `${CHAT}?q=${"x".repeat(17_000)}`, init: post(BODY) },
  {
    reason: "method_not_allowed",
    path: CHAT,
    init: { headers: OWN_KEY },
    event: { ...routeOf(CHAT), client: null },
  },
  {
    reason: "websocket_unsupported",
    path: "/openai/v1/responses",
    init: { headers: { ...OWN_KEY, upgrade: "websocket" } },
    event: { ...routeOf("/openai/v1/responses"), client: null },
  },
  { reason: "credential_missing", path: CHAT, init: post(BODY, {}), event: { ...routeOf(CHAT), ...UNKNOWN } },
  {
    reason: "credential_malformed",
    path: CHAT,
    init: post(BODY, { authorization: "Basic CANARY" }),
    event: { ...routeOf(CHAT), ...UNKNOWN, detail: "Authorization" },
  },
  {
    reason: "invalid_credential",
    path: CHAT,
    init: post(BODY, { authorization: "Bearer aei_unknown" }),
    event: {
      ...routeOf(CHAT),
      ...UNKNOWN,
      detail: "no such client key",
      api_key_id: expect.stringMatching(/^[0-9a-f]{16}$/),
    },
  },
  {
    reason: "invalid_credential",
    path: CHAT,
    init: post(BODY, { ...OWN_KEY, "x-coder-ai-governance-token": "CANARY-wrong" }),
    event: { ...routeOf(CHAT), ...UNKNOWN, api_key_id: expect.stringMatching(/^[0-9a-f]{16}$/) },
  },
  {
    reason: "byok_not_accepted",
    path: CENTRAL_CHAT,
    init: post(BODY),
    event: {
      ...routeOf(CENTRAL_CHAT),
      ...UNKNOWN,
      actor_id: "byok:35394ca1cef557f8732235c2823860c2",
      actor_kind: "unknown",
      identity_source: "byok",
      api_key_id: expect.stringMatching(/^[0-9a-f]{16}$/),
    },
  },
  {
    reason: "provider_key_missing",
    path: CHAT,
    init: post(BODY, CLIENT_KEY),
    event: {
      ...routeOf(CHAT),
      ...UNKNOWN,
      actor_id: "ci-bot",
      actor_kind: "service",
      identity_source: "keys",
      api_key_id: expect.stringMatching(/^[0-9a-f]{16}$/),
      actor_verified: true,
    },
  },
];

const BYOK_PRINCIPALS = {
  actor_id: "byok:35394ca1cef557f8732235c2823860c2",
  actor_kind: "unknown",
  initiator_id: "byok:35394ca1cef557f8732235c2823860c2",
  identity_source: "byok",
  initiator_source: "byok",
};
/** As a refusal records it. */
const BYOK_CALLER = { ...BYOK_PRINCIPALS, api_key_id: "35394ca1cef557f8" };

/** Refusals of the body: the caller is known already. */
const BODY_REFUSALS: readonly Refused[] = [
  { reason: "body_encoded", init: post(BODY, { ...OWN_KEY, "content-encoding": "gzip, br" }) },
  {
    reason: "body_encoding_invalid",
    init: post(BODY, { ...OWN_KEY, "content-encoding": "gzip" }),
    event: { detail: "not a gzip header" },
  },
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
  (one) =>
    ({
      ...one,
      path: CHAT,
      event: { ...routeOf(CHAT), ...UNKNOWN, ...BYOK_CALLER, ...one.event },
    }) as Refused,
);

describe("refusals before an interception begins", () => {
  it.each([...EARLY_REFUSALS, ...BODY_REFUSALS].map((one) => [one.reason, one] as const))(
    "%s responds in the dialect with both headers, records one event and fetches nothing",
    async (reason, { path = CHAT, init, setup, event, param = null }) => {
      const gateway = await openGateway(setup);
      const { response, text: body, events } = await gateway.exchange(path, init);
      const [status, message] = REFUSALS[reason];
      expect(response.status).toBe(status);
      expect(response.headers.get("x-interceptor-error")).toBe(reason);
      expect(response.headers.get("x-interception-id")).toBe(ID);
      expect(response.headers.get("x-should-retry")).toBe(new Refusal(reason).isFinal ? "false" : null);
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
          actor_kind: null,
          initiator_id: null,
          created_at: AT(0),
          worker_version: null,
          identity_source: null,
          initiator_source: null,
          api_key_id: null,
          actor_verified: false,
          ...NO_NETWORK,
          object_ids: [],
          ...event,
        },
      ]);
      expect(gateway.sent).toEqual([]);
      expect(gateway.operatorErrors).toEqual([]);
    },
  );

  it("F13 gateway_busy says when to retry", async () => {
    const used = new ByteBudget(4, () => T0);
    used.resize(emptyHolding(), 1, 1);
    const bodies = { ...createDeps(await configOf({})).bodies, budget: used };
    const gateway = await openGateway({ parts: { bodies } });
    for (const path of [CHAT, "/anthropic/v1/messages", "/openai/v1/files"]) {
      const init = post(BODY, { ...OWN_KEY, "content-length": String(BODY.length) });
      const { response, events } = await gateway.exchange(path, init);
      expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([503, "gateway_busy"]);
      expect(response.headers.get("retry-after")).toBe("2");
      expect(only(events, "refusal")).toMatchObject({ reason: "gateway_busy", ...BYOK_CALLER });
      const isPassthrough = path.endsWith("/files");
      expect(typesOf(events)).toEqual([
        ...(isPassthrough ? ["passthrough_start", "passthrough"] : []),
        "refusal",
      ]);
    }
  });

  it("D15 are in the route's dialect also with an invalid body", async () => {
    const gateway = await openGateway();
    const { response, text: body } = await gateway.exchange("/anthropic/v1/messages", post("no json"));
    expect(response.status).toBe(400);
    expect(JSON.parse(body)).toEqual({
      type: "error",
      error: {
        type: "invalid_request_error",
        message:
          "The request body must be a JSON object in UTF-8, within the limits of depth and number of values.",
      },
      request_id: ID,
    });
  });

  it.each([
    [CHAT, "POST"],
    ["/openai/v1/models", "GET, HEAD, DELETE"],
    ["/openai/v1/files", "GET, HEAD, POST, PUT, PATCH, DELETE"],
  ])("D7 405 on %s lists exactly the accepted methods in Allow", async (path, allowed) => {
    const { response } = await (await openGateway()).exchange(path, { method: "OPTIONS", headers: OWN_KEY });
    expect(response.status).toBe(405);
    const listed = (response.headers.get("allow") ?? "").split(",").map((method) => method.trim());
    expect(listed.toSorted()).toEqual(allowed.split(", ").toSorted());
  });

  it("D16 426 names HTTP/1.1 in Upgrade", async () => {
    const gateway = await openGateway();
    const init = { headers: { ...OWN_KEY, upgrade: "websocket" } };
    const { response } = await gateway.exchange("/openai/v1/responses", init);
    expect(response.status).toBe(426);
    expect(response.headers.get("upgrade")).toBe("HTTP/1.1");
  });
});

/** A probe is a passthrough whose HEAD is not forwarded. */
function kindOf(route: Dialect["routes"][number]): string {
  if (route.kind === "intercept") return route.kind;
  return route.isProbe ? "probe" : route.listsModels ? "models" : route.kind;
}

/** Every route of every dialect, by every path: below a provider's name or at the root, with and without Coder's prefixes. */
const EVERY_PATH = ["", ...ROUTE_PREFIXES]
  .flatMap((prefix) =>
    registry.dialects.flatMap(({ type, mount, routes }) =>
      routes.flatMap((route) => {
        const below = route.kind === "passthrough" && route.below && !route.path.endsWith("/*");
        const paths = [samplePath(route.path).replace("/*", "/x"), ...(below ? [`${route.path}/x`] : [])];
        return paths.flatMap((path) =>
          [`/${type}`, ...(isAtRoot({ mount }) ? [""] : [])].map(
            (name) => [kindOf(route), `${prefix}${name}${mount}${path}`] as const,
          ),
        );
      }),
    ),
  )
  // At the root two dialects may have the same path.
  .filter(([, path], index, all) => all.findIndex((one) => one[1] === path) === index);

function methodsFor(kind: string): readonly string[] {
  if (kind === "intercept") return ["POST"];
  if (kind === "models") return ["GET", "HEAD", "DELETE"];
  return ["GET", ...(kind === "probe" ? [] : ["HEAD"]), "POST", "PUT", "PATCH", "DELETE"];
}
const initFor = (method: string, headers: Record<string, string>): RequestInit =>
  method === "POST" ? post(BODY, headers) : { method, headers };

/** Runs the check for every path. The failure names each path that fails, and why. */
async function forEveryPath(check: (kind: string, path: string) => Promise<void>): Promise<void> {
  const failures: string[] = [];
  for (const [kind, path] of EVERY_PATH) {
    await check(kind, path).catch(
      (error: unknown) => void failures.push(`${kind} ${path}: ${String(error)}`),
    );
  }
  expect(failures).toEqual([]);
}

describe("D12 every route of every dialect", () => {
  it("is in the list of paths, under each prefix", () => {
    const paths = EVERY_PATH.map(([, path]) => path);
    for (const { type, mount, routes } of registry.dialects) {
      for (const { path } of routes) {
        const named = `/${type}${mount}${samplePath(path).replace("/*", "/x")}`;
        const expected = ["", ...ROUTE_PREFIXES].map((prefix) => `${prefix}${named}`);
        expect(paths.filter((one) => expected.includes(one))).toHaveLength(expected.length);
      }
    }
    expect(paths.length).toBeGreaterThan(100);
  });

  it("responds 401 without a credential, by every method, and fetches nothing", () =>
    forEveryPath(async (kind, path) => {
      const gateway = await openGateway();
      for (const method of methodsFor(kind)) {
        const { response, events } = await gateway.exchange(path, initFor(method, {}));
        expect([method, response.status, typesOf(events)]).toEqual([method, 401, ["refusal"]]);
      }
      expect(gateway.sent).toEqual([]);
    }));

  it("passes identity, initiator and policy", () =>
    forEveryPath(async (kind, path) => {
      const policyRequests: unknown[] = [];
      const policy: Deps["policies"][number] = (request) => {
        policyRequests.push([request.actorId, request.initiatorId]);
        return new Refusal("model_not_allowed");
      };
      const gateway = await openGateway({ parts: { policies: [policy] } });
      const headers = { ...OWN_KEY, "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": OWNER };
      const methods = methodsFor(kind);
      for (const method of methods) {
        const { response, events } = await gateway.exchange(path, initFor(method, headers));
        expect([method, response.status]).toEqual([method, 403]);
        expect(only(events, "initiator_override").initiator_id).toBe(OWNER);
      }
      expect(policyRequests).toEqual(methods.map(() => [BYOK_PRINCIPALS.actor_id, OWNER]));
      expect(gateway.sent).toEqual([]);
    }));

  it("refuses an unsigned owner with signature = require", () =>
    forEveryPath(async (kind, path) => {
      const signing = { signature: "require", signing_keys: ["SIGNING_KEY"] };
      const vars = {
        OWNER_ASSERTION: signing,
        SIGNING_KEY: "s-secret-0123456789-abcdefghijklmn",
        NONCES: EMPTY_REPLAY_CACHE,
      };
      const gateway = await openGateway({ vars });
      const headers = { ...OWN_KEY, "user-agent": CODER_AGENTS_UA, "x-coder-owner-id": OWNER };
      for (const method of methodsFor(kind)) {
        const { response } = await gateway.exchange(path, initFor(method, headers));
        expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
          401,
          "signature_required",
        ]);
      }
      expect(gateway.sent).toEqual([]);
    }));

  it("refuses an unknown gateway key, regardless of other credentials", () =>
    forEveryPath(async (kind, path) => {
      const gateway = await openGateway({
        vars: { DELEGATION: { keys: ["GATEWAY_KEY"] }, GATEWAY_KEY: "g-secret-0123456789-abcdefghijklmn" },
      });
      const headers = { ...OWN_KEY, "x-coder-ai-gateway-key": "h-secret-0123456789-abcdefghijklmn" };
      for (const method of methodsFor(kind)) {
        const { response } = await gateway.exchange(path, initFor(method, headers));
        expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
          401,
          "delegation_rejected",
        ]);
      }
      expect(gateway.sent).toEqual([]);
    }));
});

const exchangeAndEnd = async (setup: Setup, path = CHAT, init = post(BODY)) => {
  const gateway = await openGateway(setup);
  const exchange = await gateway.exchange(path, init);
  return { gateway, ...exchange, end: only(exchange.events, "interception_end") };
};

/** A policy and an identity source that throw. The errors' message must not reach the client or the operator. */
const brokenPolicy: Deps["policies"][number] = () => {
  throw new RangeError(CANARIES.prompt);
};
const brokenSource = (): never => {
  throw new SyntaxError(CANARIES.prompt);
};

describe("an interception that is refused or fails", () => {
  it("D14 J5 by policy has a start and an end as refused, and nothing is fetched", async () => {
    const vars = { PROVIDERS: { openai: { ...PROVIDERS.openai, models: [] } } };
    const { response, events, end, gateway } = await exchangeAndEnd({ vars });
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
    expect(gateway.sent).toEqual([]);
  });

  it("G1 by a fetch that throws is E502, upstream_error", async () => {
    const {
      response,
      events,
      end,
      text: body,
    } = await exchangeAndEnd({
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

  it("G1 by a fetch that rejects without an error is E502", async () => {
    const { response, events } = await exchangeAndEnd({ provider: () => Promise.reject() });
    expect(response.status).toBe(502);
    expect(only(events, "refusal").detail).toBe("unknown");
  });

  it("G2 by headers that do not arrive is E504, and the upstream is aborted", async () => {
    const { response, end, gateway } = await exchangeAndEnd({
      vars: { LIMITS: { headers_ms: 1 } },
      provider: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("aborted")));
        }),
    });
    expect(response.status).toBe(504);
    expect(gateway.sent[0]?.signal.aborted).toBe(true);
    expect(end).toMatchObject({ outcome: "upstream_error", status: 504, error: "upstream_timeout" });
  });

  it.each([301, 302, 303, 307, 308])(
    "D10 by a redirect with %i is E502, without a second fetch",
    async (status) => {
      const { response, end, gateway } = await exchangeAndEnd({
        provider: () => new Response(null, { status, headers: { location: "https://evil.example/CANARY" } }),
      });
      expect(response.status).toBe(502);
      expect(response.headers.get("location")).toBeNull();
      expect(gateway.sent).toHaveLength(1);
      expect(end).toMatchObject({ outcome: "upstream_error", error: "upstream_redirected" });
    },
  );

  it("C17 by a provider error that contains the central key is E502 without the key", async () => {
    const { response, end, events } = await exchangeAndEnd(
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

  it("by an error of the gateway is E500, refused; the operator reads no more than the error's name", async () => {
    const {
      response,
      events,
      end,
      gateway,
      text: body,
    } = await exchangeAndEnd({ parts: { policies: [brokenPolicy] } });
    expect(response.status).toBe(500);
    expect(JSON.parse(body)).toEqual({
      error: {
        message: "The gateway failed. Report the interception id to the gateway's administrator.",
        type: "server_error",
        param: null,
        code: "internal",
      },
    });
    expect(typesOf(events)).toEqual(["interception_start", "interception_end", "refusal"]);
    expect(end).toMatchObject({ outcome: "refused", status: 500, error: "internal" });
    expect(gateway.operatorErrors).toEqual([
      { event: "request_failed", interception_id: ID, error: "RangeError" },
    ]);
    expect(gateway.sent).toEqual([]);
  });

  it("by an error of the gateway before an interception begins is E500, with a refusal event only", async () => {
    const gateway = await openGateway({
      sources: [{ verifies: true, recognizes: () => false, identify: brokenSource }],
    });
    const { response, events } = await gateway.exchange(CHAT, post(BODY));
    expect(response.status).toBe(500);
    expect(typesOf(events)).toEqual(["refusal"]);
    expect(gateway.operatorErrors).toEqual([
      { event: "request_failed", interception_id: ID, error: "SyntaxError" },
    ]);
  });

  it.each([400, 401, 403, 404, 429, 500, 503, 529])(
    "G7 by the provider's own %i keeps status, body and headers",
    async (status) => {
      const upstreamBytes = fixture("chat/json-error").bytes;
      const headers = {
        "retry-after": "7",
        "x-should-retry": "false",
        "x-ratelimit-remaining-requests": "0",
      };
      const { response, bytes, events, end } = await exchangeAndEnd({
        provider: () => json(upstreamBytes, { status, headers }),
      });
      expect(response.status).toBe(status);
      expect(bytes).toEqual(upstreamBytes);
      expect(Object.fromEntries(response.headers)).toMatchObject(headers);
      expect(response.headers.get("x-interceptor-error")).toBeNull();
      expect(typesOf(events)).toEqual(["interception_start", "interception_end"]);
      expect(end).toMatchObject({ outcome: "upstream_error", status, error: "tokens" });
    },
  );

  it.each(["application/json", "text/event-stream", "text/html"])(
    "G7 G10 by the provider's own 503 in %s keeps status, body and headers, also with the central key",
    async (type) => {
      const upstreamBytes = utf8('data: {"error":{"type":"overloaded"}}\n\n');
      const { bytes, response, end } = await exchangeAndEnd(
        {
          provider: () =>
            new Response(wholeBody(upstreamBytes), {
              status: 503,
              headers: { "content-type": type, "retry-after": "1" },
            }),
        },
        CENTRAL_CHAT,
        post(BODY, CLIENT_KEY),
      );
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(bytes).toEqual(upstreamBytes);
      expect(end).toMatchObject({ outcome: "upstream_error", status: 503 });
    },
  );

  it("by a stream that breaks off is truncated, and the client's stream breaks off too", async () => {
    const { broken, end } = await exchangeAndEnd({
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
  const gateway = await openGateway({ vars, provider: chatResponse });
  return (await gateway.exchange(CENTRAL_CHAT, post(BODY, headers))).events;
};

/** `value_sha256` with this key of the deployment. */
const hashOf = async (key: string | null): Promise<string> => {
  const vars = key === null ? {} : { END_USER_KEY: key, RECORDING: { end_user_key: "END_USER_KEY" } };
  const all = await eventsOf({ ...AGENTS, "x-coder-owner-id": "not-a-uuid" }, vars);
  return only(all, "initiator_override_rejected").value_sha256;
};

describe("the initiator", () => {
  const OWNED = { ...AGENTS, "x-coder-owner-id": OWNER };

  it("A3 has no override event without an owner header", async () => {
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
  ])("%s: is the actor, and the rejection is recorded", async (_, headers, vars, reason) => {
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

  // The attack: a reader of the records hashes every user's name, and finds which one a rejected header had.
  it("Finding L9: the rejected value's hash has the deployment's key where there is one", async () => {
    const [none, one, other] = [
      null,
      "CANARY-key-one-0123456789abcdefghi",
      "CANARY-key-two-0123456789abcdefghi",
    ];
    const hashes = [await hashOf(none), await hashOf(one), await hashOf(other), await hashOf(one)];
    for (const hash of hashes) expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(hashes[0]).toBe("2184a32a3bae6ad7");
    expect(new Set(hashes).size).toBe(3);
    expect(hashes[3]).toBe(hashes[1]);
  });

  it("A14 the rejection event has the value's length and hash only", async () => {
    const all = await eventsOf({ ...AGENTS, "x-coder-owner-id": "not-a-uuid", "x-coder-chat-id": CHAT_ID });
    expect(only(all, "initiator_override_rejected")).toEqual({
      record_type: "initiator_override_rejected",
      interception_id: ID,
      actor_id: "ci-bot",
      actor_kind: "service",
      initiator_id: "ci-bot",
      attribution: "authenticated",
      identity_source: "keys",
      initiator_source: "keys",
      api_key_id: "2f9492882e36c476",
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
      delegation_chain: [],
    });
  });

  it.each([
    ["A5", OWNED, { allow: "off" }, "not_permitted"],
    ["A6", { ...OWNED, "user-agent": "curl/8" }, {}, "client"],
    ["A10", { ...AGENTS, "x-coder-owner-id": "CANARY" }, {}, "form"],
  ])(
    "%s with on_invalid = reject is E400, with the rejection and the refusal as events, and nothing is fetched",
    async (_, headers, rules, reason) => {
      const gateway = await openGateway({ vars: { OWNER_ASSERTION: { ...rules, on_invalid: "reject" } } });
      const { response, text: body, events: all } = await gateway.exchange(CENTRAL_CHAT, post(BODY, headers));
      expect(response.status).toBe(400);
      expect(response.headers.get("x-interceptor-error")).toBe("owner_rejected");
      expect(JSON.parse(body)).toMatchObject({ error: { message: REFUSALS.owner_rejected[1] } });
      expect(typesOf(all)).toEqual(["initiator_override_rejected", "refusal"]);
      expect(only(all, "refusal")).toMatchObject({
        detail: reason,
        actor_id: "ci-bot",
        initiator_id: "ci-bot",
      });
      expect(gateway.sent).toEqual([]);
    },
  );

  it("A1 is a valid owner with on_invalid = reject too", async () => {
    const all = await eventsOf(OWNED, { OWNER_ASSERTION: { on_invalid: "reject" } });
    expect(only(all, "initiator_override").initiator_id).toBe(OWNER);
  });

  it("A17 is not read from X_Coder_Owner_Id", async () => {
    const all = await eventsOf({ ...AGENTS, x_coder_owner_id: OWNER });
    expect(only(all, "interception_start").initiator_id).toBe("ci-bot");
  });

  it("A18 is the owner although Connection names X-Coder-Owner-Id", async () => {
    const all = await eventsOf({ ...OWNED, connection: "X-Coder-Owner-Id" });
    expect(only(all, "initiator_override").owner_id).toBe(OWNER);
  });

  it("A21 is the owner although the other ids are malformed and dropped", async () => {
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
  it("is forwarded and recorded by its start and its end, and its body is not parsed", async () => {
    const upstreamBytes = utf8('{"object":"list","data":[],"usage":{"prompt_tokens":5}}');
    const gateway: Gateway = await openGateway({
      provider: () => {
        gateway.clock.at += 30;
        return json(upstreamBytes, { headers: { "x-request-id": "r", "set-cookie": "a=1" } });
      },
    });
    const { response, bytes, events } = await gateway.exchange("/openai/v1/models/gpt-4o?limit=5", {
      headers: { ...OWN_KEY, "user-agent": "curl/8" },
    });
    expect(bytes).toEqual(upstreamBytes);
    expect(response.headers.get("x-request-id")).toBe("r");
    expect(response.headers.has("set-cookie")).toBe(false);
    expect(gateway.sent[0]).toMatchObject({
      url: "https://api.openai.example/v1/models/gpt-4o?limit=5",
      method: "GET",
    });
    const shared = {
      interception_id: ID,
      ...BYOK_PRINCIPALS,
      actor_kind: "unknown",
      attribution: "unverified",
      identity_source: "byok",
      initiator_source: "byok",
      api_key_id: "35394ca1cef557f8",
      client: "Unknown",
      user_agent: "curl/8",
      client_session_id: null,
      ...NO_CODER_IDS,
      method: "GET",
      provider: "openai",
      provider_type: "openai",
      route: "/models",
      started_at: AT(0),
      worker_version: null,
    };
    expect(events).toEqual([
      {
        record_type: "passthrough_start",
        ...shared,
        metadata: {},
        initiator_name: null,
        config_version: STARTED_UNDER.config_version,
        ...NO_NETWORK,
      },
      {
        record_type: "passthrough",
        ...shared,
        outcome: "completed",
        status: 200,
        error: null,
        duration_ms: 30,
        usage_of: null,
        result_count: 0,
        input_tokens: null,
        output_tokens: null,
        cache_read_input_tokens: null,
        cache_write_input_tokens: null,
        created_at: AT(30),
        provider_request_id: "r",
        provider_ray: null,
        response_encoding: null,
        own_key_rejected: false,
        object_ids: ["gpt-4o"],
        request_sha256: null,
      },
    ]);
  });

  it.each([0, 1, 1024 * 1024])(
    "F1 forwards a body of %i bytes unchanged, with and without a length",
    async (size) => {
      const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 167) % 256);
      const gateway = await openGateway({ provider: chatResponse });
      await gateway.exchange("/openai/v1/files", post(bytes, { ...OWN_KEY, "content-length": String(size) }));
      await gateway.exchange("/openai/v1/files", post(wholeBody(...(size > 0 ? [bytes] : []))));
      expect(gateway.sent.map(({ body }) => body)).toEqual([bytes, bytes]);
    },
  );

  it.each([
    ["by its declared length", { "content-length": "11" }],
    ["counted while reading", {}],
  ])("F2 is refused with a body over the limit, %s", async (_, headers) => {
    const gateway = await openGateway({ vars: { LIMITS: { body_bytes: 10 } } });
    const { response, events } = await gateway.exchange(
      "/openai/v1/files",
      post("x".repeat(11), { ...OWN_KEY, ...headers }),
    );
    expect(response.status).toBe(413);
    expect(typesOf(events)).toEqual(["passthrough_start", "passthrough", "refusal"]);
    expect(only(events, "passthrough")).toMatchObject({
      outcome: "refused",
      status: 413,
      error: "body_too_large",
    });
    expect(gateway.sent).toEqual([]);
  });

  const LISTED = { PROVIDERS: { ...PROVIDERS, openai: { ...PROVIDERS.openai, models: ["gpt-4o"] } } };
  const modelRoutes = routesThat("named");

  it.each(routesThat("hidden"))(
    "D14 POST %s runs models that its body does not name, so a model list refuses it",
    async (path) => {
      const models = { models: ["gpt-4o"] };
      const vars = {
        PROVIDERS: {
          openai: { ...PROVIDERS.openai, ...models },
          anthropic: { ...PROVIDERS.anthropic, ...models },
          azure: { ...PROVIDERS.azure, ...models },
        },
      };
      const gateway = await openGateway({ vars, provider: chatResponse });
      // The attack: an allowed model at the top level, another one nested.
      const body = '{"model":"gpt-4o","requests":[{"params":{"model":"o9"}}]}';
      const { response } = await gateway.exchange(path, { method: "POST", body, headers: OWN_KEY });
      expect(response.status).toBe(403);
      expect(gateway.sent).toEqual([]);
    },
  );

  it.each(modelRoutes)("D14 POST %s runs a model, so a model list applies to it", async (path) => {
    const models = { models: ["gpt-4o"] };
    const vars = {
      PROVIDERS: {
        openai: { ...PROVIDERS.openai, ...models },
        anthropic: { ...PROVIDERS.anthropic, ...models },
        azure: { ...PROVIDERS.azure, ...models },
      },
    };
    const gateway = await openGateway({ vars, provider: chatResponse });
    const status = async (body: BodyInit | null): Promise<number> =>
      (await gateway.exchange(path, { method: "POST", body, headers: OWN_KEY })).response.status;
    expect(await status('{"model":"gpt-4o"}')).toBe(200);
    // A request to cancel has no body and runs no model.
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
    expect(gateway.sent.map(({ body }) => text(body))).toEqual(['{"model":"gpt-4o"}', ""]);
  });

  it("D14 does not parse its body without a model list", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    for (const path of modelRoutes) await gateway.exchange(path, post("no json"));
    expect(gateway.sent.map(({ body }) => text(body))).toEqual(modelRoutes.map(() => "no json"));
  });

  it.each(["/openai/v1/files", "/openai/v1/responses/resp_1"])(
    "D14 may read and delete %s regardless of a model list",
    async (path) => {
      const gateway = await openGateway({ vars: LISTED, provider: chatResponse });
      expect((await gateway.exchange(path, { headers: OWN_KEY })).response.status).toBe(200);
      expect((await gateway.exchange(path, { method: "DELETE", headers: OWN_KEY })).response.status).toBe(
        200,
      );
    },
  );

  it.each([
    ["GET", { "content-length": "5" }],
    ["HEAD", { "content-length": "1" }],
    ["GET", { "transfer-encoding": "chunked" }],
  ])("is refused with 400 on a %s that declares a body by %j", async (method, headers) => {
    const gateway = await openGateway();
    const { response } = await gateway.exchange("/openai/v1/models", {
      method,
      headers: { ...OWN_KEY, ...headers },
    });
    expect(response.status).toBe(400);
    expect(response.headers.get("x-interceptor-error")).toBe("body_unexpected");
    expect(gateway.sent).toEqual([]);
  });

  it("is forwarded on a GET with Content-Length: 0", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const headers = { ...OWN_KEY, "content-length": "0" };
    expect((await gateway.exchange("/openai/v1/models", { headers })).response.status).toBe(200);
  });

  it("F10 is refused as body_incomplete where the client disconnects while it sends the body", async () => {
    for (const [length, detail] of [
      ["100000", null],
      ["1000000", "while it was forwarded"],
    ] as const) {
      const client = upstreamBody();
      client.send(new Uint8Array(65_536));
      const gateway = await openGateway();
      const pending = gateway.exchange(
        "/openai/v1/files",
        post(client.stream, { ...OWN_KEY, "content-length": length }),
      );
      await until(client.isConsumed, "the bytes being consumed");
      client.fail();
      const { response, events } = await pending;
      expect(response.status).toBe(400);
      expect(only(events, "refusal")).toMatchObject({ reason: "body_incomplete", detail });
    }
  });

  it("F12 is refused as body_timeout where the client stops sending, with a refusal that names its caller", async () => {
    for (const [length, detail] of [
      ["100000", /^not complete after \d+ ms$/],
      ["1000000", /^after 65536 bytes$/],
    ] as const) {
      const client = upstreamBody();
      client.send(new Uint8Array(65_536));
      const gateway = await openGateway({
        vars: { LIMITS: { body_ms: 50, body_min_rate: 10 * 1024 * 1024 } },
      });
      const init = post(client.stream, { ...OWN_KEY, "content-length": length });
      const pending = gateway.exchange("/openai/v1/files", init);
      await until(client.isConsumed, "the bytes being consumed");
      gateway.clock.at += 1000;
      const { response, events } = await pending;
      expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([408, "body_timeout"]);
      expect(response.headers.get("x-should-retry")).toBeNull();
      expect(typesOf(events)).toEqual(["passthrough_start", "passthrough", "refusal"]);
      expect(only(events, "passthrough")).toMatchObject({ outcome: "refused", error: "body_timeout" });
      expect(only(events, "refusal")).toMatchObject({
        reason: "body_timeout",
        status: 408,
        detail: expect.stringMatching(detail),
        provider: "openai",
        route: "/files",
        ...BYOK_PRINCIPALS,
      });
    }
  });

  it("G1 D10 ends as upstream_error, with the refusal, where the fetch fails", async () => {
    for (const [provider, error] of [
      [() => Promise.reject(new Error("x")), "upstream_unreachable"],
      [() => Response.redirect("https://evil.example"), "upstream_redirected"],
    ] as const) {
      const { response, events } = await (
        await openGateway({ provider })
      ).exchange("/openai/v1/models", { headers: OWN_KEY });
      expect(response.status).toBe(502);
      expect(typesOf(events)).toEqual(["passthrough_start", "passthrough", "refusal"]);
      expect(only(events, "passthrough")).toMatchObject({ outcome: "upstream_error", status: 502, error });
    }
  });

  it("G7 returns the provider's error, and the event has its status", async () => {
    const gateway = await openGateway({ provider: () => json("{}", { status: 404 }) });
    const { response, events } = await gateway.exchange("/openai/v1/models/none", { headers: OWN_KEY });
    expect(response.status).toBe(404);
    expect(only(events, "passthrough")).toMatchObject({ outcome: "upstream_error", status: 404 });
  });

  it("E10 G22 is recorded once, as 499, where the client disconnects before the headers", async () => {
    const client = new AbortController();
    const gateway = await openGateway({ provider: disconnectsBeforeHeaders(client) });
    const { response, events } = await gateway.exchange("/openai/v1/models", {
      headers: OWN_KEY,
      signal: client.signal,
    });
    expect(response.status).toBe(499);
    expect(typesOf(events)).toEqual(["passthrough_start", "passthrough"]);
    expect(only(events, "passthrough")).toMatchObject({ outcome: "cancelled", status: 499 });
  });
});

describe("a client that disconnects", () => {
  it("G22 before the headers aborts the upstream: one end, cancelled, without a status", async () => {
    const client = new AbortController();
    const gateway = await openGateway({ provider: disconnectsBeforeHeaders(client) });
    const { response, events } = await gateway.exchange(CHAT, { ...post(BODY), signal: client.signal });
    expect(response.status).toBe(499);
    expect(gateway.sent[0]?.signal.aborted).toBe(true);
    expect(typesOf(events)).toEqual(["interception_start", "interception_end"]);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "cancelled",
      status: null,
      error: null,
      usage: "unknown",
    });
  });

  it("before its request is handled causes no fetch", async () => {
    const gateway = await openGateway();
    const { events } = await gateway.exchange(CHAT, { ...post(BODY), signal: AbortSignal.abort() });
    expect(gateway.sent).toEqual([]);
    expect(only(events, "interception_end")).toMatchObject({ outcome: "cancelled", status: null });
  });

  it.each([
    ["teed", "/anthropic/v1/messages", MESSAGES_BODY, "messages/cut"],
    ["coalesced", CHAT, STREAM_BODY, "chat/usage-beside-content-cut"],
  ])("G23 in a %s stream aborts the upstream: one end, with partial usage", async (_, path, body, name) => {
    const client = new AbortController();
    const upstream = upstreamBody();
    const gateway = await openGateway({ provider: ({ signal }) => sse(upstream.failOnAbort(signal).stream) });
    const { response, settled } = await gateway.call(path, { ...post(body), signal: client.signal });
    upstream.send(fixture(name).bytes);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    client.abort();
    expect(gateway.sent[0]?.signal.aborted).toBe(true);
    await settled();
    checkPairs(gateway.events);
    expect(only(gateway.events, "interception_end")).toMatchObject({
      outcome: "cancelled",
      status: 200,
      usage: "partial",
    });
    expect(only(gateway.events, "token_usage").usage).toBe("partial");
  });

  it("while the provider's error is searched for the central key is cancelled, not an upstream error", async () => {
    const client = new AbortController();
    const upstream = upstreamBody();
    const gateway = await openGateway({
      provider: ({ signal }) => {
        upstream.send('{"error":');
        setTimeout(() => client.abort(), 0);
        return new Response(upstream.failOnAbort(signal).stream, { status: 500 });
      },
    });
    const { events } = await gateway.exchange(CENTRAL_CHAT, {
      ...post(BODY, CLIENT_KEY),
      signal: client.signal,
    });
    expect(only(events, "interception_end").outcome).toBe("cancelled");
  });

  it("G27 in the same tick as the stream's end causes one end", async () => {
    const client = new AbortController();
    const upstream = upstreamBody();
    const gateway = await openGateway({ provider: ({ signal }) => sse(upstream.failOnAbort(signal).stream) });
    const { response, settled } = await gateway.call(CHAT, { ...post(STREAM_BODY), signal: client.signal });
    const drained = drain(response.body);
    upstream.send(fixture("chat/plain").bytes);
    await until(upstream.isConsumed, "the bytes being consumed");
    upstream.end();
    client.abort();
    await drained;
    await settled();
    checkPairs(gateway.events);
    expect(["completed", "cancelled"]).toContain(only(gateway.events, "interception_end").outcome);
  });
});

describe("H1 H7 sinks that fail and are not required", () => {
  const throwing = {
    kind: "immediate" as const,
    name: "broken",
    write: () => {
      throw new TypeError(CANARIES.prompt);
    },
  };
  const rejecting = {
    kind: "awaited" as const,
    name: "down",
    required: false,
    write: () => Promise.reject(new RangeError(CANARIES.prompt)),
  };

  it("affect neither the response nor the other sinks, and are logged once per request each", async () => {
    const gateway = await openGateway({ sinks: [throwing, rejecting], provider: chatResponse });
    const { response, bytes, events } = await gateway.exchange(CHAT, post(BODY));
    expect(response.status).toBe(200);
    expect(bytes).toEqual(fixture("chat/json").bytes);
    expect(typesOf(events)).toEqual(["interception_start", "token_usage", "interception_end"]);
    expect(gateway.operatorErrors).toEqual([
      { event: "sink_failed", sink: "broken", interception_id: ID, error: "TypeError" },
      { event: "sink_failed", sink: "down", interception_id: ID, error: "RangeError" },
    ]);
  });

  it("affect no stream, refusal or passthrough either", async () => {
    const gateway = await openGateway({
      sinks: [throwing, rejecting],
      provider: ({ url }) =>
        url.endsWith("/models") ? chatResponse() : sse(wholeBody(fixture("chat/plain").bytes)),
    });
    expect((await gateway.exchange(CHAT, post(STREAM_BODY))).text).toContain("data: [DONE]");
    expect((await gateway.exchange(CHAT, post("no json"))).response.status).toBe(400);
    expect((await gateway.exchange("/openai/v1/models", { headers: OWN_KEY })).response.status).toBe(200);
    expect(gateway.operatorErrors).toHaveLength(6);
  });

  it("delay no response where a sink never settles", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const hanging = { kind: "awaited", name: "slow", required: false, write: () => promise } as const;
    const gateway = await openGateway({ sinks: [hanging], provider: chatResponse });
    const { response } = await gateway.call(CHAT, post(BODY));
    expect((await within(drain(response.body), "the response")).bytes).toEqual(fixture("chat/json").bytes);
    resolve();
  });
});

describe("the gateway's own responses", () => {
  it("include GET /healthz, without a credential, an event or a fetch", async () => {
    const gateway = await openGateway();
    const { response, text: body, events } = await gateway.exchange("/healthz");
    expect([response.status, body]).toEqual([200, "ok\n"]);
    expect(events).toEqual([]);
  });

  it.each(["POST", "DELETE"])("refuse %s /healthz", async (method) => {
    const { response } = await (await openGateway()).exchange("/healthz", { method, headers: OWN_KEY });
    expect(response.status).toBe(404);
  });

  it.each(["/", "/openai", "/anthropic/", "/api/v2/ai-gateway", "/api/v2/aibridge/anthropic", "/nothing"])(
    "include HEAD %s, a base URL, without a credential",
    async (path) => {
      const gateway = await openGateway();
      const { response, events } = await gateway.exchange(path, { method: "HEAD" });
      expect(response.status).toBe(200);
      expect(events).toEqual([]);
      expect(gateway.sent).toEqual([]);
    },
  );

  // The attack: a caller without a credential tries names, to learn which providers there are.
  it("Finding L8: are the same for HEAD of a provider's name and of any other", async () => {
    const gateway = await openGateway();
    const probe = async (path: string): Promise<unknown> => {
      const { response } = await gateway.exchange(path, { method: "HEAD" });
      return [response.status, [...response.headers].filter(([name]) => name !== "x-interception-id")];
    };
    for (const end of ["", "/", "/v1"])
      expect(await probe(`/openai${end}`)).toEqual(await probe(`/nothing${end}`));
  });

  it.each([
    ["HEAD", "/nothing/x"],
    ["POST", "/"],
    ["GET", "/openai"],
    ["HEAD", "/openai/v1/api/hello"],
  ])("do not include %s %s", async (method, path) => {
    expect((await (await openGateway()).exchange(path, { method })).response.status).toBe(404);
  });

  // Claude Code sends it when it starts, without a credential.
  it.each(["/api/hello", "/anthropic/api/hello", "/api/v2/ai-gateway/anthropic/api/hello"])(
    "include HEAD %s, with or without a credential",
    async (path) => {
      const gateway = await openGateway();
      for (const headers of [{}, OWN_KEY, { authorization: "Bearer aei_unknown" }]) {
        const { response, text: body, events } = await gateway.exchange(path, { method: "HEAD", headers });
        expect([response.status, body, events]).toEqual([200, "", []]);
      }
      expect(gateway.sent).toEqual([]);
    },
  );

  it("do not include GET /api/hello, which goes to the provider", async () => {
    const gateway = await openGateway({ provider: () => json("{}") });
    await gateway.exchange("/api/hello", { headers: OWN_KEY });
    expect(gateway.sent[0]).toMatchObject({ url: "https://api.anthropic.example/api/hello", method: "GET" });
  });
});

const SESSIONS = "/api/v2/ai-gateway/sessions";

/** A records Worker with this `fetch`. */
function fakeRecords(fetch: RecordsService["fetch"]): { parts: Partial<Deps>; requests: Request[] } {
  const requests: Request[] = [];
  const records: RecordsService = {
    fetch: async (request) => {
      requests.push(request);
      return fetch(request);
    },
    store: () => Promise.reject(new Error("nothing is stored here")),
    spendOf: () => Promise.resolve(null),
    authorize: () => Promise.resolve({ code: "admin_only", data: { detail: "another token" } }),
  };
  return { parts: { records }, requests };
}

const fromRecords = (init: ResponseInit = {}): Response =>
  Response.json({ count: 0 }, { ...init, headers: { "x-interception-id": ID, etag: '"1"' } });

describe("the records API on the gateway's host", () => {
  it("forwards path, query, method and headers to the records Worker unchanged, without an event or a fetch", async () => {
    const { parts, requests } = fakeRecords(async () => fromRecords());
    const gateway = await openGateway({ parts });
    const path = `${SESSIONS}?limit=5&q=a%20b`;
    const { response, text: body, events } = await gateway.exchange(path, { headers: CLIENT_KEY });
    expect([response.status, body]).toEqual([200, '{"count":0}']);
    expect(response.headers.get("etag")).toBe('"1"');
    expect(requests.map(({ method, url }) => [method, new URL(url).pathname + new URL(url).search])).toEqual([
      ["GET", path],
    ]);
    expect(requests[0]?.headers.get("authorization")).toBe(CLIENT_KEY.authorization);
    expect(events).toEqual([]);
    expect(gateway.sent).toEqual([]);
  });

  it.each(["GET", "HEAD", "POST", "DELETE", "OPTIONS"])(
    "forwards %s and leaves it to the API",
    async (method) => {
      const { parts, requests } = fakeRecords(async () => fromRecords());
      await (await openGateway({ parts })).exchange(`${SESSIONS}/some-id`, { method });
      expect(requests.map((request) => request.method)).toEqual([method]);
    },
  );

  it("returns the API's refusal as it is, and records no second event", async () => {
    const headers = { "x-interception-id": ID, "x-interceptor-error": "admin_only" };
    const { parts } = fakeRecords(async () => Response.json({ message: "no" }, { status: 401, headers }));
    const { response, text: body, events } = await (await openGateway({ parts })).exchange(SESSIONS);
    expect([response.status, body]).toEqual([401, '{"message":"no"}']);
    expect(response.headers.get("x-interceptor-error")).toBe("admin_only");
    expect(events).toEqual([]);
  });

  it("responds 503 in the API's error form where no records Worker is bound", async () => {
    const { response, text: body, events } = await (await openGateway()).exchange(SESSIONS);
    expect([response.status, JSON.parse(body)]).toEqual([503, { message: REFUSALS.records_unavailable[1] }]);
    expect(typesOf(events)).toEqual(["refusal"]);
  });

  it("responds 404 where FORWARD_API is off, and does not call the records Worker", async () => {
    const { parts, requests } = fakeRecords(async () => fromRecords());
    const gateway = await openGateway({ parts, vars: { FORWARD_API: false } });
    for (const path of [SESSIONS, "/api/v2/aibridge/explain"])
      expect((await gateway.exchange(path, { method: "POST" })).response.status).toBe(404);
    expect(requests).toEqual([]);
  });

  // The attack: a Host header or an escape makes a provider's route look like the API's, or the reverse.
  it("is reached by the real path only", async () => {
    const { parts, requests } = fakeRecords(async () => fromRecords());
    const gateway = await openGateway({ parts });
    for (const path of [
      "/api/v2/ai-gateway/%73essions",
      "/api/v2/ai-gateway//sessions",
      "/api/v2/ai-gateway/x%2fsessions",
      "/sessions",
    ])
      expect([path, (await gateway.exchange(path)).response.status]).toEqual([path, 404]);
    expect([requests, gateway.sent]).toEqual([[], []]);
  });

  it.each([
    [`${SESSIONS}/%2e%2e`, 404],
    [`${SESSIONS}//x`, 404],
    [`${SESSIONS}?q=${"x".repeat(17_000)}`, 414],
  ])("D3 D13 refuses %.50s before the records Worker sees it", async (path, status) => {
    const { parts, requests } = fakeRecords(async () => fromRecords());
    expect((await (await openGateway({ parts })).exchange(path)).response.status).toBe(status);
    expect(requests).toEqual([]);
  });

  it("leaves the providers' routes under the same prefix to the providers", async () => {
    const { parts, requests } = fakeRecords(async () => fromRecords());
    const gateway = await openGateway({ parts, provider: chatResponse });
    const { response } = await gateway.exchange(`/api/v2/ai-gateway${CHAT}`, post(BODY));
    expect(response.status).toBe(200);
    expect(requests).toEqual([]);
    expect(gateway.sent).toHaveLength(1);
  });

  it("is E500 where the records Worker fails; the operator reads no more than the error's name", async () => {
    const { parts } = fakeRecords(() => Promise.reject(new RangeError(CANARIES.prompt)));
    const gateway = await openGateway({ parts });
    const { response, text: body, events } = await gateway.exchange(SESSIONS);
    expect([response.status, JSON.parse(body)]).toEqual([500, { message: REFUSALS.internal[1] }]);
    expect(typesOf(events)).toEqual(["refusal"]);
    expect(gateway.operatorErrors).toEqual([
      { event: "request_failed", interception_id: ID, error: "RangeError" },
    ]);
  });
});

describe("the forwarded request", () => {
  it.each([
    [
      "numbers beyond 2^53 and unusual white space",
      '{ "model" :"gpt-4o",\t"seed":9007199254740993 , "x":1.0e+2}\n',
    ],
    ["escapes and key order", '{"z":"\\u00fc\\/","model":"gpt-4o","a":"ü"}'],
    ["repeated keys that the gateway does not check", '{"model":"gpt-4o","x":1,"x":2}'],
    ["D8 a base URL of its own", '{"model":"gpt-4o","api_base":"https://evil.example","base_url":"x"}'],
    ["F5 __proto__", '{"model":"gpt-4o","__proto__":{"stream":true}}'],
  ])("F1 F11 has the same bytes and the provider's own host with %s", async (_, body) => {
    const gateway = await openGateway({ provider: chatResponse });
    await gateway.exchange(CHAT, post(body));
    await gateway.exchange(CHAT, post(wholeBody(utf8(body))));
    expect(gateway.sent.map((sent) => text(sent.body))).toEqual([body, body]);
    expect(gateway.sent.map(({ url }) => new URL(url).origin)).toEqual(
      Array(2).fill("https://api.openai.example"),
    );
  });

  it("F1 has the same bytes with a body of 1 MiB", async () => {
    const body = `{"model":"gpt-4o","messages":["${"ü".repeat(512 * 1024)}"]}`;
    const gateway = await openGateway({ provider: chatResponse });
    await gateway.exchange(CHAT, post(body));
    expect(text(gateway.sent[0]?.body ?? new Uint8Array())).toBe(body);
  });

  it("D9 has the provider's own URL although headers name other hosts", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    await gateway.exchange(
      CHAT,
      post(BODY, {
        ...OWN_KEY,
        "x-forwarded-host": "evil.example",
        forwarded: "host=evil.example",
        "x-portkey-custom-host": "https://evil.example",
        "x-original-url": "https://evil.example/",
      }),
    );
    expect(gateway.sent.map(({ url }) => url)).toEqual(["https://api.openai.example/v1/chat/completions"]);
  });

  it("has the client's own key, and not the governance token", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const { events } = await gateway.exchange(
      CHAT,
      post(BODY, { ...OWN_KEY, "x-coder-ai-governance-token": CANARIES.clientKey }),
    );
    expect(gateway.sent[0]?.headers.get("authorization")).toBe(`Bearer ${CANARIES.ownKey}`);
    expect(only(events, "interception_start")).toMatchObject({ actor_id: "ci-bot", credential_kind: "byok" });
  });

  it.each([
    ["00000000", "CENTRAL_KEY"],
    ["55555555", "CENTRAL_KEY"],
    ["55555556", "KEY_2"],
    ["ffffffff", "KEY_3"],
  ])("has one of several central keys at random: %s selects %s", async (random, name) => {
    const keys: Record<string, string> = { KEY_2: "sk-second", KEY_3: "sk-third" };
    const central = { ...PROVIDERS.central, keys: ["CENTRAL_KEY", "KEY_2", "KEY_3"] };
    const gateway = await openGateway({
      vars: { PROVIDERS: { ...PROVIDERS, central }, ...keys },
      provider: chatResponse,
      parts: { randomUuid: () => `${random}-89ab-4abc-8def-0123456789ab` },
    });
    await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect(gateway.sent[0]?.headers.get("authorization")).toBe(`Bearer ${keys[name] ?? CANARIES.centralKey}`);
  });

  it("has its model recorded as written, truncated to 256 characters", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const { events } = await gateway.exchange(CHAT, post(`{"model":" GPT${"x".repeat(300)}"}`));
    expect(only(events, "interception_start").model).toBe(` GPT${"x".repeat(252)}`);
  });

  it("has its model truncated before a surrogate pair, not inside it", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const { events } = await gateway.exchange(CHAT, post(`{"model":"${"x".repeat(255)}😀"}`));
    expect(only(events, "interception_start").model).toBe("x".repeat(255));
  });

  it("has its session id recorded from Claude Code's body", async () => {
    const gateway = await openGateway({ provider: () => json(fixture("messages/json").bytes) });
    const { events } = await gateway.exchange(
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
