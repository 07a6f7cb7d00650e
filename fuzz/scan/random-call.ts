/** Random bodies of model calls: conversations in odd spellings, some with a key twice or in another case, some damaged. */
import { between } from "../../test/support/rechunk.ts";
import { jsonObject, jsonString } from "../../test/support/in-workerd/random-json.ts";
import { chance, pick, several, type Random } from "../random.ts";
import type { Api } from "./oracle.ts";

export type CallCase = {
  readonly api: Api;
  readonly bytes: Uint8Array;
  /** The size of the windows in which the body is scanned; 0: without windows. */
  readonly windowBytes: number;
};

export function randomCall(random: Random): CallCase {
  const api = pick<Api>(random, ["chat", "messages", "responses"]);
  const bytes = Buffer.from(body(random, api));
  return {
    api,
    bytes: chance(random, 0.4) ? damaged(random, bytes) : new Uint8Array(bytes),
    windowBytes: chance(random, 0.5) ? between(random, 16, 64) : pick(random, [0, 64 * 1024]),
  };
}

const NUMBERS = ["1e3", "0", "-0", "10", "0.5", "-1.25E+07", "0e-0", "123456789012345678901"];
const NOT_NUMBERS = [
  "01",
  "-01",
  "-",
  "1.",
  ".5",
  "+1",
  "1e",
  "1e+",
  "0x1",
  "1_0",
  "NaN",
  "Infinity",
  "True",
];

type Member = readonly [key: string, value: string];

function body(random: Random, api: Api): string {
  const list: Member = [api === "responses" ? "input" : "messages", conversation(random, api)];
  const members: Member[] = [
    ["model", pick(random, ['"m"', '"\\u006d"', "null", '"東京"', "7"])],
    ["stream", pick(random, ["true", "true", "false", "null", "1"])],
    ["stream_options", pick(random, ["null", "{}", '{"include_usage":false}', '{"x":1}', "[]"])],
    ["max_tokens", pick(random, chance(random, 0.1) ? NOT_NUMBERS : NUMBERS)],
    ["user", '"u"'],
    ["tools", "[{}]"],
  ];
  const chosen = members.filter(() => chance(random, 0.6));
  chosen.splice(between(random, 0, chosen.length), 0, list);
  if (chance(random, 0.05)) chosen.push(pick(random, chosen));
  if (chance(random, 0.3)) return jsonObject(random, chosen);
  return object(random, chosen);
}

function conversation(random: Random, api: Api): string {
  if (chance(random, 0.1)) return pick(random, ["null", "[]", "{}", "7", text(random)]);
  return list(several(random, 0, 7, () => entry(random, api)));
}

function entry(random: Random, api: Api): string {
  if (chance(random, 0.08)) return pick(random, ["null", "7", '"user"', "[]", "{}", '[{"role":"user"}]']);
  const role = pick(random, ["user", "user", "user", "assistant", "assistant", "tool", "system", "function"]);
  const members: Member[] = [["role", string(random, role)]];
  members.push(["content", chance(random, 0.4) ? text(random) : content(random)]);
  if (api === "responses" && chance(random, 0.5))
    members.push(["type", string(random, pick(random, ITEM_TYPES))]);
  if (api === "responses" && chance(random, 0.1)) return part(random);
  if (chance(random, 0.3)) members.push([pick(random, ["tool_call_id", "call_id"]), id(random)]);
  if (chance(random, 0.02)) members.push(pick(random, members));
  return object(random, chance(random, 0.3) ? members.toReversed() : members);
}

const ITEM_TYPES = ["message", "Message", "function_call_output", "reasoning", "input_text"];

function part(random: Random): string {
  if (chance(random, 0.05)) return pick(random, ["null", "7", '"text"', "[]", "{}"]);
  const type = pick(random, ["text", "text", "input_text", "input_text", "tool_result", "image"]);
  const members: Member[] = [["type", string(random, type)]];
  members.push(["text", chance(random, 0.9) ? text(random) : pick(random, ["null", "7", "{}", "[]"])]);
  if (type === "tool_result") members.push(["tool_use_id", id(random)]);
  if (chance(random, 0.01)) members.push(pick(random, members));
  return object(random, members);
}

const content = (random: Random): string => list(several(random, 0, 4, () => part(random)));

const id = (random: Random): string =>
  chance(random, 0.1)
    ? pick(random, ["7", "null", '""', "{}"])
    : string(random, `call_${between(random, 1, 9)}`);

/** Half of the wrappers are not closed, and some texts end where a piece of the gateway's reader does. */
function text(random: Random): string {
  const words = ["a", "b ", "東京", "🗼", "\\", '"', "\n", "\ufeff", "\u2028", " \t\r\n", "<", "# "];
  const wrappers = [
    "<system-reminder>x</system-reminder>",
    "<system-reminder>",
    "</system-reminder>",
    "<permissions instructions>y</permissions instructions>",
    "# AGENTS.md instructions",
    "</INSTRUCTIONS>",
  ];
  const parts = several(random, 0, 4, () => pick(random, chance(random, 0.3) ? wrappers : words));
  if (chance(random, 0.03)) parts.splice(between(random, 0, parts.length), 0, ...nearPieceEnd(random));
  return string(random, parts.join(""));
}

/** A filler, half of the time in a wrapper, that ends about where a piece of the reader does, or the prompt. */
function nearPieceEnd(random: Random): string[] {
  const length = pick(random, [256, 256, 256, 16_384 + 256, 20_480]) + between(random, -60, 8);
  const filler = pick(random, ["a", " ", "東", '"', "\u0001"]);
  const escaped = Buffer.byteLength(JSON.stringify(filler)) - 2;
  const long = filler.repeat(Math.ceil(length / escaped));
  return chance(random, 0.5) ? [long] : ["<system-reminder>", long, "</system-reminder>", "z"];
}

const string = (random: Random, value: string): string =>
  value.length < 200 && chance(random, 0.3) ? jsonString(random, value) : JSON.stringify(value);

const list = (items: readonly string[]): string => `[${items.join(",")}]`;

const object = (random: Random, members: readonly Member[]): string =>
  `{${members.map(([key, value]) => `${keyText(random, key)}:${value}`).join(", ")}}`;

/** The key as a JSON string; rarely with a character that folds to the right one, or that does not. */
function keyText(random: Random, key: string): string {
  if (!chance(random, 0.01)) return string(random, key);
  const at = between(random, 0, key.length - 1);
  const letter = key.charAt(at);
  const others: Readonly<Record<string, readonly string[]>> = { s: ["ſ", "S", "ß"], k: ["K", "K"] };
  const other = pick(random, others[letter] ?? [letter.toUpperCase(), "İ", "ı", ""]);
  return string(random, key.slice(0, at) + other + key.slice(at + 1));
}

const TOKENS = [
  '"',
  "\\",
  ",",
  ":",
  "{",
  "}",
  "[",
  "]",
  "0",
  "-",
  ".",
  "e",
  "1.",
  "00",
  "tru",
  "null",
  "\\u12",
  "\\x",
  "\u0000",
  "\n",
  "\ufeff",
  '"model":"x",',
  '"role":"user",',
  "/",
  "'",
  "\u00a0",
];

/** Overlong forms, surrogates, code points past the last, and pieces of characters. */
const INVALID_UTF8 = [
  "c0af",
  "c180",
  "e08080",
  "e09f80",
  "eda080",
  "edbfbf",
  "f0808080",
  "f08fbf80",
  "f4908080",
  "f5",
  "e282",
  "80",
];
const VALID_UTF8 = ["c280", "e0a080", "ed9fbf", "ee8080", "f0908080", "f48fbfbf", "7f"];

function damaged(random: Random, bytes: Buffer): Uint8Array {
  let result = bytes;
  for (let count = between(random, 1, 2); count > 0; count -= 1) {
    const kind = between(random, 0, 5);
    // Random bytes are invalid nearly everywhere but within a string.
    const quote = result.indexOf('"', between(random, 0, result.length));
    const at = kind === 5 && quote >= 0 ? quote + 1 : between(random, 0, result.length);
    const removed = kind === 4 ? result.length : kind === 1 || kind === 5 ? 0 : between(random, 0, 3);
    result = Buffer.concat([result.subarray(0, at), inserted(random, kind), result.subarray(at + removed)]);
  }
  return new Uint8Array(result);
}

function inserted(random: Random, kind: number): Buffer {
  if (kind === 0) return Buffer.from([between(random, 0, 255)]);
  if (kind === 1 || kind === 2) return Buffer.from(pick(random, TOKENS));
  if (kind === 5) return Buffer.from(pick(random, [...INVALID_UTF8, ...VALID_UTF8]), "hex");
  return Buffer.alloc(0);
}
