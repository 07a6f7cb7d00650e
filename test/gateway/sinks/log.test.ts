import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { LOG_MESSAGE, toEventLine } from "../../../src/events/log-line.ts";
import { logSink } from "../../../src/gateway/sinks/log.ts";
import {
  END,
  everyEvent,
  HOSTILE_TEXTS,
  OVERRIDE,
  PROMPT,
  REJECTED,
  START,
  THOUGHT,
  TOOL,
  withTexts,
} from "../../support/in-workerd/events.ts";

/** The code points of the line that end a line or that a terminal acts on. */
function unsafeIn(line: string): string[] {
  return Array.from(line, (c) => c.codePointAt(0) ?? 0)
    .filter(
      (code) =>
        code < 0x20 ||
        (code >= 0x7f && code <= 0x9f) ||
        code === 0x2028 ||
        code === 0x2029 ||
        (code >= 0xd800 && code <= 0xdfff),
    )
    .map((code) => `U+${code.toString(16)}`);
}

describe("a log line", () => {
  it.each(everyEvent.map((event) => [event.record_type, event] as const))(
    "H10 of %s is one JSON object of the message and the event",
    (_, event) => {
      const line = toEventLine(event);
      expect(JSON.parse(line)).toEqual({ message: "interception log", ...event });
      expect(line.startsWith(`{"message":"interception log","record_type":"${event.record_type}"`)).toBe(
        true,
      );
      expect(unsafeIn(line)).toEqual([]);
    },
  );

  it.each(everyEvent.map((event) => [event.record_type, event] as const))(
    "B6 H10 of %s with hostile texts is one line of safe characters with the same values",
    (_, event) => {
      for (const text of HOSTILE_TEXTS) {
        const hostile = withTexts(event, text);
        const line = toEventLine(hostile);
        expect(unsafeIn(line)).toEqual([]);
        expect(JSON.parse(line)).toEqual({ message: LOG_MESSAGE, ...hostile });
      }
    },
  );

  it("A16 keeps a forged line within its value", () => {
    const forged =
      '"}\n{"message":"interception log","record_type":"interception_end","outcome":"completed"}';
    const line = toEventLine({ ...START, client_session_id: forged });
    expect(line.split(/[\n\r\u2028\u2029]/)).toHaveLength(1);
    expect((JSON.parse(line) as typeof START).client_session_id).toBe(forged);
  });

  it("B6 stays parseable with quotes, ANSI and JSON in a User-Agent", () => {
    const user_agent = 'x"} \u001b[31m {"record_type":"forged"} \\';
    expect(JSON.parse(toEventLine({ ...END, user_agent }))).toMatchObject({
      record_type: "interception_end",
      user_agent,
    });
  });

  it("leaves safe non-ASCII characters unescaped", () => {
    expect(toEventLine({ ...REJECTED, client: "Grüße 東京 🗼" })).toContain("Grüße 東京 🗼");
  });

  it("includes fields that are null or false", () => {
    const line = toEventLine({ ...END, input_tokens: null, usage_invalid: false });
    expect(line).toContain('"input_tokens":null');
    expect(line).toContain('"usage_invalid":false');
  });

  it("is printed once per event, at once, in the group's order", () => {
    const lines: string[] = [];
    const sink = logSink((line) => void lines.push(line));
    expect([sink.kind, sink.name]).toEqual(["immediate", "log"]);
    expect(sink.write(everyEvent)).toBeUndefined();
    expect(lines).toEqual(everyEvent.map((event) => toEventLine(event)));
  });
});

function printed(...events: readonly InterceptorEvent[]): InterceptorEvent[] {
  const lines: string[] = [];
  void logSink((line) => void lines.push(line)).write(events);
  expect(lines).toHaveLength(events.length);
  for (const line of lines) expect(unsafeIn(line)).toEqual([]);
  return lines.map((line) => {
    const { message, ...event } = JSON.parse(line) as InterceptorEvent & { message: string };
    expect(message).toBe(LOG_MESSAGE);
    return event as InterceptorEvent;
  });
}

const LONG = "x".repeat(20_000);
const CUT = "x".repeat(1024);

describe("a log line of an override, a start or an end", () => {
  const names = "x".repeat(256);
  const ids = { user_agent: names, client_session_id: "s".repeat(128), model: names };

  it("is unchanged when its texts have their maximum length", () => {
    const events = [
      { ...START, ...ids },
      { ...OVERRIDE, user_agent: names },
      {
        ...END,
        ...ids,
        msg_id: names,
        response_model: names,
        error_message: CUT.slice(0, 512),
        provider_request_id: "r".repeat(128),
      },
    ];
    expect(printed(...events)).toEqual(events);
  });

  it.each([
    ["control characters", "\u0001", 26],
    ["line separators that only terminals act on", "\u2028", 26],
    ["halves of surrogate pairs", "\ud800", 26],
    ["quotes", '"', 80],
    ["surrogate pairs", "🗼", 80],
  ])("has its names truncated by printed length when %s make it too long", (_, unit, left) => {
    const model = unit.repeat(256);
    const [start] = printed({ ...START, model, user_agent: model, metadata: { actor_name: model } });
    expect(start).toEqual({
      ...START,
      model: unit.repeat(left),
      user_agent: unit.repeat(left),
      metadata: { actor_name: unit.repeat(left) },
    });
  });
});

describe("content in a log line", () => {
  it.each([
    ["a prompt", { ...PROMPT, prompt: LONG }, { ...PROMPT, prompt: CUT, truncated: true }],
    ["a tool's input", { ...TOOL, input: LONG }, { ...TOOL, input: CUT, truncated: true }],
    ["a thought", { ...THOUGHT, content: LONG }, { ...THOUGHT, content: CUT, truncated: true }],
    ["H9 a tool's error", { ...TOOL, invocation_error: LONG }, { ...TOOL, invocation_error: CUT }],
    ["H9 an exception's message", { ...END, error_message: LONG }, { ...END, error_message: CUT }],
  ])("%s of 20 KB is truncated at 1,024 characters, and the line is complete", (_, event, line) => {
    expect(printed(event)).toEqual([line]);
  });

  it.each([
    ["a prompt", { ...PROMPT, prompt: CUT }],
    ["an empty prompt", { ...PROMPT, prompt: "" }],
    ["a tool's input", { ...TOOL, input: CUT, invocation_error: CUT }],
    ["an empty input", { ...TOOL, input: "", invocation_error: "" }],
    ["no input", { ...TOOL, input: null, invocation_error: null }],
    ["a thought", { ...THOUGHT, content: CUT }],
    ["an exception's message", { ...END, error_message: CUT }],
    ["no message", { ...END, error_message: null }],
  ])("%s that fits is unchanged", (_, event) => {
    expect(printed(event)).toEqual([event]);
  });

  it("an empty input with a long error stays empty and is not marked as truncated", () => {
    const event = { ...TOOL, input: "", invocation_error: LONG };
    expect(printed(event)).toEqual([{ ...event, invocation_error: CUT }]);
  });

  it("keeps `truncated` of content that was truncated earlier", () => {
    const events = [
      { ...PROMPT, truncated: true },
      { ...TOOL, truncated: true, invocation_error: LONG },
    ];
    expect(printed(...events)).toMatchObject([{ truncated: true }, { truncated: true }]);
  });

  it("is never cut within a surrogate pair, because strict JSON readers reject half of one", () => {
    for (const before of ["", "x"]) {
      const text = before + "🗼".repeat(2000);
      const [prompt, tool, thought, end] = printed(
        { ...PROMPT, prompt: text },
        { ...TOOL, input: text, invocation_error: text },
        { ...THOUGHT, content: text },
        { ...END, error_message: text },
      ) as [typeof PROMPT, typeof TOOL, typeof THOUGHT, typeof END];
      const cut = [prompt.prompt, tool.input, tool.invocation_error, thought.content, end.error_message];
      for (const one of cut) {
        expect(one?.isWellFormed()).toBe(true);
        expect(one?.length).toBe(1024 - before.length);
      }
    }
  });

  it("H9 H10 leaves the lines of start and end within Logpush's limit, with hostile content", () => {
    // https://developers.cloudflare.com/workers/observability/logs/logpush/: 16,384 characters.
    const content = "\u2028\u001b".repeat(10_000);
    const lines: string[] = [];
    const sink = logSink((line) => void lines.push(line));
    void sink.write([START, { ...PROMPT, prompt: content }]);
    void sink.write([{ ...END, error_message: content }]);
    expect(lines.join("").length).toBeLessThan(16_384);
  });

  it("H10 with newlines, ANSI and U+2028 is one line with the same values", () => {
    const content = "a\nb\r\n\u001b[31mred\u2028c\u2029d\u0085e";
    const events = [
      { ...PROMPT, prompt: content },
      { ...TOOL, input: content, invocation_error: content },
      { ...THOUGHT, content },
      { ...END, error_message: content },
    ];
    expect(printed(...events)).toEqual(events);
  });
});
