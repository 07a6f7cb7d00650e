/* oxlint-disable vitest/expect-expect -- expectForwarded, expectRefusal and their like are assertions */
/**
 * Part C of the catalogue for the sources that ask somebody else: a fake Coder and fake issuers over real sockets, the
 * production bundle between them and the provider.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Fields } from "../../src/shared/config/fields.ts";
import { coder as coderSource } from "../../src/gateway/identity/sources/coder.ts";
import { readCredential } from "../../src/gateway/identity/credential.ts";
import { identify } from "../../src/gateway/identity/identity.ts";
import { Refusal } from "../../src/shared/refusal.ts";
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

/** Long enough for any answer here, short enough to wait for when there is none. */
const TIMEOUT_MS = 1500;

let harness: CaseHarness;
let coder: FakeCoder;
let issuer: FakeIssuer;
let team: FakeIssuer;
/** Whom tokens point to that say where their key is: nobody may ask it. */
let evil: FakeIssuer;

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
  [coder, issuer, team, evil] = await Promise.all([
    startFakeCoder(),
    startFakeIssuer("issuer"),
    startFakeIssuer("team"),
    startFakeIssuer("issuer"),
  ]);
  harness = await openCaseHarness(() => ({ vars: { IDENTITY: sources() } }));
});
beforeEach(() => {
  for (const backend of [coder, issuer, team, evil]) {
    backend.setMode("working");
    backend.clear();
  }
  harness.reset();
});
afterEach(async () => {
  await harness.check();
  if (evil.requests.length > 0) throw new Error("somebody asked for an attacker's keys");
});
afterAll(() => Promise.all([harness, coder, issuer, team, evil].map((one) => one.close())));

const call = (target: string, ...headers: readonly HeaderPair[]): Promise<Exchange> =>
  harness.send({ target, headers, body: BODY });
const governance = (token: string): HeaderPair => ["X-Coder-AI-Governance-Token", token];
const assertion = (token: string): HeaderPair => ["Cf-Access-Jwt-Assertion", token];

const OPENAI = "/openai/v1/chat/completions";
const OWN_OPENAI = "/own-openai/v1/chat/completions";
const MESSAGES = "/anthropic/v1/messages";

/** Forwarded with the central key, on the account of this actor. */
async function expectActor(exchange: Exchange, actor: Readonly<Record<string, unknown>>): Promise<void> {
  const forwarded = expectForwarded(exchange);
  expect(forwarded.values("authorization")).toEqual([`Bearer ${CENTRAL.openai}`]);
  const start = await harness.event("interception_start");
  expect(start).toMatchObject({ attribution: "authenticated", ...actor });
  expect(start.initiator_id).toBe(start.actor_id);
}

/** A new user of Coder, whose token is told nobody but Coder. */
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
  ])("knows a user by a token in %s, and tells the provider nothing of it", async (_, header) => {
    const token = addUser();
    await expectActor(await call(OPENAI, header(token)), {
      actor_id: coder.user(token).id,
      metadata: { actor_name: coder.user(token).username },
      actor_kind: "user",
      identity_source: "coder",
    });
    const [asked] = coder.requests;
    expect([asked?.method, asked?.path]).toEqual(["GET", "/api/v2/users/me"]);
    expect(Object.keys(asked?.headers ?? {}).toSorted()).toEqual([
      "accept",
      "cache-control",
      "coder-session-token",
      "host",
      "pragma",
    ]);
  });

  it("knows a service account for one", async () => {
    const token = addUser({ is_service_account: true, login_type: "none" });
    await expectActor(await call(OPENAI, bearer(token)), { actor_kind: "service" });
  });

  it("C1 a token nobody has: E401, asked once", async () => {
    const token = coderToken();
    harness.registerSecret(token);
    expectRefusal(await call(OPENAI, bearer(token)), 401, "invalid_credential");
    expectRefusal(await call(MESSAGES, governance(token)), 401, "invalid_credential", "anthropic");
    expect(coder.requests).toHaveLength(1);
  });

  it.each(["suspended", "dormant"])("a user that is %s: E401", async (status) => {
    expectRefusal(await call(OPENAI, bearer(addUser({ status }))), 401, "invalid_credential");
    expect(await harness.event("refusal")).toMatchObject({ detail: "coder: the user is not active" });
  });

  it("its token is no provider key: on a provider without central keys it is refused, not sent", async () => {
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
    "C18 while Coder is %s: E503 for strangers, and who was known stays so",
    async (mood) => {
      const known = addUser();
      expectForwarded(await call(OPENAI, bearer(known)));
      coder.setMode(mood);
      const token = addUser();
      const before = Date.now();
      expectRefusal(await call(OPENAI, bearer(token)), 503, "identity_unavailable");
      expect(Date.now() - before).toBeLessThan(TIMEOUT_MS + 2000);
      expectForwarded(await call(OPENAI, bearer(known)));
      coder.setMode("working");
      expectForwarded(await call(OPENAI, bearer(token)));
      expect(coder.requests.filter(({ path }) => path !== "/api/v2/users/me")).toEqual([]);
    },
  );

  it("C18 without a Coder to connect to: E503", async () => {
    const gone = await startFakeCoder();
    await gone.close();
    await harness.configure({ vars: { IDENTITY: [{ source: "coder", url: gone.url }, { source: "keys" }] } });
    expectRefusal(await call(OPENAI, bearer(addUser())), 503, "identity_unavailable");
    await harness.configure({ vars: { IDENTITY: sources() } });
  });

  it("C8 a token that is revoked is refused after cache_ttl_s", async () => {
    const [first, ...others] = sources();
    await harness.configure({ vars: { IDENTITY: [{ ...first, cache_ttl_s: 1 }, ...others] } });
    const token = addUser();
    expectForwarded(await call(OPENAI, bearer(token)));
    coder.revoke(token);
    const known = Date.now();
    while (Date.now() <= known + 1000) await call(OPENAI, bearer(token));
    expectRefusal(await call(OPENAI, bearer(token)), 401, "invalid_credential");
    await harness.configure({ vars: { IDENTITY: sources() } });
  });
});

describe("source coder: one question for all who ask the same at once", () => {
  it("200 requests with one token are one", async () => {
    const token = addUser();
    const release = coder.hold();
    const responses = harness.sendInParallel(
      Array.from({ length: 200 }, () => ({ target: OPENAI, headers: [bearer(token)], body: BODY })),
    );
    await coder.waitForRequests(1);
    release();
    expect(new Set((await responses).map(({ status }) => status))).toEqual(new Set([200]));
    expect(coder.requests).toHaveLength(1);
  });

  it("others go on when the client leaves whose request it was that asked", async () => {
    const token = addUser();
    const release = coder.hold();
    const first = await openRaw(harness.interceptor.port);
    first.send({ target: OPENAI, headers: [bearer(token)], body: BODY });
    await coder.waitForRequests(1);
    const others = harness.sendInParallel(
      Array.from({ length: 20 }, () => ({ target: OPENAI, headers: [bearer(token)], body: BODY })),
    );
    // One of those who wait leaves too: workerd would warn of it, if nothing held its request.
    const second = await openRaw(harness.interceptor.port);
    second.send({ target: OPENAI, headers: [bearer(token)], body: BODY });
    // A request of its own shows that the Worker has seen the others, and that none of them asked again.
    expectForwarded(await call(OPENAI, bearer(KEYS.user)));
    first.abort();
    second.abort();
    expectForwarded(await call(OPENAI, bearer(KEYS.user)));
    release();
    expect(new Set((await others).map(({ status }) => status))).toEqual(new Set([200]));
    expect(coder.requests).toHaveLength(1);
  });

  it("C18 nobody waits longer than is allowed for what does not come", async () => {
    const token = addUser();
    coder.setMode("hanging");
    const connections = await Promise.all(
      Array.from({ length: 20 }, () => openRaw(harness.interceptor.port)),
    );
    const before = Date.now();
    for (const connection of connections)
      connection.send({ target: OPENAI, headers: [bearer(token)], body: BODY });
    const responses = await Promise.all(connections.map((connection) => connection.readResponse()));
    for (const connection of connections) connection.destroy();
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([503]));
    expect(Date.now() - before).toBeLessThan(TIMEOUT_MS + 2000);
    expect(coder.requests).toHaveLength(1);
  });
});

describe("source jwt", () => {
  it("knows whom the issuer names, once its keys are fetched", async () => {
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

  it.each<[string, () => string | Promise<string>]>([
    ["C12 alg none", () => craftJwt({ alg: "none" }, issuer.claims())],
    ["C12 no alg", () => craftJwt({ typ: "JWT" }, issuer.claims(), "c2ln")],
    [
      "C12 HS256 by the public key",
      async () => craftHmacJwt({ alg: "HS256" }, issuer.claims(), await issuer.publicPem()),
    ],
    ["C12 another's signature", () => evil.sign(issuer.claims())],
    ["C13 kid that climbs", () => evil.sign(issuer.claims(), { header: { kid: "../../dev/null" } })],
    ["C13 jku", () => evil.sign(issuer.claims(), { header: { jku: `${evil.url}/keys` } })],
    ["C13 x5u", () => evil.sign(issuer.claims(), { header: { x5u: `${evil.url}/keys` } })],
    ["C13 jwk", () => evil.sign(issuer.claims(), { header: { jwk: evil.jwks().keys[0] } })],
    ["C13 kid that is a URL", () => evil.sign(issuer.claims(), { header: { kid: `${evil.url}/keys` } })],
    ["C14 another audience", () => issuer.token({ aud: "other" })],
    ["C14 expired", () => issuer.token({ exp: 1_700_000_000 })],
    ["C14 not yet valid", () => issuer.token({ nbf: 4_000_000_000 })],
    ["C14 exp that is a text", () => issuer.token({ exp: "4000000000" })],
    ["C14 no exp", () => issuer.token({ exp: undefined })],
  ])("%s: E401 in both dialects, nothing fetched but the issuer's keys", async (_, make) => {
    const token = await make();
    harness.registerSecret(token.split(".")[1] ?? "");
    expectRefusal(await call(OPENAI, bearer(token)), 401, "invalid_credential");
    expectRefusal(
      await call(MESSAGES, governance(token), bearer(OWN.anthropic)),
      401,
      "invalid_credential",
      "anthropic",
    );
  });

  it("C14 another issuer's token is no source's: byok alone takes it, for a provider key", async () => {
    const token = await evil.token();
    expectRefusal(await call(OPENAI, bearer(token)), 401, "byok_not_accepted");
    expectRefusal(await call(OPENAI, governance(token)), 401, "invalid_credential");
  });

  it("C15 1,000 unknown key ids: one question per cool-down", async () => {
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
    "C16 an issuer that is %s from the beginning: E503, whoever asks",
    async (mood) => {
      issuer.setMode(mood);
      await harness.configure({ vars: { IDENTITY: sources() } });
      expectRefusal(await call(OPENAI, bearer(await issuer.token())), 503, "identity_unavailable");
      expectRefusal(
        await call(OPENAI, bearer(await evil.sign(issuer.claims()))),
        503,
        "identity_unavailable",
      );
      expect(issuer.requests.filter(({ path }) => path !== "/keys")).toEqual([]);
    },
  );

  it("C16 with its keys at hand an issuer may be down", async () => {
    await harness.configure({ vars: { IDENTITY: sources() } });
    expectForwarded(await call(OPENAI, bearer(await issuer.token())));
    issuer.setMode("hanging");
    expectForwarded(await call(OPENAI, bearer(await issuer.token({ sub: "bob" }))));
    expectRefusal(await call(OPENAI, bearer(await evil.sign(issuer.claims()))), 401, "invalid_credential");
  });

  it("100 requests before there are any keys are one question", async () => {
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
  it("knows a user by the header alone, and the provider sees nothing of it", async () => {
    const token = await team.token({ aud: [AUDIENCE], sub: ALICE, email: "alice@example.com", type: "app" });
    harness.registerSecret(token);
    await expectActor(await call(OPENAI, assertion(token)), {
      actor_id: ALICE,
      metadata: { actor_name: "alice@example.com" },
      actor_kind: "user",
      identity_source: "access",
    });
  });

  it("knows a service token by its client id", async () => {
    const token = await team.token({ sub: "", common_name: "e367826f93b8d71185e03fe518aff3b4.access" });
    await expectActor(await call(OPENAI, assertion(token)), {
      actor_id: "e367826f93b8d71185e03fe518aff3b4.access",
      actor_kind: "service",
    });
  });

  it("beside it Authorization is the client's own key: it yields to a central one, and goes on without", async () => {
    const token = await team.token({ sub: ALICE });
    const central = expectForwarded(await call(OPENAI, assertion(token), bearer(OWN.openai)));
    expect(central.values("authorization")).toEqual([`Bearer ${CENTRAL.openai}`]);
    const own = expectForwarded(await call(OWN_OPENAI, assertion(token), bearer(OWN.openai)));
    expect(own.values("authorization")).toEqual([`Bearer ${OWN.openai}`]);
    expectRefusal(await call(OWN_OPENAI, assertion(token)), 401, "provider_key_missing");
    expectRefusal(await call(OWN_OPENAI, assertion(token), bearer(token)), 401, "provider_key_missing");
  });

  it.each<[string, () => string | Promise<string>]>([
    ["forged by a stranger", () => evil.sign(team.claims({ sub: ALICE }))],
    ["C12 unsigned", () => craftJwt({ alg: "none" }, team.claims({ sub: ALICE }))],
    ["C14 another application's", () => team.token({ aud: "other" })],
    ["the other issuer's", () => issuer.token()],
    ["no token of this kind", () => "letmein"],
  ])("one that is %s: E401, though the key beside it would be good by itself", async (_, make) => {
    const token = await make();
    expectRefusal(await call(OPENAI, assertion(token)), 401, "invalid_credential");
    expectRefusal(await call(OWN_OPENAI, assertion(token), bearer(OWN.openai)), 401, "invalid_credential");
  });

  it("C4 twice in one request: E401", async () => {
    const token = await team.token({ sub: ALICE });
    expectRefusal(await call(OPENAI, assertion(token), assertion(token)), 401, "credential_malformed");
  });

  it("where no source reads it, it counts for nothing", async () => {
    await harness.configure({ vars: { IDENTITY: [{ source: "keys" }, { source: "byok" }] } });
    expectRefusal(await call(OPENAI, assertion(await team.token())), 401, "credential_missing");
    expectForwarded(await call(OPENAI, assertion("x y"), bearer(KEYS.user)));
    await harness.configure({ vars: { IDENTITY: sources() } });
  });
});

describe("which of several sources decides", () => {
  it("the first in the configured order that knows its credential", async () => {
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

  it("byok takes what is nobody's, and pays for itself", async () => {
    const forwarded = expectForwarded(await call(OWN_OPENAI, bearer(OWN.openai)));
    expect(forwarded.values("authorization")).toEqual([`Bearer ${OWN.openai}`]);
    expect(await harness.event("interception_start")).toMatchObject({
      identity_source: "byok",
      attribution: "unverified",
    });
  });
});

const problem = (path: string, what: string): never => {
  throw new Error(`${path} ${what}`);
};

describe("memory", () => {
  it("C9 100,000 distinct tokens that Coder does not know leave it as it was after 20,000", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const source = coderSource.configure({
      options: new Fields({ url: coder.url }, "coder", problem),
      secret: () => null,
      binding: () => null,
      report: problem,
      deps: {
        fetch: async () => new Response(null, { status: 401 }),
        now: Date.now,
        logError: () => undefined,
      },
    });
    const listed = [{ verifies: true, ...source }];
    const present = async (from: number, to: number): Promise<number> => {
      for (let at = from; at < to; at += 1) {
        const token = `strangers0-${String(at).padStart(22, "0")}`;
        const credential = await readCredential(new Headers({ authorization: `Bearer ${token}` }), listed);
        if (credential instanceof Refusal || !((await identify(credential, listed)) instanceof Refusal))
          throw new Error("a stranger was known");
      }
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = await present(0, 20_000);
    const grown = (await present(20_000, 120_000)) - before;
    console.log(`C9 the heap grew by ${(grown / 1024).toFixed(0)} KiB over 100,000 tokens`);
    expect(grown).toBeLessThan(1024 * 1024);
  });
});
