import { describe, expect, it } from "vitest";
import { analyticsEngineSink, type DataSet } from "../../src/sinks/analytics-engine.ts";
import { INTERCEPTION_COLUMNS, OVERRIDE_COLUMNS, toRow } from "../../src/sinks/columns.ts";
import { StrictAnalytics } from "../support/strict-analytics.ts";
import { END, everyEvent, HOSTILE_TEXTS, OVERRIDE, PASSED, REJECTED, withTexts } from "./support/events.ts";

function sets(): { interceptions: StrictAnalytics; overrides: StrictAnalytics } {
  return { interceptions: new StrictAnalytics(), overrides: new StrictAnalytics() };
}

describe("the Analytics Engine sink", () => {
  it("writes a row for each end and passthrough to one set, for each owner header to the other, and no more", () => {
    const { interceptions, overrides } = sets();
    const sink = analyticsEngineSink(interceptions, overrides);
    for (const event of everyEvent) expect(sink.write(event)).toBeUndefined();
    expect(interceptions.points).toEqual([
      toRow(INTERCEPTION_COLUMNS, END),
      toRow(INTERCEPTION_COLUMNS, PASSED),
    ]);
    expect(overrides.points).toEqual([toRow(OVERRIDE_COLUMNS, OVERRIDE), toRow(OVERRIDE_COLUMNS, REJECTED)]);
  });

  it("is indexed by the initiator", () => {
    const { interceptions, overrides } = sets();
    const sink = analyticsEngineSink(interceptions, overrides);
    void sink.write(END);
    void sink.write(REJECTED);
    expect(interceptions.points[0]?.indexes).toEqual([END.initiator_id]);
    expect(overrides.points[0]?.indexes).toEqual(["ci-bot"]);
  });

  it("H4 a binding that is absent is no crash, one or both", () => {
    const { interceptions, overrides } = sets();
    for (const event of everyEvent) {
      expect(analyticsEngineSink(null, null).write(event)).toBeUndefined();
      expect(analyticsEngineSink(interceptions, null).write(event)).toBeUndefined();
      expect(analyticsEngineSink(null, overrides).write(event)).toBeUndefined();
    }
    expect(interceptions.points).toHaveLength(2);
    expect(overrides.points).toHaveLength(2);
  });

  it("H1 a set that throws lets the recorder know, which knows what to do", () => {
    const { interceptions, overrides } = sets();
    interceptions.failing = true;
    const sink = analyticsEngineSink(interceptions, overrides);
    expect(() => sink.write(END)).toThrow("Analytics Engine is down");
    expect(sink.write(OVERRIDE)).toBeUndefined();
    expect(overrides.points).toHaveLength(1);
  });

  it("hands on the promise of a set that is another Worker", async () => {
    const remote: DataSet = { writeDataPoint: () => Promise.reject(new Error("remote")) };
    await expect(analyticsEngineSink(remote, null).write(END)).rejects.toThrow("remote");
  });

  it("calls the binding as a method: the real one needs its this", () => {
    const seen: unknown[] = [];
    const binding: DataSet = {
      writeDataPoint(this: unknown) {
        seen.push(this);
      },
    };
    void analyticsEngineSink(binding, binding).write(END);
    void analyticsEngineSink(binding, binding).write(OVERRIDE);
    expect(seen).toEqual([binding, binding]);
  });

  it("H2 no text of any event makes the real data set throw", () => {
    const { interceptions, overrides } = sets();
    const sink = analyticsEngineSink(interceptions, overrides);
    for (const text of HOSTILE_TEXTS) {
      for (const event of everyEvent) void sink.write(withTexts(event, text));
    }
    expect(interceptions.points).toHaveLength(2 * HOSTILE_TEXTS.length);
    expect(overrides.points).toHaveLength(2 * HOSTILE_TEXTS.length);
  });
});
