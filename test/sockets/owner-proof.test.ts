/* oxlint-disable vitest/expect-expect -- expectForwarded, expectRefusal and their like are assertions */
/** Part A of the catalogue, over real sockets: owners that are signed, looked up, or named by a delegating gateway. */
import { createHash, createHmac } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startChild, type Child } from "../../tools/local/child.ts";
import { startFakeCoder, type FakeCoder } from "../support/fake-coder.ts";
import { rawRequest, type RawResponse } from "../support/raw-client.ts";
import type { RawRequest } from "../support/raw-request.ts";
import { toBytes, type HeaderPair } from "../support/wire.ts";
import { judgesHeads } from "../support/workerd-build.ts";
import {
  bearer,
  BODY,
  CODER_AGENTS_UA,
  expectForwarded,
  expectRefusal,
  KEYS,
  newOwner,
  openCaseHarness,
  ownerHeader,
  OWN,
  SERVICE,
  type OptionOverrides,
  type Exchange,
  type CaseHarness,
} from "./case-harness.ts";

const SIGNING_KEY = "signing canary 6b1f0c5d2a9e47388e7d";
const GATEWAY_KEY = "gateway-canary-0d9c8b7a6f5e4d3c2b1a";

let harness: CaseHarness;
beforeAll(async () => void (harness = await openCaseHarness()));
beforeEach(() => {
  harness.reset();
  harness.registerSecret(SIGNING_KEY, GATEWAY_KEY);
});
afterEach(() => harness.check());
afterAll(() => harness.close());

const CHAT = "/openai/v1/chat/completions";

type Signing = {
  readonly method?: string;
  readonly target?: string;
  readonly body?: Uint8Array | string;
  readonly owner: string;
  readonly chat?: string;
  readonly secret?: string;
  /** Seconds from now. */
  readonly at?: number;
};

/** The headers of a signed owner, by Node's own HMAC. */
function signedHeaders(signing: Signing): HeaderPair[] {
  const {
    method = "POST",
    target = CHAT,
    body = BODY,
    owner,
    chat = "",
    secret = SIGNING_KEY,
    at = 0,
  } = signing;
  const timestamp = String(Math.floor(Date.now() / 1000) + at);
  const hash = createHash("sha256").update(toBytes(body)).digest("hex");
  const text = `v1\n${timestamp}\n${method}\n${target}\n${hash}\nowner=${owner}\nchat=${chat}\nsubchat=\nworkspace=`;
  const mac = createHmac("sha256", secret).update(text).digest("hex");
  return [
    ownerHeader(owner),
    ...(chat === "" ? [] : [["X-Coder-Chat-Id", chat] as const]),
    ["X-Coder-Signature-Timestamp", timestamp],
    ["X-Coder-Signature", `v1=${mac}`],
  ];
}

/** A signed call by Coder Agents with the service account's key; `sent` is what is sent in place of what was signed. */
function signedCall(signing: Signing, sent: Partial<RawRequest> = {}): Promise<Exchange> {
  const { method = "POST", target = CHAT, body = BODY } = signing;
  const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ...signedHeaders(signing)];
  const framing = method === "GET" ? {} : { body };
  return harness.send({ method, target, headers, ...framing, ...sent });
}

async function expectSigned(owner: string, actor = SERVICE): Promise<void> {
  const start = await harness.event("interception_start");
  expect([start.initiator_id, start.actor_id, start.attribution]).toEqual([owner, actor, "signed"]);
  expect(await harness.event("initiator_override")).toMatchObject({ owner_id: owner, signature: "valid" });
  const [point] = harness.interceptor.points("OVERRIDES");
  expect(point?.point.blobs).toContain("signed");
}

async function expectRejected(reason: string): Promise<void> {
  const rejected = await harness.event("initiator_override_rejected");
  expect(rejected).toMatchObject({ reason, actor_id: SERVICE, initiator_id: SERVICE });
  expect(await harness.events("initiator_override")).toEqual([]);
}

const signing = (
  over: Record<string, unknown>,
  nonces: OptionOverrides["nonces"] = "absent",
): OptionOverrides => ({
  vars: { OWNER_ASSERTION: { signature: "accept", signing_keys: ["SIGNING_KEY"], ...over } },
  secrets: { SIGNING_KEY },
  nonces,
});

/** What is wrong with a signed request, by what is signed and what is sent. */
const BAD: readonly (readonly [
  string,
  string,
  (owner: string) => readonly [Signing, Partial<RawRequest>],
])[] = [
  ["A22 another secret's", "signature_invalid", (owner) => [{ owner, secret: "x".repeat(32) }, {}]],
  ["A22 301 s old", "signature_expired", (owner) => [{ owner, at: -302 }, {}]],
  ["A22 301 s ahead", "signature_expired", (owner) => [{ owner, at: 302 }, {}]],
  ["A24 another body", "signature_invalid", (owner) => [{ owner, body: `${BODY} ` }, { body: BODY }]],
  ["A24 another path", "signature_invalid", (owner) => [{ owner }, { target: "/openai/v1/responses" }]],
  ["A24 a query", "signature_invalid", (owner) => [{ owner }, { target: `${CHAT}?a` }]],
  [
    "A24 the provider's own path",
    "signature_invalid",
    (owner) => [{ owner, target: "/v1/chat/completions" }, { target: CHAT }],
  ],
];

describe('with signature = "accept"', () => {
  beforeAll(() => harness.configure(signing({})));

  it.each([
    ["/openai/v1/chat/completions", "POST"],
    ["/anthropic/v1/messages?beta=true", "POST"],
    ["/v1/responses?x=%7E&y=a+b&z=%C3%A4", "POST"],
    ["/api/v2/ai-gateway/openai/v1/chat/completions", "POST"],
  ])("A22 a good signature on %s makes its owner signed", async (target) => {
    const owner = newOwner();
    expectForwarded(await signedCall({ owner, target, chat: newOwner() }));
    await expectSigned(owner);
  });

  it("A22 so it does for a body in chunks, and for one of 1 MiB: what is signed are its bytes", async () => {
    const owner = newOwner();
    const body = JSON.stringify({ model: "gpt-4o", messages: [], pad: "x".repeat(2 ** 20) });
    const chunks = [body.slice(0, 7), body.slice(7, 70_000), body.slice(70_000)];
    expectForwarded(await signedCall({ owner, body }, { body: "", chunks }));
    await expectSigned(owner);
  });

  it.runIf(judgesHeads)(
    "A24 the target is that of the request line, wherever Host would move it",
    async () => {
      // The attack: a Host that holds a path, so that a gateway that trusts the joined URL checks another target than is routed.
      const owner = newOwner();
      const headers = [
        ["Host", "x/openai/v1/responses?"] as const,
        bearer(KEYS.service),
        CODER_AGENTS_UA,
        ...signedHeaders({ owner }),
      ];
      expectForwarded(await harness.send({ method: "POST", target: CHAT, headers, body: BODY }));
      await expectSigned(owner);
    },
  );

  it("A2 the owner is signed as it is sent, and recorded in its one form", async () => {
    const owner = newOwner();
    expectForwarded(await signedCall({ owner: owner.toUpperCase() }));
    await expectSigned(owner);
  });

  it.each(BAD)("%s: rejected, and the actor stays", async (_, reason, make) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectForwarded(await signedCall(...make(owner)));
    await expectRejected(reason);
  });

  it.each(["X-Coder-Owner-Id", "X-Coder-Chat-Id", "X-Coder-Subchat-Id", "X-Coder-Workspace-Id"])(
    "A24 with another %s than was signed: rejected",
    async (name) => {
      const signedOnes = signedHeaders({ owner: newOwner(), chat: newOwner() });
      const headers = [...signedOnes.filter(([sent]) => sent !== name), [name, newOwner()] as const];
      const all = [bearer(KEYS.service), CODER_AGENTS_UA, ...headers];
      expectForwarded(await harness.send({ target: CHAT, headers: all, body: BODY }));
      await expectRejected("signature_invalid");
    },
  );

  it.each(["X-Coder-Signature", "X-Coder-Signature-Timestamp"])(
    "A22 %s twice, or not at all: rejected",
    async (name) => {
      const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ...signedHeaders({ owner: newOwner() })];
      const one = headers.find(([sent]) => sent === name) ?? ["", ""];
      expectForwarded(await harness.send({ target: CHAT, headers: [...headers, one], body: BODY }));
      expectForwarded(
        await harness.send({ target: CHAT, headers: headers.filter((sent) => sent !== one), body: BODY }),
      );
      const reasons = (await harness.events("initiator_override_rejected")).map(({ reason }) => reason);
      expect(reasons).toEqual(["signature_malformed", "signature_malformed"]);
    },
  );

  it("A22 unsigned it is asserted, as ever", async () => {
    const owner = newOwner();
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(owner)];
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    expect(await harness.event("initiator_override")).toMatchObject({
      attribution: "asserted",
      signature: "absent",
    });
  });

  it.each([
    ["POST", "/openai/v1/files", "\0\xff any bytes"],
    ["GET", "/openai/v1/models?limit=2", ""],
    ["DELETE", "/openai/v1/files/file-1", ""],
  ])("A22 A24 a passthrough, %s %s, is signed likewise", async (method, target, body) => {
    const owner = newOwner();
    expectForwarded(await signedCall({ method, target, body, owner }));
    expect(await harness.event("passthrough")).toMatchObject({ initiator_id: owner, attribution: "signed" });
  });

  it("A23 without a replay cache the same request counts again within the window: documented", async () => {
    const owner = newOwner();
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ...signedHeaders({ owner })];
    for (let times = 0; times < 2; times += 1)
      expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    const starts = await harness.events("interception_start");
    expect(starts.map(({ attribution }) => attribution)).toEqual(["signed", "signed"]);
  });
});

describe('with signature = "require" and a replay cache', () => {
  beforeAll(() => harness.configure(signing({ signature: "require", replay_cache: true }, "bound")));

  it("A22 a good signature goes on", async () => {
    const owner = newOwner();
    expectForwarded(await signedCall({ owner }));
    await expectSigned(owner);
  });

  it.each(BAD)("%s: E401, and nothing is fetched", async (_, reason, make) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectRefusal(await signedCall(...make(owner)), 401, "signature_required");
    expect((await harness.event("initiator_override_rejected")).reason).toBe(reason);
    expect(await harness.events("interception_start")).toEqual([]);
  });

  it.each([
    [CHAT, "openai"],
    ["/anthropic/v1/messages", "anthropic"],
    ["/openai/v1/embeddings", "openai"],
  ] as const)("A22 an unsigned owner on %s: E401 in its dialect", async (target, dialect) => {
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(newOwner())];
    expectRefusal(await harness.send({ target, headers, body: BODY }), 401, "signature_required", dialect);
  });

  it("A3 a request that names nobody needs no signature", async () => {
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA];
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    expect((await harness.event("interception_start")).initiator_id).toBe(SERVICE);
  });

  it("A23 of ten at once with one signature exactly one goes on", async () => {
    // The attack: what was overheard once is sent again, at the same moment on other connections.
    const owner = newOwner();
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ...signedHeaders({ owner })];
    const port = harness.interceptor.port;
    const responses = await Promise.all(
      Array.from({ length: 10 }, () => rawRequest(port, { target: CHAT, headers, body: BODY })),
    );
    expect(responses.map(({ status }) => status).toSorted()).toEqual([
      200,
      ...Array.from({ length: 9 }, () => 401),
    ]);
    const reasons = (await harness.events("initiator_override_rejected")).map(({ reason }) => reason);
    expect(new Set(reasons)).toEqual(new Set(["replayed"]));
    expect(reasons).toHaveLength(9);
    harness.upstream.clear();
  });

  it("A23 another request in the same second is another", async () => {
    for (let times = 0; times < 3; times += 1) expectForwarded(await signedCall({ owner: newOwner() }));
  });
});

describe("the example signer in docs/", () => {
  let signer: Child;
  let port = 0;
  beforeAll(async () => {
    await harness.configure(signing({ signature: "require", replay_cache: true }, "bound"));
    const { promise: ready, resolve } = Promise.withResolvers<number>();
    signer = startChild(fileURLToPath(new URL("../../docs/sign-owner.mjs", import.meta.url)), [], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { GATEWAY_URL: harness.interceptor.url, SIGNING_SECRET: SIGNING_KEY, PORT: "0" },
      onLine: (line) => {
        const found = /http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
        if (found !== undefined) resolve(Number(found));
      },
    });
    port = await ready;
  });
  afterAll(() => signer.end());

  it.each([
    ["POST", `${CHAT}?x=%7E`, BODY],
    ["GET", "/openai/v1/models", undefined],
    ["POST", "/openai/v1/files", "\xff\0"],
  ])("signs %s %s so that it counts, and passes the answer on", async (method, target, body) => {
    const owner = newOwner();
    const headers = [
      bearer(KEYS.service),
      CODER_AGENTS_UA,
      ownerHeader(owner),
      ["X-Coder-Chat-Id", newOwner()] as const,
    ];
    const response = await rawRequest(port, { method, target, headers, ...(body !== undefined && { body }) });
    expect([response.status, response.values("x-interceptor-error")]).toEqual([200, []]);
    expect(JSON.parse(response.text())).toHaveProperty("id", "answer-1");
    expect(await harness.event("initiator_override")).toMatchObject({
      owner_id: owner,
      attribution: "signed",
    });
    harness.upstream.clear();
  });

  it("A23 signs a request that is repeated at once for another second: it is no replay", async () => {
    // What an SDK does that tries again.
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(newOwner())];
    const again = (): Promise<RawResponse> => rawRequest(port, { target: CHAT, headers, body: BODY });
    const responses = await Promise.all(Array.from({ length: 5 }, again));
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    harness.upstream.clear();
  });

  it("signs over whatever signature came with the request", async () => {
    const headers = [
      bearer(KEYS.service),
      CODER_AGENTS_UA,
      ...signedHeaders({ owner: newOwner(), secret: "x".repeat(32) }),
    ];
    expect((await rawRequest(port, { target: CHAT, headers, body: BODY })).status).toBe(200);
    expect((await harness.event("initiator_override")).signature).toBe("valid");
    harness.upstream.clear();
  });
});

const named = (owner: string): Promise<Exchange> =>
  harness.send({
    target: CHAT,
    headers: [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(owner)],
    body: BODY,
  });

describe("with a directory", () => {
  let coder: FakeCoder;
  let token = "";
  const directory = (over: Record<string, unknown> = {}): OptionOverrides => ({
    vars: {
      OWNER_ASSERTION: { directory: { url: coder.url, token: "LOOKUP_TOKEN", timeout_ms: 500, ...over } },
    },
    secrets: { LOOKUP_TOKEN: token },
  });
  beforeAll(async () => {
    coder = await startFakeCoder();
    token = coder.addUser({ username: "lookup" });
    await harness.configure(directory());
  });
  beforeEach(() => {
    coder.clear();
    coder.setMode("working");
    harness.registerSecret(token);
  });
  afterAll(() => coder.close());

  it("A1 A20 an active user counts, and is recorded by name beside the actor's", async () => {
    const owner = newOwner();
    coder.addUser({ id: owner, username: "alice" });
    for (let times = 0; times < 2; times += 1) expectForwarded(await named(owner));
    const [start] = await harness.events("interception_start");
    expect(start).toMatchObject({
      initiator_id: owner,
      initiator_name: "alice",
      metadata: { actor_name: "Service account of Coder Agents" },
    });
    const [override] = await harness.events("initiator_override");
    expect(override).toMatchObject({ owner_username: "alice", directory: "active" });
    // The second was remembered.
    expect(coder.requests.map(({ path }) => path)).toEqual([`/api/v2/users/${owner}`]);
    expect(coder.requests[0]?.headers["coder-session-token"]).toBe(token);
  });

  it.each([
    ["nobody's id", () => newOwner(), "directory_unknown"],
    [
      "a suspended user's",
      () => {
        const id = newOwner();
        coder.addUser({ id, status: "suspended" });
        return id;
      },
      "directory_inactive",
    ],
  ])("%s does not count", async (_, make, reason) => {
    expectForwarded(await named(make()));
    await expectRejected(reason);
  });

  it.each(["failing", "hanging", "redirecting", "garbled", "dribbling"] as const)(
    "a directory that is %s gives nobody a yes, and the console says so",
    async (mood) => {
      harness.expectLine(/^directory failed: /);
      coder.setMode(mood);
      expectForwarded(await named(newOwner()));
      await expectRejected("directory_down");
    },
  );
});

describe('with a directory that may be down (on_down = "accept")', () => {
  beforeAll(() =>
    harness.configure({
      vars: {
        OWNER_ASSERTION: {
          directory: { url: "http://127.0.0.1:1", token: "LOOKUP_TOKEN", on_down: "accept" },
        },
      },
      secrets: { LOOKUP_TOKEN: "lookup-token" },
    }),
  );

  it("the owner counts, and the record says that nobody vouched for it", async () => {
    harness.expectLine(/^directory failed: /);
    const owner = newOwner();
    expectForwarded(await named(owner));
    expect(await harness.event("initiator_override")).toMatchObject({
      owner_id: owner,
      owner_username: null,
      directory: "down",
    });
  });
});

describe("with a gateway that delegates", () => {
  beforeAll(() =>
    harness.configure({
      vars: { DELEGATION: { keys: ["GATEWAY_KEY"] }, OWNER_ASSERTION: { allow: "service" } },
      secrets: { GATEWAY_KEY },
    }),
  );
  const key: HeaderPair = ["X-Coder-AI-Gateway-Key", GATEWAY_KEY];

  it.each([
    "/openai/v1/chat/completions",
    "/api/v2/ai-gateway/anthropic/v1/messages",
    "/api/v2/aibridge/openai/v1/responses",
  ])("its key makes it the actor, and the user it names the initiator, on %s", async (target) => {
    const [owner, workspace] = [newOwner(), newOwner()];
    const headers: HeaderPair[] = [
      key,
      ownerHeader(owner),
      ["X-Coder-AI-Gateway-Delegated-Key-ID", "aBcDeF0123"],
      ["X-Coder-AI-Gateway-Source", "agents"],
      ["X-Coder-AI-Gateway-Workspace-ID", workspace],
    ];
    expectForwarded(await harness.send({ target, headers, body: BODY }));
    expect(await harness.event("initiator_override")).toMatchObject({
      actor_id: "coder-gateway",
      identity_source: "delegation",
      owner_id: owner,
      rule: "delegation",
      attribution: "asserted",
    });
    const told = { delegated_key_id: "aBcDeF0123", delegated_source: "agents", workspace_id: workspace };
    expect(await harness.event("interception_end")).toMatchObject({ initiator_id: owner, ...told });
  });

  it("its client's own provider key goes upstream in place of the central one", async () => {
    const headers = [key, ownerHeader(newOwner()), bearer(OWN.openai)];
    const forwarded = expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    expect(forwarded.values("authorization")).toEqual([`Bearer ${OWN.openai}`]);
  });

  it.each<[string, readonly HeaderPair[]]>([
    ["another key", [["X-Coder-AI-Gateway-Key", `${GATEWAY_KEY}x`]]],
    ["an empty one", [["X-Coder-AI-Gateway-Key", ""]]],
    ["the key twice", [key, key]],
    ["the key and another", [key, ["X-Coder-AI-Gateway-Key", "x"]]],
    ["a key of odd bytes", [["X-Coder-AI-Gateway-Key", "\xff\xfe"]]],
    [
      "two key ids",
      [key, ["X-Coder-AI-Gateway-Delegated-Key-ID", "a"], ["X-Coder-AI-Gateway-Delegated-Key-ID", "b"]],
    ],
    ["a source of blanks and braces", [key, ["X-Coder-AI-Gateway-Source", "{ agents }"]]],
    ["a workspace that is none", [key, ["X-Coder-AI-Gateway-Workspace-ID", "not-a-workspace"]]],
  ])("%s: E401, whatever other credential is there, and nothing is fetched", async (_, headers) => {
    const all = [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(newOwner()), ...headers];
    expectRefusal(await harness.send({ target: CHAT, headers: all, body: BODY }), 401, "delegation_rejected");
    expect(await harness.event("refusal")).toMatchObject({ reason: "delegation_rejected", actor_id: null });
  });

  it("A5 with allow = service a service account's key may name an owner too, and a user's may not", async () => {
    const ask = (clientKey: string): Promise<Exchange> =>
      harness.send({
        target: CHAT,
        headers: [bearer(clientKey), CODER_AGENTS_UA, ownerHeader(newOwner())],
        body: BODY,
      });
    expectForwarded(await ask(KEYS.service));
    expectForwarded(await ask(KEYS.user));
    expect((await harness.event("initiator_override")).rule).toBe("service");
    expect(await harness.event("initiator_override_rejected")).toMatchObject({
      reason: "not_permitted",
      rule: "service",
    });
  });
});
