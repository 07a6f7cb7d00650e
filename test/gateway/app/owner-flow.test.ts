/** Owners through the whole app: signed ones, looked-up ones, and those that a delegating gateway names. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import {
  CANARIES,
  openGateway,
  PROVIDERS,
  T0,
  type Gateway,
  type Setup,
  type Exchange,
} from "../../support/in-workerd/gateway-harness.ts";
import {
  AGENTS,
  BODY,
  CENTRAL_CHAT,
  chatResponse,
  CLIENT_KEY,
  json,
  only,
  post,
  typesOf,
} from "../../support/in-workerd/calls.ts";
import { signed, SIGNING_KEY, type ToSign } from "../../support/in-workerd/signing.ts";
import { upstreamBody } from "../../support/in-workerd/upstream-body.ts";
import { CODER_AGENTS_UA, OWNER, text } from "../../support/in-workerd/values.ts";
import { until } from "../../support/in-workerd/waiting.ts";

const CHAT_ID = "0a0a0a0a-0000-4000-8000-00000000000a";
const OWNED = { ...AGENTS, "x-coder-owner-id": OWNER, "x-coder-chat-id": CHAT_ID };
const SIGNING = { signature: "accept", signing_keys: ["SIGNING_KEY"] };

const openSigning = (assertion: Record<string, unknown> = {}, setup: Setup = {}): Promise<Gateway> =>
  openGateway({
    provider: chatResponse,
    ...setup,
    vars: { OWNER_ASSERTION: { ...SIGNING, ...assertion }, SIGNING_KEY, ...setup.vars },
  });

/** The call as it is signed: `over` changes what is signed, `sent` what is sent then. */
async function signedCall(over: Partial<ToSign> = {}, sent: RequestInit = {}): Promise<RequestInit> {
  const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: OWNED, ...over });
  return { ...post(BODY, headers), ...sent };
}

const initiatorOf = (events: readonly InterceptorEvent[]): unknown[] => {
  const { initiator_id, attribution, actor_id } = only(events, "interception_start");
  return [initiator_id, attribution, actor_id];
};
const refusedWith = ({ response }: Exchange): unknown[] => [
  response.status,
  response.headers.get("x-interceptor-error"),
];

describe("A22 a signed owner", () => {
  it("is recorded as signed, on every event, and neither signature nor owner goes upstream", async () => {
    const house = await openSigning();
    const { events, response } = await house.exchange(CENTRAL_CHAT, await signedCall());
    expect(response.status).toBe(200);
    expect(only(events, "initiator_override")).toMatchObject({
      owner_id: OWNER,
      attribution: "signed",
      rule: "any",
      signature: "valid",
      directory: "off",
    });
    expect(initiatorOf(events)).toEqual([OWNER, "signed", "ci-bot"]);
    expect(only(events, "interception_end").attribution).toBe("signed");
    expect(text(house.sent[0]?.body ?? new Uint8Array())).toBe(BODY);
    expect([...(house.sent[0]?.headers.keys() ?? [])].filter((name) => name.startsWith("x-coder"))).toEqual(
      [],
    );
  });

  it.each([
    ["a bad MAC", { secret: "another-secret-of-more-than-32-characters" }, "signature_invalid"],
    ["301 s old", { at: T0 - 301_000 }, "signature_expired"],
    ["301 s ahead", { at: T0 + 301_000 }, "signature_expired"],
    ["A24 of another body", { body: "{}" }, "signature_invalid"],
    ["A24 of another path", { uri: "/openai/v1/chat/completions" }, "signature_invalid"],
    ["A24 of the path without our prefix", { uri: "/v1/chat/completions" }, "signature_invalid"],
    ["A24 of a query", { uri: `${CENTRAL_CHAT}?a=1` }, "signature_invalid"],
    ["A24 of another method", { method: "PUT" }, "signature_invalid"],
  ] as const)("%s: rejected (with accept the actor stays; with require E401)", async (_, over, reason) => {
    const init = await signedCall(over);
    const house = await openSigning();
    const { events } = await house.exchange(CENTRAL_CHAT, init);
    expect(only(events, "initiator_override_rejected")).toMatchObject({ reason, signature: reason });
    expect(initiatorOf(events)).toEqual(["ci-bot", "authenticated", "ci-bot"]);

    const strict = await openSigning({ signature: "require" });
    const refused = await strict.exchange(CENTRAL_CHAT, init);
    expect(refusedWith(refused)).toEqual([401, "signature_required"]);
    expect(typesOf(refused.events)).toEqual(["initiator_override_rejected", "refusal"]);
    expect(only(refused.events, "refusal").detail).toBe(reason);
    expect(strict.sent).toEqual([]);
  });

  it.each([
    ["owner", OWNER.replace(/1$/, "2")],
    ["chat", OWNER],
    ["subchat", CHAT_ID],
    ["workspace", CHAT_ID],
  ])("A24 with another %s than was signed: rejected", async (name, value) => {
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: OWNED });
    const changed = { ...headers, [`x-coder-${name}-id`]: value };
    const { events } = await (await openSigning()).exchange(CENTRAL_CHAT, post(BODY, changed));
    expect(only(events, "initiator_override_rejected").reason).toBe("signature_invalid");
  });

  it("unsigned with accept is asserted, with require E401 without a byte of the body read", async () => {
    const { events } = await (await openSigning()).exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(initiatorOf(events)).toEqual([OWNER, "asserted", "ci-bot"]);
    expect(only(events, "initiator_override").signature).toBe("absent");

    const client = upstreamBody();
    const strict = await openSigning({ signature: "require" });
    // It never ends: whoever reads it waits for ever.
    const visited = await strict.exchange(CENTRAL_CHAT, post(client.stream, OWNED));
    expect(refusedWith(visited)).toEqual([401, "signature_required"]);
    expect(only(visited.events, "initiator_override_rejected")).toMatchObject({
      reason: "signature_required",
      signature: "absent",
    });
  });

  it("require is no matter of requests that name no owner", async () => {
    const { events, response } = await (
      await openSigning({ signature: "require" })
    ).exchange(CENTRAL_CHAT, post(BODY, AGENTS));
    expect(response.status).toBe(200);
    expect(initiatorOf(events)).toEqual(["ci-bot", "authenticated", "ci-bot"]);
  });

  it("by a secret that is being rotated out, and by the one rotated in", async () => {
    const NEXT = "CANARY-next-signing-secret-of-32-chars";
    const rotating = { vars: { NEXT_KEY: NEXT } };
    for (const secret of [SIGNING_KEY, NEXT]) {
      const house = await openSigning({ signing_keys: ["NEXT_KEY", "SIGNING_KEY"] }, rotating);
      const { events } = await house.exchange(CENTRAL_CHAT, await signedCall({ secret }));
      expect(initiatorOf(events)).toEqual([OWNER, "signed", "ci-bot"]);
    }
  });

  it("A5 A6 a signature gives nobody a right: actor and client are judged as ever, and no body is read for it", async () => {
    const client = upstreamBody();
    const init = { ...(await signedCall()), body: client.stream };
    const off = { allow: "off", on_invalid: "reject" };
    expect(refusedWith(await (await openSigning(off)).exchange(CENTRAL_CHAT, init))).toEqual([
      400,
      "owner_rejected",
    ]);
    const other = await signedCall({ headers: { ...OWNED, "user-agent": "curl/8" } });
    const { events } = await (await openSigning()).exchange(CENTRAL_CHAT, other);
    expect(only(events, "initiator_override_rejected").reason).toBe("client");
  });

  it("with signature = off the headers mean nothing", async () => {
    const house = await openGateway({ provider: chatResponse });
    const init = await signedCall({ secret: "another-secret-of-more-than-32-characters" });
    expect(initiatorOf((await house.exchange(CENTRAL_CHAT, init)).events)).toEqual([
      OWNER,
      "asserted",
      "ci-bot",
    ]);
  });

  it("its body is bounded, and must be one that can be forwarded, before anything is recorded of the owner", async () => {
    const small = { vars: { LIMITS: { body_bytes: 10 } } };
    const large = await (await openSigning({}, small)).exchange(CENTRAL_CHAT, await signedCall());
    expect([...refusedWith(large), ...typesOf(large.events)]).toEqual([413, "body_too_large", "refusal"]);
    const init = await signedCall({ headers: { ...OWNED, "content-encoding": "gzip" } });
    expect(refusedWith(await (await openSigning()).exchange(CENTRAL_CHAT, init))).toEqual([
      415,
      "body_encoded",
    ]);
  });

  it("F10 whose body the client breaks off is refused as incomplete", async () => {
    const client = upstreamBody();
    client.send("abc");
    const visiting = (await openSigning()).exchange(CENTRAL_CHAT, {
      ...(await signedCall()),
      body: client.stream,
    });
    await until(client.isConsumed, "the bytes being taken");
    client.fail();
    expect(refusedWith(await visiting)).toEqual([400, "body_incomplete"]);
  });
});

describe("A22 A24 a signed owner of a passthrough", () => {
  const FILES = "/central/v1/files";
  it.each([
    ["POST", FILES, "any bytes \u0000\u00ff at all"],
    ["POST", `${FILES}?purpose=batch%20x`, ""],
    ["GET", "/central/v1/models?limit=1", ""],
    ["DELETE", `${FILES}/file-1`, ""],
  ])("%s %s: signed, and what is forwarded is what was sent", async (method, uri, body) => {
    const house = await openSigning();
    const headers = await signed({ uri, method, body, at: T0, headers: OWNED });
    const init = { method, headers, ...(body === "" ? {} : { body }) };
    const { events, response } = await house.exchange(uri, init);
    expect(response.status).toBe(200);
    expect(only(events, "passthrough")).toMatchObject({ initiator_id: OWNER, attribution: "signed" });
    expect(house.sent[0]?.url).toBe(`https://central.example${uri.replace("/central", "")}`);
    expect(text(house.sent[0]?.body ?? new Uint8Array())).toBe(body);
    const changed = await house.exchange(`${uri}${uri.includes("?") ? "&" : "?"}x=1`, init);
    expect(only(changed.events, "initiator_override_rejected").reason).toBe("signature_invalid");
  });

  it("of another body: rejected", async () => {
    const headers = await signed({ uri: FILES, body: "one", at: T0, headers: OWNED });
    const { events } = await (await openSigning()).exchange(FILES, post("two", headers));
    expect(only(events, "initiator_override_rejected").reason).toBe("signature_invalid");
    expect(only(events, "passthrough").initiator_id).toBe("ci-bot");
  });

  it("D14 a list of models judges the very bytes that were signed", async () => {
    const central = { ...PROVIDERS.central, models: ["gpt-4o"] };
    const house = await openSigning({}, { vars: { PROVIDERS: { ...PROVIDERS, central } } });
    const uri = "/central/v1/embeddings";
    const call = async (body: string): Promise<number> => {
      const headers = await signed({ uri, body, at: T0, headers: OWNED });
      return (await house.exchange(uri, post(body, headers))).response.status;
    };
    expect([await call('{"model":"gpt-4o"}'), await call('{"model":"o9"}')]).toEqual([200, 403]);
    expect(house.sent.map(({ body }) => text(body))).toEqual(['{"model":"gpt-4o"}']);
  });

  it("a GET that says it has a body is refused, as ever", async () => {
    const uri = "/central/v1/models";
    const headers = await signed({ uri, method: "GET", at: T0, headers: OWNED });
    const visited = await (
      await openSigning()
    ).exchange(uri, { headers: { ...headers, "content-length": "5" } });
    expect(refusedWith(visited)).toEqual([400, "body_unexpected"]);
  });
});

const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };
/** The house's clock stands still, and the shards' does not: each test signs with another second of the window. */
let second = 0;
const nextAt = (): number => T0 + (second += 1) * 1000;

describe("A23 the same signed request twice", () => {
  it("counts twice without a replay cache: the window is all there is", async () => {
    const house = await openSigning();
    const init = await signedCall();
    for (let times = 0; times < 2; times += 1)
      expect(initiatorOf((await house.exchange(CENTRAL_CHAT, init)).events)[1]).toBe("signed");
  });

  it.each([
    ["accept", 200, null],
    ["require", 401, "signature_required"],
  ])("counts once with one: with signature=%s it is then %i", async (signature, status, error) => {
    const house = await openSigning({ signature, replay_cache: true }, { vars: { NONCES } });
    const init = await signedCall({ at: nextAt() });
    const first = await house.exchange(CENTRAL_CHAT, init);
    expect(initiatorOf(first.events)).toEqual([OWNER, "signed", "ci-bot"]);
    const again = await house.exchange(CENTRAL_CHAT, init);
    expect(only(again.events, "initiator_override_rejected")).toMatchObject({
      reason: "replayed",
      signature: "valid",
    });
    expect(refusedWith(again)).toEqual([status, error]);
    for (const event of again.events) expect(event).toMatchObject({ initiator_id: "ci-bot" });
    const later = await house.exchange(CENTRAL_CHAT, await signedCall({ at: nextAt() }));
    expect(initiatorOf(later.events)[1]).toBe("signed");
  });

  it.each([
    ["accept", 200, null],
    ["require", 503, "identity_unavailable"],
  ] as const)("a cache that is down is no yes: signature=%s", async (signature, status, error) => {
    const down = { idFromName: () => ({}), get: () => ({ fetch: () => Promise.reject(new Error("down")) }) };
    const house = await openSigning({ signature, replay_cache: true }, { vars: { NONCES: down } });
    const visited = await house.exchange(CENTRAL_CHAT, await signedCall());
    expect(refusedWith(visited)).toEqual([status, error]);
    expect(only(visited.events, "initiator_override_rejected").reason).toBe("replay_unavailable");
  });
});

const DIRECTORY = { url: "https://coder.example", token: "LOOKUP_TOKEN" };
const LOOKUP_TOKEN = "CANARY-lookup-token";

/** A house whose Coder answers as it is told; what it was asked is in `sent`, before the provider's. */
const openDirectory = (answer: () => Response | Promise<Response>, assertion: Record<string, unknown> = {}) =>
  openGateway({
    vars: { OWNER_ASSERTION: { directory: DIRECTORY, ...assertion }, LOOKUP_TOKEN },
    provider: ({ url }) => (url.startsWith("https://coder.example/") ? answer() : chatResponse()),
  });
const alice = (status = "active"): Response => Response.json({ id: OWNER, username: "alice", status });

describe("an owner that is looked up", () => {
  it("is recorded with its user name, beside the actor's own", async () => {
    const house = await openDirectory(alice);
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(only(events, "initiator_override")).toMatchObject({
      owner_id: OWNER,
      owner_username: "alice",
      directory: "active",
      attribution: "asserted",
    });
    // A20: each name is its holder's.
    expect(only(events, "interception_start")).toMatchObject({
      initiator_name: "alice",
      metadata: { actor_name: "CI bot" },
    });
    expect(house.sent.map(({ url }) => url)).toEqual([
      `https://coder.example/api/v2/users/${OWNER}`,
      "https://central.example/v1/chat/completions",
    ]);
    expect(house.sent[0]?.headers.get("coder-session-token")).toBe(LOOKUP_TOKEN);
    expect(JSON.stringify([...(house.sent[1]?.headers ?? [])])).not.toContain(LOOKUP_TOKEN);
  });

  it.each([
    ["unknown", () => new Response(null, { status: 404 }), "directory_unknown"],
    ["inactive", () => alice("suspended"), "directory_inactive"],
    ["down", () => new Response(null, { status: 500 }), "directory_down"],
  ])("and %s does not count", async (is, answer, reason) => {
    const house = await openDirectory(answer);
    const { events, response } = await house.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(response.status).toBe(200);
    expect(only(events, "initiator_override_rejected")).toMatchObject({ reason, directory: is });
    expect(initiatorOf(events)).toEqual(["ci-bot", "authenticated", "ci-bot"]);
    expect(only(events, "interception_start").initiator_name).toBeNull();
    const strict = await openDirectory(answer, { on_invalid: "reject" });
    expect(refusedWith(await strict.exchange(CENTRAL_CHAT, post(BODY, OWNED)))).toEqual(
      is === "down" ? [503, "identity_unavailable"] : [400, "owner_rejected"],
    );
    expect(strict.sent).toHaveLength(1);
  });

  it("counts while the directory is down only where the operator says so, and the event says how", async () => {
    const house = await openDirectory(() => new Response(null, { status: 500 }), {
      directory: { ...DIRECTORY, on_down: "accept" },
    });
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(only(events, "initiator_override")).toMatchObject({
      owner_id: OWNER,
      owner_username: null,
      directory: "down",
    });
    expect(house.operatorErrors).toEqual(["directory failed: status 500"]);
  });

  it("is not looked up again for a while, nor where there is no owner or none that could count", async () => {
    const house = await openDirectory(alice);
    for (const headers of [OWNED, OWNED, AGENTS, { ...OWNED, "user-agent": "curl/8" }])
      await house.exchange(CENTRAL_CHAT, post(BODY, headers));
    expect(house.sent.filter(({ url }) => url.startsWith("https://coder.example/"))).toHaveLength(1);
  });

  it("a redirect by the directory is not followed: the token goes nowhere else", async () => {
    const house = await openDirectory(() => Response.redirect("https://evil.example/"));
    await house.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(house.sent.map(({ url }) => new URL(url).host)).toEqual(["coder.example", "central.example"]);
  });
});

const GATEWAY_KEY = "CANARY-gateway-key-of-32-characters";
const openDelegating = (assertion: Record<string, unknown> = {}, setup: Setup = {}): Promise<Gateway> =>
  openGateway({
    provider: chatResponse,
    ...setup,
    vars: {
      OWNER_ASSERTION: assertion,
      DELEGATION: { keys: ["GATEWAY_KEY"] },
      GATEWAY_KEY,
      SIGNING_KEY,
      ...setup.vars,
    },
  });
const DELEGATED = {
  "x-coder-ai-gateway-key": GATEWAY_KEY,
  "x-coder-ai-gateway-delegated-key-id": "aBcDeF0123",
  "x-coder-ai-gateway-source": "agents",
  "x-coder-ai-gateway-workspace-id": CHAT_ID.toUpperCase(),
  "x-coder-owner-id": OWNER,
};

describe("a gateway that delegates", () => {
  it("is the actor; the user it names is the initiator, whatever the client; all its headers stay here", async () => {
    const house = await openDelegating();
    const { events, response } = await house.exchange(CENTRAL_CHAT, post(BODY, DELEGATED));
    expect(response.status).toBe(200);
    const told = { delegated_key_id: "aBcDeF0123", delegated_source: "agents", workspace_id: CHAT_ID };
    expect(only(events, "initiator_override")).toMatchObject({
      actor_id: "coder-gateway",
      actor_kind: "service",
      identity_source: "delegation",
      owner_id: OWNER,
      attribution: "asserted",
      rule: "delegation",
      client: "Unknown",
      ...told,
    });
    for (const type of ["interception_start", "interception_end"] as const)
      expect(only(events, type)).toMatchObject({ initiator_id: OWNER, ...told });
    expect([...(house.sent[0]?.headers.keys() ?? [])].filter((name) => name.startsWith("x-coder"))).toEqual(
      [],
    );
    expect(house.sent[0]?.headers.get("authorization")).toBe(`Bearer ${CANARIES.centralKey}`);
  });

  it("has its actor's name by its configuration, and is the initiator itself where it names nobody", async () => {
    const house = await openDelegating(
      {},
      { vars: { DELEGATION: { keys: ["GATEWAY_KEY"], actor: "coder-eu" } } },
    );
    const { events } = await house.exchange(
      CENTRAL_CHAT,
      post(BODY, { "x-coder-ai-gateway-key": GATEWAY_KEY }),
    );
    expect(initiatorOf(events)).toEqual(["coder-eu", "authenticated", "coder-eu"]);
    expect(typesOf(events)).not.toContain("initiator_override");
  });

  it("forwards its client's own provider key, in place of the central one", async () => {
    const house = await openDelegating();
    const headers = { ...DELEGATED, authorization: "Bearer sk-the-clients-own" };
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, headers));
    expect(house.sent[0]?.headers.get("authorization")).toBe("Bearer sk-the-clients-own");
    expect(only(events, "interception_start").credential_kind).toBe("byok");
  });

  it("goes before any other credential: a client key beside it makes nobody else the actor", async () => {
    const house = await openDelegating();
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, { ...DELEGATED, ...CLIENT_KEY }));
    expect(only(events, "interception_start").actor_id).toBe("coder-gateway");
    expect(house.sent[0]?.headers.get("authorization")).toBe(`Bearer ${CANARIES.centralKey}`);
  });

  it.each([
    ["another key", { "x-coder-ai-gateway-key": "CANARY-x" }],
    ["two keys", { "x-coder-ai-gateway-key": `${GATEWAY_KEY}, ${GATEWAY_KEY}` }],
    ["an empty key", { "x-coder-ai-gateway-key": "" }],
    ["a malformed key id", { "x-coder-ai-gateway-delegated-key-id": "CANARY id" }],
    ["two sources", { "x-coder-ai-gateway-source": "agents, agents" }],
    ["a malformed workspace", { "x-coder-ai-gateway-workspace-id": "CANARY" }],
  ])(
    "%s: E401 in the route's dialect, also beside a good credential, nothing fetched",
    async (_, headers) => {
      const house = await openDelegating();
      const visited = await house.exchange(CENTRAL_CHAT, post(BODY, { ...AGENTS, ...DELEGATED, ...headers }));
      expect(refusedWith(visited)).toEqual([401, "delegation_rejected"]);
      expect(JSON.parse(visited.text)).toMatchObject({ error: { code: "delegation_rejected" } });
      expect(typesOf(visited.events)).toEqual(["refusal"]);
      expect(only(visited.events, "refusal").actor_id).toBeNull();
      expect(house.sent).toEqual([]);
    },
  );

  it("without DELEGATION in the config its headers mean nothing, and go nowhere", async () => {
    const house = await openGateway({ provider: chatResponse });
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, { ...DELEGATED, ...CLIENT_KEY }));
    expect(initiatorOf(events)).toEqual(["ci-bot", "authenticated", "ci-bot"]);
    expect(only(events, "initiator_override_rejected").reason).toBe("client");
    expect(only(events, "interception_start")).toMatchObject({
      delegated_key_id: null,
      delegated_source: null,
      workspace_id: null,
    });
    expect((await house.exchange(CENTRAL_CHAT, post(BODY, DELEGATED))).response.status).toBe(401);
  });

  it("without its key the headers beside it mean nothing", async () => {
    const { "x-coder-ai-gateway-key": _, ...others } = DELEGATED;
    const house = await openDelegating();
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, { ...others, ...AGENTS }));
    expect(only(events, "initiator_override")).toMatchObject({
      actor_id: "ci-bot",
      delegated_key_id: null,
      delegated_source: null,
      workspace_id: null,
    });
  });

  it("A5 nothing widens allow = off, not even its key", async () => {
    const house = await openDelegating({ allow: "off" });
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, DELEGATED));
    expect(initiatorOf(events)).toEqual(["coder-gateway", "authenticated", "coder-gateway"]);
    expect(only(events, "initiator_override_rejected")).toMatchObject({
      reason: "not_permitted",
      rule: "off",
    });
  });

  it("A22 must sign where owners must be signed, and may where they may", async () => {
    const strict = { ...SIGNING, signature: "require" };
    const house = await openDelegating(strict);
    expect(refusedWith(await house.exchange(CENTRAL_CHAT, post(BODY, DELEGATED)))).toEqual([
      401,
      "signature_required",
    ]);
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: DELEGATED });
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, headers));
    expect(initiatorOf(events)).toEqual([OWNER, "signed", "coder-gateway"]);
  });

  it("A19 A20 names a user on a passthrough too, under every prefix of ours", async () => {
    const house = await openDelegating();
    for (const prefix of ["", "/api/v2/ai-gateway", "/api/v2/aibridge"]) {
      const { events } = await house.exchange(`${prefix}/central/v1/models`, { headers: DELEGATED });
      expect(only(events, "passthrough")).toMatchObject({
        initiator_id: OWNER,
        actor_id: "coder-gateway",
        delegated_source: "agents",
      });
    }
  });

  it("a provider's answer cannot pass for ours to the gateway", async () => {
    // The attack: a provider that says 401 with this header has a delegating Coder believe that its own key is wrong.
    const house = await openDelegating(
      {},
      {
        provider: () =>
          json("{}", { status: 401, headers: { "x-coder-ai-gateway-error": "gateway_key_mismatch" } }),
      },
    );
    const { response } = await house.exchange(CENTRAL_CHAT, post(BODY, DELEGATED));
    expect([response.status, response.headers.get("x-coder-ai-gateway-error")]).toEqual([401, null]);
  });
});

describe("by who vouches", () => {
  it.each([
    ["service", [], true],
    ["listed", ["keys:ci-bot"], true],
    ["listed", ["ci-bot"], true],
    ["listed", ["jwt:ci-bot"], false],
    ["listed", ["keys:other"], false],
    // No source of that name is configured: an id that happens to hold a colon.
    ["listed", ["coder:ci-bot"], false],
  ])("allow=%s, actors=%j: the owner counts: %s", async (allow, actors, counts) => {
    const rules = actors.length > 0 ? { allow, actors } : { allow };
    const house = await openGateway({ vars: { OWNER_ASSERTION: rules }, provider: chatResponse });
    const { events } = await house.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(initiatorOf(events)[0]).toBe(counts ? OWNER : "ci-bot");
    const type = counts ? "initiator_override" : "initiator_override_rejected";
    expect(only(events, type).rule).toBe(allow);
    expect(only(events, type).user_agent).toBe(CODER_AGENTS_UA);
  });
});
