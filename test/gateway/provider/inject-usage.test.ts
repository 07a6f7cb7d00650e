import { describe, expect, it } from "vitest";
import { JsonSource } from "../../../src/gateway/provider/json-source.ts";
import { readModelCall } from "../../../src/gateway/provider/model-call.ts";
import { applyEdits } from "../../../src/gateway/provider/body-edit.ts";
import { usageOptionEdit } from "../../../src/gateway/provider/inject-usage.ts";
import { forSeeds, seededRandom } from "../../support/rechunk.ts";
import { jsonObject } from "../../support/in-workerd/random-json.ts";
import { accepted, join, text, utf8 } from "../../support/in-workerd/values.ts";

/** The body with the opt-in, as text; null if it stays unmodified. */
function injected(body: string): string | null {
  const bytes = utf8(body);
  const before = bytes.slice();
  const edit = usageOptionEdit(accepted(readModelCall(new JsonSource(bytes))));
  expect(bytes).toEqual(before);
  return edit && text(join(applyEdits(bytes, [edit])));
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
  ])("F11 turns %j into %j", (body, result) => {
    expect(injected(body)).toBe(result);
  });

  it.each([
    ["a request that does not stream", "{}"],
    ["a request that does not stream", '{"stream":false}'],
    ["a request that does not stream", '{"stream":null,"stream_options":{}}'],
    ["an include_usage that the client set", '{"stream":true,"stream_options":{"include_usage":true}}'],
    [
      "an include_usage that the client set",
      '{"stream":true,"stream_options":{"x":1,"include\\u005fusage":true}}',
    ],
  ])("leaves the body unmodified for %s: %j", (_, body) => {
    expect(injected(body)).toBeNull();
  });
});

type Form = { readonly value: string | null; readonly optedIn: boolean };

/** All forms of `stream_options`; null omits it. */
const FORMS: readonly Form[] = [
  { value: null, optedIn: false },
  { value: "null", optedIn: false },
  { value: "{}", optedIn: false },
  { value: "{ \n}", optedIn: false },
  { value: '{"include_usage":false}', optedIn: false },
  { value: '{ "include_usage"\t:\r\nfalse }', optedIn: false },
  { value: '{"include_usage":null,"a":[1,2]}', optedIn: false },
  { value: '{"include\\u005fusage":false}', optedIn: false },
  { value: '{"other":"}","more":{"include_usage":true}}', optedIn: false },
  { value: '{"ü":9007199254740993}', optedIn: false },
  { value: '{"include_usage":true}', optedIn: true },
  { value: '{"x":1, "include_usage" : true}', optedIn: true },
];

/** The bytes removed and inserted at the one position where two texts differ. */
function difference(before: Uint8Array, after: Uint8Array): { removed: string; inserted: string } {
  let from = 0;
  while (from < before.length && before[from] === after[from]) from += 1;
  let tail = 0;
  const maxTail = Math.min(before.length, after.length) - from;
  while (tail < maxTail && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  return {
    removed: text(before.subarray(from, before.length - tail)),
    inserted: text(after.subarray(from, after.length - tail)),
  };
}

describe("F11 the usage opt-in in random bodies", () => {
  it("F11 adds only the option and changes no other byte", () => {
    const counts = { injected: 0, unmodified: 0 };
    forSeeds(8000, (seed) => {
      const random = seededRandom(seed);
      const form = FORMS[seed % FORMS.length] ?? { value: null, optedIn: false };
      const streaming: [string, string][] = [["stream", "true"]];
      const body = jsonObject(
        random,
        form.value === null ? streaming : [...streaming, ["stream_options", form.value]],
      );
      const bytes = utf8(body);
      const edit = usageOptionEdit(accepted(readModelCall(new JsonSource(bytes))));
      const result = edit && join(applyEdits(bytes, [edit]));
      const before = JSON.parse(body) as Record<string, unknown>;
      counts[result === null ? "unmodified" : "injected"] += 1;
      expect(result === null).toBe(form.optedIn);
      if (result === null) return;
      const options = (before["stream_options"] ?? {}) as Record<string, unknown>;
      const after = JSON.parse(text(result)) as unknown;
      expect(after).toEqual({ ...before, stream_options: { ...options, include_usage: true } });
      // The bodies differ at one position, where the original has null, false or nothing.
      const { removed, inserted } = difference(bytes, result);
      expect("null false").toContain(removed);
      expect(inserted.length).toBeLessThanOrEqual('"stream_options":{"include_usage":true},'.length);
      expect(result.length - bytes.length).toBe(utf8(inserted).length - utf8(removed).length);
    });
    expect(counts.injected).toBeGreaterThan(6000);
    expect(counts.unmodified).toBeGreaterThan(1000);
  });
});
