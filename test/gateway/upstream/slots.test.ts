import { beforeEach, describe, expect, it } from "vitest";
import { Slots, type Release } from "../../../src/gateway/upstream/slots.ts";
import type { After } from "../../../src/shared/deadline.ts";
import { seededRandom } from "../../support/rechunk.ts";

/** The timers that have not fired: a test advances the clock. */
type Timer = { readonly at: number; readonly call: () => void };
let timers = new Set<Timer>();
let now = 0;

const after: After = (ms, call) => {
  const timer = { at: now + ms, call };
  timers.add(timer);
  return () => void timers.delete(timer);
};

function advance(ms: number): void {
  now += ms;
  for (const timer of [...timers].filter(({ at }) => at <= now)) {
    timers.delete(timer);
    timer.call();
  }
}

let slots = new Slots({ max: 2, waitMs: 1000 }, () => now);
beforeEach(() => {
  now = 1_000_000;
  timers = new Set();
  slots = new Slots({ max: 2, waitMs: 1000 }, () => now);
});

const take = (signal = new AbortController().signal, maxMs = Infinity) =>
  slots.take({ after, signal, maxMs });

function taken(): Release {
  const release = take();
  if (typeof release !== "function") throw new Error("the call waits");
  return release;
}

describe("a cap of open calls", () => {
  it("starts calls below it at once, without a promise", () => {
    taken();
    const release = taken();
    release();
    // A second end of the same call frees nothing.
    release();
    taken();
    expect(take()).toBeInstanceOf(Promise);
  });

  it("starts those above it in their order, as calls end", async () => {
    const [one, two] = [taken(), taken()];
    const order: string[] = [];
    const third = Promise.resolve(take()).then((release) => (order.push("third"), release));
    const fourth = Promise.resolve(take()).then((release) => (order.push("fourth"), release));
    two();
    expect(await third).toBeTypeOf("function");
    one();
    expect(await fourth).toBeTypeOf("function");
    expect(order).toEqual(["third", "fourth"]);
    expect(timers.size).toBe(0);
  });

  it("lets no new call pass those that wait", async () => {
    const [one] = [taken(), taken()];
    const waiting = take();
    one();
    expect(take()).toBeInstanceOf(Promise);
    expect(await waiting).toBeTypeOf("function");
  });

  it("ends a wait after the time of the rules, or the request's own if it is shorter", async () => {
    taken();
    taken();
    const [long, short] = [take(), take(undefined, 400)];
    advance(400);
    expect(await short).toBeNull();
    advance(599);
    expect(timers.size).toBe(1);
    advance(1);
    expect(await long).toBeNull();
    expect(take(undefined, 0)).toBeNull();
  });

  it("ends a wait whose turn comes after its time, before its timer fires", async () => {
    const [one] = [taken(), taken()];
    const late = take();
    now += 1001;
    one();
    advance(0);
    expect(await late).toBeNull();
    expect(taken()).toBeTypeOf("function");
  });

  it("ends a wait where the client disconnects, also one that has just got its turn", async () => {
    const [one] = [taken(), taken()];
    const [first, second] = [new AbortController(), new AbortController()];
    const waits = [take(first.signal), take(second.signal)];
    first.abort();
    expect(await waits[0]).toBeNull();
    one();
    second.abort();
    expect(await waits[1]).toBeNull();
    taken();
  });

  it("does not count a call that is open for an hour, whose invocation has ended", () => {
    taken();
    taken();
    now += 3_600_000;
    expect(taken()).toBeTypeOf("function");
  });

  // The platform ends an invocation without running its code: neither its timer nor its signal fires.
  it("gives no slot to a call whose invocation ended while it waited", () => {
    const [one] = [taken(), taken()];
    void take();
    timers.clear();
    now += 1001;
    one();
    expect(taken()).toBeTypeOf("function");
  });
});

describe("random calls", () => {
  it.each(Array.from({ length: 30 }, (_, seed) => seed))(
    "are never more than the cap, and none waits while there is room: seed %i",
    async (seed) => {
      const random = seededRandom(seed);
      const open: Release[] = [];
      let waiting = 0;
      for (let at = 0; at < 200; at += 1) {
        const step = random();
        if (step < 0.5) {
          const controller = new AbortController();
          const result = take(controller.signal);
          if (typeof result === "function") open.push(result);
          else {
            waiting += 1;
            void result?.then((release) => {
              waiting -= 1;
              if (release) open.push(release);
            });
            if (random() < 0.2) controller.abort();
          }
        } else if (step < 0.9) open.splice(Math.floor(random() * open.length), 1)[0]?.();
        else advance(Math.floor(random() * 700));
        // The turns of the calls that wait.
        for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
        expect(open.length).toBeLessThanOrEqual(2);
        expect(waiting > 0 && open.length < 2, `step ${at}`).toBe(false);
      }
    },
  );
});
