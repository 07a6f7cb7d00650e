import { describe, expect, it } from "vitest";
import type { ResponseReader } from "../../../src/gateway/provider/response-reader.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { KEEP_ALL, KEEP_NONE } from "../../support/in-workerd/fixtures.ts";
import { afterEvents, READERS } from "../../support/in-workerd/readers.ts";

/** A reader of each dialect after an error body with the message. */
const readersOfError = (message: unknown): readonly ResponseReader[] =>
  READERS.map(([, createReader]) => {
    const reader = createReader(KEEP_ALL);
    reader.body({ type: "error", error: { type: "server_error", message } });
    return reader;
  });

describe("the error message", () => {
  it.each([[undefined], [null], [7], [{ text: "a" }], [""], [["a"]]])(
    "is null for the message %j",
    (message) => {
      for (const reader of readersOfError(message)) {
        expect(reader.report()).toMatchObject({ error: "server_error", errorMessage: null });
      }
    },
  );

  it("is complete up to 1,024 characters", () => {
    for (const reader of readersOfError("m".repeat(1024)))
      expect(reader.report().errorMessage).toHaveLength(1024);
  });

  // Redaction would not recognize the remaining part of a truncated key, so that part would be recorded.
  it("is truncated between words if it is longer", () => {
    for (const reader of readersOfError(`${"word ".repeat(203)}sk-proj-0123456789abcdef and more`)) {
      expect(reader.report().errorMessage).toBe("word ".repeat(203).trimEnd());
    }
    for (const reader of readersOfError("k".repeat(1025))) expect(reader.report().errorMessage).toBeNull();
  });

  it("responses: is that of the last error, of an error event or of the response", () => {
    const failed = { type: "response.failed", response: { error: { code: "server_error", message: "a" } } };
    const error = { type: "error", code: "rate_limit_exceeded", message: "b" };
    const report = afterEvents(responsesReader(KEEP_ALL), [failed, error]);
    expect(report).toMatchObject({ error: "rate_limit_exceeded", errorMessage: "b" });
  });
});

describe("the finish reason", () => {
  it.each([
    ["completed", { status: "completed" }, "completed"],
    [
      "incomplete",
      { status: "incomplete", incomplete_details: { reason: "content_filter" } },
      "content_filter",
    ],
    ["incomplete", { status: "incomplete", incomplete_details: null }, "incomplete"],
    ["failed", { status: "failed", error: null }, "failed"],
    ["completed", {}, "completed"],
    ["failed", { status: 7 }, "failed"],
  ])("responses: of response.%s with %j is %s", (name, response, reason) => {
    const event = { type: `response.${name}`, response };
    expect(afterEvents(responsesReader(KEEP_NONE), [event]).finishReason).toBe(reason);
  });

  it.each(["queued", "in_progress", null, 7])("responses: is null for a body of status %j", (status) => {
    const reader = responsesReader(KEEP_NONE);
    reader.body({ status });
    expect(reader.report().finishReason).toBeNull();
  });

  it.each([["completed"], ["incomplete"], ["failed"]])(
    "responses: is the event name for a response.%s event too large to be parsed",
    (name) => {
      const reader = responsesReader(KEEP_NONE);
      reader.event("", `response.${name}`);
      expect(reader.report().finishReason).toBe(name);
    },
  );

  it("chat: is that of the first choice, regardless of which ends first", () => {
    const stops = ["tool_calls", "length", "stop"].map((finish_reason, index) => ({
      choices: [{ index, delta: {}, finish_reason }],
    }));
    expect(afterEvents(chatReader(KEEP_NONE), stops.toReversed()).finishReason).toBe("tool_calls");
    expect(afterEvents(chatReader(KEEP_NONE), stops).finishReason).toBe("tool_calls");
  });

  it("chat: ignores an empty string", () => {
    const empty = { id: "c", choices: [{ delta: {}, finish_reason: "" }] };
    const stop = { id: "c", choices: [{ delta: {}, finish_reason: "stop" }] };
    expect(afterEvents(chatReader(KEEP_NONE), [empty]).finishReason).toBeNull();
    expect(afterEvents(chatReader(KEEP_NONE), [empty, stop, empty]).finishReason).toBe("stop");
  });

  it("is truncated to 128 characters", () => {
    for (const [, createReader] of READERS) {
      const reader = createReader(KEEP_NONE);
      const reason = "r".repeat(999);
      reader.body({ choices: [{ finish_reason: reason }], stop_reason: reason, status: reason });
      expect(reader.report().finishReason).toBe("r".repeat(128));
    }
  });
});
