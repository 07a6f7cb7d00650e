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
import { fixture, fixtures, KEEP_ALL, KEEP_NONE } from "../../support/in-workerd/fixtures.ts";

describe("G18-G21 G25 G26 what an answer says it used", () => {
  it.each(fixtures.map(({ name, ...rest }) => [name, rest] as const))(
    "%s",
    (_, { kind, bytes, report, reader }) => {
      const answer = createBodyParser(kind, reader());
      answer.bytes(bytes);
      expect(answer.finish()).toEqual(report);
    },
  );

  it("the fixtures hold what they were made for", () => {
    expect(fixtures.length).toBeGreaterThan(50);
    expect(fixture("chat/misleading-content").text).toContain("data: [DONE]\\n");
    expect(fixture("chat/misleading-content").text).toContain('\\"usage\\":{');
    expect(fixture("messages/plain").report.usage).toMatchObject({ output_tokens: 61 });
    expect(fixture("messages/plain").text).toContain('"output_tokens":5');
  });
});

/** What a reader makes of events one after another. */
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

const chatUsage = (keep = KEEP_NONE): ResponseReader => chatReader(keep);
const responsesUsage = (keep = KEEP_NONE): ResponseReader => responsesReader(keep);
const messagesUsage = (keep = KEEP_NONE): ResponseReader => messagesReader(keep);

const READERS = [
  ["chat", chatUsage],
  ["responses", responsesUsage],
  ["messages", messagesUsage],
] as const;

describe.each(READERS)("a reader of %s", (_, reader) => {
  it("reports nothing of nothing", () => {
    expect(reader().report()).toEqual(EMPTY_REPORT);
  });

  it.each(["", "null", "[]", "7", '"text"', "{", "nonsense", "\u0000", '{"a":1}', "[DONE", "[[DONE]]"])(
    "G15 the event %j tells no figure, id or error",
    (data) => {
      const told = afterEvents(reader(), data);
      expect({ ...told, ended: false }).toEqual(EMPTY_REPORT);
    },
  );

  it.each([[null], [[]], [7], ["text"], [true], [[{ usage: { input_tokens: 1, prompt_tokens: 1 } }]]])(
    "the JSON body %j tells no figure, id or error",
    (value) => {
      const own = reader();
      own.body(value);
      expect({ ...own.report(), ended: false }).toEqual(EMPTY_REPORT);
    },
  );

  it("a JSON body that is no object is a whole body all the same", () => {
    const own = reader();
    own.body([]);
    expect(own.report().ended).toBe(true);
  });

  it("a JSON body of an empty object is an answer that used nothing known", () => {
    const own = reader();
    own.body({});
    expect(own.report()).toMatchObject({ usage: null, ended: true, error: null });
  });

  it("ids and models are cut, and taken only as text", () => {
    const own = reader();
    own.body({ id: "i".repeat(5000), model: 7 });
    expect(own.report()).toMatchObject({ id: "i".repeat(256), model: null });
  });

  it("ids and models are not cut through a surrogate pair", () => {
    const own = reader();
    own.body({ id: `${"i".repeat(255)}😀`, model: `${"m".repeat(254)}😀` });
    expect(own.report()).toMatchObject({ id: "i".repeat(255), model: `${"m".repeat(254)}😀` });
  });

  it("an error's type is cut to 64 characters", () => {
    const own = reader();
    own.body({ type: "error", error: { type: "e".repeat(5000), message: "CANARY" } });
    expect(own.report().error).toBe("e".repeat(64));
    expect(JSON.stringify(own.report())).not.toContain("CANARY");
  });

  it("never throws and never reports a figure that is no count, whatever it is given", () => {
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
      const own = reader(seed % 2 === 0 ? KEEP_ALL : KEEP_NONE);
      for (let left = between(random, 1, 5); left > 0; left -= 1) {
        const value = randomValue(random, 4);
        if (random() < 0.2) own.body(value);
        else own.event(JSON.stringify(value), types[between(random, 0, types.length - 1)] ?? "");
      }
      const { usage } = own.report();
      if (usage === null) return;
      counts.withUsage += 1;
      const { extras, invalid: _flagged, ...figures } = usage;
      for (const figure of [...Object.values(figures), ...Object.values(extras)]) {
        expect(figure === null || (Number.isSafeInteger(figure) && figure >= 0)).toBe(true);
      }
    });
    expect(counts.withUsage).toBeGreaterThan(20);
  });
});

const HOSTILE = [-1, -0.5, 1.5, 1e308, 2 ** 53, Number("9007199254740993"), "12", "", true, [], {}, [5]];

describe("G21 figures that are no counts", () => {
  it.each(HOSTILE.map((figure) => [figure]))("chat: %j is not taken, and flagged", (figure) => {
    const { usage } = afterEvents(chatUsage(), {
      choices: [],
      usage: { prompt_tokens: figure, completion_tokens: 3 },
    });
    expect(usage).toMatchObject({ input_tokens: null, output_tokens: 3, invalid: true });
  });

  it.each(HOSTILE.map((figure) => [figure]))("responses: %j is not taken, and flagged", (figure) => {
    const { usage } = afterEvents(responsesUsage(), {
      type: "response.completed",
      response: { usage: { input_tokens: 3, output_tokens: figure, total_tokens: figure } },
    });
    expect(usage).toMatchObject({ input_tokens: 3, output_tokens: null, extras: {}, invalid: true });
  });

  it.each(HOSTILE.map((figure) => [figure]))(
    "messages: %j is not taken, flagged, and the earlier figure stands",
    (figure) => {
      const { usage } = afterEvents(
        messagesUsage(),
        { type: "message_start", message: { usage: { input_tokens: 3, output_tokens: 1 } } },
        { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: figure } },
        { type: "message_stop" },
      );
      expect(usage).toMatchObject({ input_tokens: 3, output_tokens: 1, invalid: true });
    },
  );

  it("G21 messages: a figure refused early stays flagged, however good the later ones are", () => {
    const { usage } = afterEvents(
      messagesUsage(),
      { type: "message_start", message: { usage: { input_tokens: -3, output_tokens: 1 } } },
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn" },
        usage: { input_tokens: 3, output_tokens: 9 },
      },
    );
    expect(usage).toMatchObject({ input_tokens: 3, output_tokens: 9, invalid: true });
  });

  it("0 and 2^53 - 1 are counts", () => {
    const { usage } = afterEvents(chatUsage(), {
      choices: [],
      usage: { prompt_tokens: 0, completion_tokens: Number.MAX_SAFE_INTEGER },
    });
    expect(usage).toMatchObject({
      input_tokens: 0,
      output_tokens: Number.MAX_SAFE_INTEGER,
      invalid: false,
    });
  });

  it("null and absent figures are unknown, not wrong", () => {
    const { usage } = afterEvents(chatUsage(), {
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
    });
  });

  it("chat: an empty usage object does not take the place of figures", () => {
    const told = { choices: [], usage: { prompt_tokens: 4, completion_tokens: 2 } };
    const { usage } = afterEvents(chatUsage(), told, { choices: [], usage: {} });
    expect(usage).toMatchObject({ input_tokens: 4, output_tokens: 2 });
  });

  it.each([[null], [[]], ["19"], [19], [true]])("a usage of %j is no usage", (usage) => {
    expect(afterEvents(chatUsage(), { choices: [], usage }).usage).toBeNull();
    const completed = { type: "response.completed", response: { usage } };
    expect(afterEvents(responsesUsage(), completed).usage).toBeNull();
    expect(afterEvents(messagesUsage(), { type: "message_start", message: { usage } }).usage).toBeNull();
  });
});

const delta = (output_tokens: number, stop_reason: string | null = null): unknown => ({
  type: "message_delta",
  delta: { stop_reason },
  usage: { output_tokens },
});

describe("G20 messages: figures are cumulative", () => {
  const start = { type: "message_start", message: { usage: { input_tokens: 5, output_tokens: 5 } } };

  it("G20 the last one stands: 5 and 61 are 61, not 66", () => {
    expect(afterEvents(messagesUsage(), start, delta(61, "end_turn")).usage).toMatchObject({
      input_tokens: 5,
      output_tokens: 61,
    });
    expect(afterEvents(messagesUsage(), start, delta(20), delta(40), delta(61)).usage).toMatchObject({
      output_tokens: 61,
    });
  });

  it("G20 a message that stops is final before its last event; one that goes on is not", () => {
    expect(afterEvents(messagesUsage(), start, delta(20)).usageFinal).toBe(false);
    expect(afterEvents(messagesUsage(), start, delta(61, "end_turn"))).toMatchObject({
      usageFinal: true,
      ended: false,
    });
    expect(afterEvents(messagesUsage(), start, { type: "message_stop" })).toMatchObject({
      usageFinal: true,
      ended: true,
    });
  });
});

describe("G19 responses: a terminal event too large to be read, known by its name alone", () => {
  it.each([
    ["response.completed", null],
    ["response.incomplete", null],
    ["response.failed", "failed"],
    ["error", "error"],
  ])("%s is an end, with error %j", (name, error) => {
    const reader = responsesUsage();
    reader.event("", name);
    expect(reader.report()).toMatchObject({ ended: true, error, usage: null });
  });

  it.each(["response.created", "response.output_text.delta", "ping", ""])("%j is none", (name) => {
    const reader = responsesUsage();
    reader.event("", name);
    expect(reader.report()).toEqual(EMPTY_REPORT);
  });
});

describe("chat: the event that holds nothing but usage", () => {
  const USAGE = { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 };
  it.each([
    ["no choices and usage", { choices: [], usage: USAGE }, true],
    ["more fields beside them", { id: "c", object: "x", choices: [], usage: {}, obfuscation: "x" }, true],
    ["usage beside content", { choices: [{ index: 0, delta: { content: "x" } }], usage: USAGE }, false],
    ["no choices and no usage: Azure's first", { choices: [], prompt_filter_results: [] }, false],
    ["no choices and usage null", { choices: [], usage: null }, false],
    ["choices absent", { usage: USAGE }, false],
    ["choices null", { choices: null, usage: USAGE }, false],
    ["usage that is no object", { choices: [], usage: [USAGE] }, false],
    ["usage inside a choice", { choices: [{ usage: USAGE }] }, false],
    ["an error", { error: { type: "x" } }, false],
  ])("%s: %j → %s", (_, value, only) => {
    expect(isUsageOnly(JSON.stringify(value))).toBe(only);
  });

  it.each(["[DONE]", "", "{", '{"choices":[],"usage":{}', "null", '"usage"', '[{"choices":[],"usage":{}}]'])(
    "%j is none",
    (data) => {
      expect(isUsageOnly(data)).toBe(false);
    },
  );
});
