import { describe, expect, it } from "vitest";
import { JsonSource } from "../../../src/gateway/provider/json-source.ts";
import { readModelCall, type ModelCall } from "../../../src/gateway/provider/model-call.ts";
import { messagesFields } from "../../../src/gateway/provider/anthropic/request-fields.ts";
import { chatFields, responsesFields } from "../../../src/gateway/provider/openai/request-fields.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { jsonObject } from "../../support/in-workerd/random-json.ts";
import { accepted, join, reasonOf, statusOf, utf8 } from "../../support/in-workerd/values.ts";

const read = (body: string | Uint8Array): ModelCall | Refusal =>
  readModelCall(new JsonSource(typeof body === "string" ? utf8(body) : body));

describe("the model call of an intercepted request", () => {
  it("has the model unmodified and whether the request streams", () => {
    const text = ' {"messages":[],"model":" GPT-4o\\n","stream":true} ';
    const call = accepted(read(text));
    const { fields, model, stream } = call;
    expect({ fields, model, stream }).toEqual({
      model: " GPT-4o\n",
      stream: true,
      fields: { model: " GPT-4o\n", stream: true },
    });
  });

  it.each([
    ["{}", null, false],
    ['{"model":null,"stream":null}', null, false],
    ['{"model":"","stream":false}', "", false],
    ['{"mod\\u0065l":"m"}', "m", false],
    ['{"metadata":{"model":"inner","stream":true}}', null, false],
  ])("reads the model and the stream flag of %s: %j, %s", (body, model, stream) => {
    expect(accepted(read(body))).toMatchObject({ model, stream });
  });
});

describe("F7 F8 a body that is not a JSON object", () => {
  it.each([
    ["nothing", ""],
    ["blanks", "  \n"],
    ["truncated JSON", '{"model":"gpt-4o"'],
    ["two values", "{}{}"],
    ["a trailing comma", '{"model":"x",}'],
    ["single quotes", "{'model':'x'}"],
    ["a comment", '{"model":"x"}//'],
    ["NaN", '{"model":NaN}'],
    ["a raw line break in a string", '{"model":"a\nb"}'],
    ["a byte order mark", '\ufeff{"model":"x"}'],
    ["an array", "[]"],
    ["a string", '"x"'],
    ["a number", "7"],
    ["null", "null"],
    ["true", "true"],
    ["a form", "model=gpt-4o"],
  ])("F7 F8 rejects %s as body_invalid, 400", (_, body) => {
    const refusal = read(body);
    expect(reasonOf(refusal)).toBe("body_invalid");
    expect(statusOf(refusal)).toBe(400);
  });

  it.each([
    ["a lone continuation byte", [0x80]],
    ["an overlong slash", [0xc0, 0xaf]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["a truncated character", [0xe2, 0x82]],
    ["beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a Latin-1 letter", [0xe4]],
  ])("F7 rejects %s in a string as invalid UTF-8, 400", (_, bytes) => {
    const body = join([utf8('{"model":"'), Uint8Array.from(bytes), utf8('"}')]);
    expect(reasonOf(read(body))).toBe("body_invalid");
  });

  it("F7 rejects UTF-16", () => {
    const utf16 = Uint8Array.from(
      [..."\ufeff{}"].flatMap((c) => [c.charCodeAt(0) & 255, c.charCodeAt(0) >> 8]),
    );
    expect(reasonOf(read(utf16))).toBe("body_invalid");
  });

  it("C6 I2 quotes nothing of the body in the refusal", () => {
    expect(JSON.stringify(read('{"model": CANARY}'))).not.toContain("CANARY");
    expect(JSON.stringify(read('{"model": ["CANARY"]}'))).not.toContain("CANARY");
  });

  it.each([
    ['{"model":7}', "model"],
    ['{"model":["gpt-4o"]}', "model"],
    ['{"model":{}}', "model"],
    ['{"model":true}', "model"],
    ['{"model":"m","stream":"true"}', "stream"],
    ['{"model":"m","stream":1}', "stream"],
    ['{"model":"m","stream":{}}', "stream"],
  ])("F8 rejects %s as field_invalid, 400, and names the field", (body, param) => {
    const refusal = read(body) as Refusal;
    expect(reasonOf(refusal)).toBe("field_invalid");
    expect(statusOf(refusal)).toBe(400);
    expect(refusal.data.param).toBe(param);
    expect(refusal.message).toContain(`(${param})`);
  });
});

describe("F5 keys that objects inherit", () => {
  it("F5 ignores __proto__ and constructor and pollutes no prototype", () => {
    const body = '{"__proto__":{"model":"evil","stream":true},"constructor":{"prototype":{"model":"evil"}}}';
    const call = accepted(read(body));
    expect(call.model).toBeNull();
    expect(call.stream).toBe(false);
    expect(({} as { model?: unknown }).model).toBeUndefined();
    expect(({} as { stream?: unknown }).stream).toBeUndefined();
  });
});

const nested = (depth: number, open = "[", close = "]"): string =>
  `{"a":${open.repeat(depth - 1)}${close.repeat(depth - 1)}}`;

describe("F6 deep nesting", () => {
  it("F6 accepts 256 levels and rejects one more with E400", () => {
    expect(accepted(read(nested(256))).model).toBeNull();
    expect(reasonOf(read(nested(257)))).toBe("body_invalid");
    expect(statusOf(read(nested(257)))).toBe(400);
  });

  it.each([
    ["arrays", "[", "]"],
    ["objects", '{"a":', "}"],
  ])("F6 rejects 100,000 levels of %s with E400 without a crash", (_, open, close) => {
    const body = `{"a":${open.repeat(100_000)}1${close.repeat(100_000)}}`;
    expect(reasonOf(read(body))).toBe("body_invalid");
  });

  it("F6 does not count brackets in strings as levels", () => {
    expect(accepted(read(`{"model":"${"[".repeat(1000)}"}`)).model).toBe("[".repeat(1000));
  });

  it("F6 accepts a broad value", () => {
    expect(accepted(read(`{"a":[${"[],".repeat(50_000)}[]],"model":"m"}`)).model).toBe("m");
  });
});

describe("F4 a checked field that occurs more than once", () => {
  it.each([
    ['{"model":"allowed","model":"forbidden"}', "model"],
    ['{"model":"allowed","mod\\u0065l":"forbidden"}', "model"],
    ['{"m\\u006fdel":"allowed","\\u006dodel":"forbidden"}', "model"],
    ['{"model":"a" , "messages":[{"content":"}{\\"model\\""}] , "model" : "b"}', "model"],
    ['{"model":"same","model":"same"}', "model"],
    ['{"model":null,"model":"x"}', "model"],
    ['{"stream":false,"stream":true}', "stream"],
    ['{"str\\u0065am":false,"stream":true}', "stream"],
    ['{"stream_options":{},"stream_options":null,"stream":true}', "stream_options"],
    ['{"stream\\u005Foptions":{},"stream_options":{"include_usage":true}}', "stream_options"],
  ])("F4 rejects %s with E400", (body, param) => {
    const refusal = read(body) as Refusal;
    expect(reasonOf(refusal)).toBe("field_repeated");
    expect(statusOf(refusal)).toBe(400);
    expect(refusal.data.param).toBe(param);
  });

  it.each([
    '{"model":"m","messages":[{"model":"x"},{"model":"y"}]}',
    '{"metadata":{"model":"x","stream":true},"model":"m"}',
    '{"model":"m","messages":[{"content":"\\"model\\":\\"x\\",\\"model\\":1"}]}',
    '{"model":"model","messages":["model","stream"]}',
    '{"model":"m\\u0065","x":"\\u0061"}',
    '{"messages":[],"messages":[1],"model":"m"}',
  ])("F4 accepts %s, which has each checked field once", (body) => {
    expect(accepted(read(body)).model).toMatch(/^m/);
  });

  // Go's encoding/json, which some providers use, matches keys regardless of case and uses the last one.
  it.each([
    ['{"model":"allowed","Model":"forbidden"}', "model"],
    ['{"MODEL":"forbidden","model":"allowed"}', "model"],
    ['{"model":"allowed","mode\\u004c":"forbidden"}', "model"],
    ['{"model":"m","stream":false,"Stream":true}', "stream"],
  ])("F4 rejects %s with E400, because JSON readers differ in the value they use", (body) => {
    const refusal = read(body);
    expect(statusOf(refusal)).toBe(400);
  });

  it("F4 detects a repeated key in random bodies, and only a repeated key", () => {
    const counts = { repeated: 0, single: 0 };
    forSeeds(3000, (seed) => {
      const random = seededRandom(seed);
      const times = between(random, 0, 2);
      const body = jsonObject(
        random,
        Array.from({ length: times }, () => ["model", '"m"'] as const),
      );
      counts[times > 1 ? "repeated" : "single"] += 1;
      expect(reasonOf(read(body))).toBe(times > 1 ? "field_repeated" : null);
    });
    expect(Math.min(counts.repeated, counts.single)).toBeGreaterThan(500);
  });
});

const FIELDS = { chat: chatFields, responses: responsesFields, messages: messagesFields };
const refusalOf = (api: keyof typeof FIELDS, body: string): string | null => {
  const call = readModelCall(new JsonSource(utf8(body)), FIELDS[api]);
  const refusal = call instanceof Refusal ? call : null;
  return refusal && `${refusal.status} ${refusal.code} ${refusal.data.param}`;
};

// The attack (N3 of the security review): a provider written in Go reads `meſſages` as `messages` and takes the last one.
// The record had the prompt of the first, and `ſtream` kept a stream's usage from being recorded.
describe("F4 an option that providers read differently", () => {
  // The attack: pydantic takes these values for false, and llama.cpp ignores an option of another type. The provider then
  // sends no usage, which the gateway took for requested by the client.
  it.each([
    ['{"include_usage":0}', "stream_options.include_usage"],
    ['{"include_usage":"false"}', "stream_options.include_usage"],
    ['{"include_usage":"off","x":true}', "stream_options.include_usage"],
    ['{"x":true, "include\\u005fusage" : -0.0}', "stream_options.include_usage"],
    ['{"include_usage":[]}', "stream_options.include_usage"],
    ['{"include_usage":{}}', "stream_options.include_usage"],
    ['{"include_usage":1}', "stream_options.include_usage"],
    ['"include_usage"', "stream_options"],
    ["[]", "stream_options"],
    ["0", "stream_options"],
    ["false", "stream_options"],
    ["true", "stream_options"],
  ])("F4 rejects it with E400: %s", (options, param) => {
    for (const body of [`{"stream":true,"stream_options":${options}}`, `{"stream_options":${options}}`])
      expect(refusalOf("chat", body)).toBe(`400 field_invalid ${param}`);
  });
});

// The attack: a provider written in Go matches keys without regard to case, and reads another field than is checked.
describe("Finding N3: a known field twice or in another case", () => {
  it.each([
    ["chat", '{"messages":[],"messages":[]}', "messages"],
    ["chat", '{"messages":[],"Messages":[]}', "messages"],
    ["chat", '{"messages":[],"meſſages":[]}', "messages"],
    ["chat", '{"me\\u017f\\u017Fages":[]}', "messages"],
    ["chat", '{"MEſSAGES":[]}', "messages"],
    ["chat", '{"ſtream":true}', "stream"],
    ["chat", '{"toolſ":[]}', "tools"],
    ["chat", '{"max_toKens":1}', "max_tokens"],
    ["chat", '{"max_to\\u212aens":1}', "max_tokens"],
    ["chat", '{"service_tier":"flex","Service_Tier":"priority"}', "service_tier"],
    ["chat", '{"models":[],"mod\\u0065ls":[]}', "models"],
    [
      "chat",
      '{"stream_options":{"include_usage":false,"include_usage":true}}',
      "stream_options.include_usage",
    ],
    ["chat", '{"stream_options":{"include_uſage":true}}', "stream_options.include_usage"],
    ["responses", '{"input":"a","input":"b"}', "input"],
    ["responses", '{"Input":"b"}', "input"],
    ["responses", '{"bacKground":true}', "background"],
    ["responses", '{"background":false,"background":true}', "background"],
    ["messages", '{"system":"a","system":"b"}', "system"],
    ["messages", '{"ſyſtem":"b"}', "system"],
    ["messages", '{"tools":[],"tools":[]}', "tools"],
    ["messages", '{"thin\\u212Aing":{}}', "thinking"],
    ["messages", '{"speed":"fast","Speed":"standard"}', "speed"],
  ] as const)("F4 rejects it with E400: %s, %s", (api, body, param) => {
    expect(refusalOf(api, body)).toBe(`400 field_repeated ${param}`);
  });

  it.each([
    ["chat", '{"mod\\u0065l":"m","\\u006dessages":[]}'],
    ["chat", '{"meßages":[],"ſ":1,"K":2,"":3,"":4,"modelx":1,"mode":2,"İnput":3,"\\ud83d":4}'],
    ["chat", '{"unknown":1,"Unknown":2,"unknown":3}'],
    ["chat", '{"tools":[{"messages":1,"messages":2,"Model":"x"}]}'],
    ["chat", '{"model\\u0000":1,"model ":2,"mo\\\\del":3,"model\\"":4}'],
    ["messages", '{"input":"a","input":"b"}'],
  ] as const)(
    "F4 accepts keys that fold to no known field, and escapes of a known one: %s, %s",
    (api, body) => {
      expect(refusalOf(api, body)).toBeNull();
    },
  );
});

// The attack: a body of very many small values, whose parsed form ends the isolate and all of its other requests.
describe("Finding H7: the bounds of a body", () => {
  it.each([
    [
      "members",
      `{"a":[${'{"a":0},'.repeat(249_998)}{"a":0}]}`,
      `{"a":[${'{"a":0},'.repeat(249_999)}{"a":0}]}`,
    ],
    ["values", `{"a":[${"0,".repeat(1_999_997)}0]}`, `{"a":[${"0,".repeat(1_999_998)}0]}`],
    ["deep", nested(256), nested(257)],
  ])("F6 accepts a body within the bound of %s and rejects one more with its name", (name, within, over) => {
    expect(accepted(read(within)).model).toBeNull();
    const refusal = read(over) as Refusal;
    expect(statusOf(refusal)).toBe(400);
    expect(refusal.data.detail).toContain(name);
  });

  it("F6 rejects a model that is too long to be parsed", () => {
    expect(reasonOf(read(`{"model":"${"m".repeat(70_000)}"}`))).toBe("field_invalid");
  });
});
