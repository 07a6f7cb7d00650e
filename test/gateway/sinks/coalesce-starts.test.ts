import { describe, expect, it } from "vitest";
import { createFallbackLog } from "../../../src/events/fallback-log.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { coalesceStarts } from "../../../src/gateway/sinks/coalesce-starts.ts";
import type { AwaitedSink } from "../../../src/gateway/sinks/recorder.ts";
import { recordsSink } from "../../../src/gateway/sinks/records.ts";
import {
  END,
  OVERRIDE,
  PASSED,
  PASSTHROUGH_START,
  PROMPT,
  REFUSED,
  RETRIEVED,
  START,
  TOKENS,
  TOOL,
} from "../../support/in-workerd/events.ts";

/** Timers that fire on demand, and a sink that keeps the groups that it takes. */
function setUp(write?: AwaitedSink["write"], isDelayed = (): boolean => true) {
  const timers = new Set<() => void>();
  const taken: (readonly InterceptorEvent[])[] = [];
  const keep: AwaitedSink["write"] = async (events) => void taken.push(events);
  const sink = coalesceStarts(
    { kind: "awaited", name: "ledger", required: false, write: write ?? keep },
    isDelayed,
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
  return { sink, taken, timers, passTime };
}

const other = <T extends InterceptorEvent>(event: T): T => ({ ...event, interception_id: "another" });

describe("coalescing a start", () => {
  it("writes start and end as one group, in order", async () => {
    const { sink, taken, timers } = setUp();
    const started = sink.write([OVERRIDE, START, PROMPT]);
    expect(taken).toEqual([]);
    await sink.write([TOKENS, END, TOOL]);
    await started;
    expect(taken).toEqual([[OVERRIDE, START, PROMPT, TOKENS, END, TOOL]]);
    expect(timers.size).toBe(0);
  });

  it("writes a passthrough's start and end as one group, also where the end follows usage that was read", async () => {
    for (const end of [[PASSED], [RETRIEVED, PASSED]]) {
      const { sink, taken, timers } = setUp();
      const started = sink.write([PASSTHROUGH_START]);
      expect(taken).toEqual([]);
      await sink.write(end);
      await started;
      expect(taken).toEqual([[PASSTHROUGH_START, ...end]]);
      expect(timers.size).toBe(0);
    }
  });

  it("writes a start at once that is not to be delayed", async () => {
    const { sink, taken, timers } = setUp(undefined, () => false);
    await sink.write([START]);
    await sink.write([END]);
    expect(taken).toEqual([[START], [END]]);
    expect(timers.size).toBe(0);
  });

  it("writes the start alone after the delay, and then the end alone", async () => {
    const { sink, taken, passTime } = setUp();
    const started = sink.write([START]);
    passTime();
    await started;
    expect(taken).toEqual([[START]]);
    await sink.write([END]);
    expect(taken).toEqual([[START], [END]]);
  });

  it("keeps the start when another interception ends", async () => {
    const { sink, taken, passTime } = setUp();
    const started = sink.write([START]);
    await sink.write([other(END)]);
    expect(taken).toEqual([[other(END)]]);
    passTime();
    await started;
    expect(taken).toEqual([[other(END)], [START]]);
  });

  it.each<[string, readonly InterceptorEvent[]]>([
    ["has neither start nor end", [TOOL]],
    ["has a passthrough's start and end", [PASSTHROUGH_START, PASSED]],
    ["has a passthrough's end whose start is not delayed", [PASSED]],
    ["has a refusal only", [REFUSED]],
    ["has start and end", [START, END]],
    ["has an end whose start is not delayed", [END]],
  ])("writes a group at once that %s", (_, events) => {
    const { sink, taken, timers } = setUp();
    void sink.write(events);
    expect(taken).toEqual([events]);
    expect(timers.size).toBe(0);
  });

  it("rejects when the sink rejects: the start's promise when alone, else the end's", async () => {
    const down = setUp(() => Promise.reject(new Error("down")));
    const alone = down.sink.write([START]);
    down.passTime();
    await expect(alone).rejects.toThrow("down");
    const started = down.sink.write([START]);
    await expect(down.sink.write([END])).rejects.toThrow("down");
    // The end's promise has rejected for both.
    await expect(started).resolves.toBeUndefined();
  });

  it("rejects, instead of throwing from its timer, when the records sink's delivery throws", async () => {
    const { write } = recordsSink({
      required: false,
      wants: () => true,
      deliver: () => {
        throw new Error("broken");
      },
      fallback: createFallbackLog(() => undefined),
      timing: { after: (_, call) => (setTimeout(call, 0), () => undefined), random: () => 1 },
    });
    const broken = setUp(write);
    const started = broken.sink.write([START]);
    expect(broken.passTime).not.toThrow();
    await expect(started).rejects.toThrow("broken");
  });

  it("delays at most 10,000 starts: those of requests that the platform ended are never removed", () => {
    const { sink, taken } = setUp();
    for (let n = 0; n < 10_000; n += 1) void sink.write([{ ...START, interception_id: `${n}` }]);
    expect(taken).toEqual([]);
    void sink.write([START]);
    expect(taken).toEqual([[START]]);
  });
});
