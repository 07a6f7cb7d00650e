/** Checks the responses over rows in D1 against the OpenAPI document. */
import { Validator, type Schema } from "@cfworker/json-schema";
import { beforeAll, describe, expect, it } from "vitest";
import type { LedgerAccess } from "../../../src/events/event.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { toDocument } from "../../../src/records/api/kit/openapi.ts";
import { fetchApi, fetchOk, part } from "../../support/in-workerd/api-client.ts";
import {
  ALICE,
  anomaly,
  BOB,
  budgetEvent,
  idAt,
  insert,
  interception,
  iso,
  modelThought,
  override,
  passthrough,
  refusal,
  unauthenticatedEvent,
  upstreamAttempt,
  refusalCount,
  T0,
  tokenUsage,
  toolUsage,
  used,
  userPrompt,
  VERIFIED,
} from "../../support/in-workerd/api-rows.ts";
import { ACCESS } from "../../support/in-workerd/events.ts";
import { emptySealedLedger, seal, storeSealed } from "../../support/in-workerd/sealed-ledger.ts";

const DAY = 86_400_000;

/** Rows with every field, and rows with every optional field absent. */
const first = interception(T0, { ...used(), client_session_id: "s", chat_id: ALICE, workspace_id: ALICE });
const second = interception(T0 + 1000, {
  client_session_id: "s",
  thread_root_id: String(first["id"]),
  thread_parent_id: String(first["id"]),
  correlating_tool_call_id: "toolu_0",
});
const third = interception(T0 + 2000, {
  client_session_id: "s",
  agent_id: "a",
  parent_agent_id: "b",
  request_class: "review",
  model: null,
  outcome: null,
  ended_at: null,
  usage: null,
});
const other = interception(T0 - 40 * DAY, {
  initiator_id: BOB,
  actor_id: "coder-agents",
  attribution: "asserted",
  client: "Coder Agents",
  provider: "openai",
  provider_type: "openai",
  model: "gpt",
  outcome: "upstream_error",
  chat_id: BOB,
  workspace_id: BOB,
  metadata: null,
  api_key_id: null,
  credential_hint: null,
  user_agent: null,
});
const others = interception(T0 - DAY, {
  ...other,
  ...used({ usage_metadata: "{}" }),
  client_session_id: "t",
  id: idAt(T0 - DAY),
  started_at: iso(T0 - DAY),
});
/** Its initiator is the first by key, and not by requests. */
const least = interception(T0 - 2 * DAY, { initiator_id: "0", client_session_id: "0" });

/** Two runs of the cron and a read, which are sealed. */
const ACCESSES: readonly LedgerAccess[] = [
  { ...ACCESS, interception_id: idAt(T0), created_at: iso(T0) },
  { ...ACCESS, interception_id: idAt(T0 - DAY), created_at: iso(T0 - DAY) },
  {
    ...ACCESS,
    interception_id: idAt(T0 - 2 * DAY),
    action: "purge",
    by: "cron",
    target: "user_prompts",
    created_at: iso(T0 - 2 * DAY),
  },
];

beforeAll(async () => {
  const database = await emptySealedLedger();
  await storeSealed(database, ACCESSES);
  await seal(database);
  await insert("interceptions", [first, second, third, other, others, least]);
  await insert("token_usages", [tokenUsage(others, { metadata: "{}" })]);
  await insert("user_prompts", [userPrompt(first, "Hi")]);
  await insert("tool_usages", [
    toolUsage(first, 0),
    toolUsage(second, 0, { input: null, provider_tool_call_id: null }),
  ]);
  await insert("model_thoughts", [modelThought(first, 0, "hm")]);
  await insert("upstream_attempts", [
    upstreamAttempt(first, 0),
    upstreamAttempt(first, 1, { reason: "used", status: 200, cost_micros: null }),
    upstreamAttempt(second, 0, { provider: "azure", key_hint: null, reason: "busy", status: null }),
  ]);
  await insert("anomalies", [anomaly(T0), anomaly(T0 - 5 * DAY, { subject: ALICE, details: "{}" })]);
  await insert("passthroughs", [
    passthrough(T0),
    passthrough(T0 - DAY, {
      initiator_id: BOB,
      actor_id: "coder-agents",
      attribution: "asserted",
      client: "Coder Agents",
      provider: "openai",
      provider_type: "openai",
      route: "/files",
      method: "DELETE",
      chat_id: BOB,
      workspace_id: BOB,
      outcome: "upstream_error",
      status: 404,
      user_agent: null,
    }),
    // An end and a start alone.
    passthrough(T0 - 2 * DAY, { api_key_id: null, metadata: null }),
    passthrough(T0 + 1000, {
      outcome: null,
      status: null,
      duration_ms: null,
      ended_at: null,
      result_count: null,
    }),
  ]);
  await insert("initiator_overrides", [
    override(T0),
    override(T0 - DAY, {
      accepted: 0,
      owner_id: null,
      actor_id: "bot",
      initiator_id: "bot",
      reason: "form",
      value_length: 3,
      value_sha256: "00",
      provider: "azure",
    }),
  ]);
  await insert("refusals", [refusal(T0), refusal(T0 - DAY, { ...VERIFIED, provider: "azure" })]);
  await insert("budget_events", [
    budgetEvent(T0),
    budgetEvent(
      T0 - DAY,
      {
        rule: "rate:burst:requests",
        subject_source: "keys",
        subject_id: BOB,
        initiator_id: BOB,
        actor_id: "bot",
        measure: "requests",
      },
      3,
    ),
    budgetEvent(
      T0 - 2 * DAY,
      { initiator_id: null, actor_id: null, change: "top_up", changed_by: "console:Ada" },
      4,
    ),
  ]);
  await insert("unauthenticated_events", [
    unauthenticatedEvent(T0),
    unauthenticatedEvent(T0 - DAY, {
      reason: "wrong",
      mac_key_id: "0123abcd",
      record_type: "refusal",
      via: "p",
    }),
  ]);
  await insert("refusal_counts", [
    refusalCount(T0, 7),
    refusalCount(T0 - 2 * DAY, 1, { reason: "not_found", provider: null }),
  ]);
});

type Operation = { readonly responses: Readonly<Record<string, { readonly content: unknown }>> };
const document = JSON.parse(JSON.stringify(toDocument(ENDPOINTS))) as {
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>;
  readonly components: unknown;
};

/** The violations of the document's schema; empty where the body conforms. */
function violations(path: string, status: number, body: unknown): string[] {
  const schema = part(
    document.paths,
    path,
    "get",
    "responses",
    status,
    "content",
    "application/json",
    "schema",
  );
  const withComponents = { ...(schema as Schema), components: document.components } as Schema;
  const { errors } = new Validator(withComponents, "2020-12", false).validate(body);
  return errors.map(({ instanceLocation, error }) => `${instanceLocation} ${error}`);
}

const pathOf = (path: string, id = "s"): string =>
  path.replace("{session_id}", id).replace("{event_id}", eventId(ACCESSES[0] ?? ACCESS));

/** The GET endpoints. The gateway serves the endpoint with a body. */
const READING = ENDPOINTS.filter(({ isOfGateway }) => !isOfGateway);

describe("responses and the OpenAPI document", () => {
  it.each(READING.map(({ path }) => path))("agree for %s", async (path) => {
    expect(violations(path, 200, await fetchOk(pathOf(path)))).toEqual([]);
  });

  it("agree without content, for every single session, empty lists and empty pages", async () => {
    for (const path of ["/sessions", "/sessions/s", "/interceptions", "/unauthenticated-events"]) {
      const schema = path === "/sessions/s" ? "/sessions/{session_id}" : path;
      expect(violations(schema, 200, await fetchOk(`${path}?content=false`))).toEqual([]);
    }
    for (const id of ["s", "t", String(other["id"]), String(first["id"])])
      expect(violations("/sessions/{session_id}", 200, await fetchOk(`/sessions/${id}`))).toEqual([]);
    for (const path of ["/sessions", "/interceptions", "/usage", "/attribution"])
      expect(violations(path, 200, await fetchOk(`${path}?model=none`))).toEqual([]);
    const past = await fetchOk(`/sessions/s?after_id=${idAt(T0 + DAY)}`);
    expect(violations("/sessions/{session_id}", 200, past)).toEqual([]);
    const pastAgents = await fetchOk(`/sessions/s/agents?after_id=${idAt(T0 + DAY)}`);
    expect(violations("/sessions/{session_id}/agents", 200, pastAgents)).toEqual([]);
    expect(violations("/usage", 200, await fetchOk("/usage?group_by=model"))).toEqual([]);
  });

  it.each<[number, string, Parameters<typeof fetchApi>[1]]>([
    [400, "?limit=0", {}],
    [400, "?no_such=1", {}],
    [401, "", { headers: {} }],
    [404, "/no/such", {}],
    [405, "", { method: "POST" }],
    [503, "", { database: null }],
  ])("agree for refusals: %i", async (status, query, options) => {
    const response = await fetchApi(`/usage${query}`, options);
    expect(response.status).toBe(status);
    expect(violations("/usage", status, response.json)).toEqual([]);
  });

  it("disagree for an extra field, a missing field, and a field of another type (self-check)", async () => {
    const body = (await fetchOk("/usage")) as Record<string, unknown>;
    const { group_by: _, ...less } = body;
    expect(violations("/usage", 200, { ...body, more: 1 })).not.toEqual([]);
    expect(violations("/usage", 200, less)).not.toEqual([]);
    expect(violations("/usage", 200, { ...body, started_after: "yesterday" })).not.toEqual([]);
  });
});

/** For each parameter of each endpoint, a value that changes the response. */
const TRAITS = {
  initiator: BOB,
  initiator_source: "coder",
  identity_source: "byok",
  actor: "coder-agents",
  client: "Coder Agents",
  provider: "openai",
  provider_name: "openai",
  provider_type: "openai",
  model: "gpt",
  attribution: "asserted",
  outcome: "upstream_error",
  session_id: "t",
  chat_id: BOB,
  workspace_id: BOB,
};
const SPAN = { started_after: iso(T0 + 1), started_before: iso(T0 - DAY) };
/** Of the only session with its id. */
const OF_SESSION = {
  initiator: ALICE,
  initiator_source: "keys",
  attribution: "authenticated",
  actor: ALICE,
  identity_source: "keys",
};
const HIDDEN = { content: "false" };
const LIST = { limit: "1", offset: "1", after_id: idAt(T0) };
const CHANGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "/sessions": { ...TRAITS, ...SPAN, ...LIST, after_session_id: "s", q: "model:gpt", ...HIDDEN },
  "/sessions/{session_id}": {
    limit: "1",
    after_id: idAt(T0),
    before_id: idAt(T0 + 2000),
    ...OF_SESSION,
    ...HIDDEN,
  },
  "/sessions/{session_id}/agents": { limit: "1", after_id: idAt(T0), ...OF_SESSION },
  "/interceptions": {
    ...TRAITS,
    id: idAt(T0),
    api_key_id: "none",
    request_sha256: "none",
    ...SPAN,
    ...LIST,
    q: "model:gpt",
    ...HIDDEN,
  },
  "/overrides": {
    actor: "bot",
    identity_source: "byok",
    initiator_source: "byok",
    owner: ALICE,
    initiator: "bot",
    accepted: "true",
    reason: "form",
    provider: "azure",
    api_key_id: "none",
    ...SPAN,
    ...LIST,
  },
  "/passthroughs": {
    initiator: BOB,
    initiator_source: "coder",
    actor: "coder-agents",
    identity_source: "byok",
    client: "Coder Agents",
    provider: "openai",
    provider_name: "openai",
    provider_type: "openai",
    route: "/files",
    method: "DELETE",
    status: "404",
    attribution: "asserted",
    outcome: "upstream_error",
    chat_id: BOB,
    workspace_id: BOB,
    api_key_id: "none",
    object_id: "none",
    ...SPAN,
    ...LIST,
  },
  "/usage": {
    ...TRAITS,
    own_key_rejected: "true",
    ...SPAN,
    limit: "1",
    offset: "1",
    order: "key",
    group_by: "model",
    format: "csv",
  },
  "/spend": {
    ...TRAITS,
    own_key_rejected: "true",
    ...SPAN,
    limit: "1",
    offset: "1",
    group_by: "model",
    then_by: "day",
    format: "csv",
  },
  "/providers": {
    ...TRAITS,
    own_key_rejected: "true",
    ...SPAN,
    limit: "1",
    offset: "1",
    group_by: "provider",
    format: "csv",
  },
  "/attribution": { ...TRAITS, own_key_rejected: "true", ...SPAN, format: "csv" },
  "/anomalies": {
    kind: "actor_multiple_owners",
    subject: BOB,
    seen_after: iso(T0 + DAY),
    seen_before: iso(T0 - DAY),
    ...LIST,
  },
  "/refusals": {
    reason: "model_not_allowed",
    provider: "azure",
    initiator: ALICE,
    initiator_source: "coder",
    actor: ALICE,
    identity_source: "byok",
    api_key_id: "none",
    object_id: "none",
    verified: "false",
    ...SPAN,
    ...LIST,
  },
  "/unauthenticated-events": { reason: "wrong", record_type: "refusal", ...SPAN, ...LIST, ...HIDDEN },
  "/providers/attempts": {
    provider_name: "azure",
    limit: "1",
    offset: "1",
    ...SPAN,
    started_after: iso(T0 + DAY),
    format: "csv",
  },
  "/refusals/counts": {
    reason: "model_not_allowed",
    provider: "azure",
    per: "day",
    limit: "1",
    offset: "1",
    ...SPAN,
    started_after: iso(T0 + DAY),
    format: "csv",
  },
  "/accesses": { action: "purge", by: "cron", target: "user_prompts", ...SPAN, ...LIST },
  "/budgets/events": {
    type: "rate_limited",
    rule: "rate:burst:requests",
    subject_source: "keys",
    subject_id: BOB,
    initiator: BOB,
    actor: "bot",
    interception_id: idAt(T0),
    ...SPAN,
    ...LIST,
  },
  "/proof/{event_id}": {},
  "/checkpoint": { from: "1" },
  "/openapi.json": {},
};

/** Changes the response only where two sessions share an id. */
const NARROWS = new Set(
  Object.keys(OF_SESSION).flatMap((name) =>
    ["/sessions/{session_id}", "/sessions/{session_id}/agents"].map((path) => `${path} ${name}`),
  ),
);

/** Parameters that are accepted only together with another. */
const TOGETHER: Readonly<Record<string, string>> = {
  "/usage after_key": "order=key&after_key=u",
  "/usage after_source": "order=key&after_key=u&after_source=k",
  "/spend columns": "then_by=day&columns=focus&format=csv",
};

describe("every documented parameter", () => {
  it.each(READING.map(({ path, parameters }) => [path, Object.keys(parameters)] as const))(
    "of %s is accepted and changes the response",
    async (path, names) => {
      const changes = CHANGES[path] ?? {};
      const alone = names.filter((name) => TOGETHER[`${path} ${name}`] === undefined);
      expect(Object.keys(changes).toSorted()).toEqual(alone.toSorted());
      const before = await fetchApi(pathOf(path));
      for (const name of names) {
        const query = TOGETHER[`${path} ${name}`] ?? `${name}=${encodeURIComponent(changes[name] ?? "")}`;
        const { status, text } = await fetchApi(`${pathOf(path)}?${query}`);
        expect([name, status]).toEqual([name, 200]);
        expect([name, text === before.text]).toEqual([name, NARROWS.has(`${path} ${name}`)]);
      }
    },
  );
});
