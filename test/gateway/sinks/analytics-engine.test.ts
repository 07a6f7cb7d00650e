import { describe, expect, it } from "vitest";
import { analyticsEngineSink, type Dataset } from "../../../src/gateway/sinks/analytics-engine.ts";
import { interceptionRow, overrideRow } from "../../../src/gateway/sinks/analytics-row.ts";
import { StrictAnalytics } from "../../support/strict-analytics.ts";
import {
  END,
  everyEvent,
  HOSTILE_TEXTS,
  OVERRIDE,
  PASSED,
  REJECTED,
  withTexts,
} from "../../support/in-workerd/events.ts";

function datasets(): { interceptions: StrictAnalytics; overrides: StrictAnalytics } {
  return { interceptions: new StrictAnalytics(), overrides: new StrictAnalytics() };
}

describe("the Analytics Engine sink", () => {
  it("writes ends and passthroughs to one data set, owner assertions to the other, and nothing else", () => {
    const { interceptions, overrides } = datasets();
    const sink = analyticsEngineSink(interceptions, overrides);
    expect([sink.kind, sink.name]).toEqual(["immediate", "analytics_engine"]);
    expect(sink.write(everyEvent)).toBeUndefined();
    expect(interceptions.points).toEqual([interceptionRow(END), interceptionRow(PASSED)]);
    expect(overrides.points).toEqual([overrideRow(OVERRIDE), overrideRow(REJECTED)]);
  });

  it("indexes each row by the initiator", () => {
    const { interceptions, overrides } = datasets();
    void analyticsEngineSink(interceptions, overrides).write([END, REJECTED]);
    expect(interceptions.points[0]?.indexes).toEqual([END.initiator_id]);
    expect(overrides.points[0]?.indexes).toEqual(["ci-bot"]);
  });

  it("H4 skips a binding that is absent, one or both", () => {
    const { interceptions, overrides } = datasets();
    expect(analyticsEngineSink(null, null).write(everyEvent)).toBeUndefined();
    expect(analyticsEngineSink(interceptions, null).write(everyEvent)).toBeUndefined();
    expect(analyticsEngineSink(null, overrides).write(everyEvent)).toBeUndefined();
    expect(interceptions.points).toHaveLength(2);
    expect(overrides.points).toHaveLength(2);
  });

  it("H1 throws the data set's error for the recorder, and writes later groups to the other data set", () => {
    const { interceptions, overrides } = datasets();
    interceptions.failing = true;
    const sink = analyticsEngineSink(interceptions, overrides);
    expect(() => sink.write([END])).toThrow("Analytics Engine is down");
    expect(sink.write([OVERRIDE])).toBeUndefined();
    expect(overrides.points).toHaveLength(1);
  });

  it("H1 writes the other rows of a group when one fails, then throws the first error", () => {
    let times = 0;
    const written: unknown[] = [];
    const failing: Dataset = {
      writeDataPoint: (point) => {
        times += 1;
        if (times < 3) throw new Error(`down ${times}`);
        written.push(point);
      },
    };
    const { overrides } = datasets();
    const sink = analyticsEngineSink(failing, overrides);
    expect(() => sink.write([END, OVERRIDE, PASSED, REJECTED, END])).toThrow("down 1");
    expect(written).toHaveLength(1);
    expect(overrides.points).toHaveLength(2);
  });

  it("H1 throws an error that is undefined", () => {
    const failing: Dataset = {
      writeDataPoint: () => {
        // oxlint-disable-next-line no-throw-literal -- a binding may throw any value
        throw undefined;
      },
    };
    let thrown: unknown[] = [];
    try {
      void analyticsEngineSink(failing, null).write([END]);
    } catch (error) {
      thrown = [error];
    }
    expect(thrown).toEqual([undefined]);
  });

  it("calls the binding as a method, because the real one needs its `this`", () => {
    const receivers: unknown[] = [];
    const binding: Dataset = {
      writeDataPoint(this: unknown) {
        receivers.push(this);
      },
    };
    void analyticsEngineSink(binding, binding).write([END]);
    void analyticsEngineSink(binding, binding).write([OVERRIDE]);
    expect(receivers).toEqual([binding, binding]);
  });

  it("H2 writes every event with hostile texts within the real data set's limits", () => {
    const { interceptions, overrides } = datasets();
    const sink = analyticsEngineSink(interceptions, overrides);
    for (const text of HOSTILE_TEXTS) void sink.write(everyEvent.map((event) => withTexts(event, text)));
    expect(interceptions.points).toHaveLength(2 * HOSTILE_TEXTS.length);
    expect(overrides.points).toHaveLength(2 * HOSTILE_TEXTS.length);
  });
});
