import { describe, expect, it } from "vitest";
import { createUsageEventFilter } from "../../../src/gateway/observation/remove-usage-event.ts";
import { isUsageOnly } from "../../../src/gateway/provider/openai/chat-response.ts";
import { byteByByte, everySplit, forSeeds, rechunk } from "../../support/rechunk.ts";
import { chatStreams } from "../../support/in-workerd/fixtures.ts";
import { join, text, utf8 } from "../../support/in-workerd/values.ts";

/** What the client gets of a stream in these pieces, and what the observer does. */
function filtered(pieces: Iterable<Uint8Array>): { readonly client: string; readonly observer: string } {
  const seen: Uint8Array[] = [];
  const filter = createUsageEventFilter(isUsageOnly, (bytes) => void seen.push(bytes.slice()));
  const out: Uint8Array[] = [];
  for (const piece of pieces) {
    // The reader's memory is its own again once the chunk is taken: what was handed on must be used by then.
    const lent = piece.slice();
    out.push(filter.chunk(lent).slice());
    lent.fill(0x21);
  }
  out.push(filter.rest().slice());
  return { client: text(join(out)), observer: text(join(seen)) };
}

/** Events as they stand in a stream, each with its blank line. */
function eventsOf(stream: string): string[] {
  return stream.split(/(?<=\n\n|\r\n\r\n|\r\r(?!\n))/).filter((event) => event !== "");
}

function dataOf(event: string): string {
  return event
    .split(/\r\n|\r|\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice("data:".length).trimStart())
    .join("\n");
}

/** The stream without its usage events, found by whole events and not by the filter's own means. */
const without = (stream: string): string =>
  eventsOf(stream)
    .filter((event) => !isUsageOnly(dataOf(event)))
    .join("");

const CASES = chatStreams.flatMap(({ name, text: stream }) => [
  [`${name} with LF`, stream] as const,
  [`${name} with CRLF`, stream.replaceAll("\n", "\r\n")] as const,
  [`${name} with CR`, stream.replaceAll("\n", "\r")] as const,
]);

describe("the usage event is taken out, and nothing else", () => {
  it("the fixtures have streams with one and without", () => {
    const removed = CASES.filter(([, stream]) => without(stream).length < stream.length);
    expect(removed.length).toBeGreaterThan(15);
    expect(CASES.length - removed.length).toBeGreaterThan(15);
    // The way the expectation is made is itself right for a plain case.
    const usage = 'data: {"choices":[],"usage":{"prompt_tokens":1}}';
    expect(without(`data: a\n\n${usage}\n\ndata: [DONE]\n\n`)).toBe("data: a\n\ndata: [DONE]\n\n");
    expect(without(`data: a\r\r${usage}\r\rdata: [DONE]\r\r`)).toBe("data: a\r\rdata: [DONE]\r\r");
  });

  it.each(CASES)("G13 G14 %s: at every 1-byte split and byte by byte", (_, stream) => {
    const bytes = utf8(stream);
    const expected = without(stream);
    expect(filtered([bytes])).toEqual({ client: expected, observer: stream });
    expect(filtered(byteByByte(bytes))).toEqual({ client: expected, observer: stream });
    const wrong: number[] = [];
    for (const [head, tail] of everySplit(bytes)) {
      const filter = createUsageEventFilter(isUsageOnly, () => undefined);
      const out = [filter.chunk(head), filter.chunk(tail), filter.rest()];
      if (text(join(out)) !== expected) wrong.push(head.length);
    }
    expect(wrong).toEqual([]);
  });

  it("G13 random pieces of every stream", { timeout: 60_000 }, () => {
    const prepared = CASES.map(([, stream]) => ({ bytes: utf8(stream), expected: without(stream) }));
    forSeeds(2000, (seed) => {
      const one = prepared[seed % prepared.length];
      const { client } = filtered(rechunk(one?.bytes ?? new Uint8Array(), seed, 256));
      expect(client).toBe(one?.expected);
    });
  });
});

const CONTENT = 'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Grüße"}}]}\n\n';
const USAGE = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n';
const DONE = "data: [DONE]\n\n";

/** Whole, byte by byte, and in every two pieces: one answer, or all that there were. */
function inAllPieces(stream: string): string | string[] {
  const bytes = utf8(stream);
  const answers = new Set([filtered([bytes]).client, filtered(byteByByte(bytes)).client]);
  for (const pieces of everySplit(bytes)) answers.add(filtered(pieces).client);
  const [only, ...others] = answers;
  return others.length === 0 && only !== undefined ? only : [...answers];
}

describe("what is kept", () => {
  it.each([
    ["usage beside content", 'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1}}\n\n'],
    ["choices: [] without usage, Azure's first", 'data: {"choices":[],"prompt_filter_results":[{}]}\n\n'],
    ["choices: [] with usage null", 'data: {"choices":[],"usage":null}\n\n'],
    ["usage without choices", 'data: {"usage":{"prompt_tokens":1}}\n\n'],
    ["usage in a string", 'data: {"choices":[],"x":"\\"usage\\":{}"}\n\n'],
    // A mark is one only where the stream begins; elsewhere the field has another name, and a client passes it over.
    ["a byte order mark in mid-stream", '\ufeffdata: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'],
    ["broken JSON with usage", 'data: {"choices":[],"usage":{"prompt_tokens":1}\n\n'],
    ["a comment that looks like usage", ': data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'],
    ["another field that looks like usage", 'usage: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'],
    ["blank lines", "\n\n\n"],
    ["keep-alives", ": OPENROUTER PROCESSING\n\n"],
  ])("%s, byte for byte", (_, event) => {
    const stream = `${CONTENT}${event}${CONTENT}${DONE}`;
    expect(inAllPieces(stream)).toBe(stream);
  });

  it("nothing is made of nothing", () => {
    expect(filtered([]).client).toBe("");
    expect(filtered([new Uint8Array(), new Uint8Array()]).client).toBe("");
  });

  it("what is not UTF-8 goes on byte for byte", () => {
    const odd = join([utf8("data: "), Uint8Array.of(0xff, 0xfe, 0xc0, 0x00), utf8("\n\n")]);
    const filter = createUsageEventFilter(isUsageOnly, () => undefined);
    expect(filter.chunk(join([odd, utf8(USAGE), odd]))).toEqual(join([odd, odd]));
  });
});

describe("what is taken out", () => {
  it.each([
    ["with a name and an id", `event: message\nid: 7\n${USAGE}`],
    ["with white space in it", 'data: { "choices" : [ ] , "usage" : { "prompt_tokens" : 1 } }\n\n'],
    ["without the blank behind the colon", 'data:{"choices":[],"usage":{}}\n\n'],
    ["over two data lines", 'data: {"choices":[],\ndata: "usage":{"prompt_tokens":1}}\n\n'],
    ["with a line's end behind the key", 'data: {"choices":[],"usage"\ndata: :{"prompt_tokens":1}}\n\n'],
    [
      "with a line's end before the value",
      'data: {"choices":[],"usage":\r\ndata: {"prompt_tokens":1}}\r\n\r\n',
    ],
    ["with a comment before the value", 'data: {"choices":[],"usage":\n: x\ndata: {"prompt_tokens":1}}\n\n'],
    ["with a comment in it", `: the last one\n${USAGE}`],
    ["with non-ASCII text in it", 'data: {"choices":[],"usage":{"prompt_tokens":1},"x":"東京 🗼"}\n\n'],
  ])("a usage event %s, whole", (_, event) => {
    expect(inAllPieces(`${CONTENT}${event}${DONE}`)).toBe(`${CONTENT}${DONE}`);
  });

  it("one that stands first, after a byte order mark or not", () => {
    expect(inAllPieces(`\ufeff${USAGE}${CONTENT}${DONE}`)).toBe(`${CONTENT}${DONE}`);
    expect(inAllPieces(`${USAGE}${CONTENT}${DONE}`)).toBe(`${CONTENT}${DONE}`);
    expect(inAllPieces(`${CONTENT}${USAGE}`)).toBe(CONTENT);
  });

  it.each(["\n", ""])("one that the stream's end cuts short of its blank line (%j)", (end) => {
    expect(inAllPieces(`${CONTENT}${USAGE.trimEnd()}${end}`)).toBe(CONTENT);
  });

  it("two, where the provider reports twice", () => {
    expect(inAllPieces(`${CONTENT}${USAGE}${USAGE}${DONE}`)).toBe(`${CONTENT}${DONE}`);
  });
});

const large = (size: number): string => `data: {"choices":[{"delta":{"content":"${"x".repeat(size)}"}}]}\n\n`;

describe("events over the held cap", () => {
  const CAP = 16 * 1024;
  it("a large event goes on in pieces, and a usage event behind it is taken out, wherever it was cut", () => {
    const stream = `${large(CAP + 2000)}${USAGE}${DONE}`;
    const bytes = utf8(stream);
    const expected = `${large(CAP + 2000)}${DONE}`;
    const wrong: number[] = [];
    for (let at = CAP - 4; at <= bytes.length; at += at < CAP + 8 || at > CAP + 2000 ? 1 : 97) {
      if (filtered([bytes.subarray(0, at), bytes.subarray(at)]).client !== expected) wrong.push(at);
    }
    expect(wrong).toEqual([]);
  });

  it.each(["\n", "\r\n", "\r"])("the same with lines that end in %j, in small pieces", (lineEnd) => {
    const turned = (original: string): string => original.replaceAll("\n", lineEnd);
    const client = filtered(rechunk(utf8(turned(`${large(CAP)}${USAGE}${DONE}`)), 7, 64)).client;
    expect(client === turned(`${large(CAP)}${DONE}`)).toBe(true);
  });

  it("a usage event over the cap is passed on whole, or not at all: never in part", () => {
    const padded = `data: {"choices":[],"usage":{"prompt_tokens":1},"x":"${"p".repeat(2 * CAP)}"}\n\n`;
    const bytes = utf8(`${CONTENT}${padded}${DONE}`);
    const allowed = new Set([`${CONTENT}${padded}${DONE}`, `${CONTENT}${DONE}`]);
    for (const pieces of [[bytes], rechunk(bytes, 1, 4096), rechunk(bytes, 2, 64)]) {
      expect(allowed.has(filtered(pieces).client)).toBe(true);
    }
  });

  it("G16 16 MiB in one line pass, and no more than the cap is held back at any time", () => {
    const filter = createUsageEventFilter(isUsageOnly, () => undefined);
    const piece = utf8("x".repeat(64 * 1024));
    let sent = filter.chunk(utf8('data: {"x":"')).length;
    let most = 0;
    for (let at = 1; at <= 256; at += 1) {
      sent += filter.chunk(piece).length;
      most = Math.max(most, 12 + at * piece.length - sent);
    }
    expect(most).toBeLessThanOrEqual(CAP);
    sent += filter.chunk(utf8(`"}\n\n${USAGE}${DONE}`)).length + filter.rest().length;
    expect(sent).toBe(12 + 256 * piece.length + 4 + DONE.length);
  });
});

describe("events are handed on as soon as they are whole", () => {
  it.each(["\n", "\r\n", "\r"])(
    "after each byte all whole events are out, with lines that end in %j",
    (lineEnd) => {
      const turned = (original: string): string => original.replaceAll("\n", lineEnd);
      const blank = lineEnd + lineEnd;
      const stream = turned(`${CONTENT}: ping\n\n${CONTENT}${CONTENT}${DONE}`);
      const bytes = utf8(stream);
      const filter = createUsageEventFilter(isUsageOnly, () => undefined);
      let out = "";
      const late: number[] = [];
      for (const [at, piece] of byteByByte(bytes).entries()) {
        out += new TextDecoder().decode(filter.chunk(piece));
        const soFar = new TextDecoder().decode(bytes.subarray(0, at + 1));
        const lastBlank = soFar.lastIndexOf(blank);
        // A CR alone may end the line: then the event is whole before the LF comes.
        const whole = lastBlank < 0 ? 0 : lastBlank + blank.length;
        if (out.length < whole) late.push(at);
      }
      expect(late).toEqual([]);
      expect(out).toBe(stream);
    },
  );

  it("several whole events in one chunk come out at once, less the usage", () => {
    const filter = createUsageEventFilter(isUsageOnly, () => undefined);
    expect(text(filter.chunk(utf8(`${CONTENT}${CONTENT}${USAGE}${DONE}`)))).toBe(
      `${CONTENT}${CONTENT}${DONE}`,
    );
    expect(filter.rest()).toHaveLength(0);
  });

  it("the observer sees each chunk when it comes, the usage event too", () => {
    const seen: string[] = [];
    const filter = createUsageEventFilter(isUsageOnly, (bytes) => void seen.push(text(bytes)));
    filter.chunk(utf8("data: a"));
    expect(seen).toEqual(["data: a"]);
    filter.chunk(utf8(`\n\n${USAGE}`));
    expect(seen.join("")).toBe(`data: a\n\n${USAGE}`);
  });
});
