import { describe, expect, it } from "vitest";
import { createBodyParser, type BodyParser } from "../../../src/gateway/observation/body-parser.ts";
import { createTextBudget } from "../../../src/gateway/observation/held-text.ts";
import { fixture, HELD_BYTES } from "../../support/in-workerd/fixtures.ts";
import { utf8 } from "../../support/in-workerd/values.ts";

/** A budget of 100 bytes, and the names of the texts that it has dropped. */
function budgetOf100() {
  const dropped: string[] = [];
  const budget = createTextBudget(100);
  return { dropped, hold: (name: string, limit = 100) => budget.hold(limit, () => void dropped.push(name)) };
}

describe("the bound on the text that an isolate holds", () => {
  it("drops nothing up to the bound", () => {
    const { dropped, hold } = budgetOf100();
    hold("a").set(60);
    hold("b").set(40);
    expect(dropped).toEqual([]);
  });

  it("drops the text that has not grown for the longest time, and no more than necessary", () => {
    const { dropped, hold } = budgetOf100();
    const [a, b, c] = [hold("a"), hold("b"), hold("c")];
    a.set(30);
    b.set(30);
    c.set(30);
    a.set(35);
    expect(dropped).toEqual([]);
    c.set(40);
    expect(dropped).toEqual(["b"]);
    a.set(60);
    expect(dropped).toEqual(["b"]);
  });

  it("does not count a text that is no longer held", () => {
    const { dropped, hold } = budgetOf100();
    const a = hold("a");
    a.set(90);
    a.set(0);
    hold("b").set(90);
    expect(dropped).toEqual([]);
  });

  it("takes back what requests hold that the platform ended", () => {
    const { dropped, hold } = budgetOf100();
    for (let at = 0; at < 1000; at += 1) hold(`ended ${at}`).set(50);
    expect(dropped).toHaveLength(998);
    hold("last").set(100);
    expect(dropped).toHaveLength(1000);
    expect(dropped).not.toContain("last");
  });

  it("never drops a text for its own size, where one may be larger than the bound", () => {
    const { dropped, hold } = budgetOf100();
    hold("a").set(10);
    const large = hold("large", 300);
    large.set(300);
    expect(dropped).toEqual(["a"]);
  });
});

const MIB = 1024 * 1024;
const PIECE = utf8("x".repeat(MIB));
const JSON_TAIL = utf8('","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}');

/** A parser that has been given `mib` MiB of an unfinished JSON body or event. */
function parserOf(kind: "json" | "events", mib: number): BodyParser {
  const { reader } = fixture(kind === "json" ? "chat/json" : "chat/plain");
  const parser = createBodyParser(kind, reader(), HELD_BYTES);
  parser.bytes(utf8(kind === "json" ? '{"x":"' : "data: "));
  for (let at = 0; at < mib; at += 1) parser.bytes(PIECE);
  return parser;
}

/** The usage that a JSON parser reports once its body is complete. */
function usageOf(parser: BodyParser): number | null | undefined {
  parser.bytes(JSON_TAIL);
  return parser.finish().usage?.input_tokens;
}

describe("the responses of an isolate share 16 MiB", () => {
  it("drops the oldest JSON bodies, as of requests that never ended, and reads the newest", () => {
    const ended = [parserOf("json", 6), parserOf("json", 6), parserOf("json", 6)];
    expect(ended.map((parser) => parser.isTruncated())).toEqual([true, false, false]);
    const last = parserOf("json", 7);
    expect(ended.map((parser) => parser.isTruncated())).toEqual([true, true, false]);
    expect(usageOf(last)).toBe(1);
    // Of the dropped bodies an excerpt was kept, which has the usage.
    expect(ended.map(usageOf)).toEqual([1, 1, 1]);
  });

  it("drops the oldest large events, and reads the events after them", () => {
    const streams = Array.from({ length: 20 }, () => parserOf("events", 1));
    const last = parserOf("json", 7);
    expect(usageOf(last)).toBe(1);
    for (const stream of streams) {
      stream.bytes(utf8(`\n\n${fixture("chat/plain").text}`));
      expect(stream.finish().usage).toEqual(fixture("chat/plain").report.usage);
      expect(stream.isTruncated()).toBe(false);
    }
  });

  it("counts no usual event", () => {
    const streams = Array.from({ length: 1000 }, () => {
      const parser = createBodyParser("events", fixture("chat/plain").reader(), HELD_BYTES);
      parser.bytes(utf8(`data: ${"x".repeat(60_000)}`));
      return parser;
    });
    const body = parserOf("json", 7);
    streams.forEach((stream) => stream.bytes(utf8("yyy")));
    expect(usageOf(body)).toBe(1);
  });
});
