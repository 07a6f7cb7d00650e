import { describe, expect, it } from "vitest";
import { analyticsEngineSink, type Dataset } from "../../../src/gateway/sinks/analytics-engine.ts";
import { INTERCEPTION_COLUMNS, OVERRIDE_COLUMNS, toRow } from "../../../src/gateway/sinks/analytics-row.ts";
import { StrictAnalytics } from "../../support/strict-analytics.ts";
import {
  END,
  everyEvent,
  HOSTILE_TEXTS,
  OVERRIDE,
  PASSED,
  REJECTED,
  START,
  withTexts,
} from "../../support/in-workerd/events.ts";

function sets(): { interceptions: StrictAnalytics; overrides: StrictAnalytics } {
  return { interceptions: new StrictAnalytics(), overrides: new StrictAnalytics() };
}

describe("the Analytics Engine sink", () => {
  it("writes a row for each end and passthrough to one set, for each owner header to the other, and no more", () => {
    const { interceptions, overrides } = sets();
    const sink = analyticsEngineSink(interceptions, overrides);
    expect([sink.name, sink.required]).toEqual(["analytics_engine", false]);
    expect(sink.write(everyEvent)).toBeUndefined();
    expect(interceptions.points).toEqual([
      toRow(INTERCEPTION_COLUMNS, END),
      toRow(INTERCEPTION_COLUMNS, PASSED),
    ]);
    expect(overrides.points).toEqual([toRow(OVERRIDE_COLUMNS, OVERRIDE), toRow(OVERRIDE_COLUMNS, REJECTED)]);
  });

  it("is indexed by the initiator", () => {
    const { interceptions, overrides } = sets();
    const sink = analyticsEngineSink(interceptions, overrides);
    void sink.write([END, REJECTED]);
    expect(interceptions.points[0]?.indexes).toEqual([END.initiator_id]);
    expect(overrides.points[0]?.indexes).toEqual(["ci-bot"]);
  });

  it("H4 a binding that is absent is no crash, one or both", () => {
    const { interceptions, overrides } = sets();
    expect(analyticsEngineSink(null, null).write(everyEvent)).toBeUndefined();
    expect(analyticsEngineSink(interceptions, null).write(everyEvent)).toBeUndefined();
    expect(analyticsEngineSink(null, overrides).write(everyEvent)).toBeUndefined();
    expect(interceptions.points).toHaveLength(2);
    expect(overrides.points).toHaveLength(2);
  });

  it("H1 a set that throws lets the recorder know, which knows what to do", () => {
    const { interceptions, overrides } = sets();
    interceptions.failing = true;
    const sink = analyticsEngineSink(interceptions, overrides);
    expect(() => sink.write([END])).toThrow("Analytics Engine is down");
    expect(sink.write([OVERRIDE])).toBeUndefined();
    expect(overrides.points).toHaveLength(1);
  });

  it("H1 a row that is not taken costs no other of its group, and the first failure is told", () => {
    let times = 0;
    const taken: unknown[] = [];
    const failing: Dataset = {
      writeDataPoint: (point) => {
        times += 1;
        if (times < 3) throw new Error(`down ${times}`);
        taken.push(point);
      },
    };
    const { overrides } = sets();
    const sink = analyticsEngineSink(failing, overrides);
    expect(() => sink.write([END, OVERRIDE, PASSED, REJECTED, END])).toThrow("down 1");
    expect(taken).toHaveLength(1);
    expect(overrides.points).toHaveLength(2);
  });

  it("has one promise for a group, of all its rows", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let isDone = false;
    const remote: Dataset = { writeDataPoint: () => promise };
    const written = analyticsEngineSink(remote, remote).write([END, OVERRIDE, START]);
    const done = Promise.resolve(written).then(() => (isDone = true));
    await Promise.resolve();
    expect(isDone).toBe(false);
    resolve();
    await done;
    expect(await written).toBeUndefined();
  });

  it("H1 of several remote rows that fail, each is handled: nothing is left unhandled", async () => {
    let times = 0;
    const remote: Dataset = { writeDataPoint: () => Promise.reject(new Error(`remote ${(times += 1)}`)) };
    await expect(analyticsEngineSink(remote, remote).write([END, OVERRIDE, END])).rejects.toThrow("remote 1");
    expect(times).toBe(3);
  });

  it("I5 where one set throws and the other rejects, both failures are handled", async () => {
    const { interceptions } = sets();
    interceptions.failing = true;
    let isHandled = false;
    const rejected = Promise.reject(new Error("remote"));
    const remote: Dataset = {
      writeDataPoint: () => ({
        // oxlint-disable-next-line unicorn/no-thenable -- tells whether somebody handles its rejection
        then: (...handlers: Parameters<Promise<void>["then"]>) => {
          isHandled = typeof handlers[1] === "function";
          return rejected.then(...handlers);
        },
      }),
    } as unknown as Dataset;
    const written = analyticsEngineSink(interceptions, remote).write([OVERRIDE, END]);
    await expect(written).rejects.toThrow("Analytics Engine is down");
    expect(isHandled).toBe(true);
    await rejected.catch(() => undefined);
  });

  it("hands on the promise of a set that is another Worker", async () => {
    const remote: Dataset = { writeDataPoint: () => Promise.reject(new Error("remote")) };
    await expect(analyticsEngineSink(remote, null).write([END])).rejects.toThrow("remote");
  });

  it("calls the binding as a method: the real one needs its this", () => {
    const seen: unknown[] = [];
    const binding: Dataset = {
      writeDataPoint(this: unknown) {
        seen.push(this);
      },
    };
    void analyticsEngineSink(binding, binding).write([END]);
    void analyticsEngineSink(binding, binding).write([OVERRIDE]);
    expect(seen).toEqual([binding, binding]);
  });

  it("H2 no text of any event makes the real data set throw", () => {
    const { interceptions, overrides } = sets();
    const sink = analyticsEngineSink(interceptions, overrides);
    for (const text of HOSTILE_TEXTS) void sink.write(everyEvent.map((event) => withTexts(event, text)));
    expect(interceptions.points).toHaveLength(2 * HOSTILE_TEXTS.length);
    expect(overrides.points).toHaveLength(2 * HOSTILE_TEXTS.length);
  });
});
