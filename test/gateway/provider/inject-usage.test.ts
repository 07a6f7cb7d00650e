import { describe, expect, it } from "vitest";
import { readModelCall } from "../../../src/gateway/provider/model-call.ts";
import { injectUsageOption } from "../../../src/gateway/provider/inject-usage.ts";
import { forSeeds, seededRandom } from "../../support/rechunk.ts";
import { jsonObject } from "../../support/in-workerd/random-json.ts";
import { accepted, text, utf8 } from "../../support/in-workerd/values.ts";

/** The body with the opt-in, as text; null where it stays as it is. */
function spliced(body: string): string | null {
  const bytes = utf8(body);
  const before = bytes.slice();
  const result = injectUsageOption(accepted(readModelCall(bytes)), bytes);
  expect(bytes).toEqual(before);
  return result && text(result);
}

describe("the usage opt-in", () => {
  it.each([
    ['{"stream":true}', '{"stream_options":{"include_usage":true},"stream":true}'],
    ['\n { "stream" : true }', '\n {"stream_options":{"include_usage":true}, "stream" : true }'],
    ['{"stream":true,"stream_options":null}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    ['{"stream":true,"stream_options":{}}', '{"stream":true,"stream_options":{"include_usage":true}}'],
    ['{"stream":true,"stream_options":{ }}', '{"stream":true,"stream_options":{"include_usage":true }}'],
    [
      '{"stream_options":{"include_obfuscation":false},"stream":true}',
      '{"stream_options":{"include_usage":true,"include_obfuscation":false},"stream":true}',
    ],
    [
      '{"stream":true,"stream_options":{ "include_usage" : false , "x":1}}',
      '{"stream":true,"stream_options":{ "include_usage" : true , "x":1}}',
    ],
    [
      '{"stream":true,"stream_options":{"include_usage":null}}',
      '{"stream":true,"stream_options":{"include_usage":true}}',
    ],
    [
      '{"stream":true,"stream_options":{"x":{"include_usage":true}}}',
      '{"stream":true,"stream_options":{"include_usage":true,"x":{"include_usage":true}}}',
    ],
    [
      '{"stream":true,"stream\\u005foptions" : null }',
      '{"stream":true,"stream\\u005foptions" : {"include_usage":true} }',
    ],
    [
      '{"stream":true,"stream_options":{"include\\u005Fusage":false}}',
      '{"stream":true,"stream_options":{"include\\u005Fusage":true}}',
    ],
    [
      '{"stream":true,"stream_options":{"include_usage":true,"include_usage":false}}',
      '{"stream":true,"stream_options":{"include_usage":true,"include_usage":true}}',
    ],
    [
      '{"messages":[{"content":"Grüße 東京 🗼"}],"stream_options":{"include_usage":false},"stream":true}',
      '{"messages":[{"content":"Grüße 東京 🗼"}],"stream_options":{"include_usage":true},"stream":true}',
    ],
    [
      '{"ü🗼":"é","stream":true,"stream_options":{"ü🗼":"é"}}',
      '{"ü🗼":"é","stream":true,"stream_options":{"include_usage":true,"ü🗼":"é"}}',
    ],
    [
      '{"x":"\\"stream_options\\":null","stream":true,"stream_options":null,"y":{"stream_options":null}}',
      '{"x":"\\"stream_options\\":null","stream":true,"stream_options":{"include_usage":true},"y":{"stream_options":null}}',
    ],
  ])("F11 %j becomes %j", (body, result) => {
    expect(spliced(body)).toBe(result);
  });

  it.each([
    ["no stream", "{}"],
    ["no stream", '{"stream":false}'],
    ["no stream", '{"stream":null,"stream_options":{}}'],
    ["the client has asked itself", '{"stream":true,"stream_options":{"include_usage":true}}'],
    ["the client has asked itself", '{"stream":true,"stream_options":{"x":1,"include\\u005fusage":true}}'],
    ["a stream_options that the provider will refuse", '{"stream":true,"stream_options":"yes"}'],
    ["a stream_options that the provider will refuse", '{"stream":true,"stream_options":[]}'],
    ["a stream_options that the provider will refuse", '{"stream":true,"stream_options":0}'],
    ["a stream_options that the provider will refuse", '{"stream":true,"stream_options":true}'],
    // A lenient provider takes these for yes: the client has asked, and the usage event is the client's.
    ["an include_usage of another type", '{"stream":true,"stream_options":{"include_usage":1}}'],
    ["an include_usage of another type", '{"stream":true,"stream_options":{"include_usage":"true"}}'],
    ["an include_usage of another type", '{"stream":true,"stream_options":{"include_usage":{}}}'],
  ])("stays away for %s: %j", (_, body) => {
    expect(spliced(body)).toBeNull();
  });
});

type Form = { readonly value: string | null; readonly asked: boolean };

/** `stream_options` in all its forms; null: left out. */
const FORMS: readonly Form[] = [
  { value: null, asked: false },
  { value: "null", asked: false },
  { value: "{}", asked: false },
  { value: "{ \n}", asked: false },
  { value: '{"include_usage":false}', asked: false },
  { value: '{ "include_usage"\t:\r\nfalse }', asked: false },
  { value: '{"include_usage":null,"a":[1,2]}', asked: false },
  { value: '{"include\\u005fusage":false}', asked: false },
  { value: '{"other":"}","more":{"include_usage":true}}', asked: false },
  { value: '{"ü":9007199254740993}', asked: false },
  { value: '{"include_usage":true}', asked: true },
  { value: '{"x":1, "include_usage" : true}', asked: true },
];

/** What stands before and after the one place where two texts differ. */
function difference(before: Uint8Array, after: Uint8Array): { taken: string; put: string } {
  let from = 0;
  while (from < before.length && before[from] === after[from]) from += 1;
  let tail = 0;
  const most = Math.min(before.length, after.length) - from;
  while (tail < most && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  return {
    taken: text(before.subarray(from, before.length - tail)),
    put: text(after.subarray(from, after.length - tail)),
  };
}

describe("F11 the splice on random bodies", () => {
  it("F11 parses to the same value plus the option, and touches no other byte", () => {
    const seen = { spliced: 0, left: 0 };
    forSeeds(8000, (seed) => {
      const random = seededRandom(seed);
      const form = FORMS[seed % FORMS.length] ?? { value: null, asked: false };
      const streaming: [string, string][] = [["stream", "true"]];
      const body = jsonObject(
        random,
        form.value === null ? streaming : [...streaming, ["stream_options", form.value]],
      );
      const bytes = utf8(body);
      const result = injectUsageOption(accepted(readModelCall(bytes)), bytes);
      const before = JSON.parse(body) as Record<string, unknown>;
      seen[result === null ? "left" : "spliced"] += 1;
      expect(result === null).toBe(form.asked);
      if (result === null) return;
      const options = (before["stream_options"] ?? {}) as Record<string, unknown>;
      const after = JSON.parse(text(result)) as unknown;
      expect(after).toEqual({ ...before, stream_options: { ...options, include_usage: true } });
      // One place differs; what was there before is a value that said no, or nothing.
      const { taken, put } = difference(bytes, result);
      expect("null false").toContain(taken);
      expect(put.length).toBeLessThanOrEqual('"stream_options":{"include_usage":true},'.length);
      expect(result.length - bytes.length).toBe(utf8(put).length - utf8(taken).length);
    });
    expect(seen.spliced).toBeGreaterThan(6000);
    expect(seen.left).toBeGreaterThan(1000);
  });
});
