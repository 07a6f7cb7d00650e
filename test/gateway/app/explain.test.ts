/** POST /explain: it agrees with the records of a real request, and its response contains no header value. */
import { retain } from "../../support/in-workerd/retain.ts";
import { Validator, type Schema } from "@cfworker/json-schema";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { explain } from "../../../src/records/api/routes/explain.ts";
import { createRecords } from "../../../src/records/wiring.ts";
import { sha256Hex } from "../../../src/shared/digest.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { Deps } from "../../../src/gateway/app/deps.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import {
  CANARIES,
  ID,
  openGateway,
  T0,
  type Gateway,
  type Setup,
} from "../../support/in-workerd/gateway-harness.ts";
import { BODY, CENTRAL_CHAT, CHAT, chatResponse } from "../../support/in-workerd/calls.ts";
import { part } from "../../support/in-workerd/api-client.ts";
import { EMPTY_REPLAY_CACHE, signed, SIGNING_KEY } from "../../support/in-workerd/signing.ts";
import { CODER_AGENTS_UA, OWNER } from "../../support/in-workerd/values.ts";
import { consoleOff } from "../../support/console-settings.ts";

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

const SECRETS = {
  GATEWAY_KEY,
  SIGNING_KEY,
  NEXT_KEY: "CANARY-next-signing-secret-of-32-chars",
  NONCES: EMPTY_REPLAY_CACHE,
};
const SIGNING = { signature: "accept", signing_keys: ["SIGNING_KEY"] };

/** A real records Worker, without a ledger, that knows the admin token. */
const records = createRecords({
  database: null,
  archive: null,
  budgetObjects: null,
  retention: retain(60),
  deadLetterQueue: null,
  eventMac: { keys: [], acceptsMissing: false },
  seals: null,
  ...consoleOff(await sha256Hex(TOKEN)),
});

const openFor = (vars: Record<string, unknown> = {}, setup: Setup = {}): Promise<Gateway> =>
  openGateway({
    provider: chatResponse,
    parts: { records },
    ...setup,
    vars: { ...SECRETS, ...vars },
  });

/** The same, with the requests that the gateway forwards to it. */
function spyOnRecords(): { readonly parts: Partial<Deps>; readonly requests: Request[] } {
  const requests: Request[] = [];
  const fetch = (request: Request): Promise<Response> => {
    requests.push(request);
    // The id is the one by which the harness recognizes a response (E10).
    return Promise.resolve(new Response(null, { status: 404, headers: { "x-interception-id": ID } }));
  };
  return { parts: { records: { ...records, fetch } }, requests };
}

const admin = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };

/** Calls explain with a description. Checks that it repeats no secret, records no event and forwards nothing. */
async function callExplain(
  gateway: Gateway,
  description: unknown,
): Promise<{ status: number; json: unknown }> {
  const before = gateway.sent.length;
  const init = { method: "POST", headers: admin, body: JSON.stringify(description) };
  const { response, text, events } = await gateway.exchange(EXPLAIN, init);
  expect(text).not.toContain("CANARY");
  expect(events.filter((event) => event.record_type !== "refusal")).toEqual([]);
  const forwarded = gateway.sent.slice(before).filter(({ url }) => !url.startsWith("https://coder.example/"));
  expect(forwarded).toEqual([]);
  return { status: response.status, json: JSON.parse(text) };
}

/** The explanation of a valid description. */
async function explanationOf(gateway: Gateway, description: unknown): Promise<unknown> {
  const { status, json } = await callExplain(gateway, description);
  expect([status, json]).toEqual([200, json]);
  return json;
}

/** The decision as the events of a real request record it. */
function decisionOfEvents(events: readonly InterceptorEvent[]): Record<string, unknown> {
  const of = <T extends InterceptorEvent["record_type"]>(type: T) =>
    events.find(
      (event): event is Extract<InterceptorEvent, { record_type: T }> => event.record_type === type,
    );
  const start = of("interception_start");
  const refusal = of("refusal");
  const override = of("initiator_override") ?? of("initiator_override_rejected");
  const subject = start ?? override ?? of("passthrough");
  return {
    destination: refusal && refusal.provider === null ? "not_found" : "provider",
    provider: subject?.provider ?? refusal?.provider ?? null,
    client: subject?.client ?? refusal?.client ?? null,
    actor: subject?.actor_id ?? refusal?.actor_id ?? null,
    kind: subject?.actor_kind,
    source: subject?.identity_source,
    initiator: subject?.initiator_id ?? refusal?.initiator_id ?? null,
    attribution: subject?.attribution,
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

/** The decision as an explanation states it, without the fields that the events do not have. */
function decisionOfExplanation(
  explanation: unknown,
  expected: Record<string, unknown>,
): Record<string, unknown> {
  const fields = explanation as Record<string, Record<string, unknown> | null>;
  const { actor, initiator, refusal, route } = fields;
  const candidates = fields["candidates"] as unknown as readonly {
    who: string;
    rejection_reason: string | null;
  }[];
  const all: Record<string, unknown> = {
    destination: fields["destination"],
    provider: route?.["provider"] ?? null,
    client: fields["client"],
    actor: actor?.["id"] ?? null,
    kind: actor?.["kind"],
    source: actor?.["source"],
    initiator: initiator?.["id"] ?? null,
    attribution: initiator?.["attribution"],
    rejected: candidates.find(({ who }) => who === "owner")?.rejection_reason ?? null,
    refusal: refusal ? [refusal["reason"], refusal["status"], refusal["detail"]] : null,
    rule: fields["rule"],
    signature: fields["signature"],
    directory: fields["directory"],
    candidates,
    key_id: actor?.["key_id"],
    flags: fields["flags"],
    credential: fields["upstream_key"]?.["kind"],
    initiator_name: initiator?.["name"] ?? null,
  };
  // A refusal event has fewer facts about the caller than the explanation.
  return Object.fromEntries(
    Object.entries(expected).map(([name, value]) => [name, value === undefined ? undefined : all[name]]),
  );
}

/** Sends a request and explains it, each in a separate gateway, and checks that both decisions agree. */
async function checkAgreement(
  { headers, method = "POST", path = CENTRAL_CHAT, vars }: Case,
  body = BODY,
  setup: Setup = {},
) {
  const sent = new Headers();
  for (const [name, value] of headers) sent.append(name, value);
  const real = await openFor(vars, setup);
  const init = { method, headers: sent, ...(method === "GET" || method === "HEAD" ? {} : { body }) };
  const { events } = await real.exchange(path, init);
  const expected = decisionOfEvents(events);
  const description = { method, path, headers, body_sha256: await sha256Hex(method === "GET" ? "" : body) };
  const explanation = await explanationOf(await openFor(vars, setup), description);
  expect(decisionOfExplanation(explanation, expected)).toEqual(expected);
  return { expected, explanation };
}

const OFF = { OWNER_ASSERTION: { allow: "off" } };

/** Part A of the test catalogue: owner headers and their senders. */
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

/** Other callers, and other refusals before a body is read. */
const OTHERS: readonly (readonly [name: string, Case])[] = [
  ["C1 no credential", { headers: [AGENTS] }],
  ["C2 basic", { headers: [["authorization", "Basic CANARY"]] }],
  ["C4 two bearers", { headers: [["authorization", "Bearer CANARY"], SERVICE] }],
  ["an unknown key", { headers: [["authorization", "Bearer aei_CANARY"]] }],
  [
    "a provider key of the client's on a provider without central keys",
    { headers: [OWN, AGENTS, owner(OWNER)], path: CHAT },
  ],
  ["a provider key of the client's on a provider with a central key", { headers: [OWN], path: CENTRAL_CHAT }],
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
    "a gateway that delegates with another key",
    {
      headers: [SERVICE, ["x-coder-ai-gateway-key", "CANARY"]],
      vars: { DELEGATION: { keys: ["GATEWAY_KEY"] } },
    },
  ],
];

describe("an explanation agrees with the events of a real request", () => {
  it.each(VALUES)("%s", async (_, testCase) => {
    expect((await checkAgreement(testCase)).expected).toMatchObject({
      destination: "provider",
      actor: expect.any(String),
    });
  });

  it.each(VALUES)("with on_invalid = reject: %s", async (_, testCase) => {
    const OWNER_ASSERTION = { on_invalid: "reject", ...assertionOf(testCase) };
    const { expected } = await checkAgreement({ ...testCase, vars: { ...testCase.vars, OWNER_ASSERTION } });
    expect(expected["refusal"] === null).toBe(expected["rejected"] === null);
  });

  it.each(OTHERS)("%s", async (_, testCase) => {
    const { expected } = await checkAgreement(testCase);
    expect(expected["refusal"] ?? expected["attribution"]).toBeTruthy();
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
  ] as const)("%s, with accept and with require", async (_, over, result) => {
    const named = { "x-coder-owner-id": OWNER, "x-coder-chat-id": CHAT_ID };
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: named, ...over });
    const pairs = Object.entries({ ...headers, ...named }) as readonly Pair[];
    for (const signature of ["accept", "require"]) {
      const vars = { OWNER_ASSERTION: { ...SIGNING, signature } };
      const { explanation } = await checkAgreement({ headers: [SERVICE, AGENTS, ...pairs], vars });
      expect(part(explanation, "signature")).toBe(result);
    }
  });

  it.each([
    ["active", () => Response.json({ id: OWNER, username: "alice", status: "active" })],
    ["inactive", () => Response.json({ id: OWNER, username: "alice", status: "suspended" })],
    ["unknown", () => new Response(null, { status: 404 })],
    ["down", () => new Response(null, { status: 500 })],
  ])("an owner for whom the directory reports %s", async (result, lookup) => {
    for (const on_invalid of ["ignore", "reject"]) {
      const directory = { url: "https://coder.example", token: "LOOKUP_TOKEN" };
      const vars = { OWNER_ASSERTION: { directory, on_invalid }, LOOKUP_TOKEN: "CANARY-lookup-token" };
      const provider = ({ url }: { url: string }): Response =>
        url.startsWith("https://coder.example/") ? lookup() : chatResponse();
      const { explanation } = await checkAgreement({ headers: asAgents(owner(OWNER)), vars }, BODY, {
        provider,
      });
      expect(part(explanation, "directory")).toBe(result);
    }
  });

  it("random headers under random rules", async () => {
    const pools: readonly (readonly (readonly Pair[])[])[] = [
      [[], [owner(OWNER)], [owner(OWNER.toUpperCase())], [owner("CANARY")], [owner(OWNER), owner(OWNER)]],
      [[], [SERVICE], [SERVICE], [OWN], [["x-api-key", CANARIES.clientKey]], [["authorization", "CANARY"]]],
      [[], [AGENTS], [AGENTS], [["user-agent", "claude-cli/2"]]],
      [[], [chat], [["x-coder-chat-id", "no-chat"]]],
      [[], [], [], [governance(CANARIES.clientKey)], [governance("CANARY")]],
      [[], [], [["x-coder-signature", "v1=CANARY"]]],
      [[], [], [], [["content-encoding", "compress"]]],
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
      const { attribution, rejected, refusal } = (await checkAgreement({ headers, vars, path, method }))
        .expected;
      outcomes.add(JSON.stringify([attribution, rejected, refusal]));
    });
    // The random requests had many different outcomes.
    expect(outcomes.size).toBeGreaterThan(15);
  });
});

function assertionOf({ vars }: Case): Record<string, unknown> {
  return (vars?.["OWNER_ASSERTION"] ?? {}) as Record<string, unknown>;
}

const schemaErrors = (explanation: unknown): string[] =>
  new Validator(explain.response as Schema, "2020-12", false)
    .validate(explanation)
    .errors.map(({ error }) => error);

describe("an explanation", () => {
  it("describes an accepted owner completely, by ids and without sent values", async () => {
    const explanation = await explanationOf(await openFor(), {
      path: CENTRAL_CHAT,
      headers: asAgents(owner(OWNER.toUpperCase())),
    });
    expect(explanation).toEqual({
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
      initiator: { id: OWNER, source: "coder", name: null, attribution: "asserted" },
      rule: "any",
      signature: "off",
      directory: "off",
      candidates: [
        { who: "owner", id: OWNER, rejection_reason: null },
        { who: "actor", id: "ci-bot", rejection_reason: "overridden" },
      ],
      undecided: null,
      budgets: null,
      flags: [],
      refusal: null,
      upstream_key: { kind: "centralized", header: "authorization", key_id: null },
    });
    expect(schemaErrors(explanation)).toEqual([]);
  });

  it("names the client's own key that would be forwarded, by its id", async () => {
    const explanation = await explanationOf(await openFor(), {
      path: CHAT,
      headers: { ...Object.fromEntries([OWN]), "X-Coder-AI-Governance-Token": CANARIES.clientKey },
    });
    const keyId = (await sha256Hex(CANARIES.ownKey)).slice(0, 16);
    expect(part(explanation, "upstream_key")).toEqual({
      kind: "byok",
      header: "authorization",
      key_id: keyId,
    });
    expect(part(explanation, "actor", "id")).toBe("ci-bot");
    expect(schemaErrors(explanation)).toEqual([]);
  });

  it("leaves a signature undecided without the body's hash, and everything that depends on it", async () => {
    const named = { "x-coder-owner-id": OWNER };
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: named });
    const gateway = await openFor({ OWNER_ASSERTION: { ...SIGNING, signature: "require" } });
    const description = { path: CENTRAL_CHAT, headers: [SERVICE, AGENTS, ...Object.entries(headers)] };
    const explanation = await explanationOf(gateway, description);
    expect(explanation).toMatchObject({
      undecided: "signature",
      initiator: null,
      refusal: null,
      candidates: [],
      flags: [],
      actor: { id: "ci-bot" },
    });
    expect(schemaErrors(explanation)).toEqual([]);
    const decided = await explanationOf(gateway, { ...description, body_sha256: await sha256Hex(BODY) });
    expect(decided).toMatchObject({ undecided: null, initiator: { id: OWNER, attribution: "signed" } });
  });

  it.each([
    [EXPLAIN, "POST", "api", null],
    ["/api/v2/aibridge/sessions", "GET", "api", null],
    ["/", "HEAD", "base", null],
    ["/", "GET", "base", null],
    ["/anthropic/api/hello", "HEAD", "base", null],
    ["/openai/v1/v1/v1/chat/completions", "POST", "not_found", "v1_doubled"],
    ["/nothing", "GET", "not_found", "not_found"],
  ])(
    "of %s has a destination that is no provider, and no decision",
    async (path, method, destination, reason) => {
      const explanation = await explanationOf(await openFor(), { path, method, headers: [SERVICE] });
      expect(explanation).toMatchObject({ destination, route: null, actor: null, initiator: null });
      expect((explanation as { refusal: { reason: string } | null }).refusal?.reason ?? null).toBe(reason);
      expect(schemaErrors(explanation)).toEqual([]);
    },
  );

  it("joins headers of one name, in either form and in any case, as they would arrive", async () => {
    const gateway = await openFor();
    const forms: readonly unknown[] = [
      asAgents(owner(OWNER), owner(OWNER)),
      { ...Object.fromEntries(asAgents()), "X-Coder-Owner-Id": OWNER, "x-coder-owner-id": OWNER },
      { ...Object.fromEntries(asAgents()), "x-coder-owner-id": [OWNER, OWNER] },
      { ...Object.fromEntries(asAgents()), "x-coder-owner-id": `${OWNER}, ${OWNER}` },
    ];
    for (const headers of forms) {
      const explanation = await explanationOf(gateway, { path: CENTRAL_CHAT, headers });
      expect(part(explanation, "candidates", 0, "rejection_reason")).toBe("multiple");
    }
  });

  it("is at its own path only: the records Worker refuses paths below it", async () => {
    const init = { method: "POST", headers: admin, body: JSON.stringify({ path: CHAT, headers: [OWN] }) };
    const { parts, requests } = spyOnRecords();
    for (const path of [`${EXPLAIN}/`, `${EXPLAIN}/one`]) {
      const { response } = await (await openFor({}, { parts })).exchange(path, init);
      expect([path, response.status]).toEqual([path, 404]);
    }
    expect(requests.map(({ url }) => new URL(url).pathname)).toEqual([`${EXPLAIN}/`, `${EXPLAIN}/one`]);
  });

  it("needs no ledger", async () => {
    // `records` has none.
    expect((await callExplain(await openFor(), { path: CHAT, headers: [OWN] })).status).toBe(200);
  });
});

describe("an invalid description", () => {
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
    // Header injection: the text after the line break would be a header or a request of its own.
    ["headers", { ...good, headers: { a: "CANARY\r\nx-coder-owner-id: CANARY" } }],
    ["headers", { ...good, headers: { a: "CANARY\u0000" } }],
    ["headers", { ...good, headers: Array.from({ length: 513 }, () => ["a", "CANARY"]) }],
  ])("is refused by the name of its field %s, without a value: %j", async (field, description) => {
    const { status, json } = await callExplain(await openFor(), description);
    expect(status).toBe(400);
    expect(part(json, "validations", 0, "field")).toBe(field);
    expect(part(json, "validations", 0, "detail")).not.toBe("");
  });

  it.each<[number, string, RequestInit]>([
    [400, "body_invalid", { body: '{"CANARY' }],
    [400, "body_invalid", { body: "" }],
    [400, "body_invalid", { body: new Uint8Array([0x22, 0xff, 0x22]) }],
    // Nested as deeply as fits: the parser must not overflow its stack.
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

  it("is refused by GET with 405 and Allow: POST", async () => {
    const { response } = await (await openFor()).exchange(EXPLAIN, { headers: admin });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  });
});

const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };

describe("explain does not", () => {
  // The attack: a client with a valid key maps the rules, or tries credentials without a trace.
  it("respond to any caller but the admin, and queries no identity source for others", async () => {
    const gateway = await openFor(
      {},
      {
        sources: [
          {
            verifies: true,
            recognizes: () => true,
            identify: () => {
              throw new Error("queried");
            },
          },
        ],
      },
    );
    for (const headers of [{}, Object.fromEntries([SERVICE]), { authorization: "Bearer CANARY" }]) {
      const body = JSON.stringify({ path: CENTRAL_CHAT, headers: asAgents(owner(OWNER)) });
      const { response, events } = await gateway.exchange(EXPLAIN, { method: "POST", headers, body });
      expect(response.headers.get("x-interceptor-error")).toBe("admin_only");
      expect(events).toMatchObject([{ record_type: "refusal", reason: "admin_only", actor_id: null }]);
    }
    expect(gateway.operatorErrors).toEqual([]);
  });

  // The attack: explaining a signed request before it arrives makes the real one a replay.
  it("use up a signature", async () => {
    const at = T0 + 299_000;
    const vars = { OWNER_ASSERTION: { ...SIGNING, signature: "require", replay_cache: true }, NONCES };
    const gateway = await openFor(vars);
    const named = { "x-coder-owner-id": OWNER };
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at, headers: named });
    const pairs = [SERVICE, AGENTS, ...Object.entries(headers)];
    const description = { path: CENTRAL_CHAT, headers: pairs, body_sha256: await sha256Hex(BODY) };
    for (let times = 0; times < 2; times += 1)
      expect(await explanationOf(gateway, description)).toMatchObject({
        initiator: { attribution: "signed" },
      });
    const init = { method: "POST", headers: Object.fromEntries(pairs) as Record<string, string>, body: BODY };
    expect((await gateway.exchange(CENTRAL_CHAT, init)).response.status).toBe(200);
    expect((await gateway.exchange(CENTRAL_CHAT, init)).response.status).toBe(401);
    // The replay cache is not consulted, so the explanation does not change.
    expect(await explanationOf(gateway, description)).toMatchObject({ initiator: { attribution: "signed" } });
  });

  // The attack: a described request is sent to the host that its Host header names.
  it("fetch anything but the identity lookup", async () => {
    const gateway = await openFor(
      {
        IDENTITY: [{ source: "coder", url: "https://coder.example" }],
        PROVIDERS: {
          central: { type: "openai", base_url: "https://central.example/v1", keys: ["CENTRAL_KEY"] },
        },
        CLIENT_KEYS: undefined,
      },
      {
        provider: ({ url }) =>
          Response.json(
            url.includes("/keys/")
              ? { scopes: ["coder:all"] }
              : { id: OWNER, username: "alice", status: "active", is_service_account: false },
          ),
      },
    );
    const token = "aBcDeF0123-aBcDeFgHiJkLmNoPqRsTuV";
    const explanation = await explanationOf(gateway, {
      path: CENTRAL_CHAT,
      headers: {
        authorization: `Bearer ${token}`,
        host: "evil.example/central?",
        "x-forwarded-host": "evil.example",
      },
    });
    expect(explanation).toMatchObject({ actor: { id: OWNER, name: "alice", source: "coder" } });
    expect(JSON.stringify(explanation)).not.toContain(token.slice(11));
    expect(gateway.sent.map(({ url }) => url)).toEqual([
      "https://coder.example/api/v2/users/me",
      "https://coder.example/api/v2/users/me/keys/aBcDeF0123",
    ]);
  });

  it("fail where identity is unavailable: the explanation has the refusal that a request would get", async () => {
    const gateway = await openFor(
      {
        IDENTITY: [{ source: "coder", url: "https://coder.example" }],
        PROVIDERS: {
          central: { type: "openai", base_url: "https://central.example/v1", keys: ["CENTRAL_KEY"] },
        },
        CLIENT_KEYS: undefined,
      },
      { provider: () => new Response("CANARY", { status: 500 }) },
    );
    const explanation = await explanationOf(gateway, {
      path: CENTRAL_CHAT,
      headers: { authorization: "Bearer aBcDeF0123-aBcDeFgHiJkLmNoPqRsTuV" },
    });
    expect(explanation).toMatchObject({
      actor: null,
      initiator: null,
      refusal: { reason: "identity_unavailable", status: 503, detail: "coder: status 500" },
    });
  });

  it("repeat the error of an identity source that throws", async () => {
    const gateway = await openFor(
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
    const { status } = await callExplain(gateway, { path: CENTRAL_CHAT, headers: [SERVICE] });
    expect(status).toBe(500);
    expect(gateway.operatorErrors).toHaveLength(1);
  });
});
