/** Responses that are too large to be held: their figures and their end are read from an excerpt. */
import { describe, expect, it } from "vitest";
import { createBodyParser } from "../../../src/gateway/observation/body-parser.ts";
import { createExcerpt } from "../../../src/gateway/observation/excerpt.ts";
import { chatReader } from "../../../src/gateway/provider/openai/chat-response.ts";
import { closeJson } from "../../../src/gateway/observation/close-json.ts";
import { fixtures, KEEP_ALL, KEEP_NONE, type Fixture } from "../../support/in-workerd/fixtures.ts";
import { utf8 } from "../../support/in-workerd/values.ts";
import { forSeeds, rechunk } from "../../support/rechunk.ts";

/** A text with quotes, brackets and a false usage object, as a model can write it. */
const MISLEADING = '", "usage": {"prompt_tokens": 1, "input_tokens": 1}}]}, "stop_reason": "x\\';
const FILLER = MISLEADING.repeat(4000);

const LIMITS = { events: 64 * 1024, json: 64 * 1024 };

/** A large text in front of the response's own, in the content that the client sees. */
function enlarge(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(enlarge);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => {
    const isText = (key === "content" || key === "text") && typeof inner === "string";
    return [key, isText ? FILLER + inner : enlarge(inner)];
  });
  return Object.fromEntries(entries);
}

function reportOf(kind: Fixture["kind"], { reader }: Fixture, pieces: readonly Uint8Array[]) {
  const parser = createBodyParser(kind, reader(KEEP_NONE), LIMITS);
  for (const piece of pieces) parser.bytes(piece);
  const { usage, usageFinal, ended, id, model, finishReason, error } = parser.finish();
  return { usage, usageFinal, ended, id, model, finishReason, error };
}

/** The JSON bodies with a text that can be enlarged. */
const bodies = fixtures.flatMap((one) => {
  if (one.kind !== "json" || one.report.usage === null) return [];
  const large = utf8(JSON.stringify(enlarge(JSON.parse(one.text))));
  return large.byteLength > 2 * LIMITS.json ? [{ one, large }] : [];
});
const terminal = fixtures.filter(
  ({ name, text }) =>
    /event: response\.(?:completed|incomplete)\n/.test(text) && name !== "responses/malformed-event",
);

describe("the figures of a response that is too large to be held", () => {
  it("are those of several JSON bodies", () => expect(bodies.length).toBeGreaterThan(4));

  it.each(bodies.map(({ one, large }) => [one.name, one, large] as const))(
    "a JSON body: %s",
    (_, one, large) => {
      const whole = reportOf("json", one, [one.bytes]);
      forSeeds(5, (seed) => expect(reportOf("json", one, rechunk(large, seed, 20_000))).toEqual(whole));
    },
  );

  it.each(terminal.map((one) => [one.name, one] as const))("a terminal event: %s", (_, one) => {
    const enlarged = one.text.replace(
      /(event: response\.(?:completed|incomplete)\ndata: )(.*)/,
      (_line, start: string, data: string) => start + JSON.stringify(enlarge(JSON.parse(data))),
    );
    const whole = reportOf("events", one, [one.bytes]);
    forSeeds(5, (seed) =>
      expect(reportOf("events", one, rechunk(utf8(enlarged), seed, 20_000))).toEqual(whole),
    );
  });

  it.each([
    ["a text that ends in the middle", `{"id":"x","choices":["${"y".repeat(300_000)}`],
    ["usage only inside the content", `{"output":[${'{"usage":{"input_tokens":1}},'.repeat(9000)}1]}`],
    ["text behind the object", `{"id":"x","choices":["${"y".repeat(300_000)}"],"usage":{}} and more`],
    ["no JSON", "x".repeat(300_000)],
  ])("%s gives no members", (_, text) => {
    const excerpt = createExcerpt();
    for (let at = 0; at < text.length; at += 10_000) excerpt.add(text.slice(at, at + 10_000));
    expect(excerpt.read()).toBeNull();
  });

  it("reads a text that fits", () => {
    const excerpt = createExcerpt();
    excerpt.add('{"id":');
    excerpt.add('"x"}');
    expect(excerpt.read()).toEqual({ id: "x" });
  });
});

describe("an error that is too large to be held", () => {
  const LONG = "the request was too long ".repeat(20_000);
  const details = Array.from({ length: 9000 }, (_, at) => ({
    type: "value_error",
    loc: ["body", at],
    msg: "x",
  }));
  it.each<readonly [string, unknown, string]>([
    ["a name before its message", { error: { type: "overloaded_error", message: LONG } }, "overloaded_error"],
    [
      "a name after its message",
      { error: { message: LONG, type: "server_error", code: null } },
      "server_error",
    ],
    ["a name after details", { error: { details, message: "x", status: "UNAVAILABLE" } }, "UNAVAILABLE"],
    ["a name around it", { type: "error", error: { type: "api_error", message: LONG } }, "api_error"],
    [
      "a name beside its message",
      { object: "error", message: LONG, type: "BadRequestError", code: 400 },
      "BadRequestError",
    ],
    ["a numeric code alone", { error: { message: LONG, code: 429 } }, "rate_limit_error"],
    ["a name in a list", [{ error: { code: 503, message: LONG, status: "UNAVAILABLE" } }], "UNAVAILABLE"],
    ["no name", { error: LONG }, "error"],
    ["a name before content", { error: { code: "moderated" }, choices: [{ text: LONG }] }, "moderated"],
    ["a name after content", { choices: [{ text: LONG }], error: { code: "moderated" } }, "moderated"],
    [
      "Mistral's members",
      { message: LONG, type: "invalid_request_prompt", code: "1500" },
      "invalid_request_prompt",
    ],
    ["FastAPI's members", { detail: details }, "value_error"],
  ])("has %s", (_, value, name) => {
    const bytes = utf8(JSON.stringify(value));
    forSeeds(3, (seed) => {
      const parser = createBodyParser("json", chatReader(KEEP_NONE), LIMITS);
      for (const piece of rechunk(bytes, seed, 20_000)) parser.bytes(piece);
      expect(parser.finish()).toMatchObject({ error: name, errorMessage: null });
      expect(parser.isTruncated()).toBe(true);
    });
  });

  it("keeps the message up to a blank", () => {
    const parser = createBodyParser("json", chatReader(KEEP_ALL), LIMITS);
    parser.bytes(utf8(JSON.stringify({ error: { type: "overloaded_error", message: LONG } })));
    const { errorMessage } = parser.finish();
    expect(LONG.startsWith(errorMessage ?? "-")).toBe(true);
    expect(errorMessage?.length).toBeGreaterThan(900);
  });

  it("is none where the error has no value", () => {
    const parser = createBodyParser("json", chatReader(KEEP_NONE), LIMITS);
    const usage = { prompt_tokens: 5, completion_tokens: 2 };
    const choices = [{ index: 0, message: { content: LONG }, finish_reason: "stop" }];
    parser.bytes(utf8(JSON.stringify({ id: "c", error: { message: "", code: 0 }, choices, usage })));
    expect(parser.finish()).toMatchObject({ error: null, usage: { input_tokens: 5, output_tokens: 2 } });
  });
});

describe("closeJson", () => {
  it.each([
    ['{"a":1,"b":{"c":[1,2', '{"a":1,"b":{"c":[1]}}'],
    ['{"a":"x y z', '{"a":"x y…"}'],
    ['{"a":"xyz', '{"a":"…"}'],
    ['{"a":"x \\"y \\', '{"a":"x \\"y…"}'],
    ['{"a":1,"key', '{"a":1}'],
    ['{"a":1,"key":', '{"a":1}'],
    ['{"a":"}",', '{"a":"}"}'],
    ['{"a":{}', '{"a":{}}'],
    ["{", "{}"],
    ['[{"a":[', '[{"a":[]}]'],
    ["", ""],
    ["text", ""],
    ["]]}", "]]}"],
  ])("completes %j to %j", (start, whole) => expect(closeJson(start)).toBe(whole));

  it("gives JSON for each beginning of an object", () => {
    const value = { a: [1, { b: 'x \\ " y' }, null], c: { d: true }, "e,{": "f g", h: -1.5 };
    const whole = JSON.stringify(value);
    for (let end = 1; end <= whole.length; end += 1)
      expect(typeof JSON.parse(closeJson(whole.slice(0, end)))).toBe("object");
  });
});

describe("an excerpt", () => {
  it.each([
    [
      "before the content",
      { usage: { prompt_tokens: 5 }, choices: [{ text: FILLER, finish_reason: "stop" }] },
    ],
    [
      "after the content",
      { choices: [{ text: FILLER, finish_reason: "stop" }], usage: { prompt_tokens: 5 } },
    ],
  ])("has the usage %s", (_, members) => {
    const excerpt = createExcerpt();
    excerpt.add(JSON.stringify({ id: "c", model: "m", ...members }));
    expect(excerpt.read()).toMatchObject({
      id: "c",
      model: "m",
      usage: { prompt_tokens: 5 },
      choices: [{ finish_reason: "stop" }],
    });
  });

  it("has the members in front of the request's tools, whose parameters are named like members", () => {
    const properties = { id: { type: "string" }, model: { type: "string" } };
    const tools = Array.from({ length: 40 }, () => ({ type: "function", parameters: { properties } }));
    const excerpt = createExcerpt();
    excerpt.add(
      JSON.stringify({
        id: "r",
        output: [{ content: [{ type: "output_text", text: FILLER }] }],
        service_tier: "priority",
        tools,
        usage: { input_tokens: 5 },
      }),
    );
    expect(excerpt.read()).toMatchObject({
      id: "r",
      service_tier: "priority",
      usage: { input_tokens: 5 },
    });
  });

  // Attack: the model is made to call a tool whose input, an object, looks like the end of a response.
  it("does not take a tool's input for the end of the response", () => {
    const input = Array.from({ length: 100 }, () => ({ usage: { input_tokens: 0 }, stop_reason: "error" }));
    const content = [
      { type: "text", text: FILLER },
      { type: "tool_use", input: { input } },
    ];
    const excerpt = createExcerpt();
    excerpt.add(JSON.stringify({ id: "m", content, stop_reason: "tool_use", usage: { input_tokens: 5 } }));
    expect(excerpt.read()).toEqual({ id: "m", stop_reason: "tool_use", usage: { input_tokens: 5 } });
  });
});
