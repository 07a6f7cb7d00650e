import { describe, expect, it } from "vitest";
import { declaredKind } from "../../../src/shared/http/body-headers.ts";
import { createBodyParser } from "../../../src/gateway/observation/body-parser.ts";
import { frameEvents } from "../../../src/gateway/observation/sse.ts";
import type { ResponseReport } from "../../../src/gateway/provider/response-reader.ts";
import { byteByByte, everySplit, forSeeds, rechunk } from "../../support/rechunk.ts";
import { fixture, fixtures, HELD_BYTES, streams, type Fixture } from "../../support/in-workerd/fixtures.ts";
import { join, utf8 } from "../../support/in-workerd/values.ts";

type Event = { readonly data: string; readonly name: string };

/** The events of a stream that arrives in these pieces. */
function framed(pieces: readonly string[], maxEvent?: number): Event[] {
  const events: Event[] = [];
  const framer = frameEvents((data, name) => void events.push({ data, name }), maxEvent);
  for (const piece of pieces) framer.push(piece);
  framer.end();
  return events;
}

function reportOf({ kind, reader }: Fixture, pieces: Iterable<Uint8Array>): ResponseReport {
  const parser = createBodyParser(kind, reader(), HELD_BYTES);
  for (const piece of pieces) parser.bytes(piece);
  return parser.finish();
}

const data = (...texts: readonly string[]): Event[] => texts.map((text) => ({ data: text, name: "" }));

describe("frames events", () => {
  it.each([
    ["one event", "data: a\n\n", data("a")],
    ["two events", "data: a\n\ndata: b\n\n", data("a", "b")],
    ["no space after the colon", "data:a\n\n", data("a")],
    ["only one space is removed", "data:  a \n\n", data(" a ")],
    ["data on several lines", "data: a\ndata:\ndata: b\n\n", data("a\n\nb")],
    ["a name", "event: ping\ndata: {}\n\n", [{ data: "{}", name: "ping" }]],
    ["a name after the data", "data: {}\nevent:ping\n\n", [{ data: "{}", name: "ping" }]],
    ["the last of two names", "event: a\nevent: b\ndata: x\n\n", [{ data: "x", name: "b" }]],
    [
      "a name applies only to its own event",
      "event: a\ndata: x\n\ndata: y\n\n",
      [{ data: "x", name: "a" }, ...data("y")],
    ],
    ["a name without data is no event", "event: a\n\ndata: y\n\n", data("y")],
    ["comments", ": ping\n\n:\n\ndata: a\n: x\n\n", data("a")],
    ["other fields", "id: 7\nretry: 5\nfoo: bar\ndata: a\n\n", data("a")],
    ["field names match completely", "database: x\n data: y\nDATA: z\ndata: a\n\n", data("a")],
    ["many blank lines", "\n\n\ndata: a\n\n\n\n\ndata: b\n\n", data("a", "b")],
    ["an end without a blank line", "data: a\n\ndata: b\n", data("a", "b")],
    ["an end in mid-line", "data: a\n\ndata: b", data("a", "b")],
    ["an empty stream", "", []],
    ["empty data", "data:\n\ndata: a\n\n", data("", "a")],
    ["a colon in the data", "data: a: b\n\n", data("a: b")],
    ["a field name without a colon has an empty value", "data: a\ndata\nevent: n\nevent\n\n", data("a\n")],
    ["data without a colon is empty data", "event: n\ndata\n\n", [{ data: "", name: "n" }]],
    ["U+2028 and U+0085 do not end a line", "data: a\u2028b\u0085c\n\n", data("a\u2028b\u0085c")],
    ["a form feed does not end a line", "data: a\fb\vc\n\n", data("a\fb\vc")],
    ["a NUL does not end a line", "data: a\0b\n\n", data("a\0b")],
  ])("%s", (_, text, events) => {
    expect(framed([text])).toEqual(events);
    expect(framed(text.split(""))).toEqual(events);
  });

  it.each([
    ["CR", "data: a\r\revent: n\rdata: b\rdata: c\r\r"],
    ["CRLF", "data: a\r\n\r\nevent: n\r\ndata: b\r\ndata: c\r\n\r\n"],
    ["CR and CRLF", "data: a\r\r\nevent: n\r\ndata: b\rdata: c\r\n\r"],
    ["LF and CR", "data: a\n\revent: n\rdata: b\ndata: c\r\n\n"],
    ["LF and CRLF", "data: a\n\r\nevent: n\ndata: b\r\ndata: c\n\r\n"],
  ])("G14 frames lines that end in %s, at every split", (_, text) => {
    const events = [...data("a"), { data: "b\nc", name: "n" }];
    expect(framed([text])).toEqual(events);
    expect(framed(text.split(""))).toEqual(events);
    for (let at = 0; at <= text.length; at += 1) {
      expect(framed([text.slice(0, at), text.slice(at)])).toEqual(events);
      expect(framed([text.slice(0, at), "", text.slice(at)])).toEqual(events);
    }
  });
});

describe("events over the cap", () => {
  const BIG = "x".repeat(101);

  it.each([
    ["one line", [`data: ${BIG}\n\n`]],
    ["one line in pieces", ["data: ", ...BIG, "\n\n"]],
    ["several lines", [`data: ${BIG.slice(50)}\ndata: ${BIG.slice(40)}\n\n`]],
    ["several lines in pieces", [...`data: ${BIG.slice(50)}\ndata: ${BIG.slice(40)}\n\n`]],
    ["a name that is too long", [`event: ${BIG}`, `\ndata: a\n\n`]],
    ["more lines after the large one", [`data: ${BIG}\ndata: a\nevent: n\ndata: ${BIG}\n\n`]],
    ["more lines after the large one, in pieces", [...`data: ${BIG}\ndata: a\nevent: n\n\n`]],
    ["lines without a character", [`${"data:\n".repeat(200)}\n`]],
    ["lines without a character, in pieces", [...`${"data:\n".repeat(200)}\n`]],
  ])("G16 drops an event over the cap and reads later ones: %s", (_, pieces) => {
    const texts = framed([...pieces, "data: later\n\n"], 100).map((event) => event.data);
    expect(texts.map((text) => (text.length > 100 ? `one of ${text.length} characters` : text))).toEqual([
      "later",
    ]);
  });

  it.each([
    ["one line", [`event: n\ndata: ${BIG}\n\n`]],
    ["one line in pieces", ["event: n\ndata: ", ...BIG, "\n\n"]],
    ["several lines", [`event: n\ndata: ${BIG.slice(50)}\ndata: ${BIG.slice(40)}\ndata: x\n\n`]],
    ["the stream's end", ["event: n\ndata: ", ...BIG]],
  ])("G16 dispatches an event over the cap with only the name that came before: %s", (_, pieces) => {
    expect(framed(pieces, 100)).toEqual([{ data: "", name: "n" }]);
  });

  it("G16 drops an event over the cap that the end of the stream cuts short", () => {
    expect(framed([`data: ${BIG}`], 100)).toEqual([]);
    expect(framed([`data: a\n\ndata: ${BIG}`, BIG], 100)).toEqual(data("a"));
  });

  // An earlier version counted an event's size differently for a complete line and for a line in pieces.
  it.each([
    ["a line that only its field name takes over the cap", `data: ${"x".repeat(95)}\n\n`],
    ["a comment over the cap", `: ${BIG}\ndata: a\n\n`],
    ["another field over the cap", `data: a\nid: ${BIG}\ndata: b\n\n`],
    ["a name over the cap", `event: ${BIG}\ndata: a\n\n`],
    ["a line that its last piece takes over the cap", `data: ${"x".repeat(93)}yz\n\n`],
  ])("G16 %s drops its event, at every split", (_, text) => {
    for (let at = 0; at <= text.length; at += 1) {
      expect(framed([text.slice(0, at), text.slice(at), "data: later\n\n"], 100)).toEqual(data("later"));
    }
  });

  it("reads an event of exactly the cap's length", () => {
    const text = "x".repeat(100);
    expect(framed([`data: ${text}\n\n`], 106)).toEqual(data(text));
    expect(framed([...`data: ${text}\n\n`], 106)).toEqual(data(text));
  });

  it("counts each event of a stream separately", () => {
    const text = `data: ${"x".repeat(90)}\n\n`;
    expect(framed([text.repeat(50)], 100)).toHaveLength(50);
    expect(framed([...text.repeat(50)], 100)).toHaveLength(50);
  });

  it("reads an event of 1 MiB by default, larger than any that a provider sends", () => {
    expect(framed([`data: ${"x".repeat(1024 * 1024)}\n\n`])).toHaveLength(1);
  });

  it("G16 drops 16 MiB in one line, in 64 KiB pieces, and reads the next event", () => {
    const piece = "x".repeat(64 * 1024);
    const events: string[] = [];
    const framer = frameEvents((text) => void events.push(text));
    framer.push("data: ");
    for (let at = 0; at < 256; at += 1) framer.push(piece);
    expect(events).toEqual([]);
    framer.push("\n\ndata: after\n\n");
    expect(events).toEqual(["after"]);
  });

  it("G16 joins 1 MiB in a million pieces only once", () => {
    const events: string[] = [];
    const framer = frameEvents((text) => void events.push(text));
    framer.push("data: ");
    for (let at = 0; at < 1_000_000; at += 1) framer.push("x");
    framer.push("\n\n");
    expect(events.map((text) => text.length)).toEqual([1_000_000]);
  });

  // The middle of a line is any text of the caller or the model: a usage in it would be spoofed.
  it.each([
    ["a comment", `: ${"x".repeat(101)}`],
    ["a data line that is closed", `data: [${"x".repeat(101)}\nid: 1${"x".repeat(101)}`],
  ])("reads no excerpt from the middle of a line over the cap: %s", (_, start) => {
    const events: unknown[] = [];
    const framer = frameEvents(
      (text) => void events.push(text),
      100,
      (excerpt) => void events.push(excerpt?.read() ?? null),
    );
    for (const piece of [start, `data: {"usage":{"prompt_tokens":1}}`, "\n\n"]) framer.push(piece);
    expect(events).toEqual([null]);
  });

  it("G16 reports the usage that follows 16 MiB in one line", () => {
    const { text, report, reader } = fixture("chat/plain");
    const [head = "", ...rest] = text.split("\n\n");
    const parser = createBodyParser("events", reader(), HELD_BYTES);
    parser.bytes(utf8(`${head}\n\ndata: {"choices":[{"delta":{"content":"`));
    const piece = utf8("x".repeat(64 * 1024));
    for (let at = 0; at < 256; at += 1) parser.bytes(piece);
    parser.bytes(utf8(`"}}]}\n\n${rest.join("\n\n")}`));
    expect(parser.finish()).toEqual(report);
  });
});

describe("G13 G14 responses in any pieces", () => {
  it.each(fixtures.map((one) => [one.name, one] as const))(
    "G13 reports the same for %s at every 1-byte split and byte by byte",
    { timeout: 60_000 },
    (_, one) => {
      const wrong: number[] = [];
      const expected = JSON.stringify(reportOf(one, [one.bytes]));
      for (const [head, tail] of everySplit(one.bytes)) {
        if (JSON.stringify(reportOf(one, [head, tail])) !== expected) wrong.push(head.length);
      }
      expect(wrong).toEqual([]);
      expect(reportOf(one, byteByByte(one.bytes))).toEqual(one.report);
      expect(reportOf(one, [one.bytes])).toEqual(one.report);
    },
  );

  const VARIANTS = [
    ["CR", (text: string) => text.replaceAll("\n", "\r")],
    ["CRLF", (text: string) => text.replaceAll("\n", "\r\n")],
    [
      "mixed",
      (text: string) => {
        let at = 0;
        const ends = ["\r\n", "\n", "\r", "\r\n", "\r", "\n"];
        // CR then LF would be one line end: an LF never follows a lone CR.
        return text.replaceAll("\n", () => {
          const end = ends[at % ends.length] ?? "\n";
          at += 1;
          return end === "\n" && ends[(at - 2) % ends.length] === "\r" ? "\r\n" : end;
        });
      },
    ],
    ["LF after a byte order mark", (text: string) => `\ufeff${text}`],
    ["CRLF after a byte order mark", (text: string) => `\ufeff${text.replaceAll("\n", "\r\n")}`],
  ] as const;

  it.each(VARIANTS)("G14 reports the same for every stream with lines that end in %s", (_, variant) => {
    const wrong = streams.filter((one) => {
      const bytes = utf8(variant(one.text));
      const expected = JSON.stringify(reportOf(one, [one.bytes]));
      return (
        JSON.stringify(reportOf(one, [bytes])) !== expected ||
        JSON.stringify(reportOf(one, byteByByte(bytes))) !== expected
      );
    });
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it(
    "G13 G14 reports the same for every stream in random pieces with any line ends",
    { timeout: 60_000 },
    () => {
      const variants: ((text: string) => string)[] = [
        (text) => text,
        ...VARIANTS.map(([, variant]) => variant),
      ];
      const cases = streams.flatMap((one) =>
        variants.map((variant) => ({
          one,
          bytes: utf8(variant(one.text)),
          expected: JSON.stringify(reportOf(one, [one.bytes])),
        })),
      );
      expect(cases.length).toBeGreaterThan(200);
      forSeeds(10_000, (seed) => {
        const { one, bytes, expected } = cases[seed % cases.length] ??
          cases[0] ?? { bytes: new Uint8Array() };
        if (!one) throw new Error("no cases");
        const actual = JSON.stringify(reportOf(one, rechunk(bytes, seed, 512)));
        if (actual !== expected) throw new Error(`${one.name}: ${actual} instead of ${expected}`);
      });
    },
  );

  it("G14 decodes a character that is split across two pieces", () => {
    const bytes = utf8('data: {"id":"東京🗼","model":"ü","choices":[]}\n\ndata: [DONE]\n\n');
    for (const pieces of [byteByByte(bytes), ...everySplit(bytes)]) {
      expect(reportOf(fixture("chat/plain"), pieces)).toMatchObject({ id: "東京🗼", model: "ü" });
    }
  });

  it("loses only the event that contains invalid UTF-8", () => {
    const one = fixture("chat/plain");
    const broken = join([utf8('data: {"x":"'), Uint8Array.of(0xff, 0xc0, 0x80), utf8('"\n\n'), one.bytes]);
    expect(reportOf(one, [broken])).toEqual(one.report);
    expect(reportOf(one, byteByByte(broken))).toEqual(one.report);
  });
});

describe("the kind of a body", () => {
  it.each([
    ["text/event-stream", "events"],
    ["text/event-stream; charset=utf-8", "events"],
    ["Text/Event-Stream;charset=UTF-8", "events"],
    [" text/event-stream", "events"],
    ["application/json", "json"],
    ["application/json; charset=utf-8", "json"],
    ["APPLICATION/JSON", "json"],
    ["application/problem+json", "json"],
    ["application/vnd.api.v2+json;q=1", "json"],
    ["application/x-ndjson", "opaque"],
    ["application/jsonl", "opaque"],
    ["text/html", "opaque"],
    ["text/plain", "opaque"],
    ["application/octet-stream", "opaque"],
    ["audio/mpeg", "opaque"],
    ["x-application/json", "opaque"],
    ["", "opaque"],
  ])("reads %j as %s", (type, kind) => {
    expect(declaredKind(new Headers({ "content-type": type }))).toBe(kind);
  });

  it("a response without a content type is opaque", () => {
    expect(declaredKind(new Headers())).toBe("opaque");
  });

  it.each(["", "text/plain", "application/octet-stream", "audio/mpeg"])(
    "G11 reads an event stream whose content type is %j",
    (type) => {
      const one = fixture("chat/plain");
      const kind = declaredKind(new Headers({ "content-type": type }));
      const parser = createBodyParser(kind, one.reader(), HELD_BYTES);
      parser.bytes(one.bytes);
      expect(parser.finish()).toEqual(one.report);
      expect(parser.kind()).toBe("events");
    },
  );

  it.each(["id: not a stream", "{ a text", "[Music] Hello", "data", "\u00ff\u00fe", "Hello", ""])(
    "G11 does not read an opaque body: %j",
    (text) => {
      const parser = createBodyParser("opaque", fixture("chat/plain").reader(), HELD_BYTES);
      parser.bytes(utf8(text));
      expect(parser.finish()).toMatchObject({ id: null, usage: null, error: null });
      expect(parser.kind()).toBe("opaque");
    },
  );

  it.each(["", "{", '{"usage":', "<html>", "data: {}\n\n"])(
    "reports no end for a JSON body that is not JSON (%j)",
    (text) => {
      const parser = createBodyParser("json", fixture("chat/json").reader(), HELD_BYTES);
      parser.bytes(utf8(text));
      expect(parser.finish()).toMatchObject({ usage: null, ended: false });
    },
  );
});
