import { describe, expect, it } from "vitest";
import { createUsageEventFilter } from "../../../src/gateway/observation/remove-usage-event.ts";
import { isUsageOnly } from "../../../src/gateway/provider/openai/chat-response.ts";
import { byteByByte, everySplit, forSeeds, rechunk } from "../../support/rechunk.ts";
import { chatStreams } from "../../support/in-workerd/fixtures.ts";
import { join, text, utf8 } from "../../support/in-workerd/values.ts";

/** The client's and the observer's view of a stream that arrives in these pieces. */
function filtered(pieces: Iterable<Uint8Array>): { readonly client: string; readonly observer: string } {
  const seen: Uint8Array[] = [];
  const decoder = new TextDecoder();
  const filter = createUsageEventFilter(isUsageOnly, (bytes) => {
    seen.push(bytes.slice());
    return decoder.decode(bytes, { stream: true });
  });
  const out: Uint8Array[] = [];
  for (const piece of pieces) {
    // The caller reuses a chunk's memory as soon as `transform` returns, so the output is copied first.
    const reused = piece.slice();
    out.push(filter.transform(reused).slice());
    reused.fill(0x21);
  }
  out.push(filter.flush().slice());
  return { client: text(join(out)), observer: text(join(seen)) };
}

/** The events of a stream, each with its blank line. */
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

/** The stream without its usage events. The search takes complete events and shares no code with the filter. */
const without = (stream: string): string =>
  eventsOf(stream)
    .filter((event) => !isUsageOnly(dataOf(event)))
    .join("");

const CASES = chatStreams.flatMap(({ name, text: stream }) => [
  [`${name} with LF`, stream] as const,
  [`${name} with CRLF`, stream.replaceAll("\n", "\r\n")] as const,
  [`${name} with CR`, stream.replaceAll("\n", "\r")] as const,
]);

describe("removes the usage event, and nothing else", () => {
  it("has fixtures with and without a usage event", () => {
    const removed = CASES.filter(([, stream]) => without(stream).length < stream.length);
    expect(removed.length).toBeGreaterThan(15);
    expect(CASES.length - removed.length).toBeGreaterThan(15);
    // Checks the expectation itself on a simple case.
    const usage = 'data: {"choices":[],"usage":{"prompt_tokens":1}}';
    expect(without(`data: a\n\n${usage}\n\ndata: [DONE]\n\n`)).toBe("data: a\n\ndata: [DONE]\n\n");
    expect(without(`data: a\r\r${usage}\r\rdata: [DONE]\r\r`)).toBe("data: a\r\rdata: [DONE]\r\r");
  });

  it.each(CASES)("G13 G14 filters %s at every 1-byte split and byte by byte", (_, stream) => {
    const bytes = utf8(stream);
    const expected = without(stream);
    expect(filtered([bytes])).toEqual({ client: expected, observer: stream });
    expect(filtered(byteByByte(bytes))).toEqual({ client: expected, observer: stream });
    const wrong: number[] = [];
    for (const [head, tail] of everySplit(bytes)) {
      const filter = createUsageEventFilter(isUsageOnly, () => null);
      const out = [filter.transform(head), filter.transform(tail), filter.flush()];
      if (text(join(out)) !== expected) wrong.push(head.length);
    }
    expect(wrong).toEqual([]);
  });

  it("G13 filters every stream in random pieces", { timeout: 60_000 }, () => {
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

/** The client's stream when it arrives at once, byte by byte, or in any two pieces: one text, or all that differ. */
function inAllPieces(stream: string): string | string[] {
  const bytes = utf8(stream);
  const results = new Set([filtered([bytes]).client, filtered(byteByByte(bytes)).client]);
  for (const pieces of everySplit(bytes)) results.add(filtered(pieces).client);
  const [only, ...others] = results;
  return others.length === 0 && only !== undefined ? only : [...results];
}

describe("events that are kept", () => {
  it.each([
    ["usage with content", 'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":1}}\n\n'],
    ["choices: [] without usage, Azure's first", 'data: {"choices":[],"prompt_filter_results":[{}]}\n\n'],
    ["choices: [] with usage null", 'data: {"choices":[],"usage":null}\n\n'],
    ["usage without choices", 'data: {"usage":{"prompt_tokens":1}}\n\n'],
    ["usage in a string", 'data: {"choices":[],"x":"\\"usage\\":{}"}\n\n'],
    // The mark counts only at the start of the stream. Elsewhere it changes the field's name, and clients ignore the field.
    ["a byte order mark in mid-stream", '\ufeffdata: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'],
    ["broken JSON with usage", 'data: {"choices":[],"usage":{"prompt_tokens":1}\n\n'],
    ["a comment that looks like usage", ': data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'],
    ["another field that looks like usage", 'usage: {"choices":[],"usage":{"prompt_tokens":1}}\n\n'],
    ["blank lines", "\n\n\n"],
    ...[
      // llama.cpp reports its timings in the usage chunk.
      '"timings":{"prompt_ms":3.1}',
      '"citations":["https://example.com"]',
      '"citations":[]',
      '"search_results":[{}]',
      '"x_groq":{"id":"req_1"}',
      '"error":{"message":"overloaded"}',
      '"nvext":{"worker_id":1}',
      '"system_fingerprint":{"x":1}',
      '"x":"y"',
      '"x":false',
    ].map((member): [string, string] => [
      `usage with ${member}`,
      `data: {"id":"c","choices":[],"usage":{"prompt_tokens":1},${member}}\n\n`,
    ]),
    ["keep-alives", ": OPENROUTER PROCESSING\n\n"],
  ])("keeps %s, byte for byte", (_, event) => {
    const stream = `${CONTENT}${event}${CONTENT}${DONE}`;
    expect(inAllPieces(stream)).toBe(stream);
  });

  it("returns nothing for an empty stream", () => {
    expect(filtered([]).client).toBe("");
    expect(filtered([new Uint8Array(), new Uint8Array()]).client).toBe("");
  });

  it("keeps invalid UTF-8 byte for byte", () => {
    const odd = join([utf8("data: "), Uint8Array.of(0xff, 0xfe, 0xc0, 0x00), utf8("\n\n")]);
    const filter = createUsageEventFilter(isUsageOnly, () => null);
    expect(filter.transform(join([odd, utf8(USAGE), odd]))).toEqual(join([odd, odd]));
  });
});

describe("events that are removed", () => {
  it.each([
    ["with a name and an id", `event: message\nid: 7\n${USAGE}`],
    [
      "with the members that every chunk has",
      'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp_1","service_tier":"default","provider":"Groq","obfuscation":"aB","error":null,"timings":null,"choices":[],"usage":{"prompt_tokens":1}}\n\n',
    ],
    ["with white space in it", 'data: { "choices" : [ ] , "usage" : { "prompt_tokens" : 1 } }\n\n'],
    ["without a space after the colon", 'data:{"choices":[],"usage":{}}\n\n'],
    ["over two data lines", 'data: {"choices":[],\ndata: "usage":{"prompt_tokens":1}}\n\n'],
    ["with a line end after the key", 'data: {"choices":[],"usage"\ndata: :{"prompt_tokens":1}}\n\n'],
    [
      "with a line end before the value",
      'data: {"choices":[],"usage":\r\ndata: {"prompt_tokens":1}}\r\n\r\n',
    ],
    ["with a comment before the value", 'data: {"choices":[],"usage":\n: x\ndata: {"prompt_tokens":1}}\n\n'],
    ["with a comment in it", `: the last one\n${USAGE}`],
    ["with non-ASCII text in it", 'data: {"choices":[],"usage":{"prompt_tokens":1},"model":"東京 🗼"}\n\n'],
  ])("removes a complete usage event %s", (_, event) => {
    expect(inAllPieces(`${CONTENT}${event}${DONE}`)).toBe(`${CONTENT}${DONE}`);
  });

  it("removes a first event, with or without a byte order mark", () => {
    expect(inAllPieces(`\ufeff${USAGE}${CONTENT}${DONE}`)).toBe(`${CONTENT}${DONE}`);
    expect(inAllPieces(`${USAGE}${CONTENT}${DONE}`)).toBe(`${CONTENT}${DONE}`);
    expect(inAllPieces(`${CONTENT}${USAGE}`)).toBe(CONTENT);
  });

  it.each(["\n", ""])("removes a last event without its blank line (%j)", (end) => {
    expect(inAllPieces(`${CONTENT}${USAGE.trimEnd()}${end}`)).toBe(CONTENT);
  });

  it("removes two events if the provider reports twice", () => {
    expect(inAllPieces(`${CONTENT}${USAGE}${USAGE}${DONE}`)).toBe(`${CONTENT}${DONE}`);
  });
});

const large = (size: number): string => `data: {"choices":[{"delta":{"content":"${"x".repeat(size)}"}}]}\n\n`;

describe("events over the cap on buffered bytes", () => {
  const CAP = 16 * 1024;
  it("passes a large event through in pieces and removes the usage event after it, at any split", () => {
    const stream = `${large(CAP + 2000)}${USAGE}${DONE}`;
    const bytes = utf8(stream);
    const expected = `${large(CAP + 2000)}${DONE}`;
    const wrong: number[] = [];
    for (let at = CAP - 4; at <= bytes.length; at += at < CAP + 8 || at > CAP + 2000 ? 1 : 97) {
      if (filtered([bytes.subarray(0, at), bytes.subarray(at)]).client !== expected) wrong.push(at);
    }
    expect(wrong).toEqual([]);
  });

  it.each(["\n", "\r\n", "\r"])("does the same in small pieces with lines that end in %j", (lineEnd) => {
    const turned = (original: string): string => original.replaceAll("\n", lineEnd);
    const client = filtered(rechunk(utf8(turned(`${large(CAP)}${USAGE}${DONE}`)), 7, 64)).client;
    expect(client === turned(`${large(CAP)}${DONE}`)).toBe(true);
  });

  it("passes a usage event over the cap through completely or removes it completely", () => {
    const padded = `data: {"choices":[],"usage":{"prompt_tokens":1},"x":"${"p".repeat(2 * CAP)}"}\n\n`;
    const bytes = utf8(`${CONTENT}${padded}${DONE}`);
    const allowed = new Set([`${CONTENT}${padded}${DONE}`, `${CONTENT}${DONE}`]);
    for (const pieces of [[bytes], rechunk(bytes, 1, 4096), rechunk(bytes, 2, 64)]) {
      expect(allowed.has(filtered(pieces).client)).toBe(true);
    }
  });

  it("G16 passes 16 MiB in one line through and never buffers more than the cap", () => {
    const filter = createUsageEventFilter(isUsageOnly, () => null);
    const piece = utf8("x".repeat(64 * 1024));
    let sent = filter.transform(utf8('data: {"x":"')).length;
    let most = 0;
    for (let at = 1; at <= 256; at += 1) {
      sent += filter.transform(piece).length;
      most = Math.max(most, 12 + at * piece.length - sent);
    }
    expect(most).toBeLessThanOrEqual(CAP);
    sent += filter.transform(utf8(`"}\n\n${USAGE}${DONE}`)).length + filter.flush().length;
    expect(sent).toBe(12 + 256 * piece.length + 4 + DONE.length);
  });
});

describe("passes events through as soon as they are complete", () => {
  it.each(["\n", "\r\n", "\r"])("after each byte, with lines that end in %j", (lineEnd) => {
    const turned = (original: string): string => original.replaceAll("\n", lineEnd);
    const blank = lineEnd + lineEnd;
    const stream = turned(`${CONTENT}: ping\n\n${CONTENT}${CONTENT}${DONE}`);
    const bytes = utf8(stream);
    const filter = createUsageEventFilter(isUsageOnly, () => null);
    let out = "";
    const late: number[] = [];
    for (const [at, piece] of byteByByte(bytes).entries()) {
      out += new TextDecoder().decode(filter.transform(piece));
      const soFar = new TextDecoder().decode(bytes.subarray(0, at + 1));
      const lastBlank = soFar.lastIndexOf(blank);
      // A CR alone may end the line, so the event is complete before an LF arrives.
      const complete = lastBlank < 0 ? 0 : lastBlank + blank.length;
      if (out.length < complete) late.push(at);
    }
    expect(late).toEqual([]);
    expect(out).toBe(stream);
  });

  it("several complete events of one chunk at once, without the usage event", () => {
    const filter = createUsageEventFilter(isUsageOnly, () => null);
    expect(text(filter.transform(utf8(`${CONTENT}${CONTENT}${USAGE}${DONE}`)))).toBe(
      `${CONTENT}${CONTENT}${DONE}`,
    );
    expect(filter.flush()).toHaveLength(0);
  });

  it("shows the observer each chunk when it arrives, the usage event included", () => {
    const seen: string[] = [];
    const filter = createUsageEventFilter(isUsageOnly, (bytes) => {
      seen.push(text(bytes));
      return null;
    });
    filter.transform(utf8("data: a"));
    expect(seen).toEqual(["data: a"]);
    filter.transform(utf8(`\n\n${USAGE}`));
    expect(seen.join("")).toBe(`data: a\n\n${USAGE}`);
  });
});
