/* oxlint-disable vitest/expect-expect -- helpers such as expectForwarded and expectRefusal assert */
/**
 * Part C of the catalogue for the identity sources that query an external service: a fake Coder and fake issuers over
 * real sockets, with the production bundle between them and the provider.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { coderToken, startFakeCoder, type FakeCoder } from "../support/fake-coder.ts";
import { AUDIENCE, startFakeIssuer, type FakeIssuer } from "../support/fake-issuer.ts";
import { craftJwt, craftHmacJwt } from "../support/issuer-tokens.ts";
import { openRaw } from "../support/raw-client.ts";
import type { HeaderPair } from "../support/wire.ts";
import {
  ALICE,
  bearer,
  BODY,
  CENTRAL,
  expectForwarded,
  expectRefusal,
  KEYS,
  openCaseHarness,
  OWN,
  type Exchange,
  type CaseHarness,
} from "./case-harness.ts";

/** Long enough for every response here, and short enough to wait for where none comes. */
const TIMEOUT_MS = 1500;

let harness: CaseHarness;
let coder: FakeCoder;
let issuer: FakeIssuer;
let team: FakeIssuer;
/** The attacker's issuer, to which forged tokens point. It must receive no request. */
let attacker: FakeIssuer;

const sources = (): readonly Readonly<Record<string, unknown>>[] => [
  { source: "coder", url: coder.url, timeout_ms: TIMEOUT_MS, cache_ttl_s: 300 },
  {
    source: "jwt",
    issuer: issuer.url,
    jwks_url: `${issuer.url}/keys`,
    audience: AUDIENCE,
    name_claim: "email",
    timeout_ms: TIMEOUT_MS,
  },
  { source: "access", team_domain: team.url, audience: AUDIENCE },
  { source: "keys" },
  { source: "byok" },
];

beforeAll(async () => {
  [coder, issuer, team, attacker] = await Promise.all([
    startFakeCoder(),
    startFakeIssuer("issuer"),
    startFakeIssuer("team"),
    startFakeIssuer("issuer"),
  ]);
  harness = await openCaseHarness(() => ({ vars: { IDENTITY: sources() } }));
});
beforeEach(() => {
  for (const backend of [coder, issuer, team, attacker]) {
    backend.setMode("working");
    backend.clear();
  }
  harness.reset();
});
afterEach(async () => {
  await harness.check();
  if (attacker.requests.length > 0) throw new Error("the attacker's issuer received a request");
});
afterAll(() => Promise.all([harness, coder, issuer, team, attacker].map((each) => each.close())));

const call = (target: string, ...headers: readonly HeaderPair[]): Promise<Exchange> =>
  harness.send({ target, headers: [["Content-Type", "application/json"], ...headers], body: BODY });
const governance = (token: string): HeaderPair => ["X-Coder-AI-Governance-Token", token];
const assertion = (token: string): HeaderPair => ["Cf-Access-Jwt-Assertion", token];

const OPENAI = "/openai/v1/chat/completions";
const OWN_OPENAI = "/own-openai/v1/chat/completions";
const MESSAGES = "/anthropic/v1/messages";

/** Expects a request forwarded with the central key and attributed to this actor. */
async function expectActor(exchange: Exchange, actor: Readonly<Record<string, unknown>>): Promise<void> {
  const forwarded = expectForwarded(exchange);
  expect(forwarded.values("authorization")).toEqual([`Bearer ${CENTRAL.openai}`]);
  const start = await harness.event("interception_start");
  expect(start).toMatchObject({ attribution: "authenticated", ...actor });
  expect(start.initiator_id).toBe(start.actor_id);
}

/** Adds a Coder user. Its token must not leak to any system but Coder. */
function addUser(over?: Parameters<FakeCoder["addUser"]>[0]): string {
  const token = coder.addUser(over);
  harness.registerSecret(token);
  return token;
}

describe("source coder", () => {
  it.each<[string, (token: string) => HeaderPair]>([
    ["the governance header", governance],
    ["Authorization", bearer],
    ["X-Api-Key", (token) => ["X-Api-Key", token]],
  ])("identifies a user by a token in %s, and does not forward the token", async (_, header) => {
    const token = addUser();
    await expectActor(await call(OPENAI, header(token)), {
      actor_id: coder.user(token).id,
      metadata: { actor_name: coder.user(token).username },
      actor_kind: "user",
      identity_source: "coder",
    });
    const [lookup] = coder.requests;
    expect([lookup?.method, lookup?.path]).toEqual(["GET", "/api/v2/users/me"]);
    expect(Object.keys(lookup?.headers ?? {}).toSorted()).toEqual([
      "accept",
      "cache-control",
      "coder-session-token",
      "host",
      "pragma",
    ]);
  });

  it("records a service account as an actor of kind service", async () => {
    const token = addUser({ is_service_account: true, login_type: "none" });
    await expectActor(await call(OPENAI, bearer(token)), { actor_kind: "service" });
  });

  it("C1 rejects an unknown token with 401, and queries Coder once", async () => {
    const token = coderToken();
    harness.registerSecret(token);
    expectRefusal(await call(OPENAI, bearer(token)), 401, "invalid_credential");
    expectRefusal(await call(MESSAGES, governance(token)), 401, "invalid_credential", "anthropic");
    expect(coder.requests).toHaveLength(1);
  });

  it.each(["suspended", "dormant"])("rejects a user that is %s with 401", async (status) => {
    expectRefusal(await call(OPENAI, bearer(addUser({ status }))), 401, "invalid_credential");
    expect(await harness.event("refusal")).toMatchObject({ detail: "coder: the user is not active" });
  });

  it("rejects its token on a provider without central keys instead of forwarding it", async () => {
    const token = addUser();
    expectRefusal(await call(OWN_OPENAI, bearer(token)), 401, "provider_key_missing");
    expectRefusal(await call(OWN_OPENAI, governance(token), bearer(addUser())), 401, "provider_key_missing");
    expectRefusal(
      await call(OWN_OPENAI, governance(token), bearer(await issuer.token())),
      401,
      "provider_key_missing",
    );
    expectRefusal(await call(OWN_OPENAI, governance(token), bearer(KEYS.user)), 401, "provider_key_missing");
    const forwarded = expectForwarded(await call(OWN_OPENAI, governance(token), bearer(OWN.openai)));
    expect(forwarded.values("authorization")).toEqual([`Bearer ${OWN.openai}`]);
  });

  it.each(["failing", "garbled", "redirecting", "hanging", "dribbling"] as const)(
    "C18 rejects unknown tokens with 503 and accepts cached ones while Coder is %s",
    async (mode) => {
      const cached = addUser();
      expectForwarded(await call(OPENAI, bearer(cached)));
      coder.setMode(mode);
      const token = addUser();
      const startedAt = Date.now();
      expectRefusal(await call(OPENAI, bearer(token)), 503, "identity_unavailable");
      expect(Date.now() - startedAt).toBeLessThan(TIMEOUT_MS + 2000);
      expectForwarded(await call(OPENAI, bearer(cached)));
      coder.setMode("working");
      expectForwarded(await call(OPENAI, bearer(token)));
      expect(coder.requests.filter(({ path }) => !path.startsWith("/api/v2/users/me"))).toEqual([]);
    },
  );

  it("C18 returns 503 if the connection to Coder fails", async () => {
    const closed = await startFakeCoder();
    await closed.close();
    await harness.configure({
      vars: { IDENTITY: [{ source: "coder", url: closed.url }, { source: "keys" }] },
    });
    expectRefusal(await call(OPENAI, bearer(addUser())), 503, "identity_unavailable");
    await harness.configure({ vars: { IDENTITY: sources() } });
  });

  it("C8 rejects a revoked token after cache_ttl_s", async () => {
    const [first, ...others] = sources();
    await harness.configure({ vars: { IDENTITY: [{ ...first, cache_ttl_s: 1 }, ...others] } });
    const token = addUser();
    expectForwarded(await call(OPENAI, bearer(token)));
    coder.revoke(token);
    const revokedAt = Date.now();
    while (Date.now() <= revokedAt + 1000) await call(OPENAI, bearer(token));
    expectRefusal(await call(OPENAI, bearer(token)), 401, "invalid_credential");
    await harness.configure({ vars: { IDENTITY: sources() } });
  });
});

describe("source coder coalesces concurrent lookups of one token", () => {
  it("sends one lookup of each kind for 200 requests", async () => {
    const token = addUser();
    const release = coder.hold();
    const responses = harness.sendInParallel(
      Array.from({ length: 200 }, () => ({ target: OPENAI, headers: [bearer(token)], body: BODY })),
    );
    await coder.waitForRequests(1);
    release();
    expect(new Set((await responses).map(({ status }) => status))).toEqual(new Set([200]));
    // The user and the key.
    expect(coder.requests).toHaveLength(2);
  });

  it("completes the other requests after the client that triggered the lookup disconnects", async () => {
    const token = addUser();
    const release = coder.hold();
    const first = await openRaw(harness.interceptor.port);
    first.send({ target: OPENAI, headers: [bearer(token)], body: BODY });
    await coder.waitForRequests(1);
    const others = harness.sendInParallel(
      Array.from({ length: 20 }, () => ({ target: OPENAI, headers: [bearer(token)], body: BODY })),
    );
    // A waiting client disconnects too. workerd prints a warning unless `waitUntil` keeps its request alive.
    const second = await openRaw(harness.interceptor.port);
    second.send({ target: OPENAI, headers: [bearer(token)], body: BODY });
    // This request proves that the Worker has received the others, which sent no second lookup.
    expectForwarded(await call(OPENAI, bearer(KEYS.user)));
    first.abort();
    second.abort();
    expectForwarded(await call(OPENAI, bearer(KEYS.user)));
    release();
    expect(new Set((await others).map(({ status }) => status))).toEqual(new Set([200]));
    expect(coder.requests).toHaveLength(2);
  });

  it("C18 fails all waiting requests after the timeout", async () => {
    const token = addUser();
    coder.setMode("hanging");
    const connections = await Promise.all(
      Array.from({ length: 20 }, () => openRaw(harness.interceptor.port)),
    );
    const startedAt = Date.now();
    for (const connection of connections)
      connection.send({ target: OPENAI, headers: [bearer(token)], body: BODY });
    const responses = await Promise.all(connections.map((connection) => connection.readResponse()));
    for (const connection of connections) connection.destroy();
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([503]));
    expect(Date.now() - startedAt).toBeLessThan(TIMEOUT_MS + 2000);
    expect(coder.requests).toHaveLength(1);
  });
});

describe("source jwt", () => {
  it("identifies the subject of a token after one fetch of the keys", async () => {
    const token = await issuer.token({ email: "alice@example.com" });
    harness.registerSecret(token);
    await expectActor(await call(OPENAI, bearer(token)), {
      actor_id: "alice",
      metadata: { actor_name: "alice@example.com" },
      actor_kind: "user",
      identity_source: "jwt",
    });
    expectForwarded(await call(OPENAI, governance(await issuer.token({ sub: "bob" }, { alg: "ES256" }))));
    expect(issuer.requests.length).toBeLessThanOrEqual(1);
    for (const { path } of issuer.requests) expect(path).toBe("/keys");
  });

  it.each<[string, () => Promise<string>]>([
    ["C12 alg none", async () => craftJwt({ alg: "none" }, issuer.claims())],
    ["C12 no alg", async () => craftJwt({ typ: "JWT" }, issuer.claims(), "c2ln")],
    [
      "C12 HS256 with the public key as secret",
      async () => craftHmacJwt({ alg: "HS256" }, issuer.claims(), await issuer.publicPem()),
    ],
    ["C12 a signature of another issuer", () => attacker.sign(issuer.claims())],
    [
      "C13 a kid with path traversal",
      () => attacker.sign(issuer.claims(), { header: { kid: "../../dev/null" } }),
    ],
    ["C13 a jku", () => attacker.sign(issuer.claims(), { header: { jku: `${attacker.url}/keys` } })],
    ["C13 an x5u", () => attacker.sign(issuer.claims(), { header: { x5u: `${attacker.url}/keys` } })],
    ["C13 a jwk", () => attacker.sign(issuer.claims(), { header: { jwk: attacker.jwks().keys[0] } })],
    [
      "C13 a kid that is a URL",
      () => attacker.sign(issuer.claims(), { header: { kid: `${attacker.url}/keys` } }),
    ],
    ["C14 another audience", () => issuer.token({ aud: "other" })],
    ["C14 expired", () => issuer.token({ exp: 1_700_000_000 })],
    ["C14 not yet valid", () => issuer.token({ nbf: 4_000_000_000 })],
    ["C14 an exp that is a string", () => issuer.token({ exp: "4000000000" })],
    ["C14 no exp", () => issuer.token({ exp: undefined })],
  ])(
    "%s: rejects the token with 401 in both dialects, and fetches only the issuer's keys",
    async (_, make) => {
      const token = await make();
      harness.registerSecret(token.split(".")[1] ?? "");
      expectRefusal(await call(OPENAI, bearer(token)), 401, "invalid_credential");
      expectRefusal(
        await call(MESSAGES, governance(token), bearer(OWN.anthropic)),
        401,
        "invalid_credential",
        "anthropic",
      );
    },
  );

  it("C14 only byok recognizes a token of an unknown issuer, and treats it as a provider key", async () => {
    const token = await attacker.token();
    expectRefusal(await call(OPENAI, bearer(token)), 401, "byok_not_accepted");
    expectRefusal(await call(OPENAI, governance(token)), 401, "invalid_credential");
  });

  it("C15 fetches the keys once per cool-down for 1,000 unknown key ids", async () => {
    await harness.configure({ vars: { IDENTITY: sources() } });
    const [, payload, signature] = (await issuer.token()).split(".");
    const connection = await openRaw(harness.interceptor.port);
    for (let at = 0; at < 1000; at += 1) {
      const header = craftJwt({ alg: "RS256", kid: `unknown-${at}` }, {}).split(".")[0];
      connection.send({
        target: "/openai/v1/models",
        headers: [bearer(`${header}.${payload}.${signature}`)],
      });
    }
    const statuses = new Set<number>();
    for (let at = 0; at < 1000; at += 1) statuses.add((await connection.readResponse()).status);
    connection.destroy();
    expect([...statuses]).toEqual([401]);
    expect(issuer.requests).toHaveLength(1);
  });

  it.each(["failing", "garbled", "redirecting", "hanging", "dribbling"] as const)(
    "C16 returns 503 for every token if the issuer is %s from the start",
    async (mode) => {
      issuer.setMode(mode);
      await harness.configure({ vars: { IDENTITY: sources() } });
      expectRefusal(await call(OPENAI, bearer(await issuer.token())), 503, "identity_unavailable");
      expectRefusal(
        await call(OPENAI, bearer(await attacker.sign(issuer.claims()))),
        503,
        "identity_unavailable",
      );
      expect(issuer.requests.filter(({ path }) => path !== "/keys")).toEqual([]);
    },
  );

  it("C16 verifies tokens with cached keys while the issuer is down", async () => {
    await harness.configure({ vars: { IDENTITY: sources() } });
    expectForwarded(await call(OPENAI, bearer(await issuer.token())));
    issuer.setMode("hanging");
    expectForwarded(await call(OPENAI, bearer(await issuer.token({ sub: "bob" }))));
    expectRefusal(
      await call(OPENAI, bearer(await attacker.sign(issuer.claims()))),
      401,
      "invalid_credential",
    );
  });

  it("fetches the keys once for 100 concurrent requests", async () => {
    await harness.configure({ vars: { IDENTITY: sources() } });
    const tokens = await Promise.all(
      Array.from({ length: 100 }, (_, at) => issuer.token({ sub: `user-${at}` })),
    );
    const responses = await harness.sendInParallel(
      tokens.map((token) => ({ target: OPENAI, headers: [bearer(token)], body: BODY })),
    );
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(issuer.requests).toHaveLength(1);
  });
});

describe("source access", () => {
  it("identifies a user by the header alone, and does not forward the header", async () => {
    const token = await team.token({ aud: [AUDIENCE], sub: ALICE, email: "alice@example.com", type: "app" });
    harness.registerSecret(token);
    await expectActor(await call(OPENAI, assertion(token)), {
      actor_id: ALICE,
      metadata: { actor_name: "alice@example.com" },
      actor_kind: "user",
      identity_source: "access",
    });
  });

  it("identifies a service token by its client id", async () => {
    const token = await team.token({ sub: "", common_name: "e367826f93b8d71185e03fe518aff3b4.access" });
    await expectActor(await call(OPENAI, assertion(token)), {
      actor_id: "e367826f93b8d71185e03fe518aff3b4.access",
      actor_kind: "service",
    });
  });

  it("uses Authorization next to it as the client's own key, only on providers without central keys", async () => {
    const token = await team.token({ sub: ALICE });
    const central = expectForwarded(await call(OPENAI, assertion(token), bearer(OWN.openai)));
    expect(central.values("authorization")).toEqual([`Bearer ${CENTRAL.openai}`]);
    const own = expectForwarded(await call(OWN_OPENAI, assertion(token), bearer(OWN.openai)));
    expect(own.values("authorization")).toEqual([`Bearer ${OWN.openai}`]);
    expectRefusal(await call(OWN_OPENAI, assertion(token)), 401, "provider_key_missing");
    expectRefusal(await call(OWN_OPENAI, assertion(token), bearer(token)), 401, "provider_key_missing");
  });

  it.each<[string, () => Promise<string>]>([
    ["signed by an attacker", () => attacker.sign(team.claims({ sub: ALICE }))],
    ["C12 unsigned", async () => craftJwt({ alg: "none" }, team.claims({ sub: ALICE }))],
    ["C14 for another application", () => team.token({ aud: "other" })],
    ["of the other issuer", () => issuer.token()],
    ["not a JWT", async () => "letmein"],
  ])("rejects a token that is %s with 401, although the key next to it is valid", async (_, make) => {
    const token = await make();
    expectRefusal(await call(OPENAI, assertion(token)), 401, "invalid_credential");
    expectRefusal(await call(OWN_OPENAI, assertion(token), bearer(OWN.openai)), 401, "invalid_credential");
  });

  it("C4 rejects a request with two of these headers", async () => {
    const token = await team.token({ sub: ALICE });
    expectRefusal(await call(OPENAI, assertion(token), assertion(token)), 401, "credential_malformed");
  });

  it("ignores the header if no source reads it", async () => {
    await harness.configure({ vars: { IDENTITY: [{ source: "keys" }, { source: "byok" }] } });
    expectRefusal(await call(OPENAI, assertion(await team.token())), 401, "credential_missing");
    expectForwarded(await call(OPENAI, assertion("x y"), bearer(KEYS.user)));
    await harness.configure({ vars: { IDENTITY: sources() } });
  });
});

describe("several sources", () => {
  it("the first source in the configured order that recognizes a credential decides", async () => {
    const user = addUser();
    const token = await team.token({ sub: ALICE });
    const actorOf = async (...headers: HeaderPair[]): Promise<unknown> => {
      harness.reset();
      expectForwarded(await call(OPENAI, ...headers));
      return (await harness.event("interception_start")).identity_source;
    };
    expect(await actorOf(assertion(token), bearer(KEYS.user))).toBe("access");
    expect(await actorOf(assertion(token), bearer(user))).toBe("coder");
    expect(await actorOf(bearer(KEYS.user))).toBe("keys");
    await harness.configure({ vars: { IDENTITY: sources().toReversed() } });
    expect(await actorOf(assertion(token), bearer(KEYS.user))).toBe("keys");
    expect(await actorOf(bearer(user))).toBe("coder");
    expect(await actorOf(bearer(await issuer.token()))).toBe("jwt");
    await harness.configure({ vars: { IDENTITY: sources() } });
  });

  it("byok accepts a credential that no other source recognizes, and forwards it", async () => {
    const forwarded = expectForwarded(await call(OWN_OPENAI, bearer(OWN.openai)));
    expect(forwarded.values("authorization")).toEqual([`Bearer ${OWN.openai}`]);
    expect(await harness.event("interception_start")).toMatchObject({
      identity_source: "byok",
      attribution: "unverified",
    });
  });
});
