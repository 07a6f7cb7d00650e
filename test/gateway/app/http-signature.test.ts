/** Owners signed by HTTP message signatures (RFC 9421), through the whole app. */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import {
  AGENTS,
  BODY,
  CENTRAL_CHAT,
  chatResponse,
  only,
  post,
  typesOf,
} from "../../support/in-workerd/calls.ts";
import { EMPTY_REPLAY_CACHE } from "../../support/in-workerd/signing.ts";
import { openGateway, T0, type Exchange, type Gateway } from "../../support/in-workerd/gateway-harness.ts";
import {
  base64,
  ED25519,
  HTTP_SECRET,
  httpSigned,
  type ToHttpSign,
} from "../../support/in-workerd/http-signing.ts";
import { signed, SIGNING_KEY } from "../../support/in-workerd/signing.ts";
import { OWNER, text } from "../../support/in-workerd/values.ts";

const CHAT_ID = "0a0a0a0a-0000-4000-8000-00000000000a";
const OWNED = { ...AGENTS, "x-coder-owner-id": OWNER, "x-coder-chat-id": CHAT_ID };
const HOST = "https://gateway.example";
const URL_OF_CHAT = `${HOST}${CENTRAL_CHAT}`;
const KEYS = [
  { id: "mac", algorithm: "hmac-sha256", secret: "HTTP_SECRET" },
  { id: "ed", algorithm: "ed25519", public_key: ED25519.x },
];
const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };

const open = (
  assertion: Record<string, unknown> = {},
  vars: Record<string, unknown> = {},
): Promise<Gateway> =>
  openGateway({
    provider: chatResponse,
    vars: {
      OWNER_ASSERTION: { signature: "accept", http_signature_keys: KEYS, ...assertion },
      HTTP_SECRET,
      // Only `require` and the replay cache read it.
      ...(assertion["signature"] === "require" && { NONCES: EMPTY_REPLAY_CACHE }),
      ...vars,
    },
  });

const headersOf = (over: Partial<ToHttpSign> = {}): Promise<Record<string, string>> =>
  httpSigned({ url: URL_OF_CHAT, body: BODY, at: T0, headers: OWNED, ...over });

const send = async (headers: Record<string, string>, body: BodyInit = BODY): Promise<Exchange> =>
  (await open()).exchange(CENTRAL_CHAT, post(body, headers));

const initiatorOf = (events: readonly InterceptorEvent[]): unknown[] => {
  const { initiator_id, attribution, actor_id } = only(events, "interception_start");
  return [initiator_id, attribution, actor_id];
};

async function gzip(body: string): Promise<Uint8Array> {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe("A25 an owner with an HTTP message signature", () => {
  it.each(["hmac-sha256", "ed25519"] as const)("is signed with %s", async (algorithm) => {
    const gateway = await open({ signature: "require" });
    const { events, response } = await gateway.exchange(
      CENTRAL_CHAT,
      post(BODY, await headersOf({ algorithm })),
    );
    expect(response.status).toBe(200);
    expect(only(events, "initiator_override")).toMatchObject({ owner_id: OWNER, signature: "valid" });
    expect(initiatorOf(events)).toEqual([OWNER, "signed", "ci-bot"]);
    const forwarded = [...(gateway.sent[0]?.headers.keys() ?? [])];
    expect(forwarded.filter((name) => /^x-coder|signature/.test(name))).toEqual([]);
  });

  it.each([
    ["@path and @query in place of @target-uri", ["@method", "@authority", "@path", "@query"]],
    ["further fields", ["@method", "@authority", "@target-uri", "content-type", "user-agent"]],
  ])("may cover %s", async (_, some) => {
    const components = [...some, "content-digest", "x-coder-owner-id", "x-coder-chat-id"];
    const headers = { "content-type": "application/json", ...OWNED };
    const { events } = await send(await headersOf({ components, headers }));
    expect(initiatorOf(events)).toEqual([OWNER, "signed", "ci-bot"]);
  });

  it.each(["hmac-sha256", "ed25519"] as const)(
    "may name its alg, which must be that of the key: %s",
    async (alg) => {
      const named = (value: string) => headersOf({ algorithm: alg, params: { alg: `"${value}"` } });
      expect(initiatorOf((await send(await named(alg))).events)[1]).toBe("signed");
      for (const other of ["hmac-sha256", "ed25519", "rsa-pss-sha512", "none", ""].filter(
        (one) => one !== alg,
      ))
        expect(only((await send(await named(other))).events, "initiator_override_rejected").reason).toBe(
          "signature_invalid",
        );
    },
  );

  it("covers a compressed body as it was sent (RFC 9530), with its Content-Encoding", async () => {
    const body = await gzip(BODY);
    const headers = { ...OWNED, "content-encoding": "gzip" };
    const gateway = await open();
    const signedHeaders = await headersOf({ body, headers });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(body, signedHeaders));
    expect(initiatorOf(events)).toEqual([OWNER, "signed", "ci-bot"]);
    expect(text(gateway.sent[0]?.body ?? new Uint8Array())).toBe(BODY);
    // A digest of the decoded bytes is the one of another message.
    const decoded = await headersOf({ body: BODY, headers });
    expect(only((await send(decoded, body)).events, "initiator_override_rejected").reason).toBe(
      "signature_invalid",
    );
  });

  it("of a large compressed body that arrives in pieces is signed", async () => {
    const large = JSON.stringify({
      model: "gpt-4o",
      messages: [],
      pad: base64(crypto.getRandomValues(new Uint8Array(60_000))).repeat(4),
    });
    const body = await gzip(large);
    expect(body.length).toBeGreaterThan(64 * 1024);
    const headers = { ...OWNED, "content-encoding": "gzip" };
    const stream = new Blob([body]).stream();
    const { events } = await send(await headersOf({ body, headers }), stream);
    expect(initiatorOf(events)).toEqual([OWNER, "signed", "ci-bot"]);
  });

  it.each([
    ["GET", "/central/v1/models?limit=1", ""],
    ["DELETE", "/central/v1/files/file-1", ""],
    ["POST", "/central/v1/files", "any bytes \u0000 at all"],
  ])("of a passthrough is signed: %s %s", async (method, uri, body) => {
    const headers = await headersOf({ method, url: `${HOST}${uri}`, body });
    const init = { method, headers, ...(body === "" ? {} : { body }) };
    const { events } = await (await open()).exchange(uri, init);
    expect(only(events, "passthrough")).toMatchObject({ initiator_id: OWNER, attribution: "signed" });
  });
});

const REQUIRED = [
  "@method",
  "@authority",
  "@target-uri",
  "content-digest",
  "x-coder-owner-id",
  "x-coder-chat-id",
];
const without = (name: string) => ({ components: REQUIRED.filter((one) => one !== name) });
const leaveOut = (name: string) => (sent: Record<string, string>) =>
  Object.fromEntries(Object.entries(sent).filter(([one]) => one !== name));
const seconds = (from: number, to: number) => ({
  params: { created: String(T0 / 1000 + from), expires: String(T0 / 1000 + to) },
});

/** A deviation: its reason, what is signed otherwise, and what is sent otherwise. */
type Deviation = readonly [
  name: string,
  reason: string,
  signs: Partial<ToHttpSign>,
  sends?: (headers: Record<string, string>) => Record<string, string>,
];
const DEVIATIONS: readonly Deviation[] = [
  ["another secret", "signature_invalid", { secret: "x".repeat(32) }],
  ["an unknown keyid", "signature_invalid", { params: { keyid: '"other"' } }],
  ["the keyid of another algorithm's key", "signature_invalid", { params: { keyid: '"ed"' } }],
  // The attack: the public key, which is no secret, as the secret of an HMAC.
  ["an HMAC with the public key", "signature_invalid", { secret: ED25519.x, params: { keyid: '"ed"' } }],
  ["another method", "signature_invalid", { method: "PUT" }],
  ["another path", "signature_invalid", { url: `${HOST}/openai/v1/chat/completions` }],
  ["an added query", "signature_invalid", { url: `${URL_OF_CHAT}?a=1` }],
  ["another scheme", "signature_invalid", { url: URL_OF_CHAT.replace("https", "http") }],
  [
    "another host, as behind a proxy that replaces it",
    "signature_invalid",
    { url: `https://proxy.example${CENTRAL_CHAT}` },
  ],
  [
    "another Host, and the signed one in X-Forwarded-Host",
    "signature_invalid",
    { url: `https://proxy.example${CENTRAL_CHAT}` },
    (sent) => ({ ...sent, "x-forwarded-host": "proxy.example", forwarded: "host=proxy.example" }),
  ],
  ["another body", "signature_invalid", { body: "{}" }],
  [
    "a digest replaced after signing",
    "signature_invalid",
    { body: "{}" },
    (sent) => ({ ...sent, "content-digest": `sha-256=:${"A".repeat(43)}=:` }),
  ],
  ["another owner", "signature_invalid", {}, (sent) => ({ ...sent, "x-coder-owner-id": CHAT_ID })],
  ["another chat", "signature_invalid", {}, (sent) => ({ ...sent, "x-coder-chat-id": OWNER })],
  [
    "the owner in another case",
    "signature_invalid",
    {},
    (sent) => ({ ...sent, "x-coder-chat-id": CHAT_ID.toUpperCase() }),
  ],
  ...REQUIRED.map((name) => [`no ${name} covered`, "signature_uncovered", without(name)] as const),
  [
    "@path without @query",
    "signature_uncovered",
    { components: [...REQUIRED.filter((one) => one !== "@target-uri"), "@path"] },
  ],
  ...["x-coder-subchat-id", "x-coder-workspace-id", "x-coder-ai-gateway-source", "content-encoding"].map(
    (name) =>
      [
        `an added ${name}`,
        "signature_uncovered",
        {},
        (sent: Record<string, string>) => ({
          ...sent,
          [name]: name === "content-encoding" ? "gzip" : CHAT_ID,
        }),
      ] as const,
  ),
  ["a removed chat that is covered", "signature_malformed", {}, leaveOut("x-coder-chat-id")],
  ["a covered field that is absent", "signature_malformed", { components: [...REQUIRED, "x-absent"] }],
  ["an unknown derived component", "signature_malformed", { components: [...REQUIRED, "@status"] }],
  ["a repeated component", "signature_malformed", { components: [...REQUIRED, "@method"] }],
  ["an empty Content-Digest", "signature_malformed", { headers: { ...OWNED, "content-digest": "" } }],
  [
    "two digests",
    "signature_malformed",
    {},
    (sent) => ({ ...sent, "content-digest": `${sent["content-digest"]}, ${sent["content-digest"]}` }),
  ],
  [
    "two values of a covered chat",
    "signature_malformed",
    { headers: { ...OWNED, "x-coder-chat-id": `${CHAT_ID}, ${CHAT_ID}` } },
  ],
  [
    "a covered header that is not ASCII",
    "signature_malformed",
    { components: [...REQUIRED, "x-a"], headers: { ...OWNED, "x-a": "é" } },
  ],
  [
    "a covered header with a tab",
    "signature_malformed",
    { components: [...REQUIRED, "x-a"], headers: { ...OWNED, "x-a": "a\tb" } },
  ],
  ["created in the future", "signature_expired", seconds(31, 91)],
  ["created an hour ahead", "signature_expired", seconds(3600, 3660)],
  ["created 301 s ago", "signature_expired", seconds(-301, 60)],
  ["expired a second ago", "signature_expired", seconds(-61, -1)],
  ["expires before created", "signature_malformed", seconds(0, -1)],
  ["no created", "signature_malformed", { params: { created: null } }],
  ["no expires", "signature_malformed", { params: { expires: null } }],
  ["no nonce", "signature_malformed", { params: { nonce: null } }],
  ["no keyid", "signature_malformed", { params: { keyid: null } }],
  ["a tag", "signature_malformed", { params: { tag: '"web-bot-auth"' } }],
  ["a huge nonce", "signature_malformed", { params: { nonce: `"${"n".repeat(5000)}"` } }],
  ["Signature alone", "signature_malformed", {}, leaveOut("signature-input")],
  ["Signature-Input alone", "signature_malformed", {}, leaveOut("signature")],
  [
    "another label in Signature",
    "signature_malformed",
    {},
    (sent) => ({ ...sent, signature: `x${sent["signature"]}` }),
  ],
  [
    "two signatures, one of them valid",
    "signature_malformed",
    {},
    (sent) => ({
      ...sent,
      signature: `${sent["signature"]}, s2=:AAAA:`,
      "signature-input": `${sent["signature-input"]}, s2=();created=1;expires=2;nonce="n";keyid="k"`,
    }),
  ],
  [
    "a component with a parameter",
    "signature_malformed",
    {},
    (sent) => ({
      ...sent,
      "signature-input": (sent["signature-input"] ?? "").replace('"@method"', '"@method";req'),
    }),
  ],
];

describe("A26 an HTTP message signature that deviates", () => {
  it.each(DEVIATIONS)("is rejected: %s (%s)", async (...deviation) => {
    const [, reason, signs, sends = (sent) => sent] = deviation as unknown as Deviation;
    // No deviation may be accepted, nor count as unsigned: with `accept` the owner would then be asserted.
    const init = post(BODY, sends(await headersOf(signs)));
    const { events } = await (await open()).exchange(CENTRAL_CHAT, init);
    expect(only(events, "initiator_override_rejected").reason).toBe(reason);
    const kept = events.filter((event) => "initiator_id" in event).map((event) => event.initiator_id);
    expect(new Set(kept)).toEqual(new Set(["ci-bot"]));

    const strict = await open({ signature: "require" });
    const refused = await strict.exchange(CENTRAL_CHAT, init);
    expect([refused.response.status, ...typesOf(refused.events)]).toEqual([
      401,
      "initiator_override_rejected",
      "refusal",
    ]);
    expect(only(refused.events, "refusal").detail).toBe(reason);
    expect(strict.sent).toEqual([]);
  });

  it("is rejected beside a valid signature in Coder's format", async () => {
    // The attack: two signatures, of which one reader takes the one and another reader the other.
    const coder = await signed({ uri: CENTRAL_CHAT, body: BODY, at: T0, headers: OWNED });
    const both = await headersOf({ headers: coder });
    const gateway = await open({ signing_keys: ["SIGNING_KEY"] }, { SIGNING_KEY });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, both));
    expect(only(events, "initiator_override_rejected").reason).toBe("signature_malformed");
    const alone = await gateway.exchange(CENTRAL_CHAT, post(BODY, coder));
    expect(initiatorOf(alone.events)[1]).toBe("signed");
  });

  it("is rejected where only keys of Coder's format are configured", async () => {
    const gateway = await open(
      { signing_keys: ["SIGNING_KEY"], http_signature_keys: [] },
      { SIGNING_KEY: HTTP_SECRET },
    );
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, await headersOf()));
    expect(only(events, "initiator_override_rejected").reason).toBe("signature_invalid");
  });

  it("is not verified against a key that is configured under another id", async () => {
    const other = [{ id: "mac-2", algorithm: "hmac-sha256", secret: "HTTP_SECRET" }];
    const gateway = await open({ http_signature_keys: other });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, await headersOf()));
    expect(only(events, "initiator_override_rejected").reason).toBe("signature_invalid");
  });
});

const openOnce = (): Promise<Gateway> => open({ replay_cache: true }, { NONCES });
// The shards' clock is not the gateway's: each test has nonces of its own.
const nonce = (): string => `"${crypto.randomUUID()}"`;
const exchange = async (gateway: Gateway, over: Partial<ToHttpSign>, body = BODY): Promise<Exchange> =>
  gateway.exchange(CENTRAL_CHAT, post(body, await headersOf({ body, ...over })));

describe("A26 the nonce of an HTTP message signature", () => {
  it("is accepted once, also for another request", async () => {
    const gateway = await openOnce();
    const params = { nonce: nonce() };
    expect(initiatorOf((await exchange(gateway, { params })).events)[1]).toBe("signed");
    const again = await exchange(gateway, { params });
    expect(only(again.events, "initiator_override_rejected").reason).toBe("replayed");
    // Another request, signed with the same nonce.
    const other = await exchange(gateway, { params }, `${BODY} `);
    expect(only(other.events, "initiator_override_rejected").reason).toBe("replayed");
  });

  it("belongs to its key", async () => {
    const gateway = await openOnce();
    const params = { nonce: nonce() };
    expect(initiatorOf((await exchange(gateway, { params })).events)[1]).toBe("signed");
    const other = await exchange(gateway, { params, algorithm: "ed25519" });
    expect(initiatorOf(other.events)[1]).toBe("signed");
  });

  it("is not used up by a signature that is not valid", async () => {
    // The attack: an attacker sends a captured nonce first, so that the real request is rejected as a replay.
    const gateway = await openOnce();
    const params = { nonce: nonce() };
    const forged = await exchange(gateway, { params, secret: "x".repeat(32) });
    expect(only(forged.events, "initiator_override_rejected").reason).toBe("signature_invalid");
    expect(initiatorOf((await exchange(gateway, { params })).events)[1]).toBe("signed");
  });
});
