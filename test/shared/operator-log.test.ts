import { afterEach, describe, expect, it, vi } from "vitest";
import {
  errorName,
  logOperatorEvent,
  OPERATOR_EVENTS,
  toOperatorLine,
} from "../../src/shared/operator-log.ts";

describe("operator log", () => {
  afterEach(() => void vi.restoreAllMocks());

  it("writes one line of JSON that begins with the event's code", () => {
    const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
    logOperatorEvent({ event: "directory_failed", reason: "status 500" });
    expect(errors.mock.calls).toEqual([['{"event":"directory_failed","reason":"status 500"}']]);
  });

  // Attack: an error name or a key in the store that forges a second line, or a terminal escape.
  it("escapes line breaks and control characters in fields", () => {
    const reason = 'a\nb\u2028c\u009b31m"';
    const line = toOperatorLine({ event: "client_key_invalid", key_id: "0", reason });
    // oxlint-disable-next-line no-control-regex -- control characters are what this looks for
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028]/);
    expect(JSON.parse(line)).toEqual({ event: "client_key_invalid", key_id: "0", reason });
  });

  it.each([
    [new TypeError("CANARY"), "TypeError"],
    ["CANARY", "unknown"],
    [undefined, "unknown"],
  ])("names the error %o without its message", (error, name) => {
    expect(errorName(error)).toBe(name);
  });

  it("has codes of lowercase words only, each with a meaning", () => {
    for (const [event, meaning] of Object.entries(OPERATOR_EVENTS)) {
      expect(event).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(meaning).toMatch(/\.$/);
    }
  });
});
