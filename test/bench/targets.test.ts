import { describe, expect, it } from "vitest";
import type { Measured } from "../../bench/figures.ts";
import { assess, TARGETS, verdictOf } from "../../bench/targets.ts";
import { cost, cpu, row, RUN } from "./measured.ts";

describe("the verdict on a figure", () => {
  it.each([
    [2.11, "**missed**"],
    [2.1, "met"],
    [1.81, "met"],
    [1.8, "met, also the aim"],
    [Number.NaN, "not measured"],
  ])("with a must of 2.1 and an aim of 1.8: %d is %s", (value, verdict) => {
    expect(verdictOf({ must: 2.1, aim: 1.8 }, value)).toBe(verdict);
  });

  it("is decided by the only bound", () => {
    expect(verdictOf({ must: 5, aim: null }, 1)).toBe("met");
    expect(verdictOf({ must: 5, aim: null }, 6)).toBe("**missed**");
    expect(verdictOf({ must: null, aim: 25 }, 25)).toBe("met");
    expect(verdictOf({ must: null, aim: 25 }, 26)).toBe("**missed**");
  });
});

const delays = (name: string, p99: number) => ({ name, spread: { p50: 1, p99 } });

/** The measured values by target, without those that were not measured. */
const values = (figures: Measured): Record<string, number> =>
  Object.fromEntries(
    assess(figures).flatMap(({ target, value }) => (Number.isNaN(value) ? [] : [[target.what, value]])),
  );

describe("the targets", () => {
  it("have different names, and an aim that is not above the must", () => {
    expect(new Set(TARGETS.map(({ what }) => what)).size).toBe(TARGETS.length);
    for (const { must, aim } of TARGETS)
      expect(aim ?? 0).toBeLessThanOrEqual(must ?? Number.POSITIVE_INFINITY);
  });

  it("are all not measured without figures", () => {
    expect(new Set(assess({}).map(({ verdict }) => verdict))).toEqual(new Set(["not measured"]));
  });

  it("take JSON with and without ledger from the CPU time relative to the bare Worker and to Portkey", () => {
    const figures = cpu(
      row(
        "json",
        cost("interceptor", 300, { bare: 2, Portkey: 0.8 }),
        cost("with ledger", 360, { bare: 2.4, Portkey: 0.9 }),
      ),
    );
    expect(values(figures)).toEqual({
      "JSON of 2 KB, CPU": 2,
      "JSON of 2 KB with ledger, CPU": 2.4,
      "JSON of 2 KB with ledger, relative to Portkey": 0.9,
    });
    expect(assess(figures).find(({ verdict }) => verdict === "met, also the aim")).toBeUndefined();
  });

  it("take the dearer of both for a stream, and nothing if one was not measured", () => {
    const interceptor = cost("interceptor", 300, { bare: 1.4, Portkey: 0.3 });
    const ledger = cost("with ledger", 300, { bare: 1.2, Portkey: 0.2 });
    expect(values(cpu(row("burst", interceptor, ledger)))).toEqual({
      "burst of 2,000 events, CPU": 1.4,
      "burst, relative to Portkey": 0.3,
    });
    expect(values(cpu(row("burst", ledger)))).toEqual({});
  });

  it("do not compare with Portkey where it was left out", () => {
    const figures = cpu(
      row("burst", cost("interceptor", 1, { bare: 1 }), cost("with ledger", 1, { bare: 1 })),
    );
    expect(Object.keys(values(figures))).toEqual(["burst of 2,000 events, CPU"]);
  });

  it("take instructions, delays, heap and start from their own runs", () => {
    const figures: Measured = {
      instructions: {
        run: RUN,
        rows: [
          { traffic: "json", name: "bare", instructions: 500_000 },
          { traffic: "json", name: "interceptor", instructions: 1_000_000 },
        ],
      },
      delays: {
        run: RUN,
        rows: [
          { what: "to headers", delays: [delays("bare", 1), delays("with ledger", 100)] },
          { what: "per event", streams: 500, delays: [delays("bare", 1), delays("with ledger", 5)] },
        ],
      },
      load: { run: RUN, addedP99Ms: 33 },
      heap: { run: RUN, kilobytes: 9 },
      startup: { run: RUN, instructions: 65_000_000, bytes: 200_000, gzipBytes: 69_000 },
    };
    expect(values(figures)).toEqual({
      "JSON of 2 KB, instructions": 2,
      "delay added to an event, 500 streams, p99": 4,
      "delay added to an event, 1,000 streams of 5 events/s, p99": 33,
      "JavaScript heap of an open stream": 9,
      "bundle, gzipped": 69,
      "cold start beyond a Worker of one line, instructions": 65,
    });
  });
});
