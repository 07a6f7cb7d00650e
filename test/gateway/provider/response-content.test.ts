import { describe, expect, it, vi } from "vitest";
import {
  MAX_TOOL_CALLS,
  type ResponseReader,
  type ResponseReport,
  type ContentOptions,
} from "../../../src/gateway/provider/response-reader.ts";
import { MAX_TEXT } from "../../../src/gateway/provider/bounded-text.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { fixture, fixtures, KEEP_ALL, KEEP_NONE, streams } from "../../support/in-workerd/fixtures.ts";
import {
  afterEvents,
  eventsOf,
  fixtureReport,
  READERS,
  withoutContent,
} from "../../support/in-workerd/readers.ts";

describe("content that is not kept", () => {
  const options: readonly ContentOptions[] = [
    KEEP_NONE,
    { ...KEEP_NONE, toolInputs: true },
    { ...KEEP_NONE, thoughts: true },
    { ...KEEP_NONE, errorMessages: true },
    KEEP_ALL,
  ];

  it.each(fixtures.map((sample) => [sample.name, sample] as const))(
    "H11 %s has the same names, ids, counts and figures without it",
    (_, sample) => {
      for (const keep of options) {
        expect(fixtureReport(sample, keep)).toEqual(withoutContent(sample.report, keep));
      }
    },
  );

  it("is tested with fixtures that have every kind of content", () => {
    const kinds = new Set(fixtures.flatMap(({ report }) => report.toolCalls.map(({ kind }) => kind)));
    expect([...kinds].toSorted()).toEqual([
      "apply_patch_call",
      "code_interpreter_call",
      "computer_call",
      "custom",
      "custom_tool_call",
      "file_search_call",
      "function",
      "function_call",
      "image_generation_call",
      "local_shell_call",
      "mcp_call",
      "mcp_tool_use",
      "server_tool_use",
      "shell_call",
      "tool_search_call",
      "tool_use",
      "web_search_call",
    ]);
    expect(fixtures.filter(({ report }) => report.thoughtCount > 1).length).toBeGreaterThan(4);
    expect(fixtures.filter(({ report }) => report.errorMessage !== null).length).toBeGreaterThan(5);
    expect(fixtures.filter(({ report }) => report.toolCalls.some(({ error }) => error)).length).toBe(4);
  });

  it("never keeps results, redacted thinking or signatures", () => {
    const reports = JSON.stringify(fixtures.map((sample) => fixtureReport(sample, KEEP_ALL)));
    const texts = fixtures.map(({ text }) => text).join("");
    for (const canary of ["RESULT", "UkVTVUxU", "EqQB", "EmwK", "gAAAAB", "Sonnig."]) {
      expect(texts).toContain(canary);
      expect(reports).not.toContain(canary);
    }
  });
});

/** The event's parsed value in a list, empty if the data is not JSON. */
function parsed(data: string): unknown[] {
  try {
    return [JSON.parse(data)];
  } catch {
    return [];
  }
}

const blank = (random: () => number): string => [" ", "\n\t", "", ""][between(random, 0, 3)] ?? "";

/** The value as JSON with random white space in every position that allows it. */
function spaced(value: unknown, random: () => number): string {
  const around = (text: string): string => blank(random) + text + blank(random);
  if (Array.isArray(value)) return around(`[${value.map((item) => spaced(item, random)).join(",")}]`);
  if (typeof value !== "object" || value === null) return around(JSON.stringify(value));
  const members = Object.entries(value).map(
    ([key, item]) => `${around(JSON.stringify(key))}:${spaced(item, random)}`,
  );
  return around(`{${members.join(",")}}`);
}

describe("white space", () => {
  it.each(streams.map((stream) => [stream.name, stream] as const))(
    "does not change the report of %s",
    (_, stream) => {
      forSeeds(20, (seed) => {
        const random = seededRandom(seed);
        for (const keep of [KEEP_ALL, KEEP_NONE]) {
          const reader = stream.reader(keep);
          for (const { data, name } of eventsOf(stream.text)) {
            const [value = null] = parsed(data);
            reader.event(value === null ? data : spaced(value, random), name);
          }
          expect(reader.report()).toEqual(withoutContent(stream.report, keep));
        }
      });
    },
  );
});

/** The number of `events` that the reader parses after the first events of a stream. */
function countParsed(reader: ResponseReader, first: readonly unknown[], events: readonly unknown[]): number {
  afterEvents(reader, first);
  const texts = events.map((event) => JSON.stringify(event));
  const parse = vi.spyOn(JSON, "parse");
  for (const text of texts) reader.event(text, "");
  const count = parse.mock.calls.length;
  parse.mockRestore();
  return count;
}

const ESCAPED =
  '{"type":"message_stop","tool_calls":[{"id":"x"}],"finish_reason":"stop","usage":{},"error":{}}';

const chunk = (delta: unknown): unknown => ({
  id: "c",
  model: "m",
  choices: [{ index: 0, delta, finish_reason: null }],
  usage: null,
  error: null,
});

const blockStart = (index: number, content_block: unknown): unknown => ({
  type: "content_block_start",
  index,
  content_block,
});

const blockDelta = (index: number, type: string, key: string): unknown => ({
  type: "content_block_delta",
  index,
  delta: { type, [key]: ESCAPED },
});

describe("parses only events that can change the report", () => {
  const piece = { tool_calls: [{ index: 0, function: { arguments: ESCAPED } }] };
  const callStart = {
    tool_calls: [{ index: 0, id: "call_1", type: "function", function: { name: "f", arguments: "" } }],
  };
  const CHAT = [
    chunk({ content: ESCAPED }),
    chunk({ content: "a", tool_calls: null, function_call: null }),
    { id: "c", choices: [{ index: 0, delta: { content: "a" }, finish_reason: "" }] },
  ];
  const CHAT_PIECES = [chunk(piece), chunk({ function_call: { arguments: ESCAPED } })];

  it("chat", () => {
    const all = [...CHAT, ...CHAT_PIECES];
    expect(countParsed(chatReader(KEEP_NONE), [chunk(callStart)], all)).toBe(0);
    expect(countParsed(chatReader(KEEP_ALL), [chunk(callStart)], all)).toBe(CHAT_PIECES.length);
    expect(countParsed(chatReader(KEEP_NONE), [chunk({})], [chunk(callStart)])).toBe(1);
  });

  it("messages", () => {
    const tool = blockStart(0, { type: "tool_use", id: "toolu_1", name: "f", input: {} });
    const thinking = blockStart(1, { type: "thinking", thinking: "" });
    const pieces = [
      blockDelta(0, "input_json_delta", "partial_json"),
      blockDelta(1, "thinking_delta", "thinking"),
    ];
    const stop = { type: "content_block_stop", index: 0 };
    const others = [
      blockDelta(2, "text_delta", "text"),
      blockDelta(1, "signature_delta", "signature"),
      { type: "ping" },
    ];
    const all = [...pieces, ...others, stop];
    expect(countParsed(messagesReader(KEEP_NONE), [tool, thinking], all)).toBe(0);
    expect(countParsed(messagesReader(KEEP_ALL), [tool, thinking], all)).toBe(3);
    expect(countParsed(messagesReader(KEEP_ALL), [], all)).toBe(0);
    expect(countParsed(messagesReader(KEEP_NONE), [], [tool, thinking])).toBe(2);
  });

  it("responses", () => {
    const delta = (kind: string): unknown => ({
      type: `response.${kind}.delta`,
      output_index: 0,
      delta: ESCAPED,
    });
    const inputs = ["function_call_arguments", "custom_tool_call_input", "mcp_call_arguments"].map(delta);
    const thoughts = [delta("reasoning_summary_text")];
    const others = [
      delta("output_text"),
      delta("refusal"),
      { type: "response.output_text.done", text: ESCAPED },
      { type: "response.in_progress", response: { output: [] } },
      { type: "response.content_part.done", part: { type: "output_text", text: ESCAPED } },
      { type: "response.web_search_call.searching" },
    ];
    const all = [...inputs, ...thoughts, ...others];
    expect(countParsed(responsesReader(KEEP_NONE), [], all)).toBe(0);
    expect(countParsed(responsesReader(KEEP_ALL), [], all)).toBe(inputs.length + thoughts.length);
    const item = { type: "message", role: "assistant", phase: "commentary", content: [] };
    const commentary = { type: "response.output_item.added", output_index: 0, item };
    expect(countParsed(responsesReader(KEEP_ALL), [commentary], [delta("output_text")])).toBe(1);
    const commentaryDone = { ...commentary, type: "response.output_item.done" };
    expect(countParsed(responsesReader(KEEP_ALL), [commentary, commentaryDone], [delta("output_text")])).toBe(
      0,
    );
  });
});

/** Checks two reports of the same response, read with and without its content. */
function checkReports(all: ResponseReport, none: ResponseReport): void {
  expect(none).toEqual(withoutContent(all, KEEP_NONE));
  expect(all.toolCalls.length).toBe(Math.min(all.toolCallCount, MAX_TOOL_CALLS));
  expect(all.thoughts.length).toBeLessThanOrEqual(all.thoughtCount);
  for (const { id, name, kind, input, error } of all.toolCalls) {
    expect(Math.min(name.length, kind.length)).toBeGreaterThan(0);
    for (const text of [id, input, error]) expect(text === null || typeof text === "string").toBe(true);
  }
  expect(all.thoughts).not.toContain("");
}

const LEAVES = [null, 0, 1, -1, 1.5, "", "a", "function_call", "commentary", true, [], {}, [null], [[]]];

/** The value with one part replaced at random, by another value or by an invalid leaf. */
function mutated(value: unknown, anyValue: () => unknown, random: () => number): unknown {
  if (typeof value !== "object" || value === null || random() < 0.1) {
    return random() < 0.5 ? LEAVES[between(random, 0, LEAVES.length - 1)] : anyValue();
  }
  const keys = Object.keys(value);
  const at = keys[between(random, 0, keys.length - 1)] ?? "0";
  const inner: unknown = Reflect.get(value, at);
  if (Array.isArray(value)) return [...value.slice(0, Number(at)), mutated(inner, anyValue, random)];
  return { ...value, [random() < 0.05 ? "__proto__" : at]: mutated(inner, anyValue, random) };
}

describe.each(READERS)("%s: responses that no provider sends", (dialect, createReader) => {
  // JSON.parse accepts any depth. JSON.stringify does not in every engine, so writing such an input as text can throw.
  it("F6 reads an input nested 100,000 levels deep", () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const body: unknown = JSON.parse(
      `{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":${deep}}}]}}],` +
        `"output":[{"type":"web_search_call","name":"f","action":${deep},"error":${deep}}],` +
        `"content":[{"type":"tool_use","name":"f","input":${deep}}]}`,
    );
    const reader = createReader(KEEP_ALL);
    reader.body(body);
    expect(reader.report().toolCalls.map(({ name }) => name)).toEqual(["f"]);
    expect((reader.report().toolCalls[0]?.input ?? "").length).toBeLessThanOrEqual(MAX_TEXT);

    const stringify = vi.spyOn(JSON, "stringify").mockImplementation(() => {
      throw new RangeError("Maximum call stack size exceeded");
    });
    const other = createReader(KEEP_ALL);
    other.body(body);
    stringify.mockRestore();
    expect(other.report().toolCalls).toMatchObject([{ name: "f", input: null, error: null }]);
  });

  const dialectFixtures = fixtures.filter(({ name }) => name.startsWith(`${dialect}/`));

  it("never throws, and reports the same with and without content, for mutated values", () => {
    const values = dialectFixtures.flatMap(({ kind, text }) =>
      kind === "json" ? [JSON.parse(text) as unknown] : eventsOf(text).flatMap(({ data }) => parsed(data)),
    );
    const counts = { calls: 0, kept: 0 };
    forSeeds(6000, (seed) => {
      const random = seededRandom(seed);
      const anyValue = (): unknown => values[between(random, 0, values.length - 1)];
      const all = createReader(KEEP_ALL);
      const none = createReader(KEEP_NONE);
      for (let remaining = between(random, 1, 12); remaining > 0; remaining -= 1) {
        const value = random() < 0.5 ? anyValue() : mutated(anyValue(), anyValue, random);
        const body = random() < 0.1;
        for (const reader of [all, none]) {
          if (body) reader.body(value);
          else reader.event(JSON.stringify(value), "");
        }
      }
      checkReports(all.report(), none.report());
      counts.calls += all.report().toolCallCount;
      counts.kept += all.report().toolCalls.filter(({ input }) => input !== null).length;
    });
    expect(counts.calls).toBeGreaterThan(1000);
    expect(counts.kept).toBeGreaterThan(100);
  });

  it("never throws, and reports the same with and without content, for damaged streams", () => {
    const dialectStreams = dialectFixtures.filter(({ kind }) => kind === "events");
    expect(dialectStreams.length).toBeGreaterThan(10);
    const counts = { calls: 0 };
    forSeeds(4000, (seed) => {
      const random = seededRandom(seed);
      const events = eventsOf((dialectStreams[seed % dialectStreams.length] ?? fixture("chat/plain")).text);
      const at = (): number => between(random, 0, events.length - 1);
      for (let remaining = between(random, 1, 3); remaining > 0; remaining -= 1) {
        const [from, to] = [at(), at()];
        const { data = "", name = "" } = events[from] ?? {};
        const cut = between(random, 0, data.length);
        const inserted =
          ['"', "}", "]", "\\", ",", "0", "1", "x", " ", "null,", ""][between(random, 0, 10)] ?? "";
        const damaged = data.slice(0, cut) + inserted + data.slice(cut + between(random, 0, 2));
        // Changes part of an event, removes an event, or repeats one elsewhere.
        const kind = between(random, 0, 3);
        if (kind < 2) events[from] = { data: damaged, name };
        else events.splice(to, kind - 2, { data, name });
      }
      const all = createReader(KEEP_ALL);
      const none = createReader(KEEP_NONE);
      for (const { data, name } of events) for (const reader of [all, none]) reader.event(data, name);
      checkReports(all.report(), none.report());
      counts.calls += all.report().toolCallCount;
    });
    expect(counts.calls).toBeGreaterThan(100);
  });
});
