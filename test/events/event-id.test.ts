import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { eventId, hasEventId } from "../../src/events/event-id.ts";
import { MAX_THOUGHTS, MAX_TOOL_CALLS } from "../../src/gateway/provider/response-reader.ts";
import { isUuid, uuidV7 } from "../../src/shared/uuid.ts";
import { everyEvent, START, THOUGHT, TOOL } from "../support/in-workerd/events.ts";

/** Every event that one interception can have. */
const allEventsOf = (interception_id: string): InterceptorEvent[] => [
  ...everyEvent.map((event) => ({ ...event, interception_id })),
  ...Array.from({ length: MAX_TOOL_CALLS }, (_, position) => ({ ...TOOL, interception_id, position })).slice(
    1,
  ),
  ...Array.from({ length: MAX_THOUGHTS }, (_, position) => ({ ...THOUGHT, interception_id, position })).slice(
    1,
  ),
];

describe("an event's id", () => {
  it("is a UUID of version 8 and the variant of RFC 9562", () => {
    for (const event of everyEvent) {
      expect(isUuid(eventId(event))).toBe(true);
      expect(eventId(event)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  it("is the same for the same event", () => {
    for (const event of everyEvent) {
      const again = JSON.parse(JSON.stringify(event)) as InterceptorEvent;
      expect(eventId(again)).toBe(eventId(event));
    }
  });

  it("differs for all events of one interception and of others in the same millisecond", () => {
    const now = 1_795_000_000_000;
    const uuids = Array.from({ length: 20 }, () => uuidV7(now, crypto.randomUUID()));
    const ids = uuids.flatMap(allEventsOf).map(eventId);
    expect(new Set([...ids, ...uuids]).size).toBe(ids.length + uuids.length);
  });

  it("is pinned, because tables and archives hold it", () => {
    expect(START.interception_id).toBe("01a20846-fe00-7abc-8def-0123456789ab");
    expect(everyEvent.map(eventId)).toEqual([
      ...Array.from("0123456789", (code) => `01a20846-fe00-8${code}00-8def-0123456789ab`),
      "01a20846-fe00-8a00-8def-0123456789ac",
      "01a20846-fe00-8b00-8def-0123456789ad",
      "01a20846-fe00-8c00-8def-0123456789ab",
      "01a20846-fe00-8d00-8def-0123456789ad",
      "01a20846-fe00-8e00-8def-0123456789ae",
      // From code 15 on, the position's first digit is a part of the code.
      ...["01", "11", "21", "31"].map((low) => `01a20846-fe00-8f${low}-8def-0123456789ab`),
      "01a20846-fe00-8f41-8def-0123456789af",
      "01a20846-fe00-8f51-8def-0123456789ab",
      "01a20846-fe00-8f60-8def-0123456789ab",
      "01a20846-fe00-8f70-8def-0123456789ab",
    ]);
    expect(eventId({ ...TOOL, position: 99 })).toBe("01a20846-fe00-8463-8def-0123456789ab");
  });

  it("sorts by the interception's time, like the interception's own id", () => {
    const times = [0, 1, 2 ** 31, 1_795_000_000_000, 1_795_000_000_001, 2 ** 48 - 1];
    const ids = times.map((now) => uuidV7(now, crypto.randomUUID()));
    const each = ids.map((id) => allEventsOf(id).map(eventId).concat(id).toSorted());
    expect(each.flat()).toEqual(each.flat().toSorted());
  });
});

describe("hasEventId", () => {
  it.each(everyEvent.map((event) => [event.record_type, event] as const))("accepts %s", (_, event) => {
    expect(hasEventId(event)).toBe(true);
  });

  it.each([
    ["null", null],
    ["a text", "interception_start"],
    ["a list", [START]],
    ["no type", { ...START, record_type: undefined }],
    ["an unknown type", { ...START, record_type: "interception" }],
    ["a type that every object inherits", { ...START, record_type: "constructor" }],
    ["no interception", { ...START, interception_id: undefined }],
    ["an id that is not a text", { ...START, interception_id: 7 }],
    ["an id that is not a UUID", { ...START, interception_id: "../../etc/passwd" }],
    ["an id in upper case", { ...START, interception_id: START.interception_id.toUpperCase() }],
    ["a line break after the id", { ...START, interception_id: `${START.interception_id}\n` }],
    ["a tool without a position", { ...TOOL, position: undefined }],
    ["a thought at a negative position", { ...THOUGHT, position: -1 }],
    ["a tool at a fractional position", { ...TOOL, position: 0.5 }],
    ["a tool at position 256", { ...TOOL, position: 256 }],
  ])("rejects %s", (_, value) => {
    expect(hasEventId(value)).toBe(false);
  });
});
