/** What the document promises, held against real answers over rows in D1. */
import { Validator, type Schema } from "@cfworker/json-schema";
import { beforeAll, describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../../src/records/api/endpoints.ts";
import { toDocument } from "../../../src/records/api/kit/openapi.ts";
import { ask, good, part } from "../../support/in-workerd/api-client.ts";
import {
  ALICE,
  anomaly,
  BOB,
  emptyLedger,
  idAt,
  insert,
  interception,
  iso,
  modelThought,
  override,
  T0,
  tokenUsage,
  toolUsage,
  userPrompt,
} from "../../support/in-workerd/api-rows.ts";

const DAY = 86_400_000;

/** Everything there is, and everything that may be missing. */
const first = interception(T0, { client_session_id: "s", chat_id: ALICE, workspace_id: ALICE });
const second = interception(T0 + 1000, {
  client_session_id: "s",
  thread_root_id: String(first["id"]),
  thread_parent_id: String(first["id"]),
  correlating_tool_call_id: "toolu_0",
});
const third = interception(T0 + 2000, {
  client_session_id: "s",
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
  client_session_id: "t",
  id: idAt(T0 - DAY),
  started_at: iso(T0 - DAY),
});

beforeAll(async () => {
  await emptyLedger();
  await insert("interceptions", [first, second, third, other, others]);
  await insert("token_usages", [tokenUsage(first), tokenUsage(others, { metadata: "{}" })]);
  await insert("user_prompts", [userPrompt(first, "Hi")]);
  await insert("tool_usages", [
    toolUsage(first, 0),
    toolUsage(second, 0, { input: null, provider_tool_call_id: null }),
  ]);
  await insert("model_thoughts", [modelThought(first, 0, "hm")]);
  await insert("anomalies", [anomaly(T0), anomaly(T0 - 5 * DAY, { subject: ALICE, details: "{}" })]);
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
});

type Operation = { readonly responses: Readonly<Record<string, { readonly content: unknown }>> };
const document = JSON.parse(JSON.stringify(toDocument(ENDPOINTS))) as {
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>;
  readonly components: unknown;
};

/** What is wrong with an answer by the document; nothing where it is as promised. */
function wrong(path: string, status: number, body: unknown): string[] {
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
  const whole = { ...(schema as Schema), components: document.components } as Schema;
  const { errors } = new Validator(whole, "2020-12", false).validate(body);
  return errors.map(({ instanceLocation, error }) => `${instanceLocation} ${error}`);
}

const pathOf = (path: string, id = "s"): string => path.replace("{session_id}", id);

/** Those that are asked by GET; what is asked in a body has tests of its own. */
const READING = ENDPOINTS.filter(({ body }) => !body);

describe("answers are as the document says", () => {
  it.each(READING.map(({ path }) => path))("%s", async (path) => {
    expect(wrong(path, 200, await good(pathOf(path)))).toEqual([]);
  });

  it("of every session by itself, of empty lists and empty pages", async () => {
    for (const id of ["s", "t", String(other["id"]), String(first["id"])])
      expect(wrong("/sessions/{session_id}", 200, await good(`/sessions/${id}`))).toEqual([]);
    for (const path of ["/sessions", "/interceptions", "/usage", "/attribution"])
      expect(wrong(path, 200, await good(`${path}?model=none`))).toEqual([]);
    const past = await good(`/sessions/s?after_id=${idAt(T0 + DAY)}`);
    expect(wrong("/sessions/{session_id}", 200, past)).toEqual([]);
    expect(wrong("/usage", 200, await good("/usage?group_by=model"))).toEqual([]);
  });

  it.each<[number, string, Parameters<typeof ask>[1]]>([
    [400, "?limit=0", {}],
    [400, "?no_such=1", {}],
    [401, "", { headers: {} }],
    [404, "/no/such", {}],
    [405, "", { method: "POST" }],
    [503, "", { database: null }],
  ])("refusals too: %i", async (status, query, asking) => {
    const answer = await ask(`/usage${query}`, asking);
    expect(answer.status).toBe(status);
    expect(wrong("/usage", status, answer.json)).toEqual([]);
  });

  it("the check finds a field too many, one too few, and one of another type", async () => {
    const body = (await good("/usage")) as Record<string, unknown>;
    const { group_by: _, ...less } = body;
    expect(wrong("/usage", 200, { ...body, more: 1 })).not.toEqual([]);
    expect(wrong("/usage", 200, less)).not.toEqual([]);
    expect(wrong("/usage", 200, { ...body, started_after: "yesterday" })).not.toEqual([]);
  });
});

/** For each parameter of each endpoint, a query under which the answer is another one. */
const TRAITS = {
  initiator: BOB,
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
const LIST = { limit: "1", offset: "1", after_id: idAt(T0) };
const CHANGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "/sessions": { ...TRAITS, ...SPAN, ...LIST, after_session_id: "s", q: "model:gpt" },
  "/sessions/{session_id}": { limit: "1", after_id: idAt(T0), before_id: idAt(T0 + 2000), initiator: ALICE },
  "/interceptions": { ...TRAITS, ...SPAN, ...LIST, q: "model:gpt" },
  "/overrides": {
    actor: "bot",
    owner: ALICE,
    initiator: "bot",
    accepted: "true",
    reason: "form",
    provider: "azure",
    ...SPAN,
    ...LIST,
  },
  "/usage": { ...TRAITS, ...SPAN, limit: "1", group_by: "model", format: "csv" },
  "/attribution": { ...TRAITS, ...SPAN, format: "csv" },
  "/anomalies": {
    kind: "actor_multiple_owners",
    subject: BOB,
    seen_after: iso(T0 + DAY),
    seen_before: iso(T0 - DAY),
    ...LIST,
  },
  "/openapi.json": {},
};

/** Lets in what it names and changes nothing but where two sessions have one id. */
const NARROWS = new Set(["/sessions/{session_id} initiator"]);

describe("every documented parameter", () => {
  it.each(READING.map(({ path, parameters }) => [path, Object.keys(parameters)] as const))(
    "of %s is taken and changes the answer",
    async (path, names) => {
      const changes = CHANGES[path] ?? {};
      expect(Object.keys(changes).toSorted()).toEqual(names.toSorted());
      const before = await ask(pathOf(path));
      for (const name of names) {
        const query = `${name}=${encodeURIComponent(changes[name] ?? "")}`;
        const { status, text } = await ask(`${pathOf(path)}?${query}`);
        expect([name, status]).toEqual([name, 200]);
        expect([name, text === before.text]).toEqual([name, NARROWS.has(`${path} ${name}`)]);
      }
    },
  );
});
