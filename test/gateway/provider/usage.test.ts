import { describe, expect, it } from "vitest";
import { createBodyParser } from "../../../src/gateway/observation/body-parser.ts";
import {
  EMPTY_REPORT,
  type ResponseReader,
  type ResponseReport,
} from "../../../src/gateway/provider/response-reader.ts";
import { messagesReader } from "../../../src/gateway/provider/anthropic/messages-response.ts";
import { chatReader, isUsageOnly } from "../../../src/gateway/provider/openai/chat-response.ts";
import { responsesReader } from "../../../src/gateway/provider/openai/responses-response.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { fixture, fixtures, HELD_BYTES, KEEP_ALL, KEEP_NONE } from "../../support/in-workerd/fixtures.ts";

describe("G18-G21 G25 G26 the report of a fixture", () => {
  it.each(fixtures.map(({ name, ...rest }) => [name, rest] as const))(
    "matches report.json for %s",
    (_, { kind, bytes, report, reader }) => {
      const parser = createBodyParser(kind, reader(), HELD_BYTES);
      parser.bytes(bytes);
      expect(parser.finish()).toEqual(report);
    },
  );

  it("is tested with fixtures that have the intended difficulties", () => {
    expect(fixtures.length).toBeGreaterThan(50);
    expect(fixture("chat/misleading-content").text).toContain("data: [DONE]\\n");
    expect(fixture("chat/misleading-content").text).toContain('\\"usage\\":{');
    expect(fixture("messages/plain").report.usage).toMatchObject({ output_tokens: 61 });
    expect(fixture("messages/plain").text).toContain('"output_tokens":5');
  });
});

/** The reader's report after the events, in order, each with its type as its name. */
function afterEvents(reader: ResponseReader, ...events: readonly unknown[]): ResponseReport {
  for (const event of events) {
    const name = (event as { type?: unknown } | null)?.type;
    reader.event(
      typeof event === "string" ? event : JSON.stringify(event),
      typeof name === "string" ? name : "",
    );
  }
  return reader.report();
}

const newChatReader = (keep = KEEP_NONE): ResponseReader => chatReader(keep);
const newResponsesReader = (keep = KEEP_NONE): ResponseReader => responsesReader(keep);
const newMessagesReader = (keep = KEEP_NONE): ResponseReader => messagesReader(keep);

const READERS = [
  ["chat", newChatReader],
  ["responses", newResponsesReader],
  ["messages", newMessagesReader],
] as const;

describe.each(READERS)("a reader of %s", (_, createReader) => {
  it("returns the empty report before any input", () => {
    expect(createReader().report()).toEqual(EMPTY_REPORT);
  });

  it.each(["", "null", "[]", "7", '"text"', "{", "nonsense", "\u0000", '{"a":1}', "[DONE", "[[DONE]]"])(
    "G15 reads no figure, id or error from the event %j",
    (data) => {
      const report = afterEvents(createReader(), data);
      expect({ ...report, ended: false }).toEqual(EMPTY_REPORT);
    },
  );

  it.each([[null], [[]], [7], ["text"], [true], [[{ usage: { input_tokens: 1, prompt_tokens: 1 } }]]])(
    "reads no figure, id or error from the JSON body %j",
    (value) => {
      const reader = createReader();
      reader.body(value);
      expect({ ...reader.report(), ended: false }).toEqual(EMPTY_REPORT);
    },
  );

  it("ends the response at a JSON body that is not an object", () => {
    const reader = createReader();
    reader.body([]);
    expect(reader.report().ended).toBe(true);
  });

  it("reports unknown usage for an empty JSON object", () => {
    const reader = createReader();
    reader.body({});
    expect(reader.report()).toMatchObject({ usage: null, ended: true, error: null });
  });

  it("truncates ids and models, and ignores values that are not strings", () => {
    const reader = createReader();
    reader.body({ id: "i".repeat(5000), model: 7 });
    expect(reader.report()).toMatchObject({ id: "i".repeat(256), model: null });
  });

  it("does not split a surrogate pair when it truncates ids and models", () => {
    const reader = createReader();
    reader.body({ id: `${"i".repeat(255)}😀`, model: `${"m".repeat(254)}😀` });
    expect(reader.report()).toMatchObject({ id: "i".repeat(255), model: `${"m".repeat(254)}😀` });
  });

  it("truncates an error's type to 64 characters", () => {
    const reader = createReader();
    reader.body({ type: "error", error: { type: "e".repeat(5000), message: "CANARY" } });
    expect(reader.report().error).toBe("e".repeat(64));
    expect(JSON.stringify(reader.report())).not.toContain("CANARY");
  });

  it("never throws and never reports an invalid figure for random input", () => {
    const fragments = [
      "type",
      "usage",
      "message",
      "response",
      "delta",
      "error",
      "choices",
      "tool_calls",
      "function",
      "item",
      "content_block",
      "name",
      "input",
      "prompt_tokens",
      "completion_tokens",
      "prompt_tokens_details",
      "cached_tokens",
      "input_tokens",
      "output_tokens",
      "input_tokens_details",
      "cache_creation",
      "server_tool_use",
      "id",
      "model",
      "__proto__",
    ];
    const types = [
      "message_start",
      "message_delta",
      "message_stop",
      "content_block_start",
      "tool_use",
      "response.output_item.done",
      "function_call",
      "response.completed",
      "response.failed",
      "response.created",
      "error",
    ];
    const leaves = [null, -1, 1.5, 5, 7, 2 ** 53, 1e308, "9", "", true, [], {}, types];
    const randomValue = (random: () => number, depth: number): unknown => {
      if (depth === 0 || random() < 0.2) return leaves[between(random, 0, leaves.length - 1)];
      if (random() < 0.1) return [randomValue(random, depth - 1)];
      return Object.fromEntries(
        Array.from({ length: between(random, 0, 6) }, () => {
          const key = fragments[between(random, 0, fragments.length - 1)] ?? "";
          const type = types[between(random, 0, types.length - 1)];
          return [key, key === "type" && random() < 0.9 ? type : randomValue(random, depth - 1)];
        }),
      );
    };
    const counts = { withUsage: 0 };
    forSeeds(2000, (seed) => {
      const random = seededRandom(seed);
      const reader = createReader(seed % 2 === 0 ? KEEP_ALL : KEEP_NONE);
      for (let remaining = between(random, 1, 5); remaining > 0; remaining -= 1) {
        const value = randomValue(random, 4);
        if (random() < 0.2) reader.body(value);
        else reader.event(JSON.stringify(value), types[between(random, 0, types.length - 1)] ?? "");
      }
      const { usage } = reader.report();
      if (usage === null) return;
      counts.withUsage += 1;
      const { extras, invalid: _invalid, addsUp: _addsUp, raw: _raw, ...figures } = usage;
      for (const figure of [...Object.values(figures), ...Object.values(extras)]) {
        expect(figure === null || (Number.isSafeInteger(figure) && figure >= 0)).toBe(true);
      }
    });
    expect(counts.withUsage).toBeGreaterThan(20);
  });
});

const HOSTILE = [-1, -0.5, 1.5, 1e308, 2 ** 53, Number("9007199254740993"), "", true, [], {}, [5]];
const HOSTILE_TEXTS = [
  "-1",
  "1.5",
  "1e3",
  "0x10",
  " 12",
  "12 ",
  "+5",
  "9007199254740992",
  "1".repeat(400),
  "١٢",
];

describe("G21 invalid figures", () => {
  it.each(HOSTILE.map((figure) => [figure]))("chat: drops %j and sets invalid", (figure) => {
    const { usage } = afterEvents(newChatReader(), {
      choices: [],
      usage: { prompt_tokens: figure, completion_tokens: 3 },
    });
    expect(usage).toMatchObject({ input_tokens: null, output_tokens: 3, invalid: true });
  });

  it.each(HOSTILE.map((figure) => [figure]))("responses: drops %j and sets invalid", (figure) => {
    const { usage } = afterEvents(newResponsesReader(), {
      type: "response.completed",
      response: { usage: { input_tokens: 3, output_tokens: figure, total_tokens: figure } },
    });
    expect(usage).toMatchObject({ input_tokens: 3, output_tokens: null, extras: {}, invalid: true });
  });

  it.each(HOSTILE.map((figure) => [figure]))(
    "messages: drops %j, sets invalid and keeps the earlier figure",
    (figure) => {
      const { usage } = afterEvents(
        newMessagesReader(),
        { type: "message_start", message: { usage: { input_tokens: 3, output_tokens: 1 } } },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: figure } },
        { type: "message_stop" },
      );
      expect(usage).toMatchObject({ input_tokens: 3, output_tokens: 1, invalid: true });
    },
  );

  it("G21 messages: keeps invalid set after an invalid figure, even if later figures are valid", () => {
    const { usage } = afterEvents(
      newMessagesReader(),
      { type: "message_start", message: { usage: { input_tokens: -3, output_tokens: 1 } } },
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn" },
        usage: { input_tokens: 3, output_tokens: 9 },
      },
    );
    expect(usage).toMatchObject({ input_tokens: 3, output_tokens: 9, invalid: true });
  });

  it.each(HOSTILE_TEXTS)("chat: drops the text %j and sets invalid", (figure) => {
    const usage = { prompt_tokens: figure, completion_tokens: 3 };
    expect(afterEvents(newChatReader(), { choices: [], usage }).usage).toMatchObject({
      input_tokens: null,
      output_tokens: 3,
      invalid: true,
    });
  });

  it("reads figures that a server writes as texts of digits", () => {
    const chat = {
      prompt_tokens: "12",
      completion_tokens: "3",
      total_tokens: "15",
      prompt_tokens_details: { cached_tokens: "04" },
    };
    expect(afterEvents(newChatReader(), { choices: [], usage: chat }).usage).toMatchObject({
      input_tokens: 8,
      output_tokens: 3,
      cache_read_input_tokens: 4,
      invalid: false,
      addsUp: true,
    });
    const messages = { input_tokens: "30", output_tokens: "1000000000000" };
    expect(
      afterEvents(newMessagesReader(), { type: "message_start", message: { usage: messages } }).usage,
    ).toMatchObject({ input_tokens: 30, output_tokens: 1e12, invalid: false });
  });

  // N9, the attack: a figure that no call can have, which a bill would take for final.
  it.each([
    [1e12, false],
    [1e12 + 1, true],
    [Number.MAX_SAFE_INTEGER, true],
  ])("reads 0 and %d; invalid: %s", (figure, invalid) => {
    const { usage } = afterEvents(newChatReader(), {
      choices: [],
      usage: { prompt_tokens: 0, completion_tokens: figure },
    });
    expect(usage).toMatchObject({ input_tokens: 0, output_tokens: invalid ? null : figure, invalid });
  });

  it("treats null and absent figures as unknown, not invalid", () => {
    const { usage } = afterEvents(newChatReader(), {
      choices: [],
      usage: { prompt_tokens: null, prompt_tokens_details: null },
    });
    expect(usage).toEqual({
      input_tokens: null,
      output_tokens: null,
      cache_read_input_tokens: null,
      cache_write_input_tokens: null,
      extras: {},
      invalid: false,
      addsUp: true,
      raw: '{"prompt_tokens":null,"prompt_tokens_details":null}',
    });
  });

  it("chat: does not replace figures by an empty usage object", () => {
    const first = { choices: [], usage: { prompt_tokens: 4, completion_tokens: 2 } };
    const { usage } = afterEvents(newChatReader(), first, { choices: [], usage: {} });
    expect(usage).toMatchObject({ input_tokens: 4, output_tokens: 2 });
  });

  it.each([[null], [[]], ["19"], [19], [true]])("ignores a usage of %j", (usage) => {
    expect(afterEvents(newChatReader(), { choices: [], usage }).usage).toBeNull();
    const completed = { type: "response.completed", response: { usage } };
    expect(afterEvents(newResponsesReader(), completed).usage).toBeNull();
    expect(afterEvents(newMessagesReader(), { type: "message_start", message: { usage } }).usage).toBeNull();
  });
});

function rawOf(usage: object): string {
  const raw = afterEvents(newChatReader(), { choices: [], usage }).usage?.raw;
  if (typeof raw !== "string") throw new Error("no usage object was kept");
  expect(raw.length).toBeLessThanOrEqual(2048);
  return raw;
}

const parsed = (usage: object): unknown => JSON.parse(rawOf(usage));

describe("the kept usage object", () => {
  const figures = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 };
  const run = { type: "message", input_tokens: 1000, output_tokens: 10 };

  it("is the provider's own up to 2,048 characters", () => {
    const usage = { ...figures, note: "n".repeat(2048 - JSON.stringify({ ...figures, note: "" }).length) };
    expect(rawOf(usage)).toBe(JSON.stringify(usage));
    expect(parsed({ ...usage, prompt_tokens: 200 })).toEqual({
      ...figures,
      prompt_tokens: 200,
      truncated: true,
    });
  });

  it("keeps the first entries of a list that is too long, and all figures", () => {
    const kept = parsed({
      runs: Array.from({ length: 500 }, () => run),
      ...figures,
      cache: { read: [1, 2] },
    });
    expect(kept).toMatchObject({ ...figures, cache: { read: [1, 2] }, truncated: true });
    const { runs } = kept as { readonly runs: readonly unknown[] };
    expect(runs.length).toBeGreaterThan(20);
    expect(runs[0]).toEqual(run);
  });

  it.each<readonly [string, object]>([
    ["long texts", { text: "x".repeat(100_000), other: "x".repeat(900) }],
    ["long lists in objects", { a: { b: { c: Array.from({ length: 9000 }, () => [1, { x: "y" }]) } } }],
    ["large objects", { a: Object.fromEntries(Array.from({ length: 900 }, (_, at) => [`key_${at}`, at])) }],
    ["long keys", { ["k".repeat(9000)]: 1 }],
    ["surrogate pairs", { text: "😀".repeat(2000) }],
  ])("loses %s before the figures", (_, long) => {
    expect(parsed({ ...long, ...figures })).toMatchObject({ ...figures, truncated: true });
    expect(parsed({ ...figures, ...long })).toMatchObject({ ...figures, truncated: true });
  });

  it("keeps the first of too many members", () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`m${at + 1000}`, 7]));
    expect(parsed({ ...figures, ...many })).toMatchObject({ ...figures, m1000: 7, truncated: true });
  });
});

describe("usage under other names and in other places", () => {
  const READ = { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 8, addsUp: true };
  it.each<readonly [string, object]>([
    [
      "details in camel case",
      { promptTokens: 18, completionTokens: 5, totalTokens: 23, promptTokensDetails: { cachedTokens: 8 } },
    ],
    [
      "cached input of the AI SDK",
      { inputTokens: 18, outputTokens: 5, totalTokens: 23, cachedInputTokens: 8 },
    ],
    ["Bedrock's counts", { inputTokens: 10, outputTokens: 5, totalTokens: 23, cacheReadInputTokenCount: 8 }],
  ])("%s", (_, usage) => {
    const chunk = { choices: [{ index: 0, finish_reason: "stop", usage }] };
    expect(afterEvents(newChatReader(), chunk)).toMatchObject({ usage: READ, usageFinal: true });
  });

  it.each([" [DONE]", "[DONE] ", "\t[DONE]"])("the end %j", (data) => {
    expect(afterEvents(newChatReader(), data).ended).toBe(true);
  });
});

describe("named extras that a bill needs", () => {
  it.each<readonly [string, object, object]>([
    [
      "Perplexity's, which are charged beside the tokens",
      { citation_tokens: 20_016, num_search_queries: 20, reasoning_tokens: 73_997 },
      { citation_tokens: 20_016, num_search_queries: 20, reasoning_tokens: 73_997 },
    ],
    [
      "OpenRouter's, on the client's own key",
      { cost: 0.05, is_byok: true, cost_details: { upstream_inference_cost: 0.95 } },
      { is_byok: 1, upstream_inference_cost: 0.95 },
    ],
    ["OpenRouter's", { is_byok: false, cost_details: { upstream_inference_cost: null } }, { is_byok: 0 }],
    ["the length of audio, rounded up", { type: "duration", seconds: 8.2 }, { audio_seconds: 9 }],
    ["Mistral's length of audio", { prompt_audio_seconds: 203 }, { audio_seconds: 203 }],
    ["values of other types", { is_byok: "yes", cost_details: { upstream_inference_cost: "x" } }, {}],
    ["a negative cost", { cost_details: { upstream_inference_cost: -1 } }, {}],
  ])("%s: %j", (_, more, extras) => {
    const usage = { prompt_tokens: 33, completion_tokens: 7163, total_tokens: 7196, ...more };
    const read = afterEvents(newChatReader(), { choices: [], usage }).usage;
    expect(read).toMatchObject({ output_tokens: 7163, addsUp: true, invalid: false });
    expect(read?.extras).toEqual(extras);
  });
});

const delta = (output_tokens: number, stop_reason: string | null = null): unknown => ({
  type: "message_delta",
  delta: { stop_reason },
  usage: { output_tokens },
});

describe("G20 messages: cumulative figures", () => {
  const start = { type: "message_start", message: { usage: { input_tokens: 5, output_tokens: 5 } } };

  it("G20 reports the last figure: 5 and then 61 is 61, not 66", () => {
    expect(afterEvents(newMessagesReader(), start, delta(61, "end_turn")).usage).toMatchObject({
      input_tokens: 5,
      output_tokens: 61,
    });
    expect(afterEvents(newMessagesReader(), start, delta(20), delta(40), delta(61)).usage).toMatchObject({
      output_tokens: 61,
    });
  });

  it("G20 reports final usage from the stop reason on, and not before", () => {
    expect(afterEvents(newMessagesReader(), start, delta(20)).usageFinal).toBe(false);
    expect(afterEvents(newMessagesReader(), start, delta(61, "end_turn"))).toMatchObject({
      usageFinal: true,
      ended: false,
    });
    // `message_start` has only the first figures.
    expect(afterEvents(newMessagesReader(), start, { type: "message_stop" })).toMatchObject({
      usageFinal: false,
      ended: true,
    });
  });
});

describe("G19 responses: a terminal event too large to be parsed, known by its name alone", () => {
  it.each([
    ["response.completed", null],
    ["response.incomplete", null],
    ["response.failed", "failed"],
    ["error", "error"],
  ])("ends the response at %s, with error %j", (name, error) => {
    const reader = newResponsesReader();
    reader.event("", name);
    expect(reader.report()).toMatchObject({ ended: true, error, usage: null });
  });

  it.each(["response.created", "response.output_text.delta", "ping", ""])(
    "ignores the event name %j",
    (name) => {
      const reader = newResponsesReader();
      reader.event("", name);
      expect(reader.report()).toEqual(EMPTY_REPORT);
    },
  );
});

describe("chat: isUsageOnly", () => {
  const USAGE = { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 };
  it.each([
    ["no choices and usage", { choices: [], usage: USAGE }, true],
    ["other fields beside these", { id: "c", object: "x", choices: [], usage: {}, obfuscation: "x" }, true],
    ["usage beside content", { choices: [{ index: 0, delta: { content: "x" } }], usage: USAGE }, false],
    ["no choices and no usage, as in Azure's first chunk", { choices: [], prompt_filter_results: [] }, false],
    ["no choices and usage null", { choices: [], usage: null }, false],
    ["choices absent", { usage: USAGE }, false],
    ["choices null", { choices: null, usage: USAGE }, false],
    ["usage that is not an object", { choices: [], usage: [USAGE] }, false],
    ["usage inside a choice", { choices: [{ usage: USAGE }] }, false],
    ["an error", { error: { type: "x" } }, false],
  ])("for %s: %j → %s", (_, value, usageOnly) => {
    expect(isUsageOnly(JSON.stringify(value))).toBe(usageOnly);
  });

  it.each(["[DONE]", "", "{", '{"choices":[],"usage":{}', "null", '"usage"', '[{"choices":[],"usage":{}}]'])(
    "is false for %j",
    (data) => {
      expect(isUsageOnly(data)).toBe(false);
    },
  );
});
