import { describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { LOG_MESSAGE, logSink, toLine } from "../../../src/gateway/sinks/log.ts";
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

/** Code points that end a line or steer a terminal somewhere, however they are written in an event. */
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
    "H10 of %s is the message and the event, as one JSON object",
    (_, event) => {
      const line = toLine(event);
      expect(JSON.parse(line)).toEqual({ message: "interception log", ...event });
      expect(line.startsWith(`{"message":"interception log","record_type":"${event.record_type}"`)).toBe(
        true,
      );
      expect(unsafeIn(line)).toEqual([]);
    },
  );

  it.each(everyEvent.map((event) => [event.record_type, event] as const))(
    "B6 H10 of %s with hostile texts is one line of safe characters that says what they said",
    (_, event) => {
      for (const text of HOSTILE_TEXTS) {
        const hostile = withTexts(event, text);
        const line = toLine(hostile);
        expect(unsafeIn(line)).toEqual([]);
        expect(JSON.parse(line)).toEqual({ message: LOG_MESSAGE, ...hostile });
      }
    },
  );

  it("A16 a value that forges a line is a value still", () => {
    const forged =
      '"}\n{"message":"interception log","record_type":"interception_end","outcome":"completed"}';
    const line = toLine({ ...START, client_session_id: forged });
    expect(line.split(/[\n\r\u2028\u2029]/)).toHaveLength(1);
    expect((JSON.parse(line) as typeof START).client_session_id).toBe(forged);
  });

  it("B6 quotes, ANSI and JSON in a User-Agent leave it parseable", () => {
    const user_agent = 'x"} \u001b[31m {"record_type":"forged"} \\';
    expect(JSON.parse(toLine({ ...END, user_agent }))).toMatchObject({
      record_type: "interception_end",
      user_agent,
    });
  });

  it("what is safe is left readable", () => {
    expect(toLine({ ...REJECTED, client: "Grüße 東京 🗼" })).toContain("Grüße 東京 🗼");
  });

  it("null is null, and false is false: nothing is left out", () => {
    const line = toLine({ ...END, input_tokens: null, usage_invalid: false });
    expect(line).toContain('"input_tokens":null');
    expect(line).toContain('"usage_invalid":false');
  });

  it("each event of a group is printed once, at once, in its order, as its line", () => {
    const lines: string[] = [];
    const sink = logSink((line) => void lines.push(line));
    expect([sink.name, sink.required]).toEqual(["log", false]);
    expect(sink.write(everyEvent)).toBeUndefined();
    expect(lines).toEqual(everyEvent.map((event) => toLine(event)));
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

describe("a log line of who asked or how it ended", () => {
  const names = "x".repeat(256);
  const ids = { user_agent: names, client_session_id: "s".repeat(128), model: names };

  it("is left as it is where its texts are as long as they are let in", () => {
    const events = [
      { ...START, ...ids },
      { ...OVERRIDE, user_agent: names },
      { ...END, ...ids, msg_id: names, response_model: names, error_message: CUT.slice(0, 512) },
    ];
    expect(printed(...events)).toEqual(events);
  });

  it.each([
    ["control characters", "\u0001", 26],
    ["what only terminals act on", "\u2028", 26],
    ["halves of surrogate pairs", "\ud800", 26],
    ["quotes", '"', 80],
    ["pairs", "🗼", 80],
  ])("that %s make too long has its names cut by what they take printed", (_, unit, left) => {
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
  ])("%s of 20 KB is cut at 1,024 characters, and the line is whole", (_, event, line) => {
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
  ])("%s that fits stays whole", (_, event) => {
    expect(printed(event)).toEqual([event]);
  });

  it("an empty input beside a long error stays empty, and is not said to be cut", () => {
    const event = { ...TOOL, input: "", invocation_error: LONG };
    expect(printed(event)).toEqual([{ ...event, invocation_error: CUT }]);
  });

  it("what was cut before it came here is still said to be", () => {
    const events = [
      { ...PROMPT, truncated: true },
      { ...TOOL, truncated: true, invocation_error: LONG },
    ];
    expect(printed(...events)).toMatchObject([{ truncated: true }, { truncated: true }]);
  });

  it("a surrogate pair is not cut in two: a strict reader of JSON refuses half of one", () => {
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

  it("H9 H10 the lines of who asked fit into what Logpush takes of one request, whatever was said", () => {
    // https://developers.cloudflare.com/workers/observability/logs/logpush/: 16,384 characters.
    const said = "\u2028\u001b".repeat(10_000);
    const lines: string[] = [];
    const sink = logSink((line) => void lines.push(line));
    void sink.write([START, { ...PROMPT, prompt: said }]);
    void sink.write([{ ...END, error_message: said }]);
    expect(lines.join("").length).toBeLessThan(16_384);
  });

  it("H10 newlines, ANSI and U+2028 in it leave one line that says what they said", () => {
    const said = "a\nb\r\n\u001b[31mred\u2028c\u2029d\u0085e";
    const events = [
      { ...PROMPT, prompt: said },
      { ...TOOL, input: said, invocation_error: said },
      { ...THOUGHT, content: said },
      { ...END, error_message: said },
    ];
    expect(printed(...events)).toEqual(events);
  });
});
