/** POST /explain: it agrees with what a real request records, and gives nothing away that stood in a header. */
import { Validator, type Schema } from "@cfworker/json-schema";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { explain } from "../../../src/records/api/routes/explain.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import {
  CANARIES,
  openGateway,
  T0,
  type Gateway,
  type Setup,
} from "../../support/in-workerd/gateway-harness.ts";
import { BODY, CENTRAL_CHAT, CHAT, chatResponse } from "../../support/in-workerd/calls.ts";
import { part } from "../../support/in-workerd/api-client.ts";
import { signed, SIGNING_KEY } from "../../support/in-workerd/signing.ts";
import { CODER_AGENTS_UA, OWNER } from "../../support/in-workerd/values.ts";

const TOKEN = "CANARY-admin-token-0123456789";
const EXPLAIN = "/api/v2/ai-gateway/explain";
const CHAT_ID = "0a0a0a0a-0000-4000-8000-00000000000a";
const GATEWAY_KEY = "CANARY-gateway-key-of-32-characters";

type Pair = readonly [name: string, value: string];

const SEEDS = 300;

type Case = {
  readonly headers: readonly Pair[];
  readonly method?: string;
  readonly path?: string;
  readonly vars?: Record<string, unknown>;
};

const SERVICE: Pair = ["authorization", `Bearer ${CANARIES.clientKey}`];
const OWN: Pair = ["authorization", `Bearer ${CANARIES.ownKey}`];
const AGENTS: Pair = ["user-agent", CODER_AGENTS_UA];
const owner = (value: string): Pair => ["x-coder-owner-id", value];
const governance = (value: string): Pair => ["x-coder-ai-governance-token", value];
const chat: Pair = ["x-coder-chat-id", CHAT_ID];
const asAgents = (...more: readonly Pair[]): readonly Pair[] => [SERVICE, AGENTS, chat, ...more];

const SECRETS = { GATEWAY_KEY, SIGNING_KEY, NEXT_KEY: "CANARY-next-signing-secret-of-32-chars" };
const SIGNING = { signature: "accept", signing_keys: ["SIGNING_KEY"] };

const openFor = async (vars: Record<string, unknown> = {}, setup: Setup = {}): Promise<Gateway> =>
  openGateway({
    provider: chatResponse,
    ...setup,
    vars: { ADMIN_TOKEN: await sha256Hex(TOKEN), ...SECRETS, ...vars },
  });

const admin = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };

/** What the endpoint says of a description, having held that it tells, records and forwards nothing. */
async function ask(house: Gateway, described: unknown): Promise<{ status: number; json: unknown }> {
  const before = house.sent.length;
  const init = { method: "POST", headers: admin, body: JSON.stringify(described) };
  const { response, text, events } = await house.exchange(EXPLAIN, init);
  expect(text).not.toContain("CANARY");
  expect(events.filter((event) => event.record_type !== "refusal")).toEqual([]);
  const forwarded = house.sent.slice(before).filter(({ url }) => !url.startsWith("https://coder.example/"));
  expect(forwarded).toEqual([]);
  return { status: response.status, json: JSON.parse(text) };
}

async function explained(house: Gateway, described: unknown): Promise<unknown> {
  const { status, json } = await ask(house, described);
  expect([status, json]).toEqual([200, json]);
  return json;
}

/** Who, for whom, how and why not, as the events of a real request have it. */
function recorded(events: readonly InterceptorEvent[]): Record<string, unknown> {
  const of = <T extends InterceptorEvent["record_type"]>(type: T) =>
    events.find(
      (event): event is Extract<InterceptorEvent, { record_type: T }> => event.record_type === type,
    );
  const start = of("interception_start");
  const refusal = of("refusal");
  const override = of("initiator_override") ?? of("initiator_override_rejected");
  const who = start ?? override ?? of("passthrough");
  return {
    destination: refusal && refusal.provider === null ? "not_found" : "provider",
    provider: who?.provider ?? refusal?.provider ?? null,
    client: who?.client ?? refusal?.client ?? null,
    actor: who?.actor_id ?? refusal?.actor_id ?? null,
    kind: who?.actor_kind,
    source: who?.identity_source,
    initiator: who?.initiator_id ?? refusal?.initiator_id ?? null,
    attribution: who?.attribution,
    rejected: of("initiator_override_rejected")?.reason ?? null,
    refusal: refusal ? [refusal.reason, refusal.status, refusal.detail] : null,
    ...(override && {
      rule: override.rule,
      signature: override.signature,
      directory: override.directory,
      candidates: override.candidates,
    }),
    ...(start && {
      key_id: start.api_key_id,
      flags: start.flags,
      credential: start.credential_kind,
      initiator_name: start.initiator_name,
    }),
  };
}

/** The same out of an explanation; what the events could not say is left out of it. */
function told(answer: unknown, wanted: Record<string, unknown>): Record<string, unknown> {
  const one = answer as Record<string, Record<string, unknown> | null>;
  const { actor, initiator, refusal, route } = one;
  const candidates = one["candidates"] as unknown as readonly {
    who: string;
    rejection_reason: string | null;
  }[];
  const all: Record<string, unknown> = {
    destination: one["destination"],
    provider: route?.["provider"] ?? null,
    client: one["client"],
    actor: actor?.["id"] ?? null,
    kind: actor?.["kind"],
    source: actor?.["source"],
    initiator: initiator?.["id"] ?? null,
    attribution: initiator?.["attribution"],
    rejected: candidates.find(({ who }) => who === "owner")?.rejection_reason ?? null,
    refusal: refusal ? [refusal["reason"], refusal["status"], refusal["detail"]] : null,
    rule: one["rule"],
    signature: one["signature"],
    directory: one["directory"],
    candidates,
    key_id: actor?.["key_id"],
    flags: one["flags"],
    credential: one["upstream_key"]?.["kind"],
    initiator_name: initiator?.["name"] ?? null,
  };
  // A refusal's event knows less of who it was than the explanation.
  return Object.fromEntries(
    Object.entries(wanted).map(([name, value]) => [name, value === undefined ? undefined : all[name]]),
  );
}

/** A real request and the explanation of it, each in a house of its own. */
async function agree(
  { headers, method = "POST", path = CENTRAL_CHAT, vars }: Case,
  body = BODY,
  setup: Setup = {},
) {
  const sent = new Headers();
  for (const [name, value] of headers) sent.append(name, value);
  const real = await openFor(vars, setup);
  const init = { method, headers: sent, ...(method === "GET" || method === "HEAD" ? {} : { body }) };
  const { events } = await real.exchange(path, init);
  const wanted = recorded(events);
  const described = { method, path, headers, body_sha256: await sha256Hex(method === "GET" ? "" : body) };
  const answer = await explained(await openFor(vars, setup), described);
  expect(told(answer, wanted)).toEqual(wanted);
  return { wanted, answer };
}

const OFF = { OWNER_ASSERTION: { allow: "off" } };

/** The catalogue's part A, by what the owner header says and who sends it. */
const VALUES: readonly (readonly [id: string, Case])[] = [
  ["A1 a valid owner", { headers: asAgents(owner(OWNER)) }],
  ["A2 in upper case", { headers: asAgents(owner(OWNER.toUpperCase())) }],
  ["A3 absent", { headers: asAgents() }],
  ["A3 absent, and no chat", { headers: [SERVICE, AGENTS] }],
  ["A4 empty", { headers: asAgents(owner("")) }],
  ["A4 blanks", { headers: asAgents(owner("   ")) }],
  ["A5 not permitted", { headers: asAgents(owner(OWNER)), vars: OFF }],
  ["A6 another client", { headers: [SERVICE, ["user-agent", "claude-cli/2"], owner(OWNER)] }],
  ["A6 none", { headers: [SERVICE, owner(OWNER)] }],
  ["A7 nil", { headers: asAgents(owner("00000000-0000-0000-0000-000000000000")) }],
  ["A7 max", { headers: asAgents(owner("ffffffff-ffff-ffff-ffff-ffffffffffff")) }],
  ...[1, 3, 5, 6, 7, 8].map(
    (version) =>
      [`A8 version ${version}`, { headers: asAgents(owner(OWNER.replace("-4", `-${version}`))) }] as const,
  ),
  ...["0", "7", "c", "e"].map(
    (variant) =>
      [
        `A9 variant ${variant}`,
        { headers: asAgents(owner(OWNER.replace("-9def", `-${variant}def`))) },
      ] as const,
  ),
  ...[`urn:uuid:${OWNER}`, `{${OWNER}}`, OWNER.replaceAll("-", ""), `x${OWNER}y`].map(
    (value) => [`A10 ${value}`, { headers: asAgents(owner(value)) }] as const,
  ),
  ["A11 twice, the same", { headers: asAgents(owner(OWNER), owner(OWNER)) }],
  ["A11 twice, in two cases of the name", { headers: asAgents(owner(OWNER), ["X-Coder-Owner-Id", CHAT_ID]) }],
  ["A12 a comma before", { headers: asAgents(owner(`, ${OWNER}`)) }],
  ["A13 blanks around", { headers: asAgents(owner(`  ${OWNER}\t`)) }],
  ["A14 a no-break space", { headers: asAgents(owner(`${OWNER}\u00a0`)) }],
  ["A14 an inner tab", { headers: asAgents(owner(OWNER.replace("-", "-\t"))) }],
  ["A14 Latin-1", { headers: asAgents(owner(OWNER.replace("7", "é"))) }],
  ...[1024, 16_384, 100_000].map(
    (length) => [`A15 of ${length}`, { headers: asAgents(owner("CANARY".padEnd(length, "7"))) }] as const,
  ),
  ["A16 that forges a line", { headers: asAgents(owner('{"record_type":"CANARY"}')) }],
  ["A17 with underscores", { headers: [SERVICE, AGENTS, ["x_coder_owner_id", OWNER]] }],
  ["A18 named by Connection", { headers: asAgents(owner(OWNER), ["connection", "x-coder-owner-id"]) }],
  [
    "A19 the actor's own id",
    {
      headers: asAgents(owner(OWNER.toUpperCase())),
      vars: {
        CLIENT_KEYS: JSON.stringify([
          { sha256: await sha256Hex(CANARIES.clientKey), actor: OWNER, kind: "user" },
        ]),
      },
    },
  ],
  ["A21 malformed ids beside", { headers: [SERVICE, AGENTS, owner(OWNER), ["x-coder-chat-id", "no-chat"]] }],
];

/** Who else may call, and what else may be refused before a body is read. */
const OTHERS: readonly (readonly [name: string, Case])[] = [
  ["C1 no credential", { headers: [AGENTS] }],
  ["C2 basic", { headers: [["authorization", "Basic CANARY"]] }],
  ["C4 two bearers", { headers: [["authorization", "Bearer CANARY"], SERVICE] }],
  ["an unknown key", { headers: [["authorization", "Bearer aei_CANARY"]] }],
  ["a fingerprint on its own provider", { headers: [OWN, AGENTS, owner(OWNER)], path: CHAT }],
  ["a fingerprint on a central provider", { headers: [OWN], path: CENTRAL_CHAT }],
  ["a client key without a provider key", { headers: [SERVICE], path: CHAT }],
  ["BYOK beside a governance token", { headers: [OWN, governance(CANARIES.clientKey)] }],
  ["no route", { headers: [SERVICE], path: "/nothing" }],
  ["no route of a provider", { headers: [SERVICE], path: "/central/v1/no/such" }],
  ["an ambiguous path", { headers: [SERVICE], path: "/central/v1/models/%2fx" }],
  ["a URL too long", { headers: [SERVICE], path: `${CHAT}?q=${"x".repeat(17_000)}` }],
  ["a loop", { headers: [SERVICE, ["via", "1.1 ai-edge-interceptor"]] }],
  ["another method", { headers: [SERVICE], method: "PUT" }],
  ["an upgrade", { headers: [SERVICE, ["upgrade", "websocket"]] }],
  ["a shortcut", { headers: [OWN], path: "/v1/chat/completions" }],
  ["a passthrough", { headers: asAgents(owner(OWNER)), method: "GET", path: "/central/v1/models?limit=1" }],
  [
    "a gateway that delegates",
    {
      headers: [["x-coder-ai-gateway-key", GATEWAY_KEY], owner(OWNER)],
      vars: { DELEGATION: { keys: ["GATEWAY_KEY"] } },
    },
  ],
  [
    "one with another key",
    {
      headers: [SERVICE, ["x-coder-ai-gateway-key", "CANARY"]],
      vars: { DELEGATION: { keys: ["GATEWAY_KEY"] } },
    },
  ],
];

describe("an explanation agrees with what a real request records", () => {
  it.each(VALUES)("%s", async (_, one) => {
    expect((await agree(one)).wanted).toMatchObject({ destination: "provider", actor: expect.any(String) });
  });

  it.each(VALUES)("with on_invalid = reject: %s", async (_, one) => {
    const OWNER_ASSERTION = { on_invalid: "reject", ...assertionOf(one) };
    const { wanted } = await agree({ ...one, vars: { ...one.vars, OWNER_ASSERTION } });
    expect(wanted["refusal"] === null).toBe(wanted["rejected"] === null);
  });

  it.each(OTHERS)("%s", async (_, one) => {
    const { wanted } = await agree(one);
    expect(wanted["refusal"] ?? wanted["attribution"]).toBeTruthy();
  });

  it.each([
    ["A22 good", {}, "valid"],
    ["A22 a bad MAC", { secret: "another-secret-of-more-than-32-characters" }, "signature_invalid"],
    ["A22 301 s old", { at: T0 - 301_000 }, "signature_expired"],
    ["A22 301 s ahead", { at: T0 + 301_000 }, "signature_expired"],
    ["A24 of another body", { body: "{}" }, "signature_invalid"],
    ["A24 of another path", { uri: "/v1/chat/completions" }, "signature_invalid"],
    ["A24 of a query", { uri: `${CENTRAL_CHAT}?a=1` }, "signature_invalid"],
    ["A24 of another chat", { headers: { "x-coder-owner-id": OWNER } }, "signature_invalid"],
  ] as const)("%s, with accept and with require", async (_, over, is) => {
    const named = { "x-coder-owner-id": OWNER, "x-coder-chat-id": CHAT_ID };
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: named, ...over });
    const pairs = Object.entries({ ...headers, ...named }) as readonly Pair[];
    for (const signature of ["accept", "require"]) {
      const vars = { OWNER_ASSERTION: { ...SIGNING, signature } };
      const { answer } = await agree({ headers: [SERVICE, AGENTS, ...pairs], vars });
      expect(part(answer, "signature")).toBe(is);
    }
  });

  it.each([
    ["active", () => Response.json({ id: OWNER, username: "alice", status: "active" })],
    ["inactive", () => Response.json({ id: OWNER, username: "alice", status: "suspended" })],
    ["unknown", () => new Response(null, { status: 404 })],
    ["down", () => new Response(null, { status: 500 })],
  ])("an owner whom the directory calls %s", async (is, answer) => {
    for (const on_invalid of ["ignore", "reject"]) {
      const directory = { url: "https://coder.example", token: "LOOKUP_TOKEN" };
      const vars = { OWNER_ASSERTION: { directory, on_invalid }, LOOKUP_TOKEN: "CANARY-lookup-token" };
      const provider = ({ url }: { url: string }): Response =>
        url.startsWith("https://coder.example/") ? answer() : chatResponse();
      const agreed = await agree({ headers: asAgents(owner(OWNER)), vars }, BODY, { provider });
      expect(part(agreed.answer, "directory")).toBe(is);
    }
  });

  it("whatever headers there are, under whatever rules", async () => {
    const pools: readonly (readonly (readonly Pair[])[])[] = [
      [[], [owner(OWNER)], [owner(OWNER.toUpperCase())], [owner("CANARY")], [owner(OWNER), owner(OWNER)]],
      [[], [SERVICE], [SERVICE], [OWN], [["x-api-key", CANARIES.clientKey]], [["authorization", "CANARY"]]],
      [[], [AGENTS], [AGENTS], [["user-agent", "claude-cli/2"]]],
      [[], [chat], [["x-coder-chat-id", "no-chat"]]],
      [[], [], [], [governance(CANARIES.clientKey)], [governance("CANARY")]],
      [[], [], [["x-coder-signature", "v1=CANARY"]]],
      [[], [], [], [["content-encoding", "gzip"]]],
      [[], [], [], [["x-coder-ai-gateway-key", GATEWAY_KEY]], [["x-coder-ai-gateway-key", "CANARY"]]],
    ];
    const rules = [
      {},
      { allow: "off" },
      { allow: "listed", actors: ["ci-bot"] },
      { allow: "service", on_invalid: "reject" },
      { ...SIGNING, signature: "require" },
    ];
    const outcomes = new Set<string>();
    await forSeedsAsync(SEEDS, async (seed) => {
      const random = seededRandom(seed);
      const pick = <T>(some: readonly T[]): T => some[between(random, 0, some.length - 1)] as T;
      const headers = pools.flatMap((pool) => pick(pool));
      const vars = {
        OWNER_ASSERTION: pick(rules),
        ...(random() < 0.5 && { DELEGATION: { keys: ["GATEWAY_KEY"] } }),
      };
      const path = pick([CENTRAL_CHAT, CHAT, "/v1/models", "/nothing"]);
      const method = path === "/v1/models" ? "GET" : "POST";
      const { attribution, rejected, refusal } = (await agree({ headers, vars, path, method })).wanted;
      outcomes.add(JSON.stringify([attribution, rejected, refusal]));
    });
    // That they were not all one.
    expect(outcomes.size).toBeGreaterThan(15);
  });
});

function assertionOf({ vars }: Case): Record<string, unknown> {
  return (vars?.["OWNER_ASSERTION"] ?? {}) as Record<string, unknown>;
}

const answerIsDocumented = (answer: unknown): string[] =>
  new Validator(explain.response as Schema, "2020-12", false)
    .validate(answer)
    .errors.map(({ error }) => error);

describe("what an explanation says", () => {
  it("of an owner that counts, whole, by ids and never by what was sent", async () => {
    const answer = await explained(await openFor(), {
      path: CENTRAL_CHAT,
      headers: asAgents(owner(OWNER.toUpperCase())),
    });
    expect(answer).toEqual({
      destination: "provider",
      route: {
        provider: "central",
        provider_type: "openai",
        route: "/chat/completions",
        kind: "intercept",
      },
      client: "Coder Agents",
      presented: {
        // printf %s aei_CANARY-client-key-0123456789 | sha256sum
        identity: { header: "authorization", key_id: "2f9492882e36c476" },
        assertion: null,
        own: null,
      },
      delegation: "off",
      actor: {
        id: "ci-bot",
        kind: "service",
        name: "CI bot",
        source: "keys",
        verified: true,
        key_id: "2f9492882e36c476",
        may_assert: null,
      },
      initiator: { id: OWNER, name: null, attribution: "asserted" },
      rule: "any",
      signature: "off",
      directory: "off",
      candidates: [
        { who: "owner", id: OWNER, rejection_reason: null },
        { who: "actor", id: "ci-bot", rejection_reason: "overridden" },
      ],
      undecided: null,
      flags: [],
      refusal: null,
      upstream_key: { kind: "centralized", header: "authorization", key_id: null },
    });
    expect(answerIsDocumented(answer)).toEqual([]);
  });

  it("of a key of the client's own: which one goes on, by its id", async () => {
    const answer = await explained(await openFor(), {
      path: CHAT,
      headers: { ...Object.fromEntries([OWN]), "X-Coder-AI-Governance-Token": CANARIES.clientKey },
    });
    const keyId = (await sha256Hex(CANARIES.ownKey)).slice(0, 16);
    expect(part(answer, "upstream_key")).toEqual({ kind: "byok", header: "authorization", key_id: keyId });
    expect(part(answer, "actor", "id")).toBe("ci-bot");
    expect(answerIsDocumented(answer)).toEqual([]);
  });

  it("of a signature without the body's hash: that it cannot be judged, and nothing that would follow", async () => {
    const named = { "x-coder-owner-id": OWNER };
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: named });
    const house = await openFor({ OWNER_ASSERTION: { ...SIGNING, signature: "require" } });
    const described = { path: CENTRAL_CHAT, headers: [SERVICE, AGENTS, ...Object.entries(headers)] };
    const answer = await explained(house, described);
    expect(answer).toMatchObject({
      undecided: "signature",
      initiator: null,
      refusal: null,
      candidates: [],
      flags: [],
      actor: { id: "ci-bot" },
    });
    expect(answerIsDocumented(answer)).toEqual([]);
    const decided = await explained(house, { ...described, body_sha256: await sha256Hex(BODY) });
    expect(decided).toMatchObject({ undecided: null, initiator: { id: OWNER, attribution: "signed" } });
  });

  it.each([
    [EXPLAIN, "POST", "api", null],
    ["/api/v2/aibridge/sessions", "GET", "api", null],
    ["/", "HEAD", "base", null],
    ["/nothing", "GET", "not_found", "not_found"],
  ])("of %s: that it leads to no provider, and so to no judgement", async (path, method, where, reason) => {
    const answer = await explained(await openFor(), { path, method, headers: [SERVICE] });
    expect(answer).toMatchObject({ destination: where, route: null, actor: null, initiator: null });
    expect((answer as { refusal: { reason: string } | null }).refusal?.reason ?? null).toBe(reason);
    expect(answerIsDocumented(answer)).toEqual([]);
  });

  it("of headers in either form, a name several times in any case: joined as they would arrive", async () => {
    const house = await openFor();
    const forms: readonly unknown[] = [
      asAgents(owner(OWNER), owner(OWNER)),
      { ...Object.fromEntries(asAgents()), "X-Coder-Owner-Id": OWNER, "x-coder-owner-id": OWNER },
      { ...Object.fromEntries(asAgents()), "x-coder-owner-id": [OWNER, OWNER] },
      { ...Object.fromEntries(asAgents()), "x-coder-owner-id": `${OWNER}, ${OWNER}` },
    ];
    for (const headers of forms) {
      const answer = await explained(house, { path: CENTRAL_CHAT, headers });
      expect(part(answer, "candidates", 0, "rejection_reason")).toBe("multiple");
    }
  });

  it("where there is no ledger too", async () => {
    const house = await openFor({ LEDGER: undefined });
    expect((await ask(house, { path: CHAT, headers: [OWN] })).status).toBe(200);
  });
});

describe("a description that cannot be read", () => {
  const good = { path: CHAT, headers: [OWN] };

  it.each<[string, unknown]>([
    ["body", []],
    ["body", "CANARY"],
    ["body", null],
    ["body", { ...good, CANARY: 1 }],
    ["body", { ...good, url: "https://CANARY.example/" }],
    ["method", { ...good, method: "get" }],
    ["method", { ...good, method: "CANARY X" }],
    ["method", { ...good, method: 1 }],
    ["path", { headers: [] }],
    ["path", { ...good, path: "https://CANARY.example/v1" }],
    ["path", { ...good, path: ["/v1"] }],
    ["body_sha256", { ...good, body_sha256: "CANARY" }],
    ["body_sha256", { ...good, body_sha256: "A".repeat(64) }],
    ["headers", { path: CHAT }],
    ["headers", { ...good, headers: "a: CANARY" }],
    ["headers", { ...good, headers: [["CANARY"]] }],
    ["headers", { ...good, headers: [["a", "CANARY", "c"]] }],
    ["headers", { ...good, headers: [["a", 1]] }],
    ["headers", { ...good, headers: { a: null } }],
    ["headers", { ...good, headers: { a: { CANARY: 1 } } }],
    ["headers", { ...good, headers: { "CANARY a": "b" } }],
    ["headers", { ...good, headers: { "": "CANARY" } }],
    // Header injection: what follows the line break would be a header, or a request, of its own.
    ["headers", { ...good, headers: { a: "CANARY\r\nx-coder-owner-id: CANARY" } }],
    ["headers", { ...good, headers: { a: "CANARY\u0000" } }],
    ["headers", { ...good, headers: Array.from({ length: 513 }, () => ["a", "CANARY"]) }],
  ])("is refused by %s alone: %j", async (field, described) => {
    const { status, json } = await ask(await openFor(), described);
    expect(status).toBe(400);
    expect(part(json, "validations", 0, "field")).toBe(field);
    expect(part(json, "validations", 0, "detail")).not.toBe("");
  });

  it.each<[number, string, RequestInit]>([
    [400, "body_invalid", { body: '{"CANARY' }],
    [400, "body_invalid", { body: "" }],
    [400, "body_invalid", { body: new Uint8Array([0x22, 0xff, 0x22]) }],
    // Nested as deep as fits: the parser's own stack must hold, or refuse.
    [400, "body_invalid", { body: "[".repeat(200_000) }],
    [413, "body_too_large", { body: `"${"x".repeat(256 * 1024)}"` }],
    [415, "body_encoded", { body: "{}", headers: { ...admin, "content-encoding": "gzip" } }],
  ])("is refused with %i %s", async (status, reason, init) => {
    const { response, text, events } = await (
      await openFor()
    ).exchange(EXPLAIN, { method: "POST", headers: admin, ...init });
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([status, reason]);
    expect(text).not.toContain("CANARY");
    expect(events.map(({ record_type: type }) => type)).toEqual(["refusal"]);
  });

  it("by GET: 405, and by which method it is asked", async () => {
    const { response } = await (await openFor()).exchange(EXPLAIN, { headers: admin });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });
});

const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };

describe("what an explanation does not do", () => {
  // The attack: a client with a good key of its own maps the rules, or tries credentials without a trace.
  it("answer anybody but the admin: no source is asked, whatever is described", async () => {
    const house = await openFor(
      {},
      {
        sources: [
          {
            verifies: true,
            recognizes: () => true,
            identify: () => {
              throw new Error("asked");
            },
          },
        ],
      },
    );
    for (const headers of [{}, Object.fromEntries([SERVICE]), { authorization: "Bearer CANARY" }]) {
      const body = JSON.stringify({ path: CENTRAL_CHAT, headers: asAgents(owner(OWNER)) });
      const { response, events } = await house.exchange(EXPLAIN, { method: "POST", headers, body });
      expect(response.headers.get("x-interceptor-error")).toBe("admin_only");
      expect(events).toMatchObject([{ record_type: "refusal", reason: "admin_only", actor_id: null }]);
    }
    expect(house.operatorErrors).toEqual([]);
  });

  // The attack: who explains a signed request that is on its way makes the real one a replay.
  it("use up a signature", async () => {
    const at = T0 + 299_000;
    const vars = { OWNER_ASSERTION: { ...SIGNING, signature: "require", replay_cache: true }, NONCES };
    const house = await openFor(vars);
    const named = { "x-coder-owner-id": OWNER };
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at, headers: named });
    const pairs = [SERVICE, AGENTS, ...Object.entries(headers)];
    const described = { path: CENTRAL_CHAT, headers: pairs, body_sha256: await sha256Hex(BODY) };
    for (let times = 0; times < 2; times += 1)
      expect(await explained(house, described)).toMatchObject({ initiator: { attribution: "signed" } });
    const init = { method: "POST", headers: Object.fromEntries(pairs) as Record<string, string>, body: BODY };
    expect((await house.exchange(CENTRAL_CHAT, init)).response.status).toBe(200);
    expect((await house.exchange(CENTRAL_CHAT, init)).response.status).toBe(401);
    // What it does not know it says nothing of: the same is explained as it was.
    expect(await explained(house, described)).toMatchObject({ initiator: { attribution: "signed" } });
  });

  // The attack: a described request is sent where its Host header says.
  it("fetch anything but what identity takes", async () => {
    const house = await openFor(
      {
        IDENTITY: [{ source: "coder", url: "https://coder.example" }],
        PROVIDERS: {
          central: { type: "openai", base_url: "https://central.example/v1", keys: ["CENTRAL_KEY"] },
        },
        CLIENT_KEYS: undefined,
      },
      {
        provider: () =>
          Response.json({ id: OWNER, username: "alice", status: "active", is_service_account: false }),
      },
    );
    const token = "aBcDeF0123-aBcDeFgHiJkLmNoPqRsTuV";
    const answer = await explained(house, {
      path: CENTRAL_CHAT,
      headers: {
        authorization: `Bearer ${token}`,
        host: "evil.example/central?",
        "x-forwarded-host": "evil.example",
      },
    });
    expect(answer).toMatchObject({ actor: { id: OWNER, name: "alice", source: "coder" } });
    expect(JSON.stringify(answer)).not.toContain(token.slice(11));
    expect(house.sent.map(({ url }) => url)).toEqual(["https://coder.example/api/v2/users/me"]);
  });

  it("fail where who is calling cannot be established: it says that a request would", async () => {
    const house = await openFor(
      {
        IDENTITY: [{ source: "coder", url: "https://coder.example" }],
        PROVIDERS: {
          central: { type: "openai", base_url: "https://central.example/v1", keys: ["CENTRAL_KEY"] },
        },
        CLIENT_KEYS: undefined,
      },
      { provider: () => new Response("CANARY", { status: 500 }) },
    );
    const answer = await explained(house, {
      path: CENTRAL_CHAT,
      headers: { authorization: "Bearer aBcDeF0123-aBcDeFgHiJkLmNoPqRsTuV" },
    });
    expect(answer).toMatchObject({
      actor: null,
      initiator: null,
      refusal: { reason: "identity_unavailable", status: 503, detail: "coder: status 500" },
    });
  });

  it("fail with the source that fails, nor tell what it said", async () => {
    const house = await openFor(
      {},
      {
        sources: [
          {
            verifies: true,
            recognizes: () => true,
            identify: () => Promise.reject(new Error("CANARY")),
          },
        ],
      },
    );
    const { status } = await ask(house, { path: CENTRAL_CHAT, headers: [SERVICE] });
    expect(status).toBe(500);
    expect(house.operatorErrors).toHaveLength(1);
  });
});
