import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { createRecorder, type Recorder, type Sink } from "../../../src/gateway/sinks/recorder.ts";
import { between, forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import { END, everyEvent, PROMPT, START, TOKENS } from "../../support/in-workerd/events.ts";
import { within } from "../../support/in-workerd/waiting.ts";

type Desk = Recorder & {
  readonly waited: Promise<unknown>[];
  readonly failures: [string, unknown][];
};

function desk(...sinks: readonly Sink[]): Desk {
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
function group(
  { record, flush }: Recorder,
  ...events: readonly InterceptorEvent[]
): ReturnType<typeof flush> {
  for (const event of events) record(event);
  return flush();
}

type Collecting = Sink & { readonly groups: (readonly InterceptorEvent[])[] };

function collecting(name: string): Collecting {
  const groups: (readonly InterceptorEvent[])[] = [];
  return { name, required: false, groups, write: (events) => void groups.push(events) };
}

const DOWN = new Error("down");
const throwing: Sink = {
  name: "throwing",
  required: false,
  write: () => {
    throw DOWN;
  },
};
const rejecting: Sink = { name: "rejecting", required: false, write: () => Promise.reject(DOWN) };
const taking: Sink = { name: "taking", required: false, write: () => undefined };
const resolving: Sink = { name: "resolving", required: false, write: () => Promise.resolve() };
const hanging: Sink = { name: "hanging", required: false, write: () => new Promise(() => undefined) };
const required = (sink: Sink): Sink => ({ ...sink, required: true });

describe("the recorder", () => {
  it("hands a group to every sink, in the order in which it was recorded, at the flush and not before", () => {
    const [one, two] = [collecting("one"), collecting("two")];
    const { record, flush, waited } = desk(one, two);
    for (const event of everyEvent) record(event);
    expect([one.groups, two.groups]).toEqual([[], []]);
    expect(flush()).toBe(true);
    expect(one.groups).toEqual([everyEvent]);
    expect(two.groups).toEqual([everyEvent]);
    expect(waited).toEqual([]);
  });

  it("each group has what was recorded since the last one, each event once", () => {
    const sink = collecting("one");
    const own = desk(sink);
    void group(own, START, PROMPT);
    void group(own, TOKENS);
    void group(own, END);
    expect(sink.groups).toEqual([[START, PROMPT], [TOKENS], [END]]);
  });

  it("a flush with nothing recorded asks no sink, not even a required one that is down", () => {
    const sink = collecting("one");
    const { flush, failures } = desk(sink, required(throwing), required(rejecting));
    expect(flush()).toBe(true);
    expect(sink.groups).toEqual([]);
    expect(failures).toEqual([]);
  });

  it("what a sink has been given does not change afterwards", () => {
    const sink = collecting("one");
    const { record, flush } = desk(sink);
    record(START);
    void flush();
    record(END);
    expect(sink.groups).toEqual([[START]]);
  });

  it("without a sink does nothing, and nothing is missing", () => {
    const own = desk();
    expect(group(own, START)).toBe(true);
    expect(own.failures).toEqual([]);
  });

  it("H1 a sink that throws harms no other, before it or behind it", () => {
    const [before, behind] = [collecting("before"), collecting("behind")];
    const own = desk(before, throwing, behind);
    void group(own, START);
    void group(own, END);
    expect(before.groups).toEqual([[START], [END]]);
    expect(behind.groups).toEqual([[START], [END]]);
    expect(own.failures).toEqual([["throwing", DOWN]]);
  });

  it("H1 a sink that rejects is waited for, and its failure said once for all groups", async () => {
    const own = desk(rejecting);
    void group(own, START);
    void group(own, END);
    expect(own.waited).toHaveLength(2);
    await expect(Promise.all(own.waited)).resolves.toBeDefined();
    expect(own.failures).toEqual([["rejecting", DOWN]]);
  });

  it("each sink's first failure is said, and each sink's only once", async () => {
    const own = desk(throwing, rejecting, { ...throwing, name: "other" });
    for (const event of everyEvent) void group(own, event);
    await Promise.all(own.waited);
    expect(own.failures.map(([sink]) => sink).toSorted()).toEqual(["other", "rejecting", "throwing"]);
  });

  it("a failing sink gets the later groups all the same: it may be back", () => {
    const got: string[] = [];
    const write = (events: readonly InterceptorEvent[]): void => {
      got.push(...events.map((event) => event.record_type));
      if (got.length === 1) throw DOWN;
    };
    const own = desk({ name: "flaky", required: true, write });
    expect(everyEvent.map((event) => group(own, event))).toEqual(everyEvent.map((_, at) => at > 0));
    expect(got).toHaveLength(everyEvent.length);
  });

  it("a sink's promise is waited for until it settles", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const own = desk({ name: "slow", required: false, write: () => promise });
    void group(own, END);
    let isDone = false;
    const all = Promise.all(own.waited).then(() => (isDone = true));
    await Promise.resolve();
    expect(isDone).toBe(false);
    resolve();
    await all;
    expect(own.failures).toEqual([]);
  });

  it.each([
    ["throws", { ...throwing, write: () => thrown(undefined) }],
    ["rejects with", { ...throwing, write: () => Promise.reject(undefined) }],
  ])("a sink that %s nothing at all has failed too", async (_, sink) => {
    const own = desk(required(sink));
    expect(await group(own, END)).toBe(false);
    expect(own.failures).toEqual([["throwing", undefined]]);
  });
});

function thrown(value: unknown): never {
  throw value;
}

describe("H7 whether a group was taken where it must be", () => {
  it.each<[string, readonly Sink[], boolean]>([
    ["nothing is required", [throwing, rejecting, hanging], true],
    ["a required sink takes it", [required(taking)], true],
    ["a required sink throws", [required(throwing)], false],
    ["one of two required sinks throws", [required(throwing), required(taking)], false],
    ["the other one does", [required(taking), required(throwing)], false],
    ["only what is not required fails", [required(taking), rejecting, throwing, hanging], true],
  ])("is known at once where %s", (_, sinks, taken) => {
    expect(group(desk(...sinks), START)).toBe(taken);
  });

  it.each<[string, readonly Sink[], boolean]>([
    ["a required sink resolves", [required(resolving)], true],
    ["a required sink rejects", [required(rejecting)], false],
    ["one of two required sinks rejects", [required(resolving), required(rejecting)], false],
    ["the other one does", [required(rejecting), required(resolving)], false],
    ["one throws and the other resolves", [required(throwing), required(resolving)], false],
    ["what is not required hangs or fails", [hanging, rejecting, throwing, required(resolving)], true],
  ])("is known as soon as the required sinks have settled, where %s", async (_, sinks, taken) => {
    const answer = group(desk(...sinks), START);
    expect(answer).toBeInstanceOf(Promise);
    expect(await within(Promise.resolve(answer), "the answer")).toBe(taken);
  });

  it("is not known before the last required sink has settled", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow: Sink = { name: "slow", required: true, write: () => promise };
    let answered: boolean | null = null;
    const answer = Promise.resolve(group(desk(required(resolving), slow), START)).then(
      (taken) => (answered = taken),
    );
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    expect(answered).toBeNull();
    resolve();
    expect(await answer).toBe(true);
  });

  it("every sink gets the group, whether or not a required one before it took it", () => {
    const behind = collecting("behind");
    expect(group(desk(required(throwing), behind), START)).toBe(false);
    expect(behind.groups).toEqual([[START]]);
  });
});

const KINDS = [taking, throwing, resolving, rejecting] as const;
const isFailing = ({ name }: Sink): boolean => /^(?:throwing|rejecting) /.test(name);

describe("H1 H7 any sinks, in any order, over several groups", () => {
  it("the answer is that of the required ones; each failure is said once; nothing rejects", async () => {
    await forSeedsAsync(500, async (seed) => {
      const random = seededRandom(seed);
      const sinks = Array.from({ length: between(random, 0, 5) }, (_, at): Sink => {
        const sink = KINDS[between(random, 0, KINDS.length - 1)] ?? taking;
        return { ...sink, name: `${sink.name} ${at}`, required: random() < 0.5 };
      });
      const own = desk(...sinks);
      const taken = !sinks.some((sink) => sink.required && isFailing(sink));
      for (let times = between(random, 1, 3); times > 0; times -= 1)
        expect(await group(own, START, END)).toBe(taken);
      await Promise.all(own.waited);
      const said = own.failures.map(([name]) => name);
      expect(said.toSorted()).toEqual(
        sinks
          .filter(isFailing)
          .map(({ name }) => name)
          .toSorted(),
      );
    });
  });
});
