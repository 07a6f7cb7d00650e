import { describe, expect, it } from "vitest";
import { LOG_MESSAGE, logSink, toLine } from "../../src/sinks/log.ts";
import { END, everyEvent, HOSTILE_TEXTS, REJECTED, START, withTexts } from "./support/events.ts";

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
    const line = toLine({ ...END, input_tokens: null, usage_flagged: false });
    expect(line).toContain('"input_tokens":null');
    expect(line).toContain('"usage_flagged":false');
  });

  it("each event is printed once, at once, as its line", () => {
    const lines: string[] = [];
    const sink = logSink((line) => void lines.push(line));
    expect(sink.name).toBe("log");
    for (const event of everyEvent) expect(sink.write(event)).toBeUndefined();
    expect(lines).toEqual(everyEvent.map((event) => toLine(event)));
  });
});
