import { describe, expect, it } from "vitest";
import type { ResponseReader } from "../../../src/gateway/provider/response-reader.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { KEEP_ALL, KEEP_NONE } from "../../support/in-workerd/fixtures.ts";
import { afterEvents, READERS } from "../../support/in-workerd/readers.ts";

const failing = (message: unknown): readonly (readonly [string, ResponseReader])[] =>
  READERS.map(([name, answer]) => {
    const own = answer(KEEP_ALL);
    own.body({ type: "error", error: { type: "server_error", message } });
    return [name, own];
  });

describe("what went wrong", () => {
  it.each([[undefined], [null], [7], [{ text: "a" }], [""], [["a"]]])(
    "a message of %j is none",
    (message) => {
      for (const [, own] of failing(message)) {
        expect(own.report()).toMatchObject({ error: "server_error", errorMessage: null });
      }
    },
  );

  it("a message of 1,024 characters is whole", () => {
    for (const [, own] of failing("m".repeat(1024))) expect(own.report().errorMessage).toHaveLength(1024);
  });

  // What the cut left of a key would be too short to be known for one, and so be recorded.
  it("a longer one is cut between words: half a key would not be known for one", () => {
    for (const [, own] of failing(`${"word ".repeat(203)}sk-proj-0123456789abcdef and more`)) {
      expect(own.report().errorMessage).toBe("word ".repeat(203).trimEnd());
    }
    for (const [, own] of failing("k".repeat(1025))) expect(own.report().errorMessage).toBeNull();
  });

  it("responses: an error event beside a response's own error: the last one stands, whole", () => {
    const failed = { type: "response.failed", response: { error: { code: "server_error", message: "a" } } };
    const error = { type: "error", code: "rate_limit_exceeded", message: "b" };
    const own = afterEvents(responsesReader(KEEP_ALL), [failed, error]);
    expect(own).toMatchObject({ error: "rate_limit_exceeded", errorMessage: "b" });
  });
});

describe("why the model stopped", () => {
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
  ])("responses: response.%s with %j: %s", (name, response, reason) => {
    const event = { type: `response.${name}`, response };
    expect(afterEvents(responsesReader(KEEP_NONE), [event]).finishReason).toBe(reason);
  });

  it.each(["queued", "in_progress", null, 7])("responses: a body of status %j has not stopped", (status) => {
    const own = responsesReader(KEEP_NONE);
    own.body({ status });
    expect(own.report().finishReason).toBeNull();
  });

  it.each([["completed"], ["incomplete"], ["failed"]])(
    "responses: response.%s too large to be read is told by its name",
    (name) => {
      const own = responsesReader(KEEP_NONE);
      own.event("", `response.${name}`);
      expect(own.report().finishReason).toBe(name);
    },
  );

  it("chat: the first choice's, whichever ends first", () => {
    const stops = ["tool_calls", "length", "stop"].map((finish_reason, index) => ({
      choices: [{ index, delta: {}, finish_reason }],
    }));
    expect(afterEvents(chatReader(KEEP_NONE), stops.toReversed()).finishReason).toBe("tool_calls");
    expect(afterEvents(chatReader(KEEP_NONE), stops).finishReason).toBe("tool_calls");
  });

  it("chat: an empty one is none", () => {
    const empty = { id: "c", choices: [{ delta: {}, finish_reason: "" }] };
    const stop = { id: "c", choices: [{ delta: {}, finish_reason: "stop" }] };
    expect(afterEvents(chatReader(KEEP_NONE), [empty]).finishReason).toBeNull();
    expect(afterEvents(chatReader(KEEP_NONE), [empty, stop, empty]).finishReason).toBe("stop");
  });

  it("is cut to 128 characters", () => {
    for (const [, answer] of READERS) {
      const own = answer(KEEP_NONE);
      const reason = "r".repeat(999);
      own.body({ choices: [{ finish_reason: reason }], stop_reason: reason, status: reason });
      expect(own.report().finishReason).toBe("r".repeat(128));
    }
  });
});
