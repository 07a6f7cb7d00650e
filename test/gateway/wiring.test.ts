import {
  createExecutionContext,
  createMessageBatch,
  createScheduledController,
  waitOnExecutionContext,
} from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { ENDPOINTS } from "../../src/records/api/endpoints.ts";
import { readConfig } from "../../src/gateway/config/config.ts";
import { sha256Hex } from "../../src/shared/digest.ts";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { ROUTE_PREFIXES } from "../../src/shared/http/target.ts";
import worker from "../../src/gateway/index.ts";
import { registry } from "../../src/gateway/wiring.ts";
import { StrictAnalytics } from "../support/strict-analytics.ts";
import { fixture } from "../support/in-workerd/fixtures.ts";
import { drain, wholeBody } from "../support/in-workerd/upstream-body.ts";
import { CODER_AGENTS_UA, OWNER, text } from "../support/in-workerd/values.ts";

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
    expect(registry.dialects.map(({ type }) => type)).toEqual(["openai", "anthropic"]);
    expect(registry.sources.map(({ source, verifies }) => [source, verifies])).toEqual([
      ["byok", false],
      ["keys", true],
      ["coder", true],
      ["jwt", true],
      ["access", true],
    ]);
  });
});

/** A queue that keeps what it takes, or takes nothing. */
function queue(isDown = false): { binding: object; types: () => string[]; texts: string[] } {
  const texts: string[] = [];
  const take = async (message: unknown): Promise<void> => {
    if (isDown) throw new Error("Too Many Requests");
    texts.push(String(message));
  };
  const binding = {
    send: take,
    sendBatch: async (messages: Iterable<{ body: unknown }>) => {
      for (const { body } of messages) await take(body);
    },
  };
  const types = (): string[] =>
    texts.flatMap((body) => (JSON.parse(body) as InterceptorEvent[]).map((event) => event.record_type));
  return { binding, types, texts };
}

/** A database that is never asked. */
const DATABASE = {
  prepare: () => {
    throw new Error("nobody asks here");
  },
};
const BUCKET = { createMultipartUpload: () => undefined };

const SECRET = "sk-proj-SECRET-0123456789abcdef";
const ASK: RequestInit = {
  method: "POST",
  body: JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: `corp-7 ${SECRET}` }] }),
  headers: { authorization: "Bearer sk-own" },
};

/** What the console got, with a provider that answers. */
function listening(): {
  logged: () => Record<string, unknown>[];
  complaints: () => string;
  fetched: () => number;
} {
  const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(
    async () =>
      new Response(wholeBody(fixture("chat/json").bytes), {
        headers: { "content-type": "application/json" },
      }),
  );
  const printed = vi.spyOn(console, "log").mockImplementation(() => undefined);
  const complained = vi.spyOn(console, "error").mockImplementation(() => undefined);
  return {
    logged: () => printed.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>),
    complaints: () => complained.mock.calls.flat().join("\n"),
    fetched: () => fetched.mock.calls.length,
  };
}

describe("the ledger as it is wired", () => {
  const TYPES = ["interception_start", "token_usage", "interception_end"];

  it("gets through the queue what the log gets, but for what it has no table for", async () => {
    const { logged, complaints } = listening();
    const { binding, types } = queue();
    const env = { PROVIDERS, LEDGER: DATABASE, EVENTS: binding };
    await call(env, "/v1/chat/completions", ASK);
    await call(env, "/v1/models", { headers: { authorization: "Bearer sk-own" } });
    await call(env, "/nothing");
    expect(types()).toEqual(TYPES);
    expect(logged().map((event) => event["record_type"])).toEqual([...TYPES, "passthrough", "refusal"]);
    expect(complaints()).toBe("");
  });

  it("with an archive the queue gets all of it", async () => {
    listening();
    const { binding, types } = queue();
    const env = { PROVIDERS, EVENTS: binding, ARCHIVE: BUCKET };
    await call(env, "/v1/chat/completions", ASK);
    await call(env, "/v1/models", { headers: { authorization: "Bearer sk-own" } });
    await call(env, "/nothing");
    expect(types()).toEqual([...TYPES, "passthrough", "refusal"]);
  });

  it("H11 has no prompt by default; with it, it is cleaned of what is built in and what the operator names", async () => {
    listening();
    const [quiet, loud] = [queue(), queue()];
    await call({ PROVIDERS, LEDGER: DATABASE, EVENTS: quiet.binding }, "/v1/chat/completions", ASK);
    const RECORDING = { prompts: true, redact: ["corp-\\d"] };
    await call({ PROVIDERS, LEDGER: DATABASE, EVENTS: loud.binding, RECORDING }, "/v1/chat/completions", ASK);
    expect(quiet.texts.join()).not.toMatch(/SECRET|corp-/);
    expect(loud.texts.join()).not.toMatch(/SECRET|corp-/);
    expect(loud.texts.join()).toContain('"prompt":"[redacted:pattern] [redacted:provider_key]"');
  });

  it.each([
    ["required", { required: true }, 503, 0],
    ["not required", {}, 200, 1],
  ])(
    "H5 H7 where it is %s, a queue that takes nothing: after some attempts the log has all of it",
    async (_, RECORDING, status, fetches) => {
      const { logged, complaints, fetched } = listening();
      const env = { PROVIDERS, LEDGER: DATABASE, EVENTS: queue(true).binding, RECORDING };
      const { response } = await call(env, "/v1/chat/completions", ASK);
      expect(response.status).toBe(status);
      expect(fetched()).toBe(fetches);
      const fallback = logged().filter(({ message }) => message === "interception ledger fallback");
      const kept = fallback.map(({ event }) => (event as InterceptorEvent).record_type);
      expect(kept.filter((type) => type.startsWith("interception_")).toSorted()).toEqual([
        "interception_end",
        "interception_start",
      ]);
      expect(complaints()).toMatch(/^sink ledger failed: Error \(interception [0-9a-f-]{36}\)$/);
    },
  );

  it("H7 a database that takes nothing is as good as a queue that does", async () => {
    const { fetched } = listening();
    const env = { PROVIDERS, LEDGER: DATABASE, RECORDING: { required: true } };
    const { response } = await call(env, "/v1/chat/completions", ASK);
    expect(response.headers.get("x-interceptor-error")).toBe("recording_unavailable");
    expect(fetched()).toBe(0);
  });
});

describe("the API over the records as it is wired", () => {
  const names = [...new Set(ENDPOINTS.map(({ path }) => path.split("/")[1] ?? ""))];

  it.each(names)("%s is asked under both prefixes, and admits nobody where no token is set", async (name) => {
    listening();
    for (const prefix of ROUTE_PREFIXES) {
      const { response, text: body } = await call({ PROVIDERS }, `${prefix}/${name}`, {
        headers: { authorization: "Bearer sk-own" },
      });
      expect(response.status).toBe(401);
      expect(response.headers.get("x-interceptor-error")).toBe("admin_only");
      expect(response.headers.get("x-interception-id")).toMatch(/^[0-9a-f-]{36}$/);
      expect(JSON.parse(body)).toHaveProperty("message");
    }
  });

  it("admits the holder of the token whose hash is set, and says where there is no ledger", async () => {
    listening();
    const token = "aei_admin-0123456789";
    const env = { PROVIDERS, ADMIN_TOKEN: await sha256Hex(token) };
    const ask = (presented: string) =>
      call(env, "/api/v2/ai-gateway/sessions", { headers: { authorization: `Bearer ${presented}` } });
    expect((await ask(token)).response.headers.get("x-interceptor-error")).toBe("ledger_unavailable");
    expect((await ask(`${token}x`)).response.headers.get("x-interceptor-error")).toBe("admin_only");
  });

  it("no provider can have one of its names: it would never be asked under a prefix", () => {
    const possible = names.filter((name) => /^[a-z0-9-]+$/.test(name));
    expect(possible.length).toBeGreaterThanOrEqual(5);
    for (const name of possible) {
      const read = readConfig({ PROVIDERS: { [name]: PROVIDERS.openai } }, registry);
      expect(read).toEqual({ issues: [`PROVIDERS.${name} is a reserved name`] });
    }
  });
});

describe("what no client waits for", () => {
  it("an empty batch of the queue is done with at once", async () => {
    const { complaints } = listening();
    const env = { PROVIDERS, LEDGER: DATABASE, EVENTS: queue().binding };
    await expect(worker.queue(createMessageBatch("ai-events", []), env)).resolves.toBeUndefined();
    expect(complaints()).toBe("");
  });

  it("the cron has nothing to do without a database", async () => {
    const { complaints } = listening();
    const controller = createScheduledController({ scheduledTime: new Date(0) });
    await expect(worker.scheduled(controller, { PROVIDERS })).resolves.toBeUndefined();
    expect(complaints()).toBe("");
  });

  it("the cron's failure is seen", async () => {
    const { complaints } = listening();
    const controller = createScheduledController({ scheduledTime: new Date(0) });
    await expect(worker.scheduled(controller, { PROVIDERS, LEDGER: DATABASE })).rejects.toThrow(
      "nobody asks here",
    );
    expect(complaints()).toContain("upkeep");
  });

  it("with a config that is wrong waits: the queue's messages for ten minutes, the cron for its next run", async () => {
    const { complaints } = listening();
    const env = { PROVIDERS: {}, RETENTION_DAYS: "CANARY" };
    const batch = createMessageBatch("ai-events", []);
    const retried = vi.spyOn(batch, "retryAll");
    // Not by throwing: messages would be delivered again at once, and be lost after a hundred attempts in two minutes.
    await worker.queue(batch, env);
    expect(retried.mock.calls).toEqual([[{ delaySeconds: 600 }]]);
    await expect(worker.scheduled(createScheduledController(), env)).rejects.toThrow(
      "the configuration is wrong",
    );
    expect(complaints()).toContain("PROVIDERS names no provider | RETENTION_DAYS is not");
    expect(complaints()).not.toContain("CANARY");
  });
});
