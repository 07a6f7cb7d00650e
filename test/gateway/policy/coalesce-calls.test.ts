import { describe, expect, it } from "vitest";
import type { BatchItem, BatchResult } from "../../../src/events/budget-service.ts";
import {
  coalesceCalls,
  MAX_ITEMS,
  STALE_MS,
  TIMEOUT_MS,
} from "../../../src/gateway/policy/budgets/coalesce-calls.ts";
import { TIMED_OUT } from "../../../src/shared/deadline.ts";
import { manualClock } from "../../support/in-workerd/manual-clock.ts";

const RESULT: BatchResult = { refusedBy: null, states: [], news: [] };

type Call = {
  readonly ids: readonly string[];
  readonly respond: (results?: readonly BatchResult[]) => void;
  readonly fail: (error: Error) => void;
};

/** Microtasks that follow from a step. */
async function settle(): Promise<void> {
  for (let at = 0; at < 100; at += 1) await Promise.resolve();
}

function open() {
  const clock = manualClock();
  const calls: Call[] = [];
  const errors: unknown[] = [];
  const kept: Promise<unknown>[] = [];
  const coalesced = coalesceCalls({
    call: (_, items) =>
      new Promise((resolve, reject) => {
        const ids = items.map((item) => (item.kind === "release" ? item.id : ""));
        calls.push({ ids, respond: (all = items.map(() => RESULT)) => resolve(all), fail: reject });
      }),
    onFailure: (error) => void errors.push(error),
    now: clock.now,
    after: clock.after,
  });
  const send = (id: string, object = "object") => {
    const item: BatchItem = { kind: "release", id };
    return coalesced(object, item, { waitUntil: (work) => void kept.push(work) });
  };
  const advance = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await settle();
  };
  return { calls, errors, kept, timers: clock.timers, send, advance };
}

describe("calls of one object", () => {
  it("carry together what came while a call was under way, in its order", async () => {
    const { calls, send } = open();
    const sent = ["a", "b", "c", "d"].map((id) => send(id));
    expect(calls.map(({ ids }) => ids)).toEqual([["a"]]);
    calls[0]?.respond();
    await settle();
    expect(calls.map(({ ids }) => ids)).toEqual([["a"], ["b", "c", "d"]]);
    calls[1]?.respond([RESULT, null, { ...RESULT, refusedBy: "budget:x" }]);
    expect(await Promise.all(sent)).toEqual([RESULT, RESULT, null, { ...RESULT, refusedBy: "budget:x" }]);
  });

  it("do not wait for those of another object", () => {
    const { calls, send } = open();
    void send("a", "one");
    void send("b", "other");
    expect(calls.map(({ ids }) => ids)).toEqual([["a"], ["b"]]);
  });

  it("are not waited for once they have ended", async () => {
    const { calls, send } = open();
    const first = send("a");
    calls[0]?.respond();
    await first;
    void send("b");
    expect(calls.map(({ ids }) => ids)).toEqual([["a"], ["b"]]);
  });

  it("have a bounded number of items", async () => {
    const { calls, send } = open();
    for (let n = 0; n < MAX_ITEMS + 3; n += 1) void send(`${n}`);
    calls[0]?.respond();
    await settle();
    calls[1]?.respond();
    await settle();
    expect(calls.map(({ ids }) => ids.length)).toEqual([1, MAX_ITEMS, 2]);
  });

  it("fail for their own items only, with one line", async () => {
    const { calls, errors, send } = open();
    const [first, second, third] = [send("a"), send("b"), send("c")];
    calls[0]?.respond();
    await first;
    await settle();
    const fourth = send("d");
    calls[1]?.fail(new Error("down"));
    expect([await second, await third]).toEqual([null, null]);
    expect(errors).toHaveLength(1);
    await settle();
    calls[2]?.respond();
    expect(await fourth).toEqual(RESULT);
  });

  it("are each kept alive by a request whose item waits", async () => {
    const { calls, kept, send } = open();
    void send("a");
    void send("b");
    calls[0]?.respond();
    await settle();
    expect(kept).toHaveLength(2);
    calls[1]?.respond();
    expect(await Promise.all(kept)).toHaveLength(2);
  });

  it("leave no timer behind", async () => {
    const { calls, timers, send } = open();
    const sent = [send("a"), send("b")];
    calls[0]?.respond();
    await settle();
    calls[1]?.respond();
    await Promise.all(sent);
    await settle();
    expect(timers()).toBe(0);
  });
});

describe("a call that does not end", () => {
  // The request that made it was cancelled, for example: its promises never settle.
  it("is not waited for: its items and those that came later go again, together", async () => {
    const { calls, send, advance } = open();
    const [first, second, third] = [send("a"), send("b"), send("c")];
    await advance(STALE_MS);
    expect(calls.map(({ ids }) => ids)).toEqual([["a"], ["b", "c", "a"]]);
    calls[1]?.respond();
    expect(await Promise.all([first, second, third])).toEqual([RESULT, RESULT, RESULT]);
  });

  it("is not waited for by an item that comes later", async () => {
    const { calls, send, advance } = open();
    void send("a");
    await advance(STALE_MS);
    calls[1]?.respond();
    await settle();
    const late = send("b");
    expect(calls.at(-1)?.ids).toEqual(["b"]);
    calls.at(-1)?.respond();
    expect(await late).toEqual(RESULT);
  });

  it("may still respond, which counts", async () => {
    const { calls, send, advance } = open();
    const only = send("a");
    await advance(STALE_MS);
    calls[0]?.respond([{ ...RESULT, refusedBy: "budget:x" }]);
    expect(await only).toEqual({ ...RESULT, refusedBy: "budget:x" });
  });

  it("that fails late does not fail the items that have gone again", async () => {
    const { calls, send, advance } = open();
    const only = send("a");
    await advance(STALE_MS);
    calls[0]?.fail(new Error("reset"));
    await settle();
    calls[1]?.respond();
    expect(await only).toEqual(RESULT);
  });

  it("ends with each item's own deadline", async () => {
    const { calls, send, advance } = open();
    const first = send("a");
    await advance(STALE_MS - 1);
    const second = send("b");
    await advance(1);
    await advance(TIMEOUT_MS - STALE_MS);
    expect(await first).toBe(TIMED_OUT);
    await advance(STALE_MS);
    expect(await second).toBe(TIMED_OUT);
    // Nothing is left of them.
    const third = send("c");
    expect(calls.at(-1)?.ids).toEqual(["c"]);
    calls.at(-1)?.respond();
    expect(await third).toEqual(RESULT);
  });
});
