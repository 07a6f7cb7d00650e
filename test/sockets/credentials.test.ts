/* oxlint-disable vitest/expect-expect -- helpers such as expectForwarded and expectRefusal assert */
/** Part C of the catalogue for `byok` and `keys`: which credential decides, and which provider key is used. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Fields } from "../../src/shared/config/fields.ts";
import { byok } from "../../src/gateway/identity/sources/byok.ts";
import { readCredential } from "../../src/gateway/identity/credential.ts";
import { identify } from "../../src/gateway/identity/identity.ts";
import { keys } from "../../src/gateway/identity/sources/keys.ts";
import { Refusal } from "../../src/shared/refusal.ts";
import * as respond from "../support/response-steps.ts";
import type { UpstreamRequest } from "../support/fake-upstream.ts";
import { openRaw } from "../support/raw-client.ts";
import { utf8, type HeaderPair } from "../support/wire.ts";
import {
  ALICE,
  bearer,
  BODY,
  CENTRAL,
  CLIENT_KEYS,
  expectForwarded,
  expectRefusal,
  KEYS,
  openCaseHarness,
  OWN,
  SERVICE,
  sha256,
  type Exchange,
  type CaseHarness,
} from "./case-harness.ts";

let harness: CaseHarness;
const SECOND_KEY = "sk-ant-api03-SeC0nD2cEnTrAl9kEy8zXq5Wm7Rt4Yu1Io6Pa3S";
beforeAll(async () => {
  harness = await openCaseHarness((url) => ({
    providers: {
      drawn: { type: "anthropic", base_url: `${url}/drawn`, keys: ["ANTHROPIC_KEY", "SECOND_KEY"] },
    },
    secrets: { SECOND_KEY },
  }));
});
beforeEach(() => harness.reset());
afterEach(() => harness.check());
afterAll(() => harness.close());

const call = (target: string, headers: readonly HeaderPair[]): Promise<Exchange> =>
  harness.send({ target, headers, body: BODY });
const apiKey = (key: string): HeaderPair => ["X-Api-Key", key];
const governance = (key: string): HeaderPair => ["X-Coder-AI-Governance-Token", key];

const OPENAI = "/openai/v1/chat/completions";
const OWN_OPENAI = "/own-openai/v1/chat/completions";
const OWN_ANTHROPIC = "/own-anthropic/v1/messages";
/** APIs of each dialect: intercepted and passthrough, with and without central keys. */
const TARGETS = [
  [OPENAI, "openai"],
  ["/openai/v1/embeddings", "openai"],
  ["/anthropic/v1/messages", "anthropic"],
  ["/anthropic/v1/messages/count_tokens", "anthropic"],
  [OWN_OPENAI, "openai"],
  [OWN_ANTHROPIC, "anthropic"],
] as const;

/** Expects a 401 that leaves a refusal event only: no interception, no passthrough, no point. */
async function expectDenied(
  exchange: Exchange,
  reason: string,
  dialect: "openai" | "anthropic" = "openai",
): Promise<void> {
  expectRefusal(exchange, 401, reason, dialect);
  const types = (await harness.events("refusal")).map((event) => event.reason);
  expect(types).toContain(reason);
  expect(harness.interceptor.events().map((event) => event.record_type)).toEqual(types.map(() => "refusal"));
  expect(harness.interceptor.points()).toEqual([]);
}

describe("no credential", () => {
  it.each(TARGETS)(
    "C1 rejects a request without a credential on %s in its dialect (%s), and fetches and writes nothing",
    async (target, dialect) => {
      await expectDenied(await call(target, []), "credential_missing", dialect);
    },
  );

  it.each([
    ["an empty Authorization (workerd drops it)", [["Authorization", ""]]],
    ["an empty X-Api-Key", [apiKey("")]],
    ["a blank X-Api-Key", [apiKey("   ")]],
    ["a blank governance token", [governance("  ")]],
    ["a cookie", [["Cookie", `key=${KEYS.user}`]]],
    ["Proxy-Authorization", [["Proxy-Authorization", `Bearer ${KEYS.user}`]]],
    ["Api_Key", [["Api_Key", KEYS.user]]],
    ["X_Goog_Api_Key", [["X_Goog_Api_Key", KEYS.user]]],
    ["X_Api_Key", [["X_Api_Key", KEYS.user]]],
    ["Coder's session header", [["Coder-Session-Token", KEYS.user]]],
  ] as const)("C1 does not accept %s as a credential", async (_, headers) => {
    await expectDenied(await call(OPENAI, headers), "credential_missing");
  });

  it("C1 does not accept a key in the query as a credential", async () => {
    await expectDenied(
      await call(`${OPENAI}?api_key=${KEYS.user}&key=${KEYS.user}`, []),
      "credential_missing",
    );
  });
});

describe("malformed credentials", () => {
  it.each([
    ["C2", "Basic", [["Authorization", "Basic dXNlcjpwYXNzd29yZA=="]]],
    ["C2", "a bare token", [["Authorization", KEYS.user]]],
    ["C2", "Bearer alone", [["Authorization", "Bearer"]]],
    ["C2", "Bearer and a space", [["Authorization", "Bearer "]]],
    ["C2", "two words", [["Authorization", "Bearer a b"]]],
    ["C2", "a key and a second word", [["Authorization", `Bearer ${KEYS.user} x`]]],
    ["C2", "Bearer twice", [["Authorization", `Bearer Bearer ${KEYS.user}`]]],
    ["C2", "a tab instead of the space", [["Authorization", `Bearer\t${KEYS.user}`]]],
    ["C2", "a colon", [["Authorization", `Bearer: ${KEYS.user}`]]],
    ["C2", "a parameter", [["Authorization", `Bearer token="${KEYS.user}"`]]],
    ["C2", "Digest", [["Authorization", `Digest username="${KEYS.user}"`]]],
    ["C2", "Basic with a valid X-Api-Key", [["Authorization", "Basic dTpw"], apiKey(KEYS.user)]],
    ["C2", "two words in X-Api-Key", [apiKey(`${KEYS.user} x`)]],
    ["C2", "Bearer in X-Api-Key", [apiKey(`Bearer ${KEYS.user}`)]],
    ["C2", "Bearer in the governance token", [governance(`Bearer ${KEYS.user}`)]],
    ["C2", "Basic with a valid governance token", [governance(KEYS.user), ["Authorization", "Basic dTpw"]]],
    ["C4", "two bearers in one header", [["Authorization", `Bearer ${KEYS.user}, Bearer ${KEYS.service}`]]],
    ["C4", "two Authorization headers", [bearer(KEYS.user), bearer(KEYS.service)]],
    ["C4", "the same bearer twice", [bearer(KEYS.user), bearer(KEYS.user)]],
    ["C4", "a bearer and Basic", [bearer(KEYS.user), ["authorization", "Basic dTpw"]]],
    ["C4", "a bearer and an empty Authorization", [bearer(KEYS.user), ["AUTHORIZATION", ""]]],
    ["C4", "two keys with a comma", [bearer(`${KEYS.user},${KEYS.service}`)]],
    ["C4", "two X-Api-Key headers", [apiKey(KEYS.user), apiKey(KEYS.service)]],
    ["C4", "the same X-Api-Key twice", [apiKey(KEYS.user), apiKey(KEYS.user)]],
    ["C4", "two governance tokens", [governance(KEYS.user), governance(KEYS.service)]],
  ] as const)("%s rejects %s with 401, with and without central keys", async (_, __, headers) => {
    for (const target of [OPENAI, OWN_OPENAI])
      await expectDenied(await call(target, headers), "credential_malformed");
  });

  it.each(["bEaReR %", "bearer %", "BEARER %", "Bearer    %", "Bearer % ", " Bearer %"])(
    "C3 accepts %j as a bearer token",
    async (template) => {
      expectForwarded(await call(OPENAI, [["Authorization", template.replace("%", KEYS.user)]]));
      expect((await harness.event("interception_start")).actor_id).toBe(ALICE);
      const own = await call(OWN_OPENAI, [["Authorization", template.replace("%", OWN.openai)]]);
      expect(expectForwarded(own).values("authorization")).toEqual([`Bearer ${OWN.openai}`]);
    },
  );

  const METACHARACTERS: readonly [string, string][] = [
    ["SQL", "aei_'OR'1'='1"],
    ["a comment", "aei_x--;/*"],
    ["a path", "aei_../../../../etc/passwd%00"],
    ["escaped line ends", "aei_x%0d%0aX-Forged:1"],
    ["a template", "aei_${jndi:ldap://x}{{7*7}}"],
    ["a glob", "aei_*"],
    ["quotes", `aei_"'\`\\`],
    ["markup", "aei_<script>"],
    ["JSON", '{"$ne":""}'],
    ["control characters", "aei_\x01\x1b[31m\x7f"],
    ["a no-break space", `${KEYS.user}\xa0`],
    ["another alphabet", utf8(KEYS.user.replace("a", "\u0430"))],
    ["full-width letters", utf8("ａｅｉ＿ｘｘｘｘ")],
    ["bytes that are not UTF-8", `${KEYS.user}\xff`],
    ["a prototype's key", "__proto__"],
    ["another prototype's key", "constructor"],
    ["padding inside", "aei_a=b"],
  ];

  it.each(METACHARACTERS)(
    "C6 rejects a token with metacharacters (%s), and neither returns nor logs it",
    async (_, token) => {
      if (token.length > 12) harness.registerSecret(token);
      for (const header of [bearer(token), apiKey(token), governance(token)]) {
        const exchange = await call(OPENAI, [header]);
        expect([exchange.response.status, exchange.forwarded]).toEqual([401, []]);
      }
    },
  );

  it.each([
    ["100 KB of letters", "k".repeat(102_400)],
    ["100 KB that start with a valid key", KEYS.user.padEnd(102_400, "k")],
    ["100 KB of padding", `k${"=".repeat(102_400)}`],
    ["100 KB of padding, then a letter", `k${"=".repeat(102_400)}k`],
    ["100 KB of spaces between two letters", `k${" ".repeat(102_400)}k`],
    ["100 KB of vertical tabs between two letters", `k${"\v".repeat(102_400)}k`],
    ["8,193 characters", "k".repeat(8193)],
  ])("C6 rejects %s in bounded time", async (description, token) => {
    const startedAt = performance.now();
    for (const header of [bearer(token), apiKey(token), governance(token)])
      await expectDenied(await call(OPENAI, [header]), "credential_malformed");
    console.log(`C6 ${description}: three refusals in ${(performance.now() - startedAt).toFixed(1)} ms`);
    for (const { message } of harness.interceptor.lines()) expect(message.length).toBeLessThan(1000);
  });

  it("C6 rejects 100 KB of spaces after Bearer in bounded time", async () => {
    const spaces = " ".repeat(102_400);
    await expectDenied(
      await call(OPENAI, [["Authorization", `Bearer${spaces}a${spaces}b`]]),
      "credential_malformed",
    );
  });

  it("C6 forwards a provider key of 8,192 characters unmodified, and neither returns nor logs it", async () => {
    const long = `sk-${"Lk9".repeat(2730)}`.slice(0, 8192);
    harness.registerSecret(long);
    const forwarded = expectForwarded(await call(OWN_OPENAI, [bearer(long)]));
    expect(forwarded.values("authorization")).toEqual([`Bearer ${long}`]);
  });
});

describe("precedence of credentials", () => {
  it.each([
    ["an invalid X-Api-Key is dropped", [bearer(KEYS.user), apiKey("garbage-api-key-0001")], ALICE],
    ["another client key in X-Api-Key is dropped", [bearer(KEYS.user), apiKey(KEYS.service)], ALICE],
    ["a provider key in X-Api-Key is dropped", [bearer(KEYS.service), apiKey(OWN.anthropic)], SERVICE],
  ] as const)("C5 prefers Authorization to X-Api-Key: %s", async (_, headers, actor) => {
    for (const target of [OPENAI, "/anthropic/v1/messages"]) {
      const forwarded = expectForwarded(await call(target, headers));
      for (const [, value] of headers)
        expect(JSON.stringify(forwarded.headers)).not.toContain(value.replace("Bearer ", ""));
    }
    expect((await harness.events("interception_start")).map((start) => start.actor_id)).toEqual([
      actor,
      actor,
    ]);
  });

  it.each(["api-key", "x-goog-api-key"])(
    "C5 accepts a client key in %s, as the SDKs of Azure and Google send it, and forwards the central key",
    async (name) => {
      for (const target of [OPENAI, "/anthropic/v1/messages"]) {
        harness.reset();
        const forwarded = expectForwarded(await call(target, [[name, KEYS.user]]));
        expect(JSON.stringify(forwarded.headers)).not.toContain(KEYS.user);
        expect((await harness.event("interception_start")).actor_id).toBe(ALICE);
      }
    },
  );

  it("C5 rejects an invalid Authorization although X-Api-Key is valid", async () => {
    const headers = [bearer("aei_no-such-key-here"), apiKey(KEYS.user)];
    await expectDenied(await call(OPENAI, headers), "invalid_credential");
  });

  it("C5 does not combine a provider key in Authorization with the identity in X-Api-Key", async () => {
    // The attack: one header identifies the caller, another is charged.
    await expectDenied(await call(OPENAI, [bearer(OWN.openai), apiKey(KEYS.user)]), "byok_not_accepted");
    harness.reset();
    const forwarded = expectForwarded(await call(OWN_OPENAI, [bearer(OWN.openai), apiKey(KEYS.user)]));
    expect(forwarded.values("authorization")).toEqual([`Bearer ${OWN.openai}`]);
    const start = await harness.event("interception_start");
    expect([start.actor_id, start.attribution]).toEqual([
      `byok:${sha256(OWN.openai).slice(0, 32)}`,
      "unverified",
    ]);
  });

  it.each([
    ["Authorization", OWN_OPENAI, bearer(OWN.openai), ["authorization", `Bearer ${OWN.openai}`]],
    ["X-Api-Key", OWN_OPENAI, apiKey(OWN.openai), ["authorization", `Bearer ${OWN.openai}`]],
    ["Authorization", OWN_ANTHROPIC, bearer(OWN.anthropic), ["authorization", `Bearer ${OWN.anthropic}`]],
    ["X-Api-Key", OWN_ANTHROPIC, apiKey(OWN.anthropic), ["x-api-key", OWN.anthropic]],
    ["Authorization", OPENAI, bearer(OWN.openai), ["authorization", `Bearer ${OWN.openai}`]],
    ["api-key", OWN_OPENAI, ["api-key", OWN.openai], ["authorization", `Bearer ${OWN.openai}`]],
    ["x-goog-api-key", OWN_OPENAI, ["x-goog-api-key", OWN.openai], ["authorization", `Bearer ${OWN.openai}`]],
    ["api-key", OWN_ANTHROPIC, ["api-key", OWN.anthropic], ["x-api-key", OWN.anthropic]],
  ] as const)(
    "C5 forwards %s on %s as the client's own provider key if a governance token is present",
    async (_, target, own, [name, value]) => {
      const forwarded = expectForwarded(await call(target, [governance(KEYS.user), own]));
      expect(forwarded.values(name)).toEqual([value]);
      const start = await harness.event("interception_start");
      expect([start.actor_id, start.credential_kind]).toEqual([ALICE, "byok"]);
      expect(start.api_key_id).toBe(sha256(KEYS.user).slice(0, 16));
    },
  );

  it("C5 forwards Authorization and drops X-Api-Key if both come with a governance token", async () => {
    const headers = [governance(KEYS.user), bearer(OWN.openai), apiKey(OWN.anthropic)];
    const forwarded = expectForwarded(await call(OWN_ANTHROPIC, headers));
    expect([forwarded.values("authorization"), forwarded.values("x-api-key")]).toEqual([
      [`Bearer ${OWN.openai}`],
      [],
    ]);
  });

  it.each([
    ["a valid client key", KEYS.user],
    ["a provider key", OWN.openai],
  ])("C5 rejects an unknown governance token although %s is present", async (_, key) => {
    for (const token of ["aei_no-such-key-here", "another-users-token"]) {
      harness.reset();
      const headers = [governance(token), bearer(key)];
      await expectDenied(await call(OWN_OPENAI, headers), "invalid_credential");
    }
  });

  it("C5 forwards the central key for a governance token alone, and refuses if there is no central key", async () => {
    expectForwarded(await call(OPENAI, [governance(KEYS.user)]));
    const exchange = await call(OWN_OPENAI, [governance(KEYS.user)]);
    expectRefusal(exchange, 401, "provider_key_missing");
    expect(exchange.response.text()).toContain("the gateway holds no key for this provider");
  });

  it.each([
    ["the same", KEYS.user],
    ["of another actor", KEYS.service],
  ])("C5 does not forward a client key (%s) as the provider key of a governance token", async (_, key) => {
    // The attack, or the mistake: a client configured with its client key in both headers. Forwarding that key would
    // expose a credential of this gateway to everyone who can read the provider's logs.
    for (const [target, header] of [
      [OPENAI, bearer(key)],
      [OWN_OPENAI, bearer(key)],
      [OWN_ANTHROPIC, apiKey(key)],
    ] as const) {
      const { forwarded } = await call(target, [governance(KEYS.user), header]);
      const sent = forwarded.flatMap((request) => [
        ...request.values("authorization"),
        ...request.values("x-api-key"),
      ]);
      expect(sent.filter((value) => value.includes(key))).toEqual([]);
    }
  });

  it("C5 rejects a client key on a provider without central keys instead of forwarding it", async () => {
    const exchange = await call(OWN_OPENAI, [bearer(KEYS.user)]);
    await expectDenied(exchange, "provider_key_missing");
    expect(exchange.response.text()).toContain("X-Coder-AI-Governance-Token");
  });

  it("C5 rejects a mistyped client key instead of forwarding it as a provider key", async () => {
    const mistyped = `${KEYS.user.slice(0, -1)}X`;
    for (const header of [bearer(mistyped), apiKey(mistyped)]) {
      harness.reset();
      await expectDenied(await call(OWN_OPENAI, [header]), "invalid_credential");
    }
  });

  it("C5 does not use a central key for a request with a provider key", async () => {
    await expectDenied(await call(OPENAI, [bearer(OWN.openai)]), "byok_not_accepted");
  });

  it("C7 rejects keys that share a long prefix with a valid key, also right after that key was accepted", async () => {
    const known = [bearer(KEYS.user)];
    expectForwarded(await call(OPENAI, known));
    for (const other of [
      `${KEYS.user.slice(0, -1)}X`,
      `${KEYS.user}c`,
      KEYS.user.slice(0, -1),
      KEYS.user.slice(0, 24),
      `${KEYS.user}=`,
      KEYS.user.toLowerCase(),
      KEYS.user.toUpperCase(),
    ])
      expectRefusal(
        await call(OPENAI, [bearer(other)]),
        401,
        other.startsWith("AEI_") ? "byok_not_accepted" : "invalid_credential",
      );
    expectForwarded(await call(OPENAI, known));
  });

  it("C7 derives different actors from provider keys with a long common prefix", async () => {
    const shared = `sk-proj-${"S".repeat(120)}`;
    harness.registerSecret(shared);
    for (const end of ["a", "b", "ab"]) expectForwarded(await call(OWN_OPENAI, [bearer(shared + end)]));
    const actors = (await harness.events("interception_start")).map((start) => start.actor_id);
    expect(actors).toEqual(["a", "b", "ab"].map((end) => `byok:${sha256(shared + end).slice(0, 32)}`));
  });

  it.each([1, 2, 4, 5, 43, 46, 48, 64, 1000, 8192])(
    "C10 rejects an unknown token of %i characters without throwing",
    async (length) => {
      for (const token of ["k".repeat(length), `aei_${"k".repeat(length)}`.slice(0, length)]) {
        const { response, forwarded } = await call(OPENAI, [bearer(token)]);
        const [reason] = response.values("x-interceptor-error");
        expect([response.status, forwarded, reason]).toEqual([
          401,
          [],
          token.startsWith("aei_") ? "invalid_credential" : "byok_not_accepted",
        ]);
      }
    },
  );
});

declare global {
  /** Provided by workerd and called only for known keys, of which this test has none. */
  interface SubtleCrypto {
    timingSafeEqual(a: ArrayBufferView, b: ArrayBufferView): boolean;
  }
}

const failOnIssue = (path: string, issue: string): never => {
  throw new Error(`${path} ${issue}`);
};

describe("many invalid tokens", () => {
  it("C9 rejects 2,000 distinct tokens in a row on one connection, and fetches nothing", async () => {
    const connection = await openRaw(harness.interceptor.port);
    const COUNT = 2000;
    for (let at = 0; at < COUNT; at += 1)
      connection.send({ target: "/openai/v1/models", headers: [bearer(`aei_bad-${at}-${"z".repeat(32)}`)] });
    const statuses = new Set<number>();
    for (let at = 0; at < COUNT; at += 1) statuses.add((await connection.readResponse()).status);
    connection.destroy();
    expect([...statuses]).toEqual([401]);
    expect(await harness.events("refusal")).toHaveLength(COUNT);
  });

  it("C9 keeps nothing of 100,000 distinct tokens in memory", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const sources = [keys, byok].map(({ configure, source, verifies }) => ({
      verifies,
      ...configure({
        options: new Fields({}, source, failOnIssue),
        secret: () => CLIENT_KEYS,
        binding: () => null,
        report: failOnIssue,
        deps: { fetch, now: Date.now, logError: () => undefined },
      }),
    }));
    const heapAfter = async (count: number): Promise<number> => {
      for (let at = 0; at < count; at += 1) {
        const headers = new Headers({ authorization: `Bearer aei_${count}-${at}-${"z".repeat(40)}` });
        const credential = await readCredential(headers);
        if (credential instanceof Refusal || !((await identify(credential, sources)) instanceof Refusal))
          throw new Error("an unknown token was accepted");
      }
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = await heapAfter(2000);
    const growth = (await heapAfter(100_000)) - before;
    console.log(`C9 the heap grew by ${(growth / 1024).toFixed(0)} KiB over 100,000 tokens`);
    // Keeping only the digests would take ten times this bound.
    expect(growth).toBeLessThan(1024 * 1024);
  });
});

const chat = (): Promise<Exchange> => call(OPENAI, [bearer(KEYS.user)]);
const text = (status: number, type: string, body: string): respond.Step[] => [
  respond.head({ status, headers: [["Content-Type", type]] }),
  respond.body(body),
  respond.finish(),
];

/** The secret's name, and nothing of its value. */
const SECRET_LEAKED =
  /^\{"event":"secret_leaked","provider":"\w+","secret":"\w+","where":"(?:header|body)","interception_id":"[\da-f-]{36}"\}$/;

describe("a provider error that contains the central key", () => {
  const key = CENTRAL.openai;
  const message = { error: { message: `Incorrect API key provided: ${key}.`, code: "invalid_api_key" } };
  const line = `HTTP/1.1 401 Bad key ${key}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;

  it.each<[string, readonly respond.Step[]]>([
    ["401, in a message", respond.json(401, message)],
    ["403", respond.json(403, message)],
    ["400", respond.json(400, message)],
    ["429", respond.json(429, message)],
    ["500", respond.json(500, message)],
    ["502 in HTML", text(502, "text/html", `<p>upstream error: bad key ${key}</p>`)],
    ["401 in an event stream", text(401, "text/event-stream", `event: error\ndata: ${key}\n\n`)],
    ["401 without a type", [respond.head({ status: 401 }), respond.body(`bad ${key}`), respond.finish()]],
    [
      "401 in two chunks",
      [
        respond.head({ status: 401 }),
        respond.body(key.slice(0, 21)),
        respond.body(key.slice(21)),
        respond.finish(),
      ],
    ],
    [
      "401 in one-byte chunks",
      [respond.head({ status: 401 }), ...Array.from(key, (char) => respond.body(char)), respond.finish()],
    ],
    [
      "401, compressed",
      [
        respond.head({ status: 401, headers: [["Content-Encoding", "gzip"]] }),
        respond.body(new Uint8Array(gzipSync(key))),
        respond.finish(),
      ],
    ],
    ["401, without its first and last four characters", respond.json(401, { received: key.slice(4, -4) })],
    ["401, its last 24 characters", respond.json(401, { received: `…${key.slice(-24)}` })],
    ["401, in WWW-Authenticate", respond.json(401, {}, [["WWW-Authenticate", `Bearer realm="${key}"`]])],
    [
      "401, in a separate header",
      respond.json(401, {}, [["X-Debug-Request", `authorization=Bearer ${key}`]]),
    ],
    ["401, in a cookie", respond.json(401, {}, [["Set-Cookie", `last=${key}`]])],
    ["401, in the reason phrase", [respond.raw(line)]],
    ["302, in Location", respond.json(302, {}, [["Location", `https://login.example/?key=${key}`]])],
  ])("C17 does not return the key to the client: %s", async (_, steps) => {
    harness.expectLine(SECRET_LEAKED);
    harness.respondWith(steps, null);
    const { wire, forwarded } = await chat();
    expect(forwarded).toHaveLength(1);
    for (let at = 0; at + 16 <= key.length; at += 1) expect(wire).not.toContain(key.slice(at, at + 16));
  });

  it("C17 does not return the key on a passthrough, in X-Api-Key, and from a pool of several keys", async () => {
    harness.registerSecret(SECOND_KEY);
    harness.expectLine(SECRET_LEAKED);
    // Once for each key, with a part of it by which its owner recognizes it.
    harness.expectLine(/^\{"event":"provider_key_rejected","provider":"drawn","key_hint":"sk-a\.\.\.\w{4}",/);
    const usedKeys = new Set<string>();
    harness.respondWith((request: UpstreamRequest) => {
      const [sent = ""] = request.values("x-api-key");
      usedKeys.add(sent);
      return respond.json(401, {
        type: "error",
        error: { type: "authentication_error", message: `bad ${sent}` },
      });
    }, null);
    for (let at = 0; at < 20; at += 1) {
      const exchange = await harness.send({ target: "/drawn/v1/models", headers: [apiKey(KEYS.user)] });
      // The first call finds out about both keys. Later ones have no valid key left, and are sent once.
      expect([at, exchange.response.status, exchange.forwarded.length]).toEqual([at, 502, at === 0 ? 2 : 1]);
      expect(exchange.response.values("x-interceptor-error")).toEqual(["upstream_key_rejected"]);
    }
    expect(usedKeys).toEqual(new Set([CENTRAL.anthropic, SECOND_KEY]));
  });

  it("C17 returns an error unmodified if it masks the key the way the provider does", async () => {
    const masked = `${key.slice(0, 8)}${"*".repeat(30)}${key.slice(-4)}`;
    const body = JSON.stringify({ error: { message: `Incorrect API key provided: ${masked}.` } });
    harness.respondWith(respond.json(400, body), body);
    const { response } = await chat();
    expect([response.status, response.text(), response.values("x-interceptor-error")]).toEqual([
      400,
      body,
      [],
    ]);
  });

  it("C17 returns an error unmodified if it contains the client's own key", async () => {
    harness.allowInResponse(OWN.openai);
    const body = JSON.stringify({ error: { message: `Incorrect API key provided: ${OWN.openai}.` } });
    harness.respondWith(respond.json(401, body), body);
    const { response } = await call(OWN_OPENAI, [bearer(OWN.openai)]);
    expect([response.status, response.text()]).toEqual([401, body]);
    expect((await harness.event("interception_end")).outcome).toBe("upstream_error");
  });
});
