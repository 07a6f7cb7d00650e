/** The record of a passthrough: one start and one end, however it ends, and one row in the ledger. */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { Sink } from "../../../src/gateway/sinks/recorder.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import { AGENTS, json, only, OWN_KEY, typesOf } from "../../support/in-workerd/calls.ts";
import {
  disconnectsBeforeHeaders,
  openGateway,
  PROVIDERS,
} from "../../support/in-workerd/gateway-harness.ts";
import { emptyLedger, rowsOf } from "../../support/in-workerd/ledger-database.ts";
import { deliveries } from "../../support/in-workerd/ledger-events.ts";
import { openGatewayWithLedger } from "../../support/in-workerd/ledger-gateway.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { OWNER, utf8 } from "../../support/in-workerd/values.ts";
import { until } from "../../support/in-workerd/waiting.ts";

const FILES = "/openai/v1/files";
const START_AND_END = ["passthrough_start", "passthrough"];

type Provider = NonNullable<Parameters<typeof openGatewayWithLedger>[0]["provider"]>;
const throws: Provider = () => Promise.reject(new TypeError("connection lost"));
const refuses: Provider = () => json('{"error":{"message":"no"}}', { status: 401 });
const challenges: Provider = () =>
  new Response(wholeBody(utf8("<html>")), { status: 403, headers: { "content-type": "text/html" } });
const redirects: Provider = () => Response.redirect("https://evil.example");

describe("the ledger's row of a passthrough", () => {
  it.each<[string, Provider, RequestInit, object]>([
    ["a response", () => json("{}"), {}, { outcome: "completed", status: 200, error: null }],
    ["a deletion", () => json("{}"), { method: "DELETE" }, { method: "DELETE", outcome: "completed" }],
    ["the provider's error", refuses, {}, { outcome: "upstream_error", status: 401, error: null }],
    [
      "an error of a network before it",
      challenges,
      {},
      { outcome: "upstream_error", status: 403, error: "upstream_challenged" },
    ],
    [
      "a connection that fails",
      throws,
      {},
      { outcome: "upstream_error", status: 502, error: "upstream_unreachable" },
    ],
    ["a redirect", redirects, {}, { outcome: "upstream_error", status: 502, error: "upstream_redirected" }],
    [
      "a body that is too large",
      () => json("{}"),
      { method: "POST", body: "x".repeat(2000) },
      { outcome: "refused", status: 413, error: "body_too_large" },
    ],
  ])("has start and end after %s", async (_, provider, init, columns) => {
    const gateway = await openGatewayWithLedger({ provider, vars: { LIMITS: { body_bytes: 1000 } } });
    await gateway.exchange(FILES, { ...init, headers: OWN_KEY });
    expect((await gateway.rows())["passthroughs"]).toMatchObject([
      { api_key_id: "35394ca1cef557f8", route: "/files", ended_at: expect.any(String) as string, ...columns },
    ]);
  });

  it("has start and end after a client that disconnects before the headers", async () => {
    const client = new AbortController();
    const gateway = await openGatewayWithLedger({ provider: disconnectsBeforeHeaders(client) });
    await gateway.exchange(FILES, { headers: OWN_KEY, signal: client.signal });
    expect((await gateway.rows())["passthroughs"]).toMatchObject([
      { api_key_id: "35394ca1cef557f8", outcome: "cancelled", status: 499 },
    ]);
  });

  it("names the owner, the actor and the actor's key", async () => {
    const gateway = await openGatewayWithLedger({ provider: () => json("{}") });
    await gateway.exchange("/central/v1/files", { headers: { ...AGENTS, "x-coder-owner-id": OWNER } });
    const rows = await gateway.rows();
    expect(rows["passthroughs"]).toMatchObject([
      { initiator_id: OWNER, actor_id: "ci-bot", attribution: "asserted", identity_source: "keys" },
    ]);
    expect(rows["initiator_overrides"]).toMatchObject([
      { interception_id: rows["passthroughs"]?.[0]?.["id"] },
    ]);
  });

  it("is the same for any order, repetition and grouping of the events", async () => {
    const gateway = await openGateway({ provider: () => json("{}") });
    for (const path of [FILES, "/openai/v1/models", "/anthropic/v1/models"]) {
      gateway.clock.at += 1000;
      await gateway.exchange(path, { headers: OWN_KEY });
    }
    const database = await emptyLedger();
    await storeEvents(database, gateway.events);
    const expected = await rowsOf(database, "passthroughs");
    expect(expected).toHaveLength(3);
    await forSeedsAsync(30, async (seed) => {
      await emptyLedger();
      for (const call of deliveries(gateway.events, seededRandom(seed))) await storeEvents(database, call);
      expect(await rowsOf(database, "passthroughs")).toEqual(expected);
    });
  });
});

/** A ledger that keeps what it was given. */
function keeping(): { readonly sink: Sink; readonly groups: (readonly InterceptorEvent[])[] } {
  const groups: (readonly InterceptorEvent[])[] = [];
  const write = async (events: readonly InterceptorEvent[]): Promise<void> => void groups.push(events);
  return { sink: { kind: "awaited", name: "ledger", required: true, write }, groups };
}

describe("the start of a passthrough", () => {
  // The attack: an isolate that dies while the provider works left spend, and no record.
  it("Finding S4: is recorded while the provider has not responded", async () => {
    const headers = Promise.withResolvers<Response>();
    const { sink, groups } = keeping();
    const gateway = await openGateway({ provider: () => headers.promise, sinks: [sink] });
    const pending = gateway.exchange(FILES, { headers: OWN_KEY });
    await until(() => gateway.sent.length > 0, "the provider being called");
    expect(groups.map(typesOf)).toEqual([["passthrough_start"]]);
    headers.resolve(json("{}"));
    await pending;
    expect(groups.map(typesOf)).toEqual([["passthrough_start"], ["passthrough"]]);
  });

  it("is not recorded for a caller who is not known", async () => {
    const gateway = await openGateway();
    const { events } = await gateway.exchange("/central/v1/files", { headers: {} });
    expect(typesOf(events)).toEqual(["refusal"]);
  });
});

describe("the end of a passthrough", () => {
  it("is recorded as refused where a policy denies it", async () => {
    const vars = { PROVIDERS: { openai: { ...PROVIDERS.openai, models: [] } } };
    const gateway = await openGateway({ vars });
    const { response, events } = await gateway.exchange("/openai/v1/responses/resp_1/cancel", {
      method: "POST",
      body: "{}",
      headers: OWN_KEY,
    });
    expect(response.status).toBe(403);
    expect(typesOf(events)).toEqual([...START_AND_END, "refusal"]);
    expect(only(events, "passthrough")).toMatchObject({ outcome: "refused", error: "model_not_allowed" });
    expect(gateway.sent).toEqual([]);
  });

  it("is recorded after an unexpected error of the gateway", async () => {
    const gateway = await openGateway({
      parts: {
        policies: [
          () => {
            throw new Error("broken");
          },
        ],
      },
    });
    const { response, events } = await gateway.exchange(FILES, { headers: OWN_KEY });
    expect(response.status).toBe(500);
    expect(typesOf(events)).toEqual([...START_AND_END, "refusal"]);
    expect(only(events, "passthrough")).toMatchObject({ outcome: "refused", status: 500, error: "internal" });
  });
});
