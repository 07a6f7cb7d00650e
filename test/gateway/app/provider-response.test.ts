/**
 * The record of the provider's response beyond its content: its ids, its encoding, and that a network in front of the
 * provider sent it. The client gets every byte, regardless of the record.
 */
import { describe, expect, it } from "vitest";
import {
  CANARIES,
  disconnectsBeforeHeaders,
  openGateway,
  type Setup,
} from "../../support/in-workerd/gateway-harness.ts";
import {
  BODY,
  CENTRAL_CHAT,
  CHAT,
  CLIENT_KEY,
  json,
  only,
  OWN_KEY,
  post,
  sse,
  STREAM_BODY,
} from "../../support/in-workerd/calls.ts";
import { fixture } from "../../support/in-workerd/fixtures.ts";
import { upstreamBody, wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { utf8 } from "../../support/in-workerd/values.ts";

const PAGE =
  '<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head><body>é</body></html>';
const RAY = "8a1b2c3d4e5f6071-FRA";
const CLOUDFLARE = { server: "cloudflare", "cf-ray": RAY };
const HTML = { ...CLOUDFLARE, "content-type": "text/html; charset=UTF-8" };

/** A response of declared length, which is read into memory, or of unknown length, which is teed or coalesced. */
function page(status: number, headers: Record<string, string>, isDeclared: boolean, body = PAGE): Response {
  const bytes = utf8(body);
  const length = isDeclared ? { "content-length": String(bytes.length) } : {};
  return new Response(wholeBody(bytes.subarray(0, 30), bytes.subarray(30)), {
    status,
    headers: { ...headers, ...length },
  });
}

type ObservedRequest = {
  readonly way: string;
  readonly path: string;
  readonly init: RequestInit;
  readonly isDeclared: boolean;
};

const WAYS: readonly ObservedRequest[] = [
  { way: "buffered", path: CHAT, init: post(BODY), isDeclared: true },
  { way: "teed", path: CHAT, init: post(BODY), isDeclared: false },
  {
    way: "in memory, with a central key",
    path: CENTRAL_CHAT,
    init: post(BODY, CLIENT_KEY),
    isDeclared: false,
  },
  {
    way: "with the usage opt-in",
    path: CENTRAL_CHAT,
    init: post(STREAM_BODY, CLIENT_KEY),
    isDeclared: false,
  },
  { way: "with the usage opt-in and its own key", path: CHAT, init: post(STREAM_BODY), isDeclared: false },
];

describe.each(WAYS)("an intercepted response that is $way", ({ path, init, isDeclared }) => {
  it.each([
    ["a challenge, by its header", 403, { ...HTML, "cf-mitigated": "challenge" }, "upstream_challenged"],
    ["a challenge, by its page", 503, HTML, "upstream_challenged"],
    ["a block page", 403, { ...HTML, "content-type": "TEXT/HTML" }, "upstream_challenged"],
    ["another page", 502, { "content-type": "text/html" }, "upstream_html"],
    ["a time-out of the provider's server", 524, HTML, "edge_524"],
    ["a host that could not be resolved", 530, { "content-type": "text/plain" }, "edge_530"],
    [
      "a challenge in the type of an event stream",
      403,
      { ...CLOUDFLARE, "content-type": "text/event-stream", "cf-mitigated": "challenge" },
      "upstream_challenged",
    ],
    ["a time-out in the type of an event stream", 524, { "content-type": "text/event-stream" }, "edge_524"],
  ])("is recorded as %s, and returned unchanged", async (_, status, headers, error) => {
    const body = error === "upstream_html" ? "<html><title>502 Bad Gateway</title></html>" : PAGE;
    const gateway = await openGateway({
      provider: () => page(status, headers as Record<string, string>, isDeclared, body),
    });
    const { response, text, events } = await gateway.exchange(path, init);
    expect([response.status, text]).toEqual([status, body]);
    expect(response.headers.get("content-type")).toBe((headers as Record<string, string>)["content-type"]);
    expect(response.headers.has("x-interceptor-error")).toBe(false);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "upstream_error",
      status,
      error,
      usage: "unknown",
      provider_ray: (headers as Record<string, string>)["cf-ray"] ?? null,
      response_bytes: utf8(body).length,
    });
  });

  it("is recorded with the type of the provider's own error, a 403 in JSON", async () => {
    const body = '{"error":{"type":"permission_error","message":"Just a moment..."}}';
    const headers = { ...CLOUDFLARE, "content-type": "application/json", "x-request-id": "req_403" };
    const gateway = await openGateway({ provider: () => page(403, headers, isDeclared, body) });
    const { response, text, events } = await gateway.exchange(path, init);
    // With a central key it is the gateway's error.
    const isOwn = path === CHAT;
    expect(response.status).toBe(isOwn ? 403 : 502);
    expect(text === body).toBe(isOwn);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "upstream_error",
      error: isOwn ? "permission_error" : "upstream_key_rejected",
      provider_ray: RAY,
      provider_request_id: "req_403",
    });
  });

  it("is no completed response where it is an HTML page with status 200", async () => {
    const gateway = await openGateway({ provider: () => page(200, HTML, isDeclared) });
    const { response, text, events } = await gateway.exchange(path, init);
    expect([response.status, text]).toEqual([200, PAGE]);
    expect(only(events, "interception_end")).toMatchObject({
      outcome: "upstream_error",
      status: 200,
      error: "upstream_html",
      provider_ray: RAY,
    });
  });
});

describe("a passthrough", () => {
  it.each([
    [403, { ...HTML, "cf-mitigated": "challenge" }, "upstream_challenged"],
    [403, HTML, "upstream_challenged"],
    [522, HTML, "edge_522"],
    [500, HTML, "upstream_html"],
    [403, { "content-type": "application/json" }, null],
    // A file that is an HTML page.
    [200, HTML, null],
  ])(
    "with status %i and headers %j has the error %j, by which it can be counted",
    async (status, headers, error) => {
      const gateway = await openGateway({
        provider: () => page(status, headers as Record<string, string>, false),
      });
      const { text, events } = await gateway.exchange("/openai/v1/files/file-1/content", {
        headers: OWN_KEY,
      });
      expect(text).toBe(PAGE);
      expect(only(events, "passthrough")).toMatchObject({ status, error });
    },
  );

  it("has the provider's ids and encoding", async () => {
    const headers = { "x-request-id": "req_1", "cf-ray": RAY, "content-encoding": "zstd" };
    const gateway = await openGateway({ provider: () => json("{}", { headers }) });
    const { events } = await gateway.exchange("/openai/v1/models", { headers: OWN_KEY });
    expect(only(events, "passthrough")).toMatchObject({
      provider_request_id: "req_1",
      provider_ray: RAY,
      response_encoding: "zstd",
    });
  });

  it("has none where the client disconnects before the headers", async () => {
    const client = new AbortController();
    const gateway = await openGateway({ provider: disconnectsBeforeHeaders(client) });
    const { events } = await gateway.exchange("/openai/v1/models", {
      headers: OWN_KEY,
      signal: client.signal,
    });
    expect(only(events, "passthrough")).toMatchObject({
      status: 499,
      error: null,
      provider_request_id: null,
      provider_ray: null,
      response_encoding: null,
    });
  });
});

const IDS = { "x-request-id": "req_1", "cf-ray": RAY };
const RECORDED_IDS = { provider_request_id: "req_1", provider_ray: RAY };
const NO_IDS = { provider_request_id: null, provider_ray: null, response_encoding: null };

describe("the provider's ids of an interception", () => {
  it.each([
    ["a JSON response", () => json(fixture("chat/json").bytes, { headers: IDS }), { error: null }],
    ["a stream", () => sse(wholeBody(fixture("chat/plain").bytes), { headers: IDS }), { error: null }],
    ["a redirect, which has no response", () => Response.redirect("https://evil.example"), NO_IDS],
  ])("are recorded with %s", async (_, provider, expected) => {
    const gateway = await openGateway({ provider });
    const { events } = await gateway.exchange(CHAT, post(BODY));
    const ids = expected === NO_IDS ? {} : RECORDED_IDS;
    expect(only(events, "interception_end")).toMatchObject({ ...ids, ...expected });
  });

  it("are recorded where the client disconnects in the response", async () => {
    const client = new AbortController();
    const stream = upstreamBody();
    const gateway = await openGateway({
      provider: ({ signal }) => {
        signal.addEventListener("abort", () => stream.fail());
        return sse(stream.stream, { headers: IDS });
      },
    });
    const { settled } = await gateway.call(CHAT, { ...post(STREAM_BODY), signal: client.signal });
    client.abort();
    await settled();
    expect(only(gateway.events, "interception_end")).toMatchObject({ outcome: "cancelled", ...RECORDED_IDS });
  });

  it("are recorded with an error response that breaks off, which the client does not get", async () => {
    const broken = upstreamBody();
    broken.send("{");
    broken.fail();
    const gateway = await openGateway({
      provider: () => new Response(broken.stream, { status: 500, headers: IDS }),
    });
    const { events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect(only(events, "interception_end")).toMatchObject({
      error: "upstream_unreachable",
      ...RECORDED_IDS,
    });
  });

  // The attack, or accident: a provider quotes the key that it rejects, in a header that is recorded.
  it.each([
    ["x-request-id", CANARIES.centralKey],
    ["cf-ray", `key=${CANARIES.centralKey}`],
    ["content-encoding", CANARIES.centralKey.slice(0, 32)],
  ])("are not recorded where the header %s quotes the central key", async (name, value) => {
    const headers = { ...IDS, [name]: value };
    const gateway = await openGateway({ provider: () => json("{}", { status: 401, headers }) });
    // The harness fails where an event has a part of the key.
    const { response, events } = await gateway.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect(response.status).toBe(502);
    expect(only(events, "interception_end")).toMatchObject({ error: "upstream_key_rejected", ...NO_IDS });
    const succeeding = await openGateway({ provider: () => json("{}", { headers }) });
    const succeeded = await succeeding.exchange(CENTRAL_CHAT, post(BODY, CLIENT_KEY));
    expect(only(succeeded.events, "interception_end")).toMatchObject(NO_IDS);
  });
});

describe("the encoding of a response that was requested without one", () => {
  it("is recorded although the runtime has decoded the body", async () => {
    // As the runtime returns it: the body is decoded, and the header is kept.
    const headers = { "content-encoding": "gzip" };
    const gateway = await openGateway({ provider: () => json(fixture("chat/json").bytes, { headers }) });
    const { events } = await gateway.exchange(CHAT, post(BODY));
    expect(gateway.sent[0]?.headers.get("accept-encoding")).toBe("identity");
    expect(only(events, "interception_end")).toMatchObject({ response_encoding: "gzip" });
  });
});

describe("the version of the Worker", () => {
  const VERSION = "dc8dcd28-271b-4367-9840-6c244f84cb40";
  const WITH_VERSION: Setup = {
    vars: { CF_VERSION_METADATA: { id: VERSION, tag: "", timestamp: "2026-11-23T12:00:00.000Z" } },
    provider: () => json(fixture("chat/json").bytes),
  };

  it("is on an interception's start and end, a passthrough and a refusal", async () => {
    const gateway = await openGateway(WITH_VERSION);
    await gateway.exchange(CHAT, post(BODY));
    await gateway.exchange("/openai/v1/models", { headers: OWN_KEY });
    await gateway.exchange("/nowhere");
    const versions = gateway.events
      .filter(({ record_type }) => record_type !== "token_usage")
      .map((event) => [event.record_type, "worker_version" in event && event.worker_version]);
    expect(versions).toEqual([
      ["interception_start", VERSION],
      ["interception_end", VERSION],
      ["passthrough_start", VERSION],
      ["passthrough", VERSION],
      ["refusal", VERSION],
    ]);
  });

  it("is never sent to the provider or the client", async () => {
    const gateway = await openGateway(WITH_VERSION);
    const { response, text } = await gateway.exchange(CHAT, post(BODY));
    expect([...(gateway.sent[0]?.headers ?? []), ...response.headers, text].join()).not.toContain(VERSION);
  });
});
