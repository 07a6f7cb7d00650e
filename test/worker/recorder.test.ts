import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { startInterception } from "../../src/events/interception.ts";
import { createRecorder, type Sink } from "../../src/events/recorder.ts";
import type { Conclusion } from "../../src/observation/observe.ts";
import { END, everyEvent, START } from "./support/events.ts";
import { fixture } from "./support/fixtures.ts";
import { actor } from "./support/values.ts";

type Desk = {
  readonly record: (event: InterceptorEvent) => void;
  readonly waited: Promise<unknown>[];
  readonly failures: [string, unknown][];
};

function desk(...sinks: readonly Sink[]): Desk {
  const waited: Promise<unknown>[] = [];
  const failures: [string, unknown][] = [];
  const { record } = createRecorder(
    sinks,
    (promise) => void waited.push(promise),
    (sink, error) => void failures.push([sink, error]),
  );
  return { record, waited, failures };
}

function collecting(name: string): Sink & { readonly events: InterceptorEvent[] } {
  const events: InterceptorEvent[] = [];
  return { name, events, write: (event) => void events.push(event) };
}

const DOWN = new Error("down");
const throwing: Sink = {
  name: "throwing",
  write: () => {
    throw DOWN;
  },
};
const rejecting: Sink = { name: "rejecting", write: () => Promise.reject(DOWN) };

describe("the recorder", () => {
  it("hands each event to every sink, in order and at once", () => {
    const [one, two] = [collecting("one"), collecting("two")];
    const { record, waited } = desk(one, two);
    for (const event of everyEvent) record(event);
    expect(one.events).toEqual(everyEvent);
    expect(two.events).toEqual(everyEvent);
    expect(waited).toEqual([]);
  });

  it("without a sink does nothing", () => {
    const { record, failures } = desk();
    record(START);
    expect(failures).toEqual([]);
  });

  it("H1 a sink that throws harms no other, before it or behind it", () => {
    const [before, behind] = [collecting("before"), collecting("behind")];
    const { record, failures } = desk(before, throwing, behind);
    record(START);
    record(END);
    expect(before.events).toEqual([START, END]);
    expect(behind.events).toEqual([START, END]);
    expect(failures).toEqual([["throwing", DOWN]]);
  });

  it("H1 a sink that rejects is waited for, and its failure said", async () => {
    const { record, waited, failures } = desk(rejecting);
    record(START);
    record(END);
    expect(waited).toHaveLength(2);
    await expect(Promise.all(waited)).resolves.toBeDefined();
    expect(failures).toEqual([["rejecting", DOWN]]);
  });

  it("each sink's first failure is said, and each sink's only once", async () => {
    const { record, waited, failures } = desk(throwing, rejecting, { ...throwing, name: "other" });
    for (const event of everyEvent) record(event);
    await Promise.all(waited);
    expect(failures.map(([sink]) => sink).toSorted()).toEqual(["other", "rejecting", "throwing"]);
  });

  it("a failing sink gets the later events all the same: it may be back", () => {
    const got: string[] = [];
    const flaky: Sink = {
      name: "flaky",
      write: (event) => {
        got.push(event.record_type);
        if (got.length === 1) throw DOWN;
      },
    };
    const { record } = desk(flaky);
    for (const event of everyEvent) record(event);
    expect(got).toHaveLength(everyEvent.length);
  });

  it("a sink's promise is waited for until it settles", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { record, waited, failures } = desk({ name: "slow", write: () => promise });
    record(END);
    let isDone = false;
    const all = Promise.all(waited).then(() => (isDone = true));
    await Promise.resolve();
    expect(isDone).toBe(false);
    resolve();
    await all;
    expect(failures).toEqual([]);
  });

  it("a sink that throws nothing at all has failed too", () => {
    const { record, failures } = desk({
      name: "odd",
      write: () => {
        // oxlint-disable-next-line no-throw-literal -- a rejected writer may throw undefined
        throw undefined;
      },
    });
    record(END);
    expect(failures).toEqual([["odd", undefined]]);
  });
});

describe("I1 an interception's record", () => {
  const { report } = fixture("chat/json");
  const conclusion: Conclusion = {
    outcome: "completed",
    usageState: "final",
    report,
    ending: { how: "end", bytes: 100, firstByteAt: 1040, capped: false },
  };
  const { record_type: _, api_key_id, started_at, metadata, ...rest } = START;
  const {
    correlating_tool_call_id: _tool,
    thread_parent_id: _parent,
    thread_root_id: _root,
    ...subject
  } = rest;

  function begun(): {
    events: InterceptorEvent[];
    end: ReturnType<typeof startInterception>["end"];
    clock: { at: number };
  } {
    const sink = collecting("log");
    const clock = { at: 1000 };
    const { end } = startInterception(
      { record: (event) => sink.write(event) as undefined },
      subject,
      actor({ keyId: api_key_id, name: null }),
      1000,
      () => clock.at,
    );
    return { events: sink.events, end, clock };
  }

  it("begins with its start, at the request's own time", () => {
    const { events } = begun();
    expect(events).toEqual([{ ...START, started_at: "1970-01-01T00:00:01.000Z", metadata: {} }]);
    expect([started_at, metadata]).not.toEqual([events, {}]);
  });

  it("ends once, with what was used before the end: the first end counts", () => {
    const { events, end, clock } = begun();
    clock.at = 1500;
    end({ outcome: "completed", status: 200, error: null, conclusion });
    clock.at = 9000;
    end({ outcome: "cancelled", status: null, error: null, conclusion: null });
    end({ outcome: "completed", status: 200, error: null, conclusion });
    expect(events.map((event) => event.record_type)).toEqual([
      "interception_start",
      "token_usage",
      "interception_end",
    ]);
    expect(events.at(-1)).toMatchObject({
      outcome: "completed",
      duration_ms: 500,
      first_byte_ms: 40,
      ended_at: "1970-01-01T00:00:01.500Z",
    });
  });

  it("without a conclusion knows nothing of what was used", () => {
    const { events, end } = begun();
    end({ outcome: "cancelled", status: null, error: null, conclusion: null });
    expect(events.at(-1)).toMatchObject({
      record_type: "interception_end",
      outcome: "cancelled",
      usage: "unknown",
      usage_flagged: false,
      observation: "whole",
      input_tokens: null,
      output_tokens: null,
      response_bytes: 0,
      first_byte_ms: null,
      msg_id: null,
    });
    expect(events).toHaveLength(2);
  });

  it("says that an answer was capped, and that a figure was refused", () => {
    const { events, end } = begun();
    const usage = { ...report.usage, flagged: true } as typeof report.usage;
    const capped: Conclusion = {
      ...conclusion,
      report: { ...report, usage },
      ending: { how: "end", bytes: 9, firstByteAt: null, capped: true },
    };
    end({ outcome: "completed", status: 200, error: null, conclusion: capped });
    expect(events.at(-1)).toMatchObject({ observation: "capped", usage_flagged: true, response_bytes: 9 });
  });
});
