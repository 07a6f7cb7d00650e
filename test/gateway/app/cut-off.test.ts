/**
 * Work that the platform cuts off. It ends a request's `waitUntil` work 30 s after the client has disconnected, and an
 * isolate can end at any moment; local runtimes do neither. The tests simulate it: after `cutOff` nothing is printed,
 * written or sent any more, and no timer fires.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { sendMessages } from "../../../src/gateway/sinks/queue.ts";
import { joinMessages, readMessage } from "../../../src/events/queue-message.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { runMaintenance, ORPHANED_AFTER_MS } from "../../../src/records/ledger/maintain/cron.ts";
import { analyticsEngineSink } from "../../../src/gateway/sinks/analytics-engine.ts";
import { createFallbackLog } from "../../../src/events/fallback-log.ts";
import { batchEvents } from "../../../src/gateway/sinks/batch-events.ts";
import type { Timing } from "../../../src/gateway/sinks/delivery.ts";
import { createFailedBatches } from "../../../src/gateway/sinks/failed-batches.ts";
import { logSink } from "../../../src/gateway/sinks/log.ts";
import { findEvents } from "../../../tools/replay/logged-events.ts";
import { StrictAnalytics } from "../../support/strict-analytics.ts";
import { openGateway, T0, type Provider } from "../../support/in-workerd/gateway-harness.ts";
import {
  AGENTS,
  BODY,
  CENTRAL_CHAT,
  MESSAGES_BODY,
  post,
  sse,
  STREAM_BODY,
} from "../../support/in-workerd/calls.ts";
import { fixture } from "../../support/in-workerd/fixtures.ts";
import { emptyLedger, rowsOf } from "../../support/in-workerd/ledger-database.ts";
import { ledgerDeps } from "../../support/in-workerd/ledger-deps.ts";
import { upstreamBody, type UpstreamBody } from "../../support/in-workerd/upstream-body.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

/** Not replaced by the fake timers. */
const realSetTimeout = setTimeout;
const MAX_TURNS = 5000;

/** Runs the event loop until the condition holds. No fake timer advances meanwhile. */
async function turnsUntil(condition: () => boolean, description: string): Promise<void> {
  for (let turn = 0; !condition(); turn += 1) {
    if (turn > MAX_TURNS) throw new Error(`never: ${description}`);
    await new Promise((resolve) => realSetTimeout(resolve, 0));
  }
}

type QueueBehavior = "accepts" | "hangs";

/** All sinks of production, their outputs collected until `cutOff`. */
function createSinks(queueBehavior: QueueBehavior) {
  let isCutOff = false;
  const lines: string[] = [];
  const queued: InterceptorEvent[] = [];
  const data = { interceptions: new StrictAnalytics(), overrides: new StrictAnalytics() };
  const timers = new Set<() => void>();
  const after: Timing["after"] = (_, call) => {
    timers.add(call);
    return () => void timers.delete(call);
  };
  const print = (line: string): void => void (isCutOff || lines.push(line));
  let sendCount = 0;
  const send = (text: string): Promise<void> => {
    sendCount += 1;
    if (isCutOff || queueBehavior === "hangs") return new Promise<never>(() => undefined);
    queued.push(...readMessage(text).events);
    return Promise.resolve();
  };
  const queue = {
    send,
    sendBatch: () => Promise.reject(new Error("no batch is that large here")),
  } as unknown as Queue;
  const untilCutOff = (dataset: StrictAnalytics) => ({
    writeDataPoint: (point: Parameters<StrictAnalytics["writeDataPoint"]>[0]) =>
      void (isCutOff || dataset.writeDataPoint(point)),
  });
  const ledger = batchEvents({
    wants: () => true,
    deliver: (texts) => sendMessages(queue, joinMessages(texts)),
    failed: createFailedBatches(createFallbackLog(print), () => undefined),
    now: () => T0,
    timing: { after, random: () => 1 },
  });
  return {
    sinks: [
      logSink(print),
      analyticsEngineSink(untilCutOff(data.interceptions), untilCutOff(data.overrides)),
      ledger,
    ],
    cutOff: () => void (isCutOff = true),
    /** Fires all timers once, unless cut off. */
    fireTimers: () => {
      const due = isCutOff ? [] : [...timers];
      for (const call of due) {
        timers.delete(call);
        call();
      }
    },
    queued,
    sendCount: () => sendCount,
    lines,
    logged: () =>
      lines
        .map((line) => JSON.parse(line) as InterceptorEvent & { message: string })
        .filter(({ message }) => message === "interception log")
        .map(({ record_type }) => record_type),
    points: () => [data.overrides.points.length, data.interceptions.points.length],
  };
}

type Disconnect = {
  readonly name: string;
  readonly path: string;
  readonly body: string;
  readonly respond: (upstream: UpstreamBody) => Response;
  /** The part of the body that the provider has sent when the client disconnects; null: not even the headers. */
  readonly sent: string | Uint8Array | null;
  readonly read: boolean;
};

const stream = (upstream: UpstreamBody): Response => sse(upstream.stream);
const DISCONNECTS: readonly Disconnect[] = [
  {
    name: "in a teed stream",
    path: "/anthropic/v1/messages",
    body: MESSAGES_BODY,
    respond: stream,
    sent: fixture("messages/cut").bytes,
    read: true,
  },
  {
    name: "in a teed stream that the client has not read",
    path: "/anthropic/v1/messages",
    body: MESSAGES_BODY,
    respond: stream,
    sent: fixture("messages/cut").bytes,
    read: false,
  },
  {
    name: "in a coalesced stream",
    path: CENTRAL_CHAT,
    body: STREAM_BODY,
    respond: stream,
    sent: fixture("chat/cut").bytes,
    read: true,
  },
  {
    name: "in a coalesced stream that the client has not read",
    path: CENTRAL_CHAT,
    body: STREAM_BODY,
    respond: stream,
    sent: fixture("chat/cut").bytes,
    read: false,
  },
  {
    name: "in a JSON response that is buffered",
    path: CENTRAL_CHAT,
    body: BODY,
    respond: ({ stream: body }) =>
      new Response(body, { headers: { "content-type": "application/json", "content-length": "999" } }),
    sent: '{"id":',
    read: false,
  },
  {
    name: "in an error response that is searched for the central key",
    path: CENTRAL_CHAT,
    body: BODY,
    respond: ({ stream: body }) =>
      new Response(body, { status: 500, headers: { "content-type": "application/json" } }),
    sent: '{"error":',
    read: false,
  },
  { name: "before the headers", path: CENTRAL_CHAT, body: BODY, respond: stream, sent: null, read: false },
];

/** Sends a request of Coder Agents and returns when the client may disconnect. */
async function sendUpTo(observed: ReturnType<typeof createSinks>, disconnect: Disconnect) {
  const client = new AbortController();
  const upstream = upstreamBody();
  const fetched = Promise.withResolvers<void>();
  const provider: Provider = ({ signal }) => {
    fetched.resolve();
    upstream.failOnAbort(signal);
    if (disconnect.sent !== null) return disconnect.respond(upstream);
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  };
  const gateway = await openGateway({ provider, sinks: observed.sinks });
  const { authorization, ...agent } = AGENTS;
  const credentials: Record<string, string> = disconnect.path.startsWith("/anthropic")
    ? { "x-coder-ai-governance-token": authorization.slice(7), "x-api-key": "sk-CANARY-own" }
    : { authorization };
  const init = post(disconnect.body, { ...agent, ...credentials, "x-coder-owner-id": OWNER });
  const called = gateway.call(disconnect.path, { ...init, signal: client.signal });
  called.catch(() => undefined);
  await fetched.promise;
  if (disconnect.sent !== null) upstream.send(disconnect.sent);
  if (disconnect.read) {
    const { response } = await called;
    await (response.body as ReadableStream<Uint8Array>).getReader().read();
  } else {
    await turnsUntil(() => disconnect.sent === null || upstream.isConsumed(), "the bytes being consumed");
  }
  return { client };
}

const hasEnd = (observed: ReturnType<typeof createSinks>) => (): boolean =>
  observed.logged().includes("interception_end");
const [MID_STREAM] = DISCONNECTS as [Disconnect];

describe("the end of an interception whose client disconnects needs no timer", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each(DISCONNECTS)("to reach the log, Analytics Engine and the queue: $name", async (disconnect) => {
    const observed = createSinks("accepts");
    const { client } = await sendUpTo(observed, disconnect);
    client.abort();
    await turnsUntil(hasEnd(observed), "the end, while no timer fires");
    expect(observed.logged().filter((type) => type === "interception_end")).toHaveLength(1);
    expect(observed.points()).toEqual([1, 1]);
    await turnsUntil(() => observed.queued.length > 0, "the queue's first message");
    const ends = observed.queued.filter((event) => event.record_type === "interception_end");
    expect(ends).toMatchObject([{ outcome: "cancelled" }]);
  });
});

/** The ledger's rows of these events, after the cron has run once no stream can still be open. */
async function ledgerOf(events: readonly InterceptorEvent[]) {
  const database = await emptyLedger();
  await storeEvents(database, events);
  await runMaintenance(ledgerDeps({ database }), T0 + ORPHANED_AFTER_MS + 1);
  return rowsOf(database, "interceptions");
}

describe("when the platform cuts the request off", () => {
  it("in a stream's first second, the log has the start, Analytics Engine the override and the ledger nothing", async () => {
    const observed = createSinks("accepts");
    await sendUpTo(observed, MID_STREAM);
    observed.cutOff();
    observed.fireTimers();
    expect(observed.logged()).toEqual(["initiator_override", "interception_start"]);
    expect(observed.points()).toEqual([1, 0]);
    expect(await ledgerOf(observed.queued)).toEqual([]);
  });

  it("later in a stream, the ledger has the start, and the cron ends it as orphaned with unknown usage", async () => {
    const observed = createSinks("accepts");
    await sendUpTo(observed, MID_STREAM);
    observed.fireTimers();
    observed.cutOff();
    expect(observed.logged()).toEqual(["initiator_override", "interception_start"]);
    expect(observed.points()).toEqual([1, 0]);
    expect(await ledgerOf(observed.queued)).toMatchObject([
      { outcome: "orphaned", usage: "unknown", initiator_id: OWNER, actor_id: "ci-bot" },
    ]);
  });

  it("after the end is in the log, the ledger has it too where the queue accepts messages", async () => {
    const observed = createSinks("accepts");
    const { client } = await sendUpTo(observed, MID_STREAM);
    client.abort();
    await turnsUntil(hasEnd(observed), "the end");
    observed.cutOff();
    expect(observed.points()).toEqual([1, 1]);
    expect(await ledgerOf(observed.queued)).toMatchObject([{ outcome: "cancelled", usage: "partial" }]);
  });

  it("while the queue is retried, the log and Analytics Engine have the end, and the ledger does not", async () => {
    const observed = createSinks("hangs");
    const { client } = await sendUpTo(observed, MID_STREAM);
    client.abort();
    await turnsUntil(hasEnd(observed), "the end");
    observed.cutOff();
    observed.fireTimers();
    expect(observed.logged()).toContain("token_usage");
    expect(observed.points()).toEqual([1, 1]);
    expect(observed.sendCount()).toBe(1);
    expect(findEvents(observed.lines.join("\n")).events).toEqual([]);
    expect(await ledgerOf(observed.queued)).toEqual([]);
    // The ledger has it once the log's own lines are replayed.
    const { events } = findEvents(observed.lines.join("\n"), true);
    expect(await ledgerOf(events)).toMatchObject([{ outcome: "cancelled", usage: "partial" }]);
  });

  it("after the last retry, the fallback lines hold every event, and replay stores them", async () => {
    const observed = createSinks("hangs");
    const { client } = await sendUpTo(observed, MID_STREAM);
    client.abort();
    await turnsUntil(hasEnd(observed), "the end");
    const fallback = () => findEvents(observed.lines.join("\n"));
    await turnsUntil(() => {
      observed.fireTimers();
      return fallback().events.some((event) => event.record_type === "interception_end");
    }, "the fallback lines");
    observed.cutOff();
    expect(observed.sendCount()).toBe(3);
    expect(fallback().broken).toBe(0);
    expect(await ledgerOf(fallback().events)).toMatchObject([
      { outcome: "cancelled", usage: "partial", initiator_id: OWNER },
    ]);
  });
});
