/**
 * Every event that is recorded is in a queue message or in a fallback line, regardless of how the queue fails and when the
 * platform ends requests. Both are counted. An event may be in several: the consumer stores it once.
 */
import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { createFallbackLog, FALLBACK_MESSAGE } from "../../../src/events/fallback-log.ts";
import { toLedgerEvents } from "../../../src/events/ledger-events.ts";
import { joinMessages, readMessage } from "../../../src/events/queue-message.ts";
import { batchEvents, FULL_CHARACTERS, GATHER_MS } from "../../../src/gateway/sinks/batch-events.ts";
import { createFailedBatches } from "../../../src/gateway/sinks/failed-batches.ts";
import { sendMessages } from "../../../src/gateway/sinks/queue.ts";
import { END, OVERRIDE, PROMPT, REFUSED, START, TOKENS, TOOL } from "../../support/in-workerd/events.ts";
import { simulateIsolate, type SimulatedRequest } from "../../support/in-workerd/simulated-isolate.ts";
import { seededRandom } from "../../support/rechunk.ts";

const T0 = Date.UTC(2026, 10, 23, 12);
/** Longer than gathering, all attempts, and the deadline after which another request takes over. */
const SETTLED_MS = 20_000;

type Send = (text: string, take: (text: string) => void) => Promise<void>;
const DOWN = new Error("Too Many Requests");
const hang = (): Promise<never> => new Promise<never>(() => undefined);

const accept: Send = async (text, take) => take(text);
const rejects: Send = () => Promise.reject(DOWN);
const hangs: Send = hang;

/** The ways in which a queue treats a message. */
const QUEUES = {
  "takes everything": accept,
  "hangs for ever": hangs,
  rejects,
  throws: () => {
    throw DOWN;
  },
  "takes and then rejects": async (text, take) => {
    take(text);
    throw DOWN;
  },
  "takes and then hangs": (text, take) => {
    take(text);
    return hang();
  },
} satisfies Record<string, Send>;
type QueueName = keyof typeof QUEUES;
const NAMES = Object.keys(QUEUES) as QueueName[];

/** The UUID of a request that the tests name. */
const uuidOf = (name: string): string => `01a20846-fe00-7abc-8def-${toHex(name).padStart(12, "0")}`;
const toHex = (name: string): string =>
  [...name].map((char) => char.charCodeAt(0).toString(16).padStart(2, "0")).join("");

const nameOf = (event: InterceptorEvent): string =>
  `${event.interception_id} ${event.record_type} ${"position" in event ? event.position : ""}`;

/** The sink in an isolate of its own; `queue.send` is what the queue does from now on. */
function setUp(send: Send = accept) {
  const isolate = simulateIsolate(T0);
  const queue = { send };
  const messages: string[] = [];
  const recorded: InterceptorEvent[] = [];
  const failures: string[] = [];
  const sendOne = (body: unknown): Promise<void> =>
    isolate.perform(() => queue.send(String(body), (text) => void messages.push(text)));
  const binding = {
    send: sendOne,
    sendBatch: async (all: Iterable<{ readonly body: unknown }>) => {
      for (const { body } of all) await sendOne(body);
    },
  } as unknown as Queue;
  const sink = batchEvents({
    wants: ({ record_type: type }) => type !== "refusal",
    deliver: (texts) => sendMessages(binding, joinMessages(texts)),
    failed: createFailedBatches(createFallbackLog(isolate.print), (id) => {
      failures.push(id);
      isolate.print(`sink_failed ${id}`);
    }),
    now: isolate.now,
    timing: { after: isolate.after, random: () => 1 },
  });
  const record = async (request: SimulatedRequest, ...events: InterceptorEvent[]): Promise<void> => {
    const own = events.map((event) => ({ ...event, interception_id: uuidOf(request.id) }));
    recorded.push(...toLedgerEvents(own));
    await isolate.run(request, () => {
      for (const event of own) isolate.print(`logged ${event.record_type}`);
      return sink.write(own);
    });
  };
  const printed = (): InterceptorEvent[] =>
    isolate.requests
      .flatMap(({ lines }) => lines)
      .filter((line) => line.includes(FALLBACK_MESSAGE))
      .map((line) => (JSON.parse(line) as { readonly event: InterceptorEvent }).event);
  const queued = (): InterceptorEvent[] => messages.flatMap((text) => [...readMessage(text).events]);
  /** The recorded events that are in neither, and the counts of all. */
  const missing = (): string[] => {
    const kept = new Set([...queued(), ...printed()].map(nameOf));
    return recorded.map(nameOf).filter((name) => !kept.has(name));
  };
  return { isolate, queue, messages, recorded, failures, record, printed, queued, missing };
}

type Setup = ReturnType<typeof setUp>;

/** A call that starts and ends at once. */
async function call({ isolate, record }: Setup, id: string): Promise<SimulatedRequest> {
  const request = isolate.open(id);
  await record(request, OVERRIDE, START);
  await record(request, TOKENS, END);
  return request;
}

describe("gathering events of many requests", () => {
  it("sends those of 100 ms in one message, in order, from the first request", async () => {
    const setup = setUp();
    for (const id of ["a", "b", "c"]) await call(setup, id);
    expect(setup.messages).toEqual([]);
    await setup.isolate.advance(GATHER_MS);
    expect(setup.messages).toHaveLength(1);
    expect(setup.queued()).toEqual(setup.recorded);
    expect(setup.recorded).toHaveLength(9);
  });

  it("gives only the first request something to wait for", async () => {
    const { isolate } = setUp();
    const waits: boolean[] = [];
    const sink = batchEvents({
      wants: () => true,
      deliver: () => Promise.resolve(),
      failed: createFailedBatches(createFallbackLog(isolate.print), () => undefined),
      now: isolate.now,
      timing: { after: isolate.after, random: () => 1 },
    });
    await isolate.run(isolate.open("a"), () => {
      for (const id of ["a", "b", "c"]) waits.push(sink.write([{ ...START, interception_id: id }]) !== null);
    });
    expect(waits).toEqual([true, false, false]);
  });

  it("sends nothing, and waits for nothing, where the ledger stores no event of the group", async () => {
    const setup = setUp();

    await setup.record(setup.isolate.open("a"), REFUSED);
    await setup.isolate.advance(SETTLED_MS);
    expect(setup.messages).toEqual([]);
  });

  it("sends the end of a request whose client has disconnected at once, with what was gathered", async () => {
    const setup = setUp();
    await call(setup, "a");
    await setup.record(setup.isolate.open("b"), START, { ...END, outcome: "cancelled" });
    expect(setup.messages).toHaveLength(1);
    expect(setup.missing()).toEqual([]);
  });

  it("sends a full batch at once, and the next request opens another", async () => {
    const setup = setUp();
    const prompt = { ...PROMPT, prompt: "x".repeat(16_000) };
    const requests = Array.from({ length: 7 }, (_, at) => setup.isolate.open(`${at}`));
    for (const request of requests) await setup.record(request, prompt);
    const [message = ""] = setup.messages;
    expect(setup.messages).toHaveLength(1);
    expect(message.length).toBeGreaterThan(FULL_CHARACTERS);
    await setup.record(setup.isolate.open("next"), START);
    await setup.isolate.advance(GATHER_MS);
    expect(setup.messages).toHaveLength(2);
    expect(setup.missing()).toEqual([]);
  });

  it("sends a burst of 1,000 requests in few messages of at most 128,000 bytes", async () => {
    const setup = setUp();
    for (let n = 0; n < 1000; n += 1) await call(setup, `${n}`);
    await setup.isolate.advance(SETTLED_MS);
    expect(setup.recorded).toHaveLength(3000);
    expect(setup.queued()).toHaveLength(3000);
    expect(setup.missing()).toEqual([]);
    const bytes = setup.messages.map((text) => new TextEncoder().encode(text).length);
    expect(Math.max(...bytes)).toBeLessThan(128_000);
    expect(setup.messages.length).toBeLessThan(60);
  });

  it("keeps the batches of two isolates apart", async () => {
    const [one, other] = [setUp(), setUp(hangs)];
    for (const setup of [one, other]) for (const id of ["a", "b"]) await call(setup, id);
    for (const { isolate } of [one, other]) await isolate.advance(SETTLED_MS);
    expect([one.queued().length, one.printed().length, one.missing()]).toEqual([6, 0, []]);
    expect([other.queued().length, other.printed().length, other.missing()]).toEqual([0, 6, []]);
  });
});

describe.each(NAMES)("H5 where the queue %s, no event is lost", (name) => {
  it("of requests that share a batch: each event once in a line where the queue took none", async () => {
    const setup = setUp(QUEUES[name]);
    for (const id of ["a", "b", "c"]) await call(setup, id);
    await setup.isolate.advance(SETTLED_MS);
    expect(setup.missing()).toEqual([]);
    expect(setup.printed()).toHaveLength(name === "takes everything" ? 0 : 9);
    expect(setup.failures).toEqual(name === "takes everything" ? [] : ["a", "b", "c"].map(uuidOf));
  });

  it("of a burst of 1,000 requests", async () => {
    const setup = setUp(QUEUES[name]);
    for (let n = 0; n < 1000; n += 1) {
      await call(setup, `${n}`);
      if (n % 10 === 0) await setup.isolate.advance(20);
    }
    await setup.isolate.advance(SETTLED_MS);
    expect([setup.recorded.length, setup.missing()]).toEqual([3000, []]);
  });

  it.each([
    ["while it gathers", 50],
    ["in its first attempt", GATHER_MS + 1],
    ["between its attempts", GATHER_MS + 2040],
    ["in its last attempt", GATHER_MS + 4500],
  ])("of a batch whose sender the platform ends %s", async (_, ms) => {
    const setup = setUp(QUEUES[name]);
    const sender = await call(setup, "a");
    for (const id of ["b", "c"]) await call(setup, id);
    await setup.isolate.advance(ms);
    sender.isCancelled = true;
    await setup.isolate.advance(SETTLED_MS);
    // The next request that writes takes over.
    await call(setup, "next");
    await setup.isolate.advance(SETTLED_MS);
    expect([setup.recorded.length, setup.missing()]).toEqual([12, []]);
  });

  it("of a batch whose next sender the platform ends too", async () => {
    const setup = setUp(QUEUES[name]);
    for (const id of ["a", "b", "c", "d"]) {
      const request = await call(setup, id);
      await setup.isolate.advance(GATHER_MS / 2);
      request.isCancelled = true;
      await setup.isolate.advance(SETTLED_MS);
    }
    await call(setup, "next");
    await setup.isolate.advance(SETTLED_MS);
    expect([setup.recorded.length, setup.missing()]).toEqual([15, []]);
  });

  it("that is larger than a message, nor of those beside it", async () => {
    const setup = setUp(QUEUES[name]);
    const content = "\u0001".repeat(16_384);
    await setup.record(setup.isolate.open("a"), START);
    const large = { ...TOOL, input: content, invocation_error: content };
    await setup.record(setup.isolate.open("b"), START, large, END);
    await setup.isolate.advance(SETTLED_MS);
    expect([setup.recorded.length, setup.missing()]).toEqual([4, []]);
  });

  it("of a batch whose sender is a stream that is open for minutes", async () => {
    const setup = setUp(QUEUES[name]);
    const stream = setup.isolate.open("stream");
    await setup.record(stream, START);
    for (let n = 0; n < 20; n += 1) await call(setup, `${n}`);
    await setup.isolate.advance(60_000);
    await setup.record(stream, TOKENS, END);
    await setup.isolate.advance(SETTLED_MS);
    expect([setup.recorded.length, setup.missing()]).toEqual([62, []]);
  });
});

/** Characters of fallback lines before the line of the end. */
const beforeEnd = ({ lines }: SimulatedRequest): number =>
  lines
    .slice(0, lines.indexOf("logged interception_end"))
    .filter((line) => line.includes(FALLBACK_MESSAGE))
    .reduce((sum, line) => sum + line.length, 0);

describe("the log of a request that sends a batch which fails", () => {
  it("has its own start first, and at most 4,500 characters of fallback lines before its end", async () => {
    const setup = setUp(rejects);
    const stream = setup.isolate.open("stream");
    await setup.record(stream, START);
    for (let n = 0; n < 20; n += 1) await call(setup, `${n}`);
    await setup.isolate.advance(SETTLED_MS);
    await setup.record(stream, TOKENS, END);
    const first = stream.lines.find((line) => line.includes(FALLBACK_MESSAGE));
    expect(first).toContain(uuidOf("stream"));
    expect(beforeEnd(stream)).toBeLessThanOrEqual(4500);
    await setup.isolate.advance(SETTLED_MS);
    expect(setup.missing()).toEqual([]);
  });

  it("has 16,384 characters at most where the queue is known to be down, although 200 requests end at once", async () => {
    const setup = setUp(rejects);
    await call(setup, "first");
    await setup.isolate.advance(SETTLED_MS);
    for (let n = 0; n < 200; n += 1) await call(setup, `${n}`);
    await setup.isolate.advance(SETTLED_MS);
    const lengths = setup.isolate.requests.map(({ lines }) => lines.join("").length);
    expect(Math.max(...lengths)).toBeLessThan(16_384);
    expect([setup.recorded.length, setup.printed().length, setup.missing()]).toEqual([603, 603, []]);
  });

  it("has no more of it once a send succeeds: batches are large again", async () => {
    const setup = setUp(rejects);
    await call(setup, "first");
    await setup.isolate.advance(SETTLED_MS);
    setup.queue.send = accept;
    await call(setup, "again");
    await setup.isolate.advance(SETTLED_MS);
    for (let n = 0; n < 10; n += 1) await call(setup, `${n}`);
    await setup.isolate.advance(SETTLED_MS);
    expect(setup.messages).toHaveLength(2);
    expect([setup.printed().length, setup.missing()]).toEqual([3, []]);
  });
});

describe("a random history of an isolate", () => {
  it.each(Array.from({ length: 200 }, (_, seed) => seed))("loses no event: seed %i", async (seed) => {
    const random = seededRandom(seed);
    const setup = setUp();
    const open: SimulatedRequest[] = [];
    const take = (): SimulatedRequest | undefined => open.splice(Math.floor(random() * open.length), 1)[0];
    for (let step = 0; step < 60; step += 1) {
      const kind = random();
      if (kind < 0.15) setup.queue.send = QUEUES[NAMES[Math.floor(random() * NAMES.length)] as QueueName];
      else if (kind < 0.5) {
        const request = setup.isolate.open(`${step}`);
        open.push(request);
        const prompt = { ...PROMPT, prompt: "x".repeat(Math.floor(random() ** 4 * 50_000)) };
        await setup.record(request, START, prompt);
      } else if (kind < 0.7) {
        const request = take();
        const outcome = random() < 0.2 ? "cancelled" : "completed";
        if (request) await setup.record(request, TOKENS, { ...END, outcome });
      } else if (kind < 0.78) {
        const request = take();
        if (request) request.isCancelled = true;
      } else await setup.isolate.advance(Math.floor(random() ** 3 * 10_000));
    }
    await setup.isolate.advance(SETTLED_MS);
    // Requests that end take over what the ended ones have left, and print what waits.
    for (const id of ["last", "next", "end"]) {
      await call(setup, id);
      await setup.isolate.advance(SETTLED_MS);
    }
    expect(setup.missing()).toEqual([]);
  });
});
