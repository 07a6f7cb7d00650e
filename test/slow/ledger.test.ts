/**
 * The ledger under load: the API's records match the log although clients disconnect, the provider resets connections
 * and the database fails.
 */
import { afterAll, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { ROUTE_PREFIXES } from "../../src/shared/http/target.ts";
import * as respond from "../support/response-steps.ts";
import type { Step } from "../support/response-steps.ts";
import { until } from "../support/deadline.ts";
import { startFakeUpstream, type UpstreamRequest } from "../support/fake-upstream.ts";
import { startLedgerStack } from "../support/ledger-stack.ts";
import { openRaw } from "../support/raw-client.ts";
import { between, seededRandom } from "../support/rechunk.ts";

const REQUESTS = 2000;
const AT_ONCE = 40;
/** Much longer than the last redelivery takes on a busy machine. */
const DELIVERED_WITHIN_MS = 240_000;

const seed = Number(process.env["SEED"] ?? 20_261_123);
const upstream = await startFakeUpstream();
const stack = await startLedgerStack({
  PROVIDERS: {
    openai: { type: "openai", base_url: `${upstream.url}/v1` },
    anthropic: { type: "anthropic", base_url: upstream.url },
  },
});
afterAll(async () => {
  await stack.close();
  await upstream.close();
});

type Fate = "complete" | "client disconnects" | "provider resets";

/** A planned request: its API and its fate. */
type Planned = {
  readonly n: number;
  readonly fate: Fate;
  /** Number of events before the disconnect or reset. */
  readonly after: number;
  readonly api: "chat" | "json" | "messages" | "responses";
};

function plan(random: () => number, n: number): Planned {
  const draw = random();
  const fate: Fate = draw < 0.3 ? "client disconnects" : draw < 0.4 ? "provider resets" : "complete";
  const api = (["chat", "json", "messages", "responses"] as const)[between(random, 0, 3)] ?? "chat";
  return { n, fate, after: between(random, 0, 3), api };
}

/** Resolved when the client of a request has disconnected. */
const disconnected = Array.from({ length: REQUESTS }, () => Promise.withResolvers<void>());

/**
 * Repeats an event until the interceptor disconnects. wrangler's proxy detects a client disconnect only when it has data
 * to send, and not at all before the response's head. The reset at the end covers that case.
 */
const repeatUntilDisconnect =
  (event: string): Step =>
  async (wire) => {
    let gone = false;
    void wire.gone.then(() => (gone = true));
    for (let sent = 0; sent < 100 && !gone; sent += 1) {
      await wire.body(event);
      await Promise.race([wire.gone, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    wire.reset();
  };

const CHAT = [
  { id: "c", model: "gpt-9", choices: [{ index: 0, delta: { content: "one" } }] },
  { id: "c", model: "gpt-9", choices: [{ index: 0, delta: { content: "two" } }] },
  { id: "c", model: "gpt-9", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  { id: "c", model: "gpt-9", choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } },
  "[DONE]",
];
const MESSAGES = [
  {
    type: "message_start",
    message: { id: "m", model: "claude-9", usage: { input_tokens: 3, output_tokens: 1 } },
  },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "one" } },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } },
  { type: "message_stop" },
];
const RESPONSES = [
  { type: "response.created", response: { id: "r", model: "gpt-9", status: "in_progress" } },
  { type: "response.output_text.delta", output_index: 0, delta: "one" },
  { type: "response.output_text.delta", output_index: 0, delta: "two" },
  {
    type: "response.completed",
    response: {
      id: "r",
      model: "gpt-9",
      status: "completed",
      usage: { input_tokens: 13, output_tokens: 4, total_tokens: 17 },
    },
  },
];
/** Each with an event that can repeat without changing the record. */
const STREAMS = {
  chat: { events: CHAT, repeatable: CHAT[0] },
  messages: { events: MESSAGES, repeatable: MESSAGES[2] },
  responses: { events: RESPONSES, repeatable: RESPONSES[1] },
} as const;
const JSON_RESPONSE = {
  id: "j",
  model: "gpt-9",
  choices: [{ index: 0, message: { role: "assistant", content: "one" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 11, completion_tokens: 5 },
};

/** The response to a request. The plan is in a header, because requests arrive in any order. */
function plannedResponse(request: UpstreamRequest): readonly Step[] {
  const { n, fate, after, api } = JSON.parse(request.values("x-stainless-plan")[0] ?? "{}") as Planned;
  const clientDisconnected = respond.waitFor(disconnected[n]?.promise ?? Promise.resolve());
  if (api === "json") {
    if (fate === "provider resets") return [respond.reset()];
    const complete = respond.json(200, JSON_RESPONSE);
    return fate === "client disconnects" ? [clientDisconnected, ...complete] : complete;
  }
  const stream = STREAMS[api];
  const events = stream.events.map((data) => respond.body(respond.event(data)));
  if (fate === "complete") return respond.sseSteps([...events, respond.finish()]);
  const before = events.slice(0, Math.max(after, 1));
  if (fate === "provider resets") return respond.sseSteps([...before, respond.reset()]);
  const rest = respond.sseSteps([...before, repeatUntilDisconnect(respond.event(stream.repeatable))]);
  return after === 0 ? [clientDisconnected, ...rest] : rest;
}

const TARGETS: Readonly<Record<Planned["api"], string>> = {
  chat: "/openai/v1/chat/completions",
  json: "/openai/v1/chat/completions",
  messages: "/anthropic/v1/messages",
  responses: "/openai/v1/responses",
};

/** Sends one request on its own connection and plays it to its end. */
async function play(planned: Planned): Promise<void> {
  const { fate, after, api } = planned;
  const connection = await openRaw(stack.port);
  const messages = [{ role: "user", content: "hello" }];
  connection.send({
    method: "POST",
    target: TARGETS[api],
    headers: [
      [api === "messages" ? "X-Api-Key" : "Authorization", api === "messages" ? "sk-own" : "Bearer sk-own"],
      ["Content-Type", "application/json"],
      ["X-Stainless-Plan", JSON.stringify(planned)],
    ],
    body: JSON.stringify({
      model: "m",
      ...(api === "responses" ? { input: messages } : { messages }),
      ...(api !== "json" && { stream: true }),
      ...(api === "chat" && { stream_options: { include_usage: true } }),
    }),
  });
  if (fate !== "client disconnects") {
    // A complete and a broken response both end the request.
    await connection.readResponse("POST").catch(() => undefined);
  } else if (api === "json" || after === 0) {
    await upstream.waitForRequest(
      (request) => request.values("x-stainless-plan")[0] === JSON.stringify(planned),
    );
  } else {
    await connection.readUntil((received) => received.includes("data: ")).catch(() => undefined);
  }
  if (fate === "client disconnects") connection.abort();
  else connection.destroy();
  disconnected[planned.n]?.resolve();
}

type Row = {
  readonly id: string;
  readonly outcome: string | null;
  readonly token_usages: readonly unknown[];
};

async function allRows(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const after = rows.length === 0 ? "" : `&after_id=${rows.at(-1)?.id}`;
    const page = (await stack.fetchApi(`interceptions?limit=1000${after}`)) as { results: readonly Row[] };
    rows.push(...page.results);
    if (page.results.length < 1000) return rows;
  }
}

const ids = (events: readonly InterceptorEvent[], kind: InterceptorEvent["record_type"]): string[] =>
  events
    .filter((event) => event.record_type === kind)
    .map((event) => event.interception_id)
    .toSorted();

describe("the records API on the gateway's host", () => {
  it.each(ROUTE_PREFIXES)("D1 requires the admin token for every path under %s", async (prefix) => {
    for (const path of ["/sessions", "/interceptions/v1/models", "/usage?group_by=model"]) {
      for (const method of ["GET", "POST"]) {
        const response = await fetch(`http://127.0.0.1:${stack.port}${prefix}${path}`, { method });
        const code = response.headers.get("x-interceptor-error");
        expect([path, method, response.status, code]).toEqual([path, method, 401, "admin_only"]);
      }
    }
    expect(upstream.requests).toEqual([]);
  });
});

describe("H8 I1 the ledger after 2,000 mixed requests", () => {
  it(`holds one row per start, with the logged outcome (seed ${seed})`, async () => {
    upstream.respondWith(plannedResponse);
    const random = seededRandom(seed);
    const remaining = Array.from({ length: REQUESTS }, (_, n) => plan(random, n));
    const worker = async (): Promise<void> => {
      for (let next = remaining.pop(); next; next = remaining.pop()) await play(next);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));

    const describeState = () =>
      `${ids(stack.events, "interception_start").length} starts, ${ids(stack.events, "interception_end").length} ends, ${stack.events.length} events\n${stack.notices.slice(-20).join("\n")}`;
    await until(
      () => ids(stack.events, "interception_end").length >= REQUESTS || undefined,
      describeState,
      DELIVERED_WITHIN_MS,
    );
    const starts = ids(stack.events, "interception_start");
    const ends = stack.events.filter((event) => event.record_type === "interception_end");
    expect(starts).toHaveLength(REQUESTS);
    expect(ids(stack.events, "interception_end")).toEqual(starts);

    const rows = await until(
      async () => {
        const current = await allRows();
        const complete = current.length >= REQUESTS && current.every(({ outcome }) => outcome !== null);
        return complete ? current : undefined;
      },
      describeState,
      DELIVERED_WITHIN_MS,
    );
    expect(rows.map(({ id }) => id).toSorted()).toEqual(starts);
    const outcomes = new Map(ends.map((end) => [end.interception_id, end.outcome]));
    expect(rows.filter(({ id, outcome }) => outcomes.get(id) !== outcome)).toEqual([]);
    const withUsage = await until(
      async () => {
        const current = (await allRows()).filter(({ token_usages }) => token_usages.length > 0);
        return current.length >= ids(stack.events, "token_usage").length ? current : undefined;
      },
      describeState,
      DELIVERED_WITHIN_MS,
    );
    expect(withUsage.map(({ id }) => id).toSorted()).toEqual(ids(stack.events, "token_usage"));
    expect(withUsage.length).toBeGreaterThan(REQUESTS / 3);

    // The run covered the plan: every fate occurred, and the consumer failed.
    const counts = Object.groupBy(ends, ({ outcome }) => outcome);
    expect(counts.completed?.length).toBeGreaterThan(REQUESTS * 0.5);
    expect(counts.cancelled?.length).toBeGreaterThan(REQUESTS * 0.1);
    expect((counts.truncated?.length ?? 0) + (counts.upstream_error?.length ?? 0)).toBeGreaterThan(
      REQUESTS * 0.05,
    );
    expect(stack.notices.join("\n")).toContain("the database is down");
  }, 600_000);
});
