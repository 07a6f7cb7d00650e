import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { createRecorder, type Recorder, type Sink } from "../../../src/gateway/sinks/recorder.ts";
import type { AwaitedSink } from "../../../src/gateway/sinks/recorder.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import { END, everyEvent, PROMPT, START, TOKENS } from "../../support/in-workerd/events.ts";
import { within } from "../../support/in-workerd/waiting.ts";

type ImmediateSink = Extract<Sink, { readonly kind: "immediate" }>;

type RecorderCase = Recorder & {
  readonly waited: Promise<unknown>[];
  readonly failures: [string, unknown][];
};

function recorderWith(...sinks: readonly Sink[]): RecorderCase {
  const waited: Promise<unknown>[] = [];
  const failures: [string, unknown][] = [];
  const recorder = createRecorder(
    sinks,
    (promise) => void waited.push(promise),
    (sink, error) => void failures.push([sink, error]),
  );
  return { ...recorder, waited, failures };
}

/** Records the events as one group. */
function recordGroup({ record, flush }: Recorder, ...events: readonly InterceptorEvent[]): Promise<boolean> {
  for (const event of events) record(event);
  return flush();
}

type Collecting = ImmediateSink & { readonly groups: (readonly InterceptorEvent[])[] };

function collecting(name: string): Collecting {
  const groups: (readonly InterceptorEvent[])[] = [];
  return { kind: "immediate", name, groups, write: (events) => void groups.push(events) };
}

const DOWN = new Error("down");
const writing: ImmediateSink = { kind: "immediate", name: "writing", write: () => undefined };
const throwing: ImmediateSink = {
  kind: "immediate",
  name: "throwing",
  write: () => {
    throw DOWN;
  },
};
const awaited = (name: string, write: AwaitedSink["write"]): AwaitedSink => ({
  kind: "awaited",
  name,
  required: false,
  write,
});
const resolving = awaited("resolving", () => Promise.resolve());
const rejecting = awaited("rejecting", () => Promise.reject(DOWN));
const hanging = awaited("hanging", () => new Promise(() => undefined));
const required = (sink: AwaitedSink): AwaitedSink => ({ ...sink, required: true });

/** Whether the promise resolves without any pending sink: within a few microtasks. */
async function isSettledAtOnce(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  void promise.then(() => (isSettled = true));
  await Promise.resolve();
  await Promise.resolve();
  return isSettled;
}

describe("the recorder", () => {
  it("passes a group to every sink in recording order, at the flush and not before", async () => {
    const [one, two] = [collecting("one"), collecting("two")];
    const { record, flush, waited } = recorderWith(one, two);
    for (const event of everyEvent) record(event);
    expect([one.groups, two.groups]).toEqual([[], []]);
    const taken = flush();
    // Immediate sinks have written before `flush` returns.
    expect(one.groups).toEqual([everyEvent]);
    expect(two.groups).toEqual([everyEvent]);
    expect(waited).toEqual([]);
    expect(await taken).toBe(true);
  });

  it("calls an awaited sink before `flush` returns", () => {
    const groups: (readonly InterceptorEvent[])[] = [];
    const sink = awaited("one", async (events) => void groups.push(events));
    void recordGroup(recorderWith(sink), START);
    expect(groups).toEqual([[START]]);
  });

  it("passes each event once, in the group of the next flush", () => {
    const sink = collecting("one");
    const recorder = recorderWith(sink);
    void recordGroup(recorder, START, PROMPT);
    void recordGroup(recorder, TOKENS);
    void recordGroup(recorder, END);
    expect(sink.groups).toEqual([[START, PROMPT], [TOKENS], [END]]);
  });

  it("calls no sink when nothing is recorded, not even a required one that is down", async () => {
    const sink = collecting("one");
    const { flush, failures, waited } = recorderWith(sink, throwing, required(rejecting));
    expect(await flush()).toBe(true);
    expect(sink.groups).toEqual([]);
    expect(waited).toEqual([]);
    expect(failures).toEqual([]);
  });

  it("does not change a group after passing it to a sink", () => {
    const sink = collecting("one");
    const { record, flush } = recorderWith(sink);
    record(START);
    void flush();
    record(END);
    expect(sink.groups).toEqual([[START]]);
  });

  it("takes every group when there is no sink", async () => {
    const recorder = recorderWith();
    expect(await recordGroup(recorder, START)).toBe(true);
    expect(recorder.failures).toEqual([]);
  });

  it("H1 calls the other sinks when one throws, before it and after it", () => {
    const [before, after] = [collecting("before"), collecting("after")];
    const recorder = recorderWith(before, throwing, after);
    void recordGroup(recorder, START);
    void recordGroup(recorder, END);
    expect(before.groups).toEqual([[START], [END]]);
    expect(after.groups).toEqual([[START], [END]]);
    expect(recorder.failures).toEqual([["throwing", DOWN]]);
  });

  it("H1 waits for a sink that rejects, and reports its failure once for all groups", async () => {
    const recorder = recorderWith(rejecting);
    void recordGroup(recorder, START);
    void recordGroup(recorder, END);
    expect(recorder.waited).toHaveLength(2);
    await expect(Promise.all(recorder.waited)).resolves.toBeDefined();
    expect(recorder.failures).toEqual([["rejecting", DOWN]]);
  });

  it("reports the first failure of each sink, and only that", async () => {
    const recorder = recorderWith(throwing, rejecting, { ...throwing, name: "other" });
    for (const event of everyEvent) void recordGroup(recorder, event);
    await Promise.all(recorder.waited);
    expect(recorder.failures.map(([sink]) => sink).toSorted()).toEqual(["other", "rejecting", "throwing"]);
  });

  it("passes later groups to a sink that has failed, because it may recover", async () => {
    const types: string[] = [];
    const flaky = awaited("flaky", async (events) => {
      types.push(...events.map((event) => event.record_type));
      if (types.length === 1) throw DOWN;
    });
    const recorder = recorderWith(required(flaky));
    const taken = await Promise.all(everyEvent.map((event) => recordGroup(recorder, event)));
    expect(taken).toEqual(everyEvent.map((_, at) => at > 0));
    expect(types).toHaveLength(everyEvent.length);
  });

  it("passes later groups to an immediate sink that has thrown", () => {
    let groups = 0;
    const flaky: ImmediateSink = {
      ...throwing,
      write: () => {
        if ((groups += 1) === 1) throw DOWN;
      },
    };
    const recorder = recorderWith(flaky);
    for (const event of everyEvent) void recordGroup(recorder, event);
    expect(groups).toBe(everyEvent.length);
    expect(recorder.failures).toEqual([["throwing", DOWN]]);
  });

  it("waits for a sink's promise until it settles", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const recorder = recorderWith(awaited("slow", () => promise));
    void recordGroup(recorder, END);
    let isDone = false;
    const all = Promise.all(recorder.waited).then(() => (isDone = true));
    await Promise.resolve();
    expect(isDone).toBe(false);
    resolve();
    await all;
    expect(recorder.failures).toEqual([]);
  });

  it("reports a sink that throws undefined", async () => {
    const recorder = recorderWith({ ...throwing, write: () => throwValue(undefined) });
    expect(await recordGroup(recorder, END)).toBe(true);
    expect(recorder.failures).toEqual([["throwing", undefined]]);
  });

  it("reports a sink that rejects with undefined", async () => {
    const recorder = recorderWith(required({ ...rejecting, write: () => Promise.reject(undefined) }));
    expect(await recordGroup(recorder, END)).toBe(false);
    expect(recorder.failures).toEqual([["rejecting", undefined]]);
  });
});

function throwValue(value: unknown): never {
  throw value;
}

describe("H7 whether every required sink took a group", () => {
  it("is true without waiting when no sink is required", async () => {
    const taken = recordGroup(recorderWith(throwing, rejecting, hanging, writing), START);
    expect(await isSettledAtOnce(taken)).toBe(true);
    expect(await taken).toBe(true);
  });

  it.each<[string, readonly Sink[], boolean]>([
    ["a required sink resolves", [required(resolving)], true],
    ["a required sink rejects", [required(rejecting)], false],
    ["the first of two required sinks rejects", [required(rejecting), required(resolving)], false],
    ["the second of two required sinks rejects", [required(resolving), required(rejecting)], false],
    [
      "sinks that are not required hang or fail",
      [hanging, rejecting, throwing, writing, required(resolving)],
      true,
    ],
    ["the same and a required one rejects", [hanging, rejecting, throwing, required(rejecting)], false],
  ])("is known as soon as the required sinks have settled, when %s", async (_, sinks, taken) => {
    const recorder = recorderWith(...sinks);
    expect(await within(recordGroup(recorder, START), "the flush")).toBe(taken);
  });

  it("is not known before the last required sink has settled", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = awaited("slow", () => promise);
    let result: boolean | null = null;
    const flushed = recordGroup(recorderWith(required(resolving), required(slow)), START).then(
      (taken) => (result = taken),
    );
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(result).toBeNull();
    resolve();
    expect(await flushed).toBe(true);
  });

  it("does not affect other sinks: each gets the group after a required one rejects", async () => {
    const after = collecting("after");
    expect(await recordGroup(recorderWith(required(rejecting), after), START)).toBe(false);
    expect(after.groups).toEqual([[START]]);
  });
});

const SINKS: readonly Sink[] = [writing, throwing, resolving, rejecting];
const isFailing = ({ name }: Sink): boolean => /^(?:throwing|rejecting) /.test(name);

describe("H1 H7 any sinks in any order over several groups", () => {
  it("flush resolves to the required sinks' result, reports each failure once, and never rejects", async () => {
    await forSeedsAsync(500, async (seed) => {
      const random = seededRandom(seed);
      const sinks = Array.from({ length: between(random, 0, 5) }, (_, at): Sink => {
        const sink = SINKS[between(random, 0, SINKS.length - 1)] ?? writing;
        const name = `${sink.name} ${at}`;
        return sink.kind === "awaited" ? { ...sink, name, required: random() < 0.5 } : { ...sink, name };
      });
      const recorder = recorderWith(...sinks);
      const taken = !sinks.some((sink) => sink.kind === "awaited" && sink.required && isFailing(sink));
      for (let times = between(random, 1, 3); times > 0; times -= 1)
        expect(await recordGroup(recorder, START, END)).toBe(taken);
      await Promise.all(recorder.waited);
      const reported = recorder.failures.map(([name]) => name);
      expect(reported.toSorted()).toEqual(
        sinks
          .filter(isFailing)
          .map(({ name }) => name)
          .toSorted(),
      );
    });
  });
});
