import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { createRecorder } from "../../../src/gateway/sinks/recorder.ts";
import { storesEvent } from "../../../src/records/ledger/write/store.ts";
import { FALLBACK_MESSAGE, createFallbackLog, toFallbackLine } from "../../../src/events/fallback-log.ts";
import { recordsSink, type Timing } from "../../../src/gateway/sinks/records.ts";
import {
  END,
  everyEvent,
  HOSTILE_TEXTS,
  PASSED,
  REFUSED,
  START,
  TOOL,
  withTexts,
} from "../../support/in-workerd/events.ts";
import { within } from "../../support/in-workerd/waiting.ts";

const DOWN = new Error("Too Many Requests");
const hang = (): Promise<never> => new Promise<never>(() => undefined);

/** A clock that only jumps: whoever waits is called as soon as nothing else is left to do. */
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
    // A whole turn later, so that an attempt that settles by itself calls its deadline off before.
    setTimeout(jump, 0);
    return () => void timers.delete(id);
  };
  return { after, random: () => random, passed: () => now, waiting: () => timers.size };
}

type Attempt = (events: readonly InterceptorEvent[]) => Promise<unknown>;

/** A sink whose attempts go one after another as listed, the last for ever. */
function setUp(attempts: readonly Attempt[], required = false, random = 1) {
  const clock = jumpingClock(random);
  const lines: string[] = [];
  const given: (readonly InterceptorEvent[])[] = [];
  const sink = recordsSink({
    required,
    wants: storesEvent,
    deliver: (events) => {
      given.push(events);
      return (attempts[given.length - 1] ?? attempts.at(-1) ?? hang)(events);
    },
    fallback: createFallbackLog((line) => void lines.push(line)),
    timing: clock,
  });
  const write = async (events: readonly InterceptorEvent[]): Promise<void> =>
    within(Promise.resolve(sink.write(events)), "the sink's answer");
  return { sink, write, clock, lines, given };
}

const take: Attempt = () => Promise.resolve();
const reject: Attempt = () => Promise.reject(DOWN);
const throws: Attempt = () => {
  throw DOWN;
};

describe("the ledger's sink", () => {
  it("hands a group on as it is, once, without what the ledger does not keep", async () => {
    const { write, given, lines, clock } = setUp([take]);
    await write([START, REFUSED, END]);
    expect(given).toEqual([[START, END]]);
    expect(lines).toEqual([]);
    expect(clock.passed()).toBe(0);
    expect(clock.waiting()).toBe(0);
  });

  it("begins at once, so that a required start costs no turn more than its delivery", () => {
    const { sink, given } = setUp([take]);
    void sink.write([START]);
    expect(given).toHaveLength(1);
  });

  it("does nothing at all where there is nothing to keep", () => {
    const { sink, given } = setUp([take]);
    expect(sink.write([REFUSED, PASSED])).toBeUndefined();
    expect(given).toEqual([]);
  });
});

describe("H5 where the queue", () => {
  it.each<[string, readonly Attempt[], number, number]>([
    ["rejects once", [reject, take], 2, 50],
    ["throws once", [throws, take], 2, 50],
    ["rejects twice", [reject, reject, take], 3, 300],
    ["hangs once", [hang, take], 2, 2050],
    ["hangs, then rejects", [hang, reject, take], 3, 2300],
  ])("%s, the events are delivered all the same", async (_, attempts, count, passed) => {
    const { write, given, lines, clock } = setUp(attempts);
    await write([START, TOOL]);
    expect(given).toEqual(Array.from({ length: count }, () => [START, TOOL]));
    expect(lines).toEqual([]);
    expect(clock.passed()).toBe(passed);
    expect(clock.waiting()).toBe(0);
  });

  it.each<[string, readonly Attempt[], number, RegExp]>([
    ["always rejects", [reject], 300, /Too Many Requests/],
    ["always throws", [throws], 300, /Too Many Requests/],
    ["always hangs", [hang], 6300, /not taken in time/],
  ])(
    "%s, each event is one whole line in the log after three attempts",
    async (_, attempts, passed, said) => {
      const { write, given, lines, clock } = setUp(attempts);
      await expect(write([START, TOOL, REFUSED, END])).rejects.toThrow(said);
      expect(given).toHaveLength(3);
      expect(clock.passed()).toBe(passed);
      expect(clock.waiting()).toBe(0);
      expect(lines).toEqual([END, START, TOOL].map(toFallbackLine));
    },
  );

  it("comes back between two attempts, those that failed together come back apart", async () => {
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
  it.each(everyEvent.map((event) => [event.record_type, event] as const))("holds %s whole", (_, event) => {
    expect(JSON.parse(toFallbackLine(event))).toEqual({ message: FALLBACK_MESSAGE, event });
  });

  it("H10 is one line of safe characters whatever the event says", () => {
    for (const event of everyEvent) {
      for (const text of HOSTILE_TEXTS) {
        const line = toFallbackLine(withTexts(event, text));
        expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u);
        expect(JSON.parse(line)).toEqual({ message: FALLBACK_MESSAGE, event: withTexts(event, text) });
      }
    }
  });

  it("comes the earlier the more it matters: ends, starts, and content last", () => {
    const lines: string[] = [];
    createFallbackLog((line) => void lines.push(line))(everyEvent);
    const types = lines.map((line) => (JSON.parse(line) as { event: InterceptorEvent }).event.record_type);
    expect(types.slice(0, 2)).toEqual(["interception_end", "interception_start"]);
    expect(types.slice(-3)).toEqual(["prompt_usage", "tool_usage", "model_thought"]);
    expect(types.toSorted()).toEqual(everyEvent.map((event) => event.record_type).toSorted());
  });
});

/** Records a start and an end: whether the start was taken, and what was said of failures. */
async function record(required: boolean, attempts: readonly Attempt[]): Promise<[boolean, string[]]> {
  const { sink } = setUp(attempts, required);
  const said: string[] = [];
  const waited: Promise<unknown>[] = [];
  const recorder = createRecorder(
    [sink],
    (promise) => void waited.push(promise),
    (name, error) => void said.push(`${name}: ${String(error)}`),
  );
  recorder.record(START);
  const taken = await within(Promise.resolve(recorder.flush()), "whether it was taken");
  recorder.record(END);
  await within(Promise.resolve(recorder.flush()), "the end");
  await within(Promise.all(waited), "what goes on behind the answer");
  return [taken, said];
}

describe("H7 with the recorder, where nothing takes the events,", () => {
  it("a required sink says no, and it is said once", async () => {
    expect(await record(true, [reject])).toEqual([false, ["ledger: Error: Too Many Requests"]]);
    expect(await record(true, [hang])).toEqual([false, ["ledger: TimeoutError: not taken in time"]]);
  });

  it("a sink that is not required holds nobody up, and it is said once", async () => {
    expect(await record(false, [reject])).toEqual([true, ["ledger: Error: Too Many Requests"]]);
  });

  it("and where it is taken at last, nothing is said", async () => {
    expect(await record(true, [hang, reject, take])).toEqual([true, []]);
  });
});
