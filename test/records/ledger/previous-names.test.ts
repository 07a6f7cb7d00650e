import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { withPublicNames } from "../../../src/records/ledger/write/previous-names.ts";
import { REFUSED } from "../../support/in-workerd/events.ts";
import recordedText from "../../fixtures/recorded-requests.ndjson?raw";

/** Events of 100 requests, recorded before migration 0005. */
const RECORDED = recordedText
  .trimEnd()
  .split("\n")
  .flatMap((line) => (JSON.parse(line) as { readonly events: InterceptorEvent[] }).events);

const OLD_NAMES = /"(?:usage_flagged|why_lost)":|"observation":"(?:whole|capped)"/;

const byType = (type: InterceptorEvent["record_type"]): readonly InterceptorEvent[] =>
  RECORDED.filter(({ record_type }) => record_type === type);

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
      expect(renamed).toEqual(JSON.parse(expected));
    }
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
