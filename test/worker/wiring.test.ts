import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import worker from "../../src/index.ts";
import { catalogue } from "../../src/wiring.ts";
import { StrictAnalytics } from "../support/strict-analytics.ts";
import { fixture } from "./support/fixtures.ts";
import { drain, wholeBody } from "./support/upstream-body.ts";
import { CODER_AGENTS_UA, OWNER, text } from "./support/values.ts";

const PROVIDERS = {
  openai: { type: "openai", base_url: "https://api.openai.example/v1" },
  anthropic: { type: "anthropic", base_url: "https://api.anthropic.example" },
};

afterEach(() => {
  vi.restoreAllMocks();
});

async function call(env: Record<string, unknown>, path: string, init: RequestInit = {}) {
  const context = createExecutionContext();
  const request = new Request(`https://gateway.example${path}`, init as never);
  const response = await worker.fetch(request as never, env, context);
  const { bytes } = await drain(response.body);
  await waitOnExecutionContext(context);
  return { response, text: text(bytes) };
}

describe("the Worker as it is wired", () => {
  it("fetches, prints its log lines and writes its rows, and tells the client what the provider said", async () => {
    const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(
      async () =>
        new Response(wholeBody(fixture("chat/plain").bytes), {
          headers: { "content-type": "text/event-stream" },
        }),
    );
    const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
    const complained = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const interceptions = new StrictAnalytics();
    const overrides = new StrictAnalytics();
    const env = { PROVIDERS, INTERCEPTIONS: interceptions, OVERRIDES: overrides };

    const { response, text: got } = await call(env, "/v1/chat/completions", {
      method: "POST",
      body: '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true}}',
      headers: {
        authorization: "Bearer sk-own",
        "user-agent": CODER_AGENTS_UA,
        "x-coder-owner-id": OWNER,
      },
    });

    expect(got).toBe(fixture("chat/plain").text);
    expect(response.status).toBe(200);
    const id = response.headers.get("x-interception-id");
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(fetched.mock.calls[0]?.[0]).toBe("https://api.openai.example/v1/chat/completions");

    const events = printed.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
    expect(events.map((event) => event["record_type"])).toEqual([
      "initiator_override",
      "interception_start",
      "token_usage",
      "interception_end",
    ]);
    for (const event of events) {
      expect(event).toMatchObject({ message: "interception log", interception_id: id, initiator_id: OWNER });
    }
    expect(interceptions.points.map(({ indexes, blobs }) => [indexes, blobs?.[1]])).toEqual([
      [[OWNER], "interception_end"],
    ]);
    expect(overrides.points.map(({ indexes, blobs }) => [indexes, blobs?.[1]])).toEqual([
      [[OWNER], "initiator_override"],
    ]);
    expect(complained).not.toHaveBeenCalled();
  });

  it("H1 says on the console that a sink failed, and answers all the same", async () => {
    vi.spyOn(globalThis, "fetch").mockImplementation(
      async () => new Response(wholeBody("{}"), { headers: { "content-type": "application/json" } }),
    );
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    const complained = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const broken = new StrictAnalytics();
    broken.failing = true;
    const { response } = await call({ PROVIDERS, INTERCEPTIONS: broken }, "/openai/v1/models", {
      headers: { authorization: "Bearer sk-own" },
    });
    expect(response.status).toBe(200);
    expect(complained.mock.calls.flat().join()).toMatch(
      /^sink analytics_engine failed: Error \(interception /,
    );
  });

  it("reads its configuration once for each environment", async () => {
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    let times = 0;
    const env = {
      get PROVIDERS() {
        times += 1;
        return PROVIDERS;
      },
    };
    await call(env, "/healthz");
    const once = times;
    expect(once).toBeGreaterThan(0);
    for (const path of ["/healthz", "/nothing"]) await call(env, path);
    expect(times).toBe(once);
    expect((await call({ PROVIDERS: { other: PROVIDERS.openai } }, "/healthz")).response.status).toBe(200);
  });

  it("gives each interception another id", async () => {
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    const env = { PROVIDERS };
    const ids = new Set<string | null>();
    for (let at = 0; at < 20; at += 1)
      ids.add((await call(env, "/nothing")).response.headers.get("x-interception-id"));
    expect(ids.size).toBe(20);
  });

  it("knows what the contract names, by its name", () => {
    expect(catalogue.dialects.map(({ type }) => type)).toEqual(["openai", "anthropic"]);
    expect(catalogue.sources.map(({ source, verifies }) => [source, verifies])).toEqual([
      ["byok", false],
      ["keys", true],
    ]);
  });
});
