/**
 * What is cut off in the middle. The platform ends what a request has left to do (`waitUntil`) thirty seconds after its
 * client has left, and an isolate can end at any moment; local runtimes do neither. Here everything that can be seen of a
 * request goes dark when the test says so: nothing is printed, written or sent any more, and no timer goes off.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { sendEvents } from "../../../src/events/queue-message.ts";
import { storeEvents, storesEvent } from "../../../src/records/ledger/write/store.ts";
import { runMaintenance, ORPHANED_AFTER_MS } from "../../../src/records/ledger/maintain/cron.ts";
import { analyticsEngineSink } from "../../../src/gateway/sinks/analytics-engine.ts";
import { createFallbackLog } from "../../../src/events/fallback-log.ts";
import { coalesceStarts } from "../../../src/gateway/sinks/coalesce-starts.ts";
import { recordsSink, type Timing } from "../../../src/gateway/sinks/records.ts";
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
import { places } from "../../support/in-workerd/ledger-places.ts";
import { upstreamBody, type UpstreamBody } from "../../support/in-workerd/upstream-body.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

/** The one that nothing here fakes. */
const realSetTimeout = setTimeout;
const MOST_TURNS = 5000;

/** Turn by turn of the event loop, in which no time passes for whoever waits by a timer. */
async function turnsUntil(isSo: () => boolean, waitedFor: string): Promise<void> {
  for (let turn = 0; !isSo(); turn += 1) {
    if (turn > MOST_TURNS) throw new Error(`never: ${waitedFor}`);
    await new Promise((resolve) => realSetTimeout(resolve, 0));
  }
}

type QueueMood = "taking" | "hanging";

/** All that can be seen of a request, until it goes dark. */
function stage(mood: QueueMood) {
  let dark = false;
  const lines: string[] = [];
  const queued: InterceptorEvent[] = [];
  const data = { interceptions: new StrictAnalytics(), overrides: new StrictAnalytics() };
  const timers = new Set<() => void>();
  const after: Timing["after"] = (_, call) => {
    timers.add(call);
    return () => void timers.delete(call);
  };
  const print = (line: string): void => void (dark || lines.push(line));
  let offered = 0;
  const send = (text: string): Promise<void> => {
    offered += 1;
    if (dark || mood === "hanging") return new Promise<never>(() => undefined);
    queued.push(...(JSON.parse(text) as InterceptorEvent[]));
    return Promise.resolve();
  };
  const queue = { send, sendBatch: () => Promise.reject(new Error("no such size here")) } as unknown as Queue;
  const written = (to: StrictAnalytics) => ({
    writeDataPoint: (point: Parameters<StrictAnalytics["writeDataPoint"]>[0]) =>
      void (dark || to.writeDataPoint(point)),
  });
  const ledger = recordsSink({
    required: false,
    wants: storesEvent,
    deliver: (events) => sendEvents(queue, events),
    fallback: createFallbackLog(print),
    timing: { after, random: () => 1 },
  });
  return {
    sinks: [
      logSink(print),
      analyticsEngineSink(written(data.interceptions), written(data.overrides)),
      coalesceStarts(ledger, after),
    ],
    goDark: () => void (dark = true),
    /** All timers go off once, unless it is dark. */
    goOff: () => {
      const due = dark ? [] : [...timers];
      for (const call of due) {
        timers.delete(call);
        call();
      }
    },
    queued,
    offered: () => offered,
    lines,
    logged: () =>
      lines
        .map((line) => JSON.parse(line) as InterceptorEvent & { message: string })
        .filter(({ message }) => message === "interception log")
        .map(({ record_type }) => record_type),
    points: () => [data.overrides.points.length, data.interceptions.points.length],
  };
}

type Leaving = {
  readonly name: string;
  readonly path: string;
  readonly body: string;
  readonly answer: (upstream: UpstreamBody) => Response;
  /** What has come of the answer when the client leaves; null: not even its headers. */
  readonly sent: string | Uint8Array | null;
  readonly read: boolean;
};

const stream = (upstream: UpstreamBody): Response => sse(upstream.stream);
const LEAVING: readonly Leaving[] = [
  {
    name: "beside",
    path: "/anthropic/v1/messages",
    body: MESSAGES_BODY,
    answer: stream,
    sent: fixture("messages/cut").bytes,
    read: true,
  },
  {
    name: "beside, unread",
    path: "/anthropic/v1/messages",
    body: MESSAGES_BODY,
    answer: stream,
    sent: fixture("messages/cut").bytes,
    read: false,
  },
  {
    name: "through",
    path: CENTRAL_CHAT,
    body: STREAM_BODY,
    answer: stream,
    sent: fixture("chat/cut").bytes,
    read: true,
  },
  {
    name: "through, unread",
    path: CENTRAL_CHAT,
    body: STREAM_BODY,
    answer: stream,
    sent: fixture("chat/cut").bytes,
    read: false,
  },
  {
    name: "in a JSON answer that is read whole first",
    path: CENTRAL_CHAT,
    body: BODY,
    answer: ({ stream: body }) =>
      new Response(body, { headers: { "content-type": "application/json", "content-length": "999" } }),
    sent: '{"id":',
    read: false,
  },
  {
    name: "in an error that is looked through for a key",
    path: CENTRAL_CHAT,
    body: BODY,
    answer: ({ stream: body }) =>
      new Response(body, { status: 500, headers: { "content-type": "application/json" } }),
    sent: '{"error":',
    read: false,
  },
  { name: "before the headers", path: CENTRAL_CHAT, body: BODY, answer: stream, sent: null, read: false },
];

/** A client of Coder Agents that has asked, and got what there was. */
async function atTheMoment(own: ReturnType<typeof stage>, leaving: Leaving) {
  const client = new AbortController();
  const upstream = upstreamBody();
  const asked = Promise.withResolvers<void>();
  const provider: Provider = ({ signal }) => {
    asked.resolve();
    upstream.failWith(signal);
    if (leaving.sent !== null) return leaving.answer(upstream);
    return new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  };
  const house = await openGateway({ provider, sinks: own.sinks });
  const headers = { ...AGENTS, "x-coder-owner-id": OWNER };
  const key: Record<string, string> = leaving.path.startsWith("/anthropic")
    ? {
        ...headers,
        "x-coder-ai-governance-token": headers.authorization.slice(7),
        authorization: "",
        "x-api-key": "sk-CANARY-own",
      }
    : headers;
  if (key["authorization"] === "") delete key["authorization"];
  const called = house.call(leaving.path, { ...post(leaving.body, key), signal: client.signal });
  called.catch(() => undefined);
  await asked.promise;
  if (leaving.sent !== null) upstream.send(leaving.sent);
  if (leaving.read) {
    const { response } = await called;
    await (response.body as ReadableStream<Uint8Array>).getReader().read();
  } else {
    await turnsUntil(() => leaving.sent === null || upstream.isTaken(), "the bytes being taken");
  }
  return { client };
}

const hasEnd = (own: ReturnType<typeof stage>) => (): boolean => own.logged().includes("interception_end");
const [MID_STREAM] = LEAVING as [Leaving];

describe("when a client has left, its end waits for no time to pass", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each(LEAVING)("in the log, in Analytics Engine and on its way to the ledger: $name", async (leaving) => {
    const own = stage("taking");
    const { client } = await atTheMoment(own, leaving);
    client.abort();
    await turnsUntil(hasEnd(own), "the end, with every timer standing still");
    expect(own.logged().filter((type) => type === "interception_end")).toHaveLength(1);
    expect(own.points()).toEqual([1, 1]);
    await turnsUntil(() => own.queued.length > 0, "the queue being given it");
    const ends = own.queued.filter((event) => event.record_type === "interception_end");
    expect(ends).toMatchObject([{ outcome: "cancelled" }]);
  });
});

/** What the ledger makes of what its queue was given, and the cron of that, after the longest stream's time. */
async function ledgerOf(events: readonly InterceptorEvent[]) {
  const database = await emptyLedger();
  await storeEvents(database, events);
  await runMaintenance(places({ database }), T0 + ORPHANED_AFTER_MS + 1);
  return rowsOf(database, "interceptions");
}

describe("when everything goes dark", () => {
  it("in a stream's first second, the log has the start and Analytics Engine the owner; the ledger has nothing", async () => {
    const own = stage("taking");
    await atTheMoment(own, MID_STREAM);
    own.goDark();
    own.goOff();
    expect(own.logged()).toEqual(["initiator_override", "interception_start"]);
    expect(own.points()).toEqual([1, 0]);
    expect(await ledgerOf(own.queued)).toEqual([]);
  });

  it("later in a stream, the ledger has its start, which the cron closes as orphaned, its usage unknown", async () => {
    const own = stage("taking");
    await atTheMoment(own, MID_STREAM);
    own.goOff();
    own.goDark();
    expect(own.logged()).toEqual(["initiator_override", "interception_start"]);
    expect(own.points()).toEqual([1, 0]);
    expect(await ledgerOf(own.queued)).toMatchObject([
      { outcome: "orphaned", usage: "unknown", initiator_id: OWNER, actor_id: "ci-bot" },
    ]);
  });

  it("as soon as the end of a client that has left is in the log, nothing is lost where the queue takes it", async () => {
    const own = stage("taking");
    const { client } = await atTheMoment(own, MID_STREAM);
    client.abort();
    await turnsUntil(hasEnd(own), "the end");
    own.goDark();
    expect(own.points()).toEqual([1, 1]);
    expect(await ledgerOf(own.queued)).toMatchObject([{ outcome: "cancelled", usage: "partial" }]);
  });

  it("while the queue is still being tried, the log and Analytics Engine have the end, and the ledger has not", async () => {
    const own = stage("hanging");
    const { client } = await atTheMoment(own, MID_STREAM);
    client.abort();
    await turnsUntil(hasEnd(own), "the end");
    own.goDark();
    own.goOff();
    expect(own.logged()).toContain("token_usage");
    expect(own.points()).toEqual([1, 1]);
    expect(own.offered()).toBe(1);
    expect(findEvents(own.lines.join("\n")).events).toEqual([]);
    expect(await ledgerOf(own.queued)).toEqual([]);
    // … until the log's own lines are replayed.
    const { events } = findEvents(own.lines.join("\n"), true);
    expect(await ledgerOf(events)).toMatchObject([{ outcome: "cancelled", usage: "partial" }]);
  });

  it("after the queue has been given up, the log has all that the ledger needs, and replay puts it there", async () => {
    const own = stage("hanging");
    const { client } = await atTheMoment(own, MID_STREAM);
    client.abort();
    await turnsUntil(hasEnd(own), "the end");
    const fallen = () => findEvents(own.lines.join("\n"));
    await turnsUntil(() => {
      own.goOff();
      return fallen().events.some((event) => event.record_type === "interception_end");
    }, "the fallback lines");
    own.goDark();
    expect(own.offered()).toBe(3);
    expect(fallen().broken).toBe(0);
    expect(await ledgerOf(fallen().events)).toMatchObject([
      { outcome: "cancelled", usage: "partial", initiator_id: OWNER },
    ]);
  });
});
