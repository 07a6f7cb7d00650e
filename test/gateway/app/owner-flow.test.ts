/** Owner assertions through the whole app: signed, looked up in the directory, and named by a delegating gateway. */
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
import { sha256Hex } from "../../../src/shared/digest.ts";
import { EMPTY_REPLAY_CACHE, signed, SIGNING_KEY, type ToSign } from "../../support/in-workerd/signing.ts";
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
    vars: {
      OWNER_ASSERTION: { ...SIGNING, ...assertion },
      SIGNING_KEY,
      NONCES: EMPTY_REPLAY_CACHE,
      ...setup.vars,
    },
  });

/** A signed call. `over` changes the signed values, `sent` the request that is then sent. */
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
  it("is recorded as signed on every event, and neither signature nor owner goes upstream", async () => {
    const gateway = await openSigning();
    const { events, response } = await gateway.exchange(CENTRAL_CHAT, await signedCall());
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
    expect(text(gateway.sent[0]?.body ?? new Uint8Array())).toBe(BODY);
    expect([...(gateway.sent[0]?.headers.keys() ?? [])].filter((name) => name.startsWith("x-coder"))).toEqual(
      [],
    );
  });

  it.each([
    ["a bad MAC", { secret: "another-secret-of-more-than-32-characters" }, "signature_invalid"],
    ["301 s old", { at: T0 - 301_000 }, "signature_expired"],
    ["301 s ahead", { at: T0 + 301_000 }, "signature_expired"],
    ["A24 of another body", { body: "{}" }, "signature_invalid"],
    ["A24 of another path", { uri: "/openai/v1/chat/completions" }, "signature_invalid"],
    ["A24 of the path without the provider's name", { uri: "/v1/chat/completions" }, "signature_invalid"],
    ["A24 of a query", { uri: `${CENTRAL_CHAT}?a=1` }, "signature_invalid"],
    ["A24 of another method", { method: "PUT" }, "signature_invalid"],
  ] as const)(
    "%s is rejected: with accept the actor remains the initiator, with require E401",
    async (_, over, reason) => {
      const init = await signedCall(over);
      const gateway = await openSigning();
      const { events } = await gateway.exchange(CENTRAL_CHAT, init);
      expect(only(events, "initiator_override_rejected")).toMatchObject({ reason, signature: reason });
      expect(initiatorOf(events)).toEqual(["ci-bot", "authenticated", "ci-bot"]);

      const strict = await openSigning({ signature: "require" });
      const refused = await strict.exchange(CENTRAL_CHAT, init);
      expect(refusedWith(refused)).toEqual([401, "signature_required"]);
      expect(typesOf(refused.events)).toEqual(["initiator_override_rejected", "refusal"]);
      expect(only(refused.events, "refusal").detail).toBe(reason);
      expect(strict.sent).toEqual([]);
    },
  );

  it.each([
    ["owner", OWNER.replace(/1$/, "2")],
    ["chat", OWNER],
    ["subchat", CHAT_ID],
    ["workspace", CHAT_ID],
  ])("A24 with another %s than the signed one is rejected", async (name, value) => {
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: OWNED });
    const changed = { ...headers, [`x-coder-${name}-id`]: value };
    const { events } = await (await openSigning()).exchange(CENTRAL_CHAT, post(BODY, changed));
    expect(only(events, "initiator_override_rejected").reason).toBe("signature_invalid");
  });

  it("without a signature is asserted with accept, and E401 with require before the body is read", async () => {
    const { events } = await (await openSigning()).exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(initiatorOf(events)).toEqual([OWNER, "asserted", "ci-bot"]);
    expect(only(events, "initiator_override").signature).toBe("absent");

    const client = upstreamBody();
    const strict = await openSigning({ signature: "require" });
    // The body never ends, so reading it would time out.
    const exchange = await strict.exchange(CENTRAL_CHAT, post(client.stream, OWNED));
    expect(refusedWith(exchange)).toEqual([401, "signature_required"]);
    expect(only(exchange.events, "initiator_override_rejected")).toMatchObject({
      reason: "signature_required",
      signature: "absent",
    });
  });

  it("is not required of requests without an owner", async () => {
    const { events, response } = await (
      await openSigning({ signature: "require" })
    ).exchange(CENTRAL_CHAT, post(BODY, AGENTS));
    expect(response.status).toBe(200);
    expect(initiatorOf(events)).toEqual(["ci-bot", "authenticated", "ci-bot"]);
  });

  it("is accepted under both secrets during a rotation", async () => {
    const NEXT = "CANARY-next-signing-secret-of-32-chars";
    const rotating = { vars: { NEXT_KEY: NEXT } };
    for (const secret of [SIGNING_KEY, NEXT]) {
      const gateway = await openSigning({ signing_keys: ["NEXT_KEY", "SIGNING_KEY"] }, rotating);
      const { events } = await gateway.exchange(CENTRAL_CHAT, await signedCall({ secret }));
      expect(initiatorOf(events)).toEqual([OWNER, "signed", "ci-bot"]);
    }
  });

  it("A5 A6 must still satisfy the rules for actor and client, and is rejected by them before the body is read", async () => {
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

  it("is not verified with signature = off", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const init = await signedCall({ secret: "another-secret-of-more-than-32-characters" });
    expect(initiatorOf((await gateway.exchange(CENTRAL_CHAT, init)).events)).toEqual([
      OWNER,
      "asserted",
      "ci-bot",
    ]);
  });

  it("is refused with a body that is too large or encoded, before an override is recorded", async () => {
    const small = { vars: { LIMITS: { body_bytes: 10 } } };
    const large = await (await openSigning({}, small)).exchange(CENTRAL_CHAT, await signedCall());
    expect([...refusedWith(large), ...typesOf(large.events)]).toEqual([413, "body_too_large", "refusal"]);
    const init = await signedCall({ headers: { ...OWNED, "content-encoding": "compress" } });
    expect(refusedWith(await (await openSigning()).exchange(CENTRAL_CHAT, init))).toEqual([
      415,
      "body_encoded",
    ]);
  });

  it("F10 is refused as incomplete where the client disconnects while it sends the body", async () => {
    const client = upstreamBody();
    client.send("abc");
    const pending = (await openSigning()).exchange(CENTRAL_CHAT, {
      ...(await signedCall()),
      body: client.stream,
    });
    await until(client.isConsumed, "the bytes being consumed");
    client.fail();
    expect(refusedWith(await pending)).toEqual([400, "body_incomplete"]);
  });
});

describe("A22 A24 a signed owner of a passthrough", () => {
  const FILES = "/central/v1/files";
  it.each([
    ["POST", FILES, "any bytes \u0000\u00ff at all"],
    ["POST", `${FILES}?purpose=batch%20x`, ""],
    ["GET", "/central/v1/models?limit=1", ""],
    ["DELETE", `${FILES}/file-1`, ""],
  ])("%s %s is signed, and the request is forwarded unchanged", async (method, uri, body) => {
    const gateway = await openSigning();
    const headers = await signed({ uri, method, body, at: T0, headers: OWNED });
    const init = { method, headers, ...(body === "" ? {} : { body }) };
    const { events, response } = await gateway.exchange(uri, init);
    expect(response.status).toBe(200);
    expect(only(events, "passthrough")).toMatchObject({ initiator_id: OWNER, attribution: "signed" });
    expect(gateway.sent[0]?.url).toBe(`https://central.example${uri.replace("/central", "")}`);
    expect(text(gateway.sent[0]?.body ?? new Uint8Array())).toBe(body);
    const changed = await gateway.exchange(`${uri}${uri.includes("?") ? "&" : "?"}x=1`, init);
    expect(only(changed.events, "initiator_override_rejected").reason).toBe("signature_invalid");
  });

  it("is rejected with another body", async () => {
    const headers = await signed({ uri: FILES, body: "one", at: T0, headers: OWNED });
    const { events } = await (await openSigning()).exchange(FILES, post("two", headers));
    expect(only(events, "initiator_override_rejected").reason).toBe("signature_invalid");
    expect(only(events, "passthrough").initiator_id).toBe("ci-bot");
  });

  it("D14 a model list checks the same bytes that were signed", async () => {
    const central = { ...PROVIDERS.central, models: ["gpt-4o"] };
    const gateway = await openSigning({}, { vars: { PROVIDERS: { ...PROVIDERS, central } } });
    const uri = "/central/v1/embeddings";
    const call = async (body: string): Promise<number> => {
      const headers = await signed({ uri, body, at: T0, headers: OWNED });
      return (await gateway.exchange(uri, post(body, headers))).response.status;
    };
    expect([await call('{"model":"gpt-4o"}'), await call('{"model":"o9"}')]).toEqual([200, 403]);
    expect(gateway.sent.map(({ body }) => text(body))).toEqual(['{"model":"gpt-4o"}']);
  });

  it("is refused on a GET that declares a body", async () => {
    const uri = "/central/v1/models";
    const headers = await signed({ uri, method: "GET", at: T0, headers: OWNED });
    const exchange = await (
      await openSigning()
    ).exchange(uri, { headers: { ...headers, "content-length": "5" } });
    expect(refusedWith(exchange)).toEqual([400, "body_unexpected"]);
  });
});

const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };
/** The gateway's clock is fixed, and the shards' is not. Each test signs with another second of the window. */
let second = 0;
const nextAt = (): number => T0 + (second += 1) * 1000;

describe("A23 the same signed request twice", () => {
  it("is accepted twice without a replay cache, within the time window", async () => {
    const gateway = await openSigning();
    const init = await signedCall();
    for (let times = 0; times < 2; times += 1)
      expect(initiatorOf((await gateway.exchange(CENTRAL_CHAT, init)).events)[1]).toBe("signed");
  });

  it.each([
    ["accept", 200, null],
    ["require", 401, "signature_required"],
  ])(
    "is accepted once with a replay cache: with signature = %s the replay has status %i",
    async (signature, status, error) => {
      const gateway = await openSigning({ signature, replay_cache: true }, { vars: { NONCES } });
      const init = await signedCall({ at: nextAt() });
      const first = await gateway.exchange(CENTRAL_CHAT, init);
      expect(initiatorOf(first.events)).toEqual([OWNER, "signed", "ci-bot"]);
      const again = await gateway.exchange(CENTRAL_CHAT, init);
      expect(only(again.events, "initiator_override_rejected")).toMatchObject({
        reason: "replayed",
        signature: "valid",
      });
      expect(refusedWith(again)).toEqual([status, error]);
      for (const event of again.events) expect(event).toMatchObject({ initiator_id: "ci-bot" });
      const later = await gateway.exchange(CENTRAL_CHAT, await signedCall({ at: nextAt() }));
      expect(initiatorOf(later.events)[1]).toBe("signed");
    },
  );

  /*
   * The attack: a captured request is sent again within 300 s with the credential of another service and other headers.
   * The signature covers neither, so without the cache the record says `signed` a second time.
   */
  it("Finding M5: counts once with signature = require, also with another actor's credential", async () => {
    const otherKey = "aei_CANARY-other-client-key-0123456789";
    const entries = await Promise.all(
      Object.entries({ "ci-bot": CANARIES.clientKey, "other-bot": otherKey }).map(async ([bot, key]) => ({
        sha256: await sha256Hex(key),
        actor: bot,
        kind: "service",
      })),
    );
    const gateway = await openSigning(
      { signature: "require" },
      { vars: { NONCES, CLIENT_KEYS: JSON.stringify(entries) } },
    );
    const init = await signedCall({ at: nextAt() });
    expect(initiatorOf((await gateway.exchange(CENTRAL_CHAT, init)).events)).toEqual([
      OWNER,
      "signed",
      "ci-bot",
    ]);
    const headers = { authorization: `Bearer ${otherKey}`, "openai-project": "proj_other" };
    const replayed = { ...init, headers: { ...(init.headers as Record<string, string>), ...headers } };
    const again = await gateway.exchange(CENTRAL_CHAT, replayed);
    expect(refusedWith(again)).toEqual([401, "signature_required"]);
    expect(only(again.events, "initiator_override_rejected")).toMatchObject({
      reason: "replayed",
      actor_id: "other-bot",
      initiator_id: "other-bot",
    });
  });

  it.each([
    ["accept", 200, null],
    ["require", 503, "identity_unavailable"],
  ] as const)(
    "is rejected where the replay cache is down, with signature = %s",
    async (signature, status, error) => {
      const down = {
        idFromName: () => ({}),
        get: () => ({ fetch: () => Promise.reject(new Error("down")) }),
      };
      const gateway = await openSigning({ signature, replay_cache: true }, { vars: { NONCES: down } });
      const exchange = await gateway.exchange(CENTRAL_CHAT, await signedCall());
      expect(refusedWith(exchange)).toEqual([status, error]);
      expect(only(exchange.events, "initiator_override_rejected").reason).toBe("replay_unavailable");
    },
  );
});

const DIRECTORY = { url: "https://coder.example", token: "LOOKUP_TOKEN" };
const LOOKUP_TOKEN = "CANARY-lookup-token";

/** A gateway whose directory responds with `lookup`. Its requests are in `sent`, before the provider's. */
const openDirectory = (lookup: () => Response, assertion: Record<string, unknown> = {}) =>
  openGateway({
    vars: { OWNER_ASSERTION: { directory: DIRECTORY, ...assertion }, LOOKUP_TOKEN },
    provider: ({ url }) => (url.startsWith("https://coder.example/") ? lookup() : chatResponse()),
  });
const alice = (status = "active"): Response => Response.json({ id: OWNER, username: "alice", status });

describe("an owner that is looked up in the directory", () => {
  it("is recorded with its user name, beside the actor's", async () => {
    const gateway = await openDirectory(alice);
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(only(events, "initiator_override")).toMatchObject({
      owner_id: OWNER,
      owner_username: "alice",
      directory: "active",
      attribution: "asserted",
    });
    // A20: each name belongs to its own id.
    expect(only(events, "interception_start")).toMatchObject({
      initiator_name: "alice",
      metadata: { actor_name: "CI bot" },
    });
    expect(gateway.sent.map(({ url }) => url)).toEqual([
      `https://coder.example/api/v2/users/${OWNER}`,
      "https://central.example/v1/chat/completions",
    ]);
    expect(gateway.sent[0]?.headers.get("coder-session-token")).toBe(LOOKUP_TOKEN);
    expect(JSON.stringify([...(gateway.sent[1]?.headers ?? [])])).not.toContain(LOOKUP_TOKEN);
  });

  it.each([
    ["unknown", () => new Response(null, { status: 404 }), "directory_unknown"],
    ["inactive", () => alice("suspended"), "directory_inactive"],
    ["down", () => new Response(null, { status: 500 }), "directory_down"],
  ])("is rejected where the directory reports %s", async (result, lookup, reason) => {
    const gateway = await openDirectory(lookup);
    const { events, response } = await gateway.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(response.status).toBe(200);
    expect(only(events, "initiator_override_rejected")).toMatchObject({ reason, directory: result });
    expect(initiatorOf(events)).toEqual(["ci-bot", "authenticated", "ci-bot"]);
    expect(only(events, "interception_start").initiator_name).toBeNull();
    const strict = await openDirectory(lookup, { on_invalid: "reject" });
    expect(refusedWith(await strict.exchange(CENTRAL_CHAT, post(BODY, OWNED)))).toEqual(
      result === "down" ? [503, "identity_unavailable"] : [400, "owner_rejected"],
    );
    expect(strict.sent).toHaveLength(1);
  });

  it("is accepted while the directory is down only with on_down = accept, and the event has directory = down", async () => {
    const gateway = await openDirectory(() => new Response(null, { status: 500 }), {
      directory: { ...DIRECTORY, on_down: "accept" },
    });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(only(events, "initiator_override")).toMatchObject({
      owner_id: OWNER,
      owner_username: null,
      directory: "down",
    });
    expect(gateway.operatorErrors).toEqual([{ event: "directory_failed", reason: "status 500" }]);
  });

  it("is cached, and not looked up where the request has no owner or an owner that the rules reject", async () => {
    const gateway = await openDirectory(alice);
    for (const headers of [OWNED, OWNED, AGENTS, { ...OWNED, "user-agent": "curl/8" }])
      await gateway.exchange(CENTRAL_CHAT, post(BODY, headers));
    expect(gateway.sent.filter(({ url }) => url.startsWith("https://coder.example/"))).toHaveLength(1);
  });

  it("keeps the token where the directory redirects: no redirect is followed", async () => {
    const gateway = await openDirectory(() => Response.redirect("https://evil.example/"));
    await gateway.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(gateway.sent.map(({ url }) => new URL(url).host)).toEqual(["coder.example", "central.example"]);
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
      NONCES: EMPTY_REPLAY_CACHE,
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
  it("is the actor, its user is the initiator regardless of the client, and its headers are not forwarded", async () => {
    const gateway = await openDelegating();
    const { events, response } = await gateway.exchange(CENTRAL_CHAT, post(BODY, DELEGATED));
    expect(response.status).toBe(200);
    const delegated = { delegated_key_id: "aBcDeF0123", delegated_source: "agents", workspace_id: CHAT_ID };
    expect(only(events, "initiator_override")).toMatchObject({
      actor_id: "coder-gateway",
      actor_kind: "service",
      identity_source: "delegation",
      initiator_source: "coder",
      owner_id: OWNER,
      attribution: "asserted",
      rule: "delegation",
      client: "Unknown",
      ...delegated,
    });
    for (const type of ["interception_start", "interception_end"] as const)
      expect(only(events, type)).toMatchObject({ initiator_id: OWNER, ...delegated });
    expect([...(gateway.sent[0]?.headers.keys() ?? [])].filter((name) => name.startsWith("x-coder"))).toEqual(
      [],
    );
    expect(gateway.sent[0]?.headers.get("authorization")).toBe(`Bearer ${CANARIES.centralKey}`);
  });

  it("has its actor id from the configuration, and is the initiator itself where it names no user", async () => {
    const gateway = await openDelegating(
      {},
      { vars: { DELEGATION: { keys: ["GATEWAY_KEY"], actor: "coder-eu" } } },
    );
    const { events } = await gateway.exchange(
      CENTRAL_CHAT,
      post(BODY, { "x-coder-ai-gateway-key": GATEWAY_KEY }),
    );
    expect(initiatorOf(events)).toEqual(["coder-eu", "authenticated", "coder-eu"]);
    expect(typesOf(events)).not.toContain("initiator_override");
  });

  it("forwards its client's own provider key in place of the central key", async () => {
    const gateway = await openDelegating();
    const headers = { ...DELEGATED, authorization: "Bearer sk-the-clients-own" };
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, headers));
    expect(gateway.sent[0]?.headers.get("authorization")).toBe("Bearer sk-the-clients-own");
    expect(only(events, "interception_start").credential_kind).toBe("byok");
  });

  it("takes precedence over any other credential: a client key beside it does not change the actor", async () => {
    const gateway = await openDelegating();
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, { ...DELEGATED, ...CLIENT_KEY }));
    expect(only(events, "interception_start").actor_id).toBe("coder-gateway");
    expect(gateway.sent[0]?.headers.get("authorization")).toBe(`Bearer ${CANARIES.centralKey}`);
  });

  it.each([
    ["another key", { "x-coder-ai-gateway-key": "CANARY-x" }],
    ["two keys", { "x-coder-ai-gateway-key": `${GATEWAY_KEY}, ${GATEWAY_KEY}` }],
    ["an empty key", { "x-coder-ai-gateway-key": "" }],
    ["a malformed key id", { "x-coder-ai-gateway-delegated-key-id": "CANARY id" }],
    ["two sources", { "x-coder-ai-gateway-source": "agents, agents" }],
    ["a malformed workspace", { "x-coder-ai-gateway-workspace-id": "CANARY" }],
  ])(
    "is refused with %s: E401 in the route's dialect, also beside a valid credential, nothing fetched",
    async (_, headers) => {
      const gateway = await openDelegating();
      const exchange = await gateway.exchange(
        CENTRAL_CHAT,
        post(BODY, { ...AGENTS, ...DELEGATED, ...headers }),
      );
      expect(refusedWith(exchange)).toEqual([401, "delegation_rejected"]);
      expect(JSON.parse(exchange.text)).toMatchObject({ error: { code: "delegation_rejected" } });
      expect(typesOf(exchange.events)).toEqual(["refusal"]);
      expect(only(exchange.events, "refusal").actor_id).toBeNull();
      expect(gateway.sent).toEqual([]);
    },
  );

  it("has no effect without DELEGATION in the config, and its headers are not forwarded", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, { ...DELEGATED, ...CLIENT_KEY }));
    expect(initiatorOf(events)).toEqual(["ci-bot", "authenticated", "ci-bot"]);
    expect(only(events, "initiator_override_rejected").reason).toBe("client");
    expect(only(events, "interception_start")).toMatchObject({
      delegated_key_id: null,
      delegated_source: null,
      workspace_id: null,
    });
    expect((await gateway.exchange(CENTRAL_CHAT, post(BODY, DELEGATED))).response.status).toBe(401);
  });

  it("has no effect without its key, whose other headers are then ignored", async () => {
    const { "x-coder-ai-gateway-key": _, ...others } = DELEGATED;
    const gateway = await openDelegating();
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, { ...others, ...AGENTS }));
    expect(only(events, "initiator_override")).toMatchObject({
      actor_id: "ci-bot",
      delegated_key_id: null,
      delegated_source: null,
      workspace_id: null,
    });
  });

  it("A5 does not override allow = off", async () => {
    const gateway = await openDelegating({ allow: "off" });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, DELEGATED));
    expect(initiatorOf(events)).toEqual(["coder-gateway", "authenticated", "coder-gateway"]);
    expect(only(events, "initiator_override_rejected")).toMatchObject({
      reason: "not_permitted",
      rule: "off",
    });
  });

  it("A22 must sign with signature = require, and its signed owner is accepted", async () => {
    const strict = { ...SIGNING, signature: "require" };
    const gateway = await openDelegating(strict);
    expect(refusedWith(await gateway.exchange(CENTRAL_CHAT, post(BODY, DELEGATED)))).toEqual([
      401,
      "signature_required",
    ]);
    const headers = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: DELEGATED });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, headers));
    expect(initiatorOf(events)).toEqual([OWNER, "signed", "coder-gateway"]);
  });

  it("A19 A20 names a user on a passthrough too, under every route prefix", async () => {
    const gateway = await openDelegating();
    for (const prefix of ["", "/api/v2/ai-gateway", "/api/v2/aibridge"]) {
      const { events } = await gateway.exchange(`${prefix}/central/v1/models`, { headers: DELEGATED });
      expect(only(events, "passthrough")).toMatchObject({
        initiator_id: OWNER,
        actor_id: "coder-gateway",
        delegated_source: "agents",
      });
    }
  });

  it.each([
    [401, 502],
    [429, 429],
  ])("receives no gateway error header that a provider set with status %i", async (status, received) => {
    // The attack: a provider responds 401 with this header, so that a delegating Coder takes its own key for invalid.
    const gateway = await openDelegating(
      {},
      {
        provider: () =>
          json("{}", { status, headers: { "x-coder-ai-gateway-error": "gateway_key_mismatch" } }),
      },
    );
    const { response } = await gateway.exchange(CENTRAL_CHAT, post(BODY, DELEGATED));
    expect([response.status, response.headers.get("x-coder-ai-gateway-error")]).toEqual([received, null]);
  });
});

describe("the rules of who may assert an owner", () => {
  it.each([
    ["service", [], true],
    ["listed", ["keys:ci-bot"], true],
    ["listed", ["ci-bot"], true],
    ["listed", ["jwt:ci-bot"], false],
    ["listed", ["keys:other"], false],
    // No source of that name is configured: this is an id that contains a colon.
    ["listed", ["coder:ci-bot"], false],
  ])("allow=%s, actors=%j: the owner is accepted: %s", async (allow, actors, isAccepted) => {
    const rules = actors.length > 0 ? { allow, actors } : { allow };
    const gateway = await openGateway({ vars: { OWNER_ASSERTION: rules }, provider: chatResponse });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, OWNED));
    expect(initiatorOf(events)[0]).toBe(isAccepted ? OWNER : "ci-bot");
    const type = isAccepted ? "initiator_override" : "initiator_override_rejected";
    expect(only(events, type).rule).toBe(allow);
    expect(only(events, type).user_agent).toBe(CODER_AGENTS_UA);
  });
});
