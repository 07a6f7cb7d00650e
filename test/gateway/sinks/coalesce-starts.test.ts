import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { Sink } from "../../../src/gateway/sinks/recorder.ts";
import { coalesceStarts } from "../../../src/gateway/sinks/coalesce-starts.ts";
import {
  END,
  OVERRIDE,
  PASSED,
  PROMPT,
  REFUSED,
  START,
  TOKENS,
  TOOL,
} from "../../support/in-workerd/events.ts";

/** Timers that go off when told, and a sink that keeps what it is given. */
function setUp(write?: Sink["write"]) {
  const timers = new Set<() => void>();
  const given: (readonly InterceptorEvent[])[] = [];
  const sink = coalesceStarts(
    { name: "ledger", required: false, write: write ?? ((events) => void given.push(events)) },
    (_, call) => {
      timers.add(call);
      return () => void timers.delete(call);
    },
  );
  const passTime = (): void => {
    const due = [...timers];
    timers.clear();
    for (const call of due) call();
  };
  return { sink, given, timers, passTime };
}

const other = <T extends InterceptorEvent>(event: T): T => ({ ...event, interception_id: "another" });

describe("a start that is held back", () => {
  it("goes with its end as one group, in their order", async () => {
    const { sink, given, timers } = setUp();
    const started = sink.write([OVERRIDE, START, PROMPT]);
    expect(given).toEqual([]);
    await sink.write([TOKENS, END, TOOL]);
    await started;
    expect(given).toEqual([[OVERRIDE, START, PROMPT, TOKENS, END, TOOL]]);
    expect(timers.size).toBe(0);
  });

  it("goes by itself after its moment, and its end then does too", async () => {
    const { sink, given, passTime } = setUp();
    const started = sink.write([START]);
    passTime();
    await started;
    expect(given).toEqual([[START]]);
    await sink.write([END]);
    expect(given).toEqual([[START], [END]]);
  });

  it("waits for no other interception's end", async () => {
    const { sink, given, passTime } = setUp();
    const started = sink.write([START]);
    await sink.write([other(END)]);
    expect(given).toEqual([[other(END)]]);
    passTime();
    await started;
    expect(given).toEqual([[other(END)], [START]]);
  });

  it.each<[string, readonly InterceptorEvent[]]>([
    ["begins and ends nothing", [PASSED]],
    ["only refuses", [REFUSED]],
    ["begins and ends at once", [START, END]],
    ["ends what was not held", [END]],
  ])("is no group that %s", (_, events) => {
    const { sink, given, timers } = setUp();
    void sink.write(events);
    expect(given).toEqual([events]);
    expect(timers.size).toBe(0);
  });

  it("says so where it is not taken, by itself or with its end", async () => {
    const down = setUp(() => Promise.reject(new Error("down")));
    const alone = down.sink.write([START]);
    down.passTime();
    await expect(alone).rejects.toThrow("down");
    const started = down.sink.write([START]);
    await expect(down.sink.write([END])).rejects.toThrow("down");
    // The end has said it for both.
    await expect(started).resolves.toBeUndefined();
  });

  it("that a sink throws at once after its moment is a rejection, not an error out of a timer", async () => {
    const broken = setUp(() => {
      throw new Error("broken");
    });
    const started = broken.sink.write([START]);
    expect(broken.passTime).not.toThrow();
    await expect(started).rejects.toThrow("broken");
  });

  it("is one of ten thousand at most: those of requests that the platform ended stay", () => {
    const { sink, given } = setUp();
    for (let n = 0; n < 10_000; n += 1) void sink.write([{ ...START, interception_id: `${n}` }]);
    expect(given).toEqual([]);
    void sink.write([START]);
    expect(given).toEqual([[START]]);
  });
});
