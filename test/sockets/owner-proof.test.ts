/* oxlint-disable vitest/expect-expect -- expectForwarded, expectRefusal and similar helpers are assertions */
/** Part A of the catalogue over sockets: owners that are signed, looked up, or named by a delegating gateway. */
import { createHash, createHmac } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startChild, type Child } from "../../tools/local/child.ts";
import { startFakeCoder, type FakeCoder } from "../support/fake-coder.ts";
import { rawRequest, type RawResponse } from "../support/raw-client.ts";
import type { RawRequest } from "../support/raw-request.ts";
import { toBytes, type HeaderPair } from "../support/wire.ts";
import { validatesHeads } from "../support/workerd-build.ts";
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

/** The headers of a signed owner assertion, computed with Node's HMAC. */
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

/** Sends a signed request as Coder Agents with the service account's key. `sent` replaces fields after signing. */
function sendSigned(signing: Signing, sent: Partial<RawRequest> = {}): Promise<Exchange> {
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

const signatureConfig = (
  options: Record<string, unknown>,
  nonces: OptionOverrides["nonces"] = "absent",
): OptionOverrides => ({
  vars: { OWNER_ASSERTION: { signature: "accept", signing_keys: ["SIGNING_KEY"], ...options } },
  secrets: { SIGNING_KEY },
  nonces,
});

/** Invalid requests: the case, the expected reason, and the signed and the sent fields. */
const INVALID: readonly (readonly [
  string,
  string,
  (owner: string) => readonly [Signing, Partial<RawRequest>],
])[] = [
  [
    "A22 a signature by another secret",
    "signature_invalid",
    (owner) => [{ owner, secret: "x-secret-0123456789-abcdefghijklmn" }, {}],
  ],
  ["A22 a timestamp 301 s old", "signature_expired", (owner) => [{ owner, at: -302 }, {}]],
  ["A22 a timestamp 301 s ahead", "signature_expired", (owner) => [{ owner, at: 302 }, {}]],
  ["A24 a changed body", "signature_invalid", (owner) => [{ owner, body: `${BODY} ` }, { body: BODY }]],
  ["A24 a changed path", "signature_invalid", (owner) => [{ owner }, { target: "/openai/v1/responses" }]],
  ["A24 an added query", "signature_invalid", (owner) => [{ owner }, { target: `${CHAT}?a` }]],
  [
    "A24 a signature over the provider's own path",
    "signature_invalid",
    (owner) => [{ owner, target: "/v1/chat/completions" }, { target: CHAT }],
  ],
];

describe('with signature = "accept"', () => {
  beforeAll(() => harness.configure(signatureConfig({})));

  it.each([
    ["/openai/v1/chat/completions", "POST"],
    ["/anthropic/v1/messages?beta=true", "POST"],
    ["/v1/responses?x=%7E&y=a+b&z=%C3%A4", "POST"],
    ["/api/v2/ai-gateway/openai/v1/chat/completions", "POST"],
  ])("A22 accepts a valid signature on %s with attribution signed", async (target) => {
    const owner = newOwner();
    expectForwarded(await sendSigned({ owner, target, chat: newOwner() }));
    await expectSigned(owner);
  });

  it("A22 accepts a signature over the bytes of a chunked body of 1 MiB", async () => {
    const owner = newOwner();
    const body = JSON.stringify({ model: "gpt-4o", messages: [], pad: "x".repeat(2 ** 20) });
    const chunks = [body.slice(0, 7), body.slice(7, 70_000), body.slice(70_000)];
    expectForwarded(await sendSigned({ owner, body }, { body: "", chunks }));
    await expectSigned(owner);
  });

  it.runIf(validatesHeads)(
    "A24 verifies the target of the request line when Host contains a path",
    async () => {
      // The attack: a Host that contains a path, so that a gateway that trusts the joined URL verifies a target other than
      // the routed one.
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

  it("A2 verifies the owner as sent and records it in lower case", async () => {
    const owner = newOwner();
    expectForwarded(await sendSigned({ owner: owner.toUpperCase() }));
    await expectSigned(owner);
  });

  it.each(INVALID)("%s: rejects the owner and keeps the actor", async (_, reason, make) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectForwarded(await sendSigned(...make(owner)));
    await expectRejected(reason);
  });

  it.each(["X-Coder-Owner-Id", "X-Coder-Chat-Id", "X-Coder-Subchat-Id", "X-Coder-Workspace-Id"])(
    "A24 rejects a %s that differs from the signed one",
    async (name) => {
      const signed = signedHeaders({ owner: newOwner(), chat: newOwner() });
      const headers = [...signed.filter(([sent]) => sent !== name), [name, newOwner()] as const];
      const all = [bearer(KEYS.service), CODER_AGENTS_UA, ...headers];
      expectForwarded(await harness.send({ target: CHAT, headers: all, body: BODY }));
      await expectRejected("signature_invalid");
    },
  );

  it.each(["X-Coder-Signature", "X-Coder-Signature-Timestamp"])(
    "A22 rejects a repeated or missing %s",
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

  it("A22 accepts an unsigned owner with attribution asserted", async () => {
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
  ])("A22 A24 accepts a signed passthrough, %s %s", async (method, target, body) => {
    const owner = newOwner();
    expectForwarded(await sendSigned({ method, target, body, owner }));
    expect(await harness.event("passthrough")).toMatchObject({ initiator_id: owner, attribution: "signed" });
  });

  it("A23 accepts the same request again within the window when there is no replay cache, as documented", async () => {
    const owner = newOwner();
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ...signedHeaders({ owner })];
    for (let times = 0; times < 2; times += 1)
      expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    const starts = await harness.events("interception_start");
    expect(starts.map(({ attribution }) => attribution)).toEqual(["signed", "signed"]);
  });
});

describe('with signature = "require" and a replay cache', () => {
  beforeAll(() => harness.configure(signatureConfig({ signature: "require", replay_cache: true }, "bound")));

  it("A22 forwards a request with a valid signature", async () => {
    const owner = newOwner();
    expectForwarded(await sendSigned({ owner }));
    await expectSigned(owner);
  });

  it.each(INVALID)("%s: refuses with 401 and fetches nothing", async (_, reason, make) => {
    const owner = newOwner();
    harness.registerSecret(owner);
    expectRefusal(await sendSigned(...make(owner)), 401, "signature_required");
    expect((await harness.event("initiator_override_rejected")).reason).toBe(reason);
    expect(await harness.events("interception_start")).toEqual([]);
  });

  it.each([
    [CHAT, "openai"],
    ["/anthropic/v1/messages", "anthropic"],
    ["/openai/v1/embeddings", "openai"],
  ] as const)(
    "A22 refuses an unsigned owner on %s with 401 in the route's dialect",
    async (target, dialect) => {
      const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(newOwner())];
      expectRefusal(await harness.send({ target, headers, body: BODY }), 401, "signature_required", dialect);
    },
  );

  it("A3 requires no signature when the request names no owner", async () => {
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA];
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    expect((await harness.event("interception_start")).initiator_id).toBe(SERVICE);
  });

  it("A23 forwards exactly one of ten concurrent requests with the same signature", async () => {
    // The attack: a captured request is replayed at the same moment on other connections.
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

  it("A23 accepts different requests signed in the same second", async () => {
    for (let times = 0; times < 3; times += 1) expectForwarded(await sendSigned({ owner: newOwner() }));
  });
});

describe("the example signer in docs/", () => {
  let signer: Child;
  let port = 0;
  beforeAll(async () => {
    await harness.configure(signatureConfig({ signature: "require", replay_cache: true }, "bound"));
    const { promise: ready, resolve } = Promise.withResolvers<number>();
    signer = startChild(fileURLToPath(new URL("../../docs/sign-owner.mjs", import.meta.url)), [], {
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
      env: { GATEWAY_URL: harness.interceptor.url, SIGNING_SECRET: SIGNING_KEY, PORT: "0" },
      onLine: (line) => {
        const printedPort = /http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
        if (printedPort !== undefined) resolve(Number(printedPort));
      },
    });
    port = await ready;
  });
  afterAll(() => signer.end());

  it.each([
    ["POST", `${CHAT}?x=%7E`, BODY],
    ["GET", "/openai/v1/models", undefined],
    ["POST", "/openai/v1/files", "\xff\0"],
  ])("signs %s %s so that the gateway accepts it, and returns the response", async (method, target, body) => {
    const owner = newOwner();
    const headers = [
      bearer(KEYS.service),
      CODER_AGENTS_UA,
      ownerHeader(owner),
      ["X-Coder-Chat-Id", newOwner()] as const,
    ];
    const response = await rawRequest(port, { method, target, headers, ...(body !== undefined && { body }) });
    expect([response.status, response.values("x-interceptor-error")]).toEqual([200, []]);
    expect(JSON.parse(response.text())).toHaveProperty("id", "response-1");
    expect(await harness.event("initiator_override")).toMatchObject({
      owner_id: owner,
      attribution: "signed",
    });
    harness.upstream.clear();
  });

  it("A23 signs an immediate retry with another timestamp, so that it is not a replay", async () => {
    // An SDK's retry sends the same request again.
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(newOwner())];
    const resend = (): Promise<RawResponse> => rawRequest(port, { target: CHAT, headers, body: BODY });
    const responses = await Promise.all(Array.from({ length: 5 }, resend));
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    harness.upstream.clear();
  });

  it("replaces a signature that came with the request", async () => {
    const headers = [
      bearer(KEYS.service),
      CODER_AGENTS_UA,
      ...signedHeaders({ owner: newOwner(), secret: "x-secret-0123456789-abcdefghijklmn" }),
    ];
    expect((await rawRequest(port, { target: CHAT, headers, body: BODY })).status).toBe(200);
    expect((await harness.event("initiator_override")).signature).toBe("valid");
    harness.upstream.clear();
  });
});

const sendWithOwner = (owner: string): Promise<Exchange> =>
  harness.send({
    target: CHAT,
    headers: [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(owner)],
    body: BODY,
  });

describe("with a directory", () => {
  let coder: FakeCoder;
  let token = "";
  const directoryConfig = (): OptionOverrides => ({
    vars: {
      OWNER_ASSERTION: { directory: { url: coder.url, token: "LOOKUP_TOKEN", timeout_ms: 500 } },
    },
    secrets: { LOOKUP_TOKEN: token },
  });
  beforeAll(async () => {
    coder = await startFakeCoder();
    token = coder.addUser({ username: "lookup" });
    await harness.configure(directoryConfig());
  });
  beforeEach(() => {
    coder.clear();
    coder.setMode("working");
    harness.registerSecret(token);
  });
  afterAll(() => coder.close());

  it("A1 A20 accepts an active user and records the user's name next to the actor's", async () => {
    const owner = newOwner();
    coder.addUser({ id: owner, username: "alice" });
    for (let times = 0; times < 2; times += 1) expectForwarded(await sendWithOwner(owner));
    const [start] = await harness.events("interception_start");
    expect(start).toMatchObject({
      initiator_id: owner,
      initiator_name: "alice",
      metadata: { actor_name: "Service account of Coder Agents" },
    });
    const [override] = await harness.events("initiator_override");
    expect(override).toMatchObject({ owner_username: "alice", directory: "active" });
    // The second request used the cached lookup.
    expect(coder.requests.map(({ path }) => path)).toEqual([`/api/v2/users/${owner}`]);
    expect(coder.requests[0]?.headers["coder-session-token"]).toBe(token);
  });

  it.each([
    ["an unknown user's id", () => newOwner(), "directory_unknown"],
    [
      "a suspended user's id",
      () => {
        const id = newOwner();
        coder.addUser({ id, status: "suspended" });
        return id;
      },
      "directory_inactive",
    ],
  ])("rejects %s", async (_, make, reason) => {
    expectForwarded(await sendWithOwner(make()));
    await expectRejected(reason);
  });

  it.each(["failing", "hanging", "redirecting", "garbled", "dribbling"] as const)(
    "rejects the owner and logs an error when the directory is %s",
    async (mood) => {
      harness.expectLine(/^\{"event":"directory_failed",/);
      coder.setMode(mood);
      expectForwarded(await sendWithOwner(newOwner()));
      await expectRejected("directory_down");
    },
  );
});

describe('with an unreachable directory and on_down = "accept"', () => {
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

  it("accepts the owner and records that the directory did not confirm it", async () => {
    harness.expectLine(/^\{"event":"directory_failed",/);
    const owner = newOwner();
    expectForwarded(await sendWithOwner(owner));
    expect(await harness.event("initiator_override")).toMatchObject({
      owner_id: owner,
      owner_username: null,
      directory: "down",
    });
  });
});

describe("with a delegating gateway", () => {
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
  ])(
    "takes the delegating gateway as the actor and the user it names as the initiator, on %s",
    async (target) => {
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
      const delegation = {
        delegated_key_id: "aBcDeF0123",
        delegated_source: "agents",
        workspace_id: workspace,
      };
      expect(await harness.event("interception_end")).toMatchObject({ initiator_id: owner, ...delegation });
    },
  );

  it("sends the client's own provider key upstream in place of the central key", async () => {
    const headers = [key, ownerHeader(newOwner()), bearer(OWN.openai)];
    const forwarded = expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    expect(forwarded.values("authorization")).toEqual([`Bearer ${OWN.openai}`]);
  });

  it.each<[string, readonly HeaderPair[]]>([
    ["another key", [["X-Coder-AI-Gateway-Key", `${GATEWAY_KEY}x`]]],
    ["an empty key", [["X-Coder-AI-Gateway-Key", ""]]],
    ["the key twice", [key, key]],
    ["the key and another key", [key, ["X-Coder-AI-Gateway-Key", "x"]]],
    ["a key of bytes that are not UTF-8", [["X-Coder-AI-Gateway-Key", "\xff\xfe"]]],
    [
      "two key ids",
      [key, ["X-Coder-AI-Gateway-Delegated-Key-ID", "a"], ["X-Coder-AI-Gateway-Delegated-Key-ID", "b"]],
    ],
    ["a source with spaces and braces", [key, ["X-Coder-AI-Gateway-Source", "{ agents }"]]],
    ["an invalid workspace id", [key, ["X-Coder-AI-Gateway-Workspace-ID", "not-a-workspace"]]],
  ])("refuses %s with 401 despite another valid credential, and fetches nothing", async (_, headers) => {
    const all = [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(newOwner()), ...headers];
    expectRefusal(await harness.send({ target: CHAT, headers: all, body: BODY }), 401, "delegation_rejected");
    expect(await harness.event("refusal")).toMatchObject({ reason: "delegation_rejected", actor_id: null });
  });

  it("A5 accepts an owner from a service account's key and rejects one from a user's key when allow = service", async () => {
    const sendWithKey = (clientKey: string): Promise<Exchange> =>
      harness.send({
        target: CHAT,
        headers: [bearer(clientKey), CODER_AGENTS_UA, ownerHeader(newOwner())],
        body: BODY,
      });
    expectForwarded(await sendWithKey(KEYS.service));
    expectForwarded(await sendWithKey(KEYS.user));
    expect((await harness.event("initiator_override")).rule).toBe("service");
    expect(await harness.event("initiator_override_rejected")).toMatchObject({
      reason: "not_permitted",
      rule: "service",
    });
  });
});
