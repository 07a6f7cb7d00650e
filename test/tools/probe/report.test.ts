/** The probe's report and bounds: the number of requests, failures, and what is never printed. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { offsetOf } from "../../../tools/probe/clock-offset.ts";
import type { Context } from "../../../tools/probe/context.ts";
import { locations } from "../../../tools/probe/facts.ts";
import { mask } from "../../../tools/probe/mask.ts";
import { asAssumed, define, differs, type Measurement } from "../../../tools/probe/measurement.ts";
import { measurementsOf } from "../../../tools/probe/measurements/all.ts";
import { DEFAULT_PLAN, LONG_PLAN, MAX_REQUESTS } from "../../../tools/probe/plan.ts";
import { formatReport } from "../../../tools/probe/report.ts";
import { runMeasurements } from "../../../tools/probe/run.ts";
import { OTHER_REQUESTS } from "../../../tools/probe/session.ts";

const measurement = (changes: Partial<Measurement>): Measurement => ({
  question: "q",
  assumed: "a",
  phase: "quick",
  requests: 1,
  run: async () => asAssumed("m"),
  ...changes,
});
const CONTEXT = { isLocal: true } as Context;
const OPTIONS = { signal: new AbortController().signal, onProgress: () => undefined };

describe("the probe's bounds", () => {
  it.each([DEFAULT_PLAN, LONG_PLAN])("hold for all measurements of the $name plan together", (plan) => {
    const requests = measurementsOf(plan).reduce((sum, one) => sum + one.requests, OTHER_REQUESTS);
    expect(requests).toBeLessThanOrEqual(MAX_REQUESTS);
    const longest = Math.max(...plan.silencesMs, ...plan.streamsMs, plan.disconnectMs, plan.graceMs);
    expect(longest).toBeLessThan(plan.maxMs);
  });

  it("have one question for each measurement", () => {
    const questions = measurementsOf(LONG_PLAN).map(({ question }) => question);
    expect(new Set(questions).size).toBe(questions.length);
  });
});

describe("a run of measurements", () => {
  it("runs the phases in order, and reports in the order of the table", async () => {
    const order: string[] = [];
    const rows = await runMeasurements(
      (["heavy", "slow", "quick"] as const).map((phase) =>
        measurement({
          phase,
          run: async () => {
            order.push(phase);
            return asAssumed(phase);
          },
        }),
      ),
      CONTEXT,
      OPTIONS,
    );
    expect(order).toEqual(["quick", "slow", "heavy"]);
    expect(rows.map(({ finding }) => finding.measured)).toEqual(["heavy", "slow", "quick"]);
  });

  it("reports a measurement that fails as not measured, with its reason", async () => {
    const fails = measurement({ run: () => Promise.reject(new Error("status 502")) });
    const rows = await runMeasurements([fails, measurement({})], CONTEXT, OPTIONS);
    expect(rows.map(({ finding }) => finding.verdict)).toEqual([
      { kind: "not measured", why: "status 502" },
      { kind: "as assumed" },
    ]);
  });

  it("starts no measurement after its time is over", async () => {
    const rows = await runMeasurements([measurement({})], CONTEXT, {
      ...OPTIONS,
      signal: AbortSignal.abort(),
    });
    expect(rows[0]?.finding.verdict).toMatchObject({ kind: "not measured" });
  });

  it("gives no verdict on a local result that only the network shows, and measures nothing unavailable", async () => {
    const definition = {
      ...measurement({}),
      isNetworkOnly: true as const,
      measure: async () => 1,
      assess: () => differs("1", "x"),
    };
    expect(await define(definition).run(CONTEXT)).toEqual({ measured: "1", verdict: { kind: "local only" } });
    const remote = { isLocal: false } as Context;
    expect((await define(definition).run(remote)).verdict.kind).toBe("differs");
    const unavailable = { ...definition, unavailable: () => "no bucket" };
    expect((await define(unavailable).run(remote)).verdict).toEqual({
      kind: "not measured",
      why: "no bucket",
    });
  });
});

describe("the report", () => {
  const FACTS = {
    date: "2026-11-28T00:00:00.000Z",
    versions: "project 0.1.0",
    deployment: "local",
    plan: "default",
    requests: { used: 2, max: 100 },
    seconds: { used: 3, max: 300 },
    clock: "equal",
  };

  it("is a table with a row for each measurement, in one line each", () => {
    const text = formatReport(FACTS, [
      { measurement: measurement({ question: "a | b" }), finding: differs("one\ntwo", "change it") },
    ]);
    expect(text).toContain("| a \\| b | one two | a | **differs**: change it |");
    expect(text).toContain("2 requests (at most 100)");
  });

  it("masks secrets, host names, their zones and addresses, and keeps versions and times", () => {
    const text =
      "secret-canary; cf-worker: your-company.com; ai.your-company.com; 192.0.2.7, 2001:db8::7; 2a06:98c0:3600::103; 0.1.0; 2026-11-28T21:20:53.069Z; status 524.";
    expect(
      mask(text, { secrets: ["secret-canary", ""], hosts: [["ai.your-company.com", "the gateway"]] }),
    ).toBe(
      "(secret); cf-worker: (zone of the gateway); the gateway; (an address), (an address); 2a06:98c0:3600::103; 0.1.0; 2026-11-28T21:20:53.069Z; status 524.",
    );
    expect(mask("project 0.1.0 at 127.0.0.1", { secrets: [], hosts: [["127.0.0.1", "the gateway"]] })).toBe(
      "project 0.1.0 at (an address)",
    );
  });

  it("names the locations of gateway and echo, without the id of the request", () => {
    const headers = { "cf-ray": "8f1c2b3d4e5f6789-AMS", "cf-placement": "local-AMS" };
    expect(locations({ status: 200, headers }, "FRA")).toBe(
      "Cloudflare; gateway reached at AMS, placement local-AMS; echo at FRA",
    );
  });
});

describe("the example in docs/probe.md", () => {
  it("has a row for each measurement of the default plan, with its assumption", () => {
    const page = readFileSync("docs/probe.md", "utf8");
    const rows = page.split("\n").filter((text) => /^\| (?:D|Is|Are|Which|H)/.test(text));
    const expected = measurementsOf(DEFAULT_PLAN);
    expect(rows.map((row) => row.split(" | ")[0]?.slice(2))).toEqual(
      expected.map(({ question }) => question),
    );
    expect(rows.map((row) => row.split(" | ")[2])).toEqual(expected.map(({ assumed }) => assumed));
  });
});

describe("the offset between two clocks", () => {
  it("comes from the shortest round trip, with half of it as the error", () => {
    const trips = [
      { sentAt: 0, remoteAt: 5100, receivedAt: 400 },
      { sentAt: 1000, remoteAt: 6010, receivedAt: 1020 },
    ];
    expect(offsetOf(trips)).toEqual({ ms: 5000, errorMs: 10 });
  });
});
