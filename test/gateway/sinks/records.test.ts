import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { createRecorder } from "../../../src/gateway/sinks/recorder.ts";
import { FALLBACK_MESSAGE, createFallbackLog, toFallbackLine } from "../../../src/events/fallback-log.ts";
import type { Timing } from "../../../src/gateway/sinks/delivery.ts";
import { recordsSink } from "../../../src/gateway/sinks/records.ts";
import {
  END,
  everyEvent,
  HOSTILE_TEXTS,
  PASSED,
  START,
  TOOL,
  withTexts,
} from "../../support/in-workerd/events.ts";
import { within } from "../../support/in-workerd/waiting.ts";

const DOWN = new Error("Too Many Requests");
const hang = (): Promise<never> => new Promise<never>(() => undefined);

/** A clock that jumps to the next timer as soon as no other work is left. */
function jumpingClock(
  random = 1,
): Timing & { readonly passed: () => number; readonly waiting: () => number } {
  let now = 0;
  const timers = new Map<number, { readonly at: number; readonly call: () => void }>();
  let next = 0;
  const jump = (): void => {
    const [first] = [...timers].toSorted(([, a], [, b]) => a.at - b.at);
    if (!first) return;
    const [id, { at, call }] = first;
    timers.delete(id);
    now = at;
    call();
  };
  const after = (ms: number, call: () => void): (() => void) => {
    const id = next++;
    timers.set(id, { at: now + ms, call });
    // A macrotask later, so that an attempt that settles by itself cancels its deadline first.
    setTimeout(jump, 0);
    return () => void timers.delete(id);
  };
  return { after, random: () => random, passed: () => now, waiting: () => timers.size };
}

type Attempt = (events: readonly InterceptorEvent[]) => Promise<unknown>;

/** A sink whose delivery attempts behave as listed; later ones behave like the last. */
function setUp(attempts: readonly Attempt[], required = false, random = 1) {
  const clock = jumpingClock(random);
  const lines: string[] = [];
  const attempted: (readonly InterceptorEvent[])[] = [];
  const sink = recordsSink({
    required,
    wants: ({ record_type: type }) => type !== "passthrough",
    deliver: (events) => {
      attempted.push(events);
      return (attempts[attempted.length - 1] ?? attempts.at(-1) ?? hang)(events);
    },
    fallback: createFallbackLog((line) => void lines.push(line)),
    timing: clock,
  });
  const write = async (events: readonly InterceptorEvent[]): Promise<void> =>
    void (await within(sink.write(events), "the sink's write"));
  return { sink, write, clock, lines, attempted };
}

const take: Attempt = () => Promise.resolve();
const reject: Attempt = () => Promise.reject(DOWN);
const throws: Attempt = () => {
  throw DOWN;
};

describe("the records sink", () => {
  it("delivers a group once, without the events that it does not want", async () => {
    const { write, attempted, lines, clock } = setUp([take]);
    await write([START, PASSED, END]);
    expect(attempted).toEqual([[START, END]]);
    expect(lines).toEqual([]);
    expect(clock.passed()).toBe(0);
    expect(clock.waiting()).toBe(0);
  });

  it("calls the delivery synchronously, so that a required start waits for nothing else", () => {
    const { sink, attempted } = setUp([take]);
    void sink.write([START]);
    expect(attempted).toHaveLength(1);
  });

  it("delivers nothing when the ledger stores no event of the group", async () => {
    const { write, attempted, clock } = setUp([take]);
    await write([PASSED]);
    expect(clock.waiting()).toBe(0);
    expect(attempted).toEqual([]);
  });
});

describe("H5 when the queue", () => {
  it.each<[string, readonly Attempt[], number, number]>([
    ["rejects once", [reject, take], 2, 50],
    ["throws once", [throws, take], 2, 50],
    ["rejects twice", [reject, reject, take], 3, 300],
    ["hangs once", [hang, take], 2, 2050],
    ["hangs, then rejects", [hang, reject, take], 3, 2300],
  ])("%s, the sink retries and delivers the events", async (_, attempts, count, passed) => {
    const { write, attempted, lines, clock } = setUp(attempts);
    await write([START, TOOL]);
    expect(attempted).toEqual(Array.from({ length: count }, () => [START, TOOL]));
    expect(lines).toEqual([]);
    expect(clock.passed()).toBe(passed);
    expect(clock.waiting()).toBe(0);
  });

  it.each<[string, readonly Attempt[], number, RegExp]>([
    ["always rejects", [reject], 300, /Too Many Requests/],
    ["always throws", [throws], 300, /Too Many Requests/],
    ["always hangs", [hang], 6300, /not taken in time/],
  ])("%s, the sink prints each complete event after three attempts", async (_, attempts, passed, error) => {
    const { write, attempted, lines, clock } = setUp(attempts);
    await expect(write([START, TOOL, PASSED, END])).rejects.toThrow(error);
    expect(attempted).toHaveLength(3);
    expect(clock.passed()).toBe(passed);
    expect(clock.waiting()).toBe(0);
    expect(lines).toEqual([END, START, TOOL].map(toFallbackLine));
  });

  it("rejects, the pauses between attempts have jitter", async () => {
    for (const [random, passed] of [
      [0, 150],
      [0.5, 225],
    ] as const) {
      const { write, clock } = setUp([reject], false, random);
      await expect(write([START])).rejects.toThrow(DOWN);
      expect(clock.passed()).toBe(passed);
    }
  });
});

describe("a fallback line", () => {
  it.each(everyEvent.map((event) => [event.record_type, event] as const))(
    "holds every field of %s",
    (_, event) => {
      expect(JSON.parse(toFallbackLine(event))).toEqual({ message: FALLBACK_MESSAGE, event });
    },
  );

  it("H10 is one line of safe characters with any hostile text", () => {
    for (const event of everyEvent) {
      for (const text of HOSTILE_TEXTS) {
        const line = toFallbackLine(withTexts(event, text));
        expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u);
        expect(JSON.parse(line)).toEqual({ message: FALLBACK_MESSAGE, event: withTexts(event, text) });
      }
    }
  });

  it("is ordered by importance: ends, starts, and content last", async () => {
    const lines: string[] = [];
    const { toLines, print } = createFallbackLog((line) => void lines.push(line));
    print(await toLines(everyEvent));
    const types = lines.map((line) => (JSON.parse(line) as { event: InterceptorEvent }).event.record_type);
    expect(types.slice(0, 4)).toEqual([
      "interception_end",
      "passthrough",
      "interception_start",
      "passthrough_start",
    ]);
    expect(types.slice(-3)).toEqual(["prompt_usage", "tool_usage", "model_thought"]);
    expect(types.toSorted()).toEqual(everyEvent.map((event) => event.record_type).toSorted());
  });
});

/** Records a start and an end. Returns whether the start was taken, and the reported failures. */
async function record(required: boolean, attempts: readonly Attempt[]): Promise<[boolean, string[]]> {
  const { sink } = setUp(attempts, required);
  const failures: string[] = [];
  const waited: Promise<unknown>[] = [];
  const recorder = createRecorder(
    [sink],
    (promise) => void waited.push(promise),
    (name, error) => void failures.push(`${name}: ${String(error)}`),
  );
  recorder.record(START);
  const taken = await within(recorder.flush(), "the start's flush");
  recorder.record(END);
  await within(recorder.flush(), "the end's flush");
  await within(Promise.all(waited), "the writes after the response");
  return [taken, failures];
}

describe("H7 with the recorder, when the delivery fails,", () => {
  it("a required sink makes the flush false, and the failure is reported once", async () => {
    expect(await record(true, [reject])).toEqual([false, ["ledger: Error: Too Many Requests"]]);
    expect(await record(true, [throws])).toEqual([false, ["ledger: Error: Too Many Requests"]]);
    expect(await record(true, [hang])).toEqual([false, ["ledger: TimeoutError: not taken in time"]]);
  });

  it("a sink that is not required leaves the flush true, and the failure is reported once", async () => {
    expect(await record(false, [reject])).toEqual([true, ["ledger: Error: Too Many Requests"]]);
  });

  it("and a later attempt succeeds, no failure is reported", async () => {
    expect(await record(true, [hang, reject, take])).toEqual([true, []]);
  });
});
