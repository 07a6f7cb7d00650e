/** Random request bodies: valid, invalid in a known way, or damaged. */
import { between } from "../../test/support/rechunk.ts";
import { jsonObject, jsonString } from "../../test/support/in-workerd/random-json.ts";
import { chance, pick, type Random } from "../random.ts";

/** `expected`: whether the gateway must accept the body; null: unknown, because the bytes are damaged. */
export type BodyCase = { readonly bytes: Uint8Array; readonly expected: "accepted" | "refused" | null };

const OPTIONS = [
  "null",
  "{}",
  "{ \n}",
  '{"include_usage":false}',
  '{ "include_usage"\t:\r\nfalse }',
  '{"include_usage":null,"a":[1,2]}',
  '{"include\\u005fusage":false}',
  '{"other":"}","more":{"include_usage":true}}',
  '{"ü":9007199254740993}',
  '{"include_usage":true}',
  '{"x":1, "include_usage" : true}',
  '{"__proto__":{"include_usage":true}}',
];
const BAD_OPTIONS = [
  '{"include_usage":0}',
  '{"include_usage":""}',
  '{"include_usage":1}',
  '{"include_usage":"false"}',
  '{"include_usage":{}}',
  "true",
  "false",
  "0",
  '"{}"',
  "[]",
  '[{"include_usage":true}]',
  '{"include_usage":true,"include_usage":false}',
  '{"include_usage":false, "include\\u005fusage":true}',
  '{"include_usage":false,"Include_Usage":true}',
];
const MODELS = ['"gpt-4o"', '"\\u0067pt-4o"', '" gpt-4o\\n"', "null", '""', '"東京"'];
const BAD_MODELS = ["7", "{}", "[]", "true"];
const STREAMS = ["true", "true", "true", "true", "false", "null"];
const BAD_STREAMS = ["1", '"true"', "[]"];
/** Other spellings of keys that the gateway reads. A lenient parser could take them for the key. */
const MISSPELT = ["Model", "STREAM", "Stream_Options", "ſtream", "ſtream_optionſ"];

type Member = readonly [key: string, value: string];

export function randomBody(random: Random): BodyCase {
  const invalid = chance(random, 0.1);
  const members: Member[] = [];
  if (chance(random, 0.9)) members.push(["model", pick(random, MODELS)]);
  if (chance(random, 0.95)) members.push(["stream", pick(random, STREAMS)]);
  if (chance(random, 0.7)) members.push(["stream_options", pick(random, OPTIONS)]);
  if (chance(random, 0.1))
    members.push(["messages", jsonObject(random, [["stream_options", pick(random, OPTIONS)]])]);
  if (chance(random, 0.05)) members.push(["__proto__", pick(random, OPTIONS)]);
  const text = jsonObject(random, invalid ? addFlaw(random, members) : members);
  if (chance(random, 0.9)) return { bytes: utf8(text), expected: invalid ? "refused" : "accepted" };
  return { bytes: damaged(random, text), expected: null };
}

/** Adds a flaw that `readModelCall` must refuse. */
function addFlaw(random: Random, members: readonly Member[]): Member[] {
  const replace = (key: string, values: readonly string[]): Member[] => [
    ...members.filter(([other]) => other !== key),
    [key, pick(random, values)],
  ];
  const flaw = between(random, 0, 4);
  if (flaw === 0) return replace("model", BAD_MODELS);
  if (flaw === 1) return replace("stream", BAD_STREAMS);
  if (flaw === 2) return [...members, [pick(random, MISSPELT), "true"]];
  if (flaw === 3) return replace("stream_options", BAD_OPTIONS);
  const repeated = pick(random, ["model", "stream", "stream_options"]);
  return [...members, [repeated, "null"], [repeated, "null"]];
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Usually not JSON any more, or nested deeper than real bodies. */
function damaged(random: Random, text: string): Uint8Array {
  const bytes = utf8(text);
  const at = between(random, 0, bytes.length);
  switch (between(random, 0, 5)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return new Uint8Array(
        Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([between(random, 0x80, 0xff)]),
          bytes.subarray(at),
        ]),
      );
    case 2:
      return utf8(`\ufeff${text}`);
    case 3: {
      const depth = between(random, 200, chance(random, 0.02) ? 100_000 : 300);
      return utf8(`{"stream":true,"messages":${"[".repeat(depth)}${"]".repeat(depth)}}`);
    }
    case 4:
      return utf8(pick(random, ["[]", "null", "7", '"x"', "", " ", jsonString(random, text)]));
    default: {
      const changed = bytes.slice();
      if (changed.length > 0) changed[Math.min(at, changed.length - 1)] = between(random, 0, 255);
      return changed;
    }
  }
}
