/**
 * The parts that stay in the gateway when the records Worker is bound. The provider's fetch is where the client's connection is, so
 * that a disconnect aborts it, and `[placement]` acts on it. The replay cache's objects belong to the script that exports
 * their class: to move them would need a transfer migration in every deployment.
 * https://developers.cloudflare.com/durable-objects/reference/durable-objects-migrations/
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { readMessage } from "../../src/events/queue-message.ts";
import type { RecordsService } from "../../src/events/records-service.ts";
import * as gatewayModule from "../../src/gateway/index.ts";
import { ObjectOwnersShard } from "../../src/gateway/initiator/object-owners-shard.ts";
import { ReplayCacheShard } from "../../src/gateway/initiator/replay-cache-shard.ts";
import * as recordsModule from "../../src/records/index.ts";
import { BudgetObject } from "../../src/records/objects/budget-object.ts";
import { fixture } from "../support/in-workerd/fixtures.ts";
import { drain, wholeBody } from "../support/in-workerd/upstream-body.ts";
import recordsToml from "../../wrangler.records.toml?raw";
import gatewayToml from "../../wrangler.toml?raw";

afterEach(() => {
  vi.restoreAllMocks();
});

/** A records Worker that takes events, and fails on every other call. */
class StoreOnly implements RecordsService {
  readonly stored: InterceptorEvent[] = [];

  fetch(request: Request): Promise<Response> {
    return Promise.reject(new Error(`the gateway forwarded ${request.url} to the records Worker`));
  }

  async store(messages: readonly (string | InterceptorEvent)[]): Promise<void> {
    this.stored.push(...messages.flatMap((message) => readMessage(message).events));
  }

  spendOf(): Promise<null> {
    return Promise.reject(new Error("no one requested this"));
  }

  authorize(): Promise<null> {
    return Promise.reject(new Error("the gateway called the records Worker about a request to a provider"));
  }
}

const PROVIDERS = { openai: { type: "openai", base_url: "https://api.openai.example/v1" } };

describe("the provider's fetch", () => {
  it.each([
    ["an interception", "POST", "/openai/v1/chat/completions", '{"model":"gpt-4o","messages":[]}'],
    [
      "a streamed interception",
      "POST",
      "/v1/chat/completions",
      '{"model":"gpt-4o","stream":true,"messages":[]}',
    ],
    ["a passthrough", "GET", "/openai/v1/models", null],
    ["an upload", "POST", "/openai/v1/files", "abc"],
  ])("is the gateway's own, with its own abort signal: %s", async (_, method, path, body) => {
    vi.spyOn(console, "log").mockImplementation(() => undefined);
    const fetched = vi
      .spyOn(globalThis, "fetch")
      .mockImplementation(async () => new Response(wholeBody(fixture("chat/json").bytes)));
    const records = new StoreOnly();
    const client = new AbortController();
    const headers = { authorization: "Bearer sk-own" };
    const init: RequestInit = { method, headers, signal: client.signal, ...(body === null ? {} : { body }) };
    const request = new Request(`https://gateway.example${path}`, init);
    const context = createExecutionContext();
    const env = { PROVIDERS, RECORDS: records, RECORDING: { required: true } };
    const response = await gatewayModule.default.fetch(request as never, env, context);
    await drain(response.body);
    await waitOnExecutionContext(context);
    expect(response.status).toBe(200);
    expect(fetched).toHaveBeenCalledTimes(1);
    const [url, sent] = fetched.mock.calls[0] ?? [];
    expect(String(url)).toMatch(/^https:\/\/api\.openai\.example\/v1\//);
    expect(sent?.signal?.aborted).toBe(false);
    client.abort();
    expect(sent?.signal?.aborted).toBe(true);
  });
});

describe("the classes of the Durable Objects", () => {
  it("of the replay cache and of the objects' owners are exported by the gateway, under the names of existing deployments", () => {
    // The entrypoint for the console's own host is no Durable Object.
    const { default: _, OwnRoutes: entrypoint, ...classes } = gatewayModule;
    expect(classes).toEqual({ NonceShard: ReplayCacheShard, ObjectOwnersShard });
    expect(Object.getPrototypeOf(entrypoint)).toBe(WorkerEntrypoint);
  });

  it("of the budgets is exported by the records Worker", () => {
    const { default: _, ...classes } = recordsModule;
    expect(classes).toEqual({ BudgetObject });
  });

  it("are bound to the script that has them", () => {
    const bindings = gatewayToml.match(/^# \[\[durable_objects\.bindings\]\]\n(?:# .*\n)+/gm) ?? [];
    const scripts = bindings.map((binding) => [
      /class_name = "(\w+)"/.exec(binding)?.[1],
      /script_name = "([\w-]+)"/.exec(binding)?.[1] ?? null,
    ]);
    expect(scripts).toEqual([
      ["BudgetObject", "ai-edge-interceptor-records"],
      ["NonceShard", null],
      ["ObjectOwnersShard", null],
    ]);
    expect(recordsToml).not.toMatch(/NonceShard|ObjectOwnersShard/);
    expect(recordsToml).toContain('class_name = "BudgetObject"');
  });
});
