import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { withPublicNames } from "../../../src/records/ledger/write/previous-names.ts";
import { PASSED, REFUSED } from "../../support/in-workerd/events.ts";
import recordedText from "../../fixtures/recorded-requests.ndjson?raw";

/** Events of 100 requests, recorded before migration 0005. */
const RECORDED = recordedText
  .trimEnd()
  .split("\n")
  .flatMap((line) => (JSON.parse(line) as { readonly events: InterceptorEvent[] }).events);

const OLD_NAMES = /"(?:usage_flagged|why_lost)":|"observation":"(?:whole|capped)"/;

const byType = (type: InterceptorEvent["record_type"]): readonly InterceptorEvent[] =>
  RECORDED.filter(({ record_type }) => record_type === type);

const ADDED_TO_PASSTHROUGHS = {
  outcome: expect.stringMatching(/^(?:completed|upstream_error)$/) as string,
  started_at: expect.any(String) as string,
};

describe("events that were in the queue before migration 0005", () => {
  it("are recorded with old names in the fixture", () => {
    for (const type of ["interception_end", "initiator_override", "initiator_override_rejected"] as const)
      expect(JSON.stringify(byType(type))).toMatch(OLD_NAMES);
  });

  it("get the names of today, and keep every value", () => {
    for (const event of RECORDED) {
      const renamed = withPublicNames(event);
      expect(JSON.stringify(renamed)).not.toMatch(OLD_NAMES);
      const expected = JSON.stringify(event)
        .replaceAll('"why_lost":', '"rejection_reason":')
        .replaceAll('"usage_flagged":', '"usage_invalid":')
        .replaceAll('"observation":"whole"', '"observation":"complete"');
      const added = event.record_type === "passthrough" ? ADDED_TO_PASSTHROUGHS : {};
      expect(renamed).toEqual({ ...(JSON.parse(expected) as object), ...added });
    }
  });

  it.each([
    [200, "completed"],
    [404, "upstream_error"],
    [499, "cancelled"],
  ])("of a passthrough with status %i get the outcome %s, and the time of their start", (status, outcome) => {
    const event = { ...byType("passthrough")[0], status, duration_ms: 1500 } as InterceptorEvent;
    const [{ created_at: end }] = [event as unknown as { readonly created_at: string }];
    const started_at = new Date(Date.parse(end) - 1500).toISOString();
    expect(withPublicNames(event)).toEqual({ ...event, outcome, started_at });
    expect(withPublicNames(PASSED)).toBe(PASSED);
  });

  it.each([
    ["whole", "complete"],
    ["capped", "truncated"],
    ["complete", "complete"],
  ])("with observation %s get %s", (observation, today) => {
    const event = { ...byType("interception_end")[0], observation } as unknown as InterceptorEvent;
    expect(withPublicNames(event)).toMatchObject({ observation: today });
  });

  it("get the refusal code of today", () => {
    const event: InterceptorEvent = { ...REFUSED, reason: "credential_unknown" };
    expect(withPublicNames(event)).toEqual({ ...event, reason: "invalid_credential" });
  });

  it.each([[null], ["text"], [[null]], [[7]]])(
    "keep candidates that are not a list of objects: %o",
    (candidates) => {
      const event = { ...byType("initiator_override")[0], candidates } as unknown as InterceptorEvent;
      expect(withPublicNames(event)).toEqual(event);
    },
  );

  it("are returned as they are with the names of today", () => {
    for (const event of RECORDED) {
      const today = withPublicNames(event);
      expect(withPublicNames(today)).toEqual(today);
    }
  });
});
