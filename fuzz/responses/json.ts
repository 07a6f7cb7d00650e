/**
 * Edits that keep the meaning of JSON: white space, key order, escapes, number formats, unknown members. Keys and the
 * values of `type` keep their spelling, because the readers search for them as text before they parse.
 */
import { between } from "../../test/support/rechunk.ts";
import { jsonObject } from "../../test/support/in-workerd/random-json.ts";
import { chance, pick, shuffled, type Random } from "../random.ts";

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;

/** Adds white space between tokens and changes the spelling of values. Returns text that is not JSON unchanged. */
export function respell(random: Random, text: string): string {
  if (!isJson(text)) return text;
  const tokens = text.match(TOKEN) ?? [];
  const density = random();
  let key = "";
  return tokens
    .map((token, at) => {
      const isKey = tokens[at + 1] === ":" && token.startsWith('"');
      const keepsSpelling = isKey || (key === '"type"' && token !== ":");
      if (isKey) key = token;
      else if (token !== ":") key = "";
      const blank = chance(random, density * 0.2)
        ? pick(random, [" ", "  ", "\t", "\n", " \n ", "\n\n"])
        : "";
      return `${keepsSpelling ? token : respellValue(random, token)}${blank}`;
    })
    .join("");
}

function respellValue(random: Random, token: string): string {
  if (token.startsWith('"')) return chance(random, 0.2) ? escapeSome(random, token) : token;
  if (!/^[1-9]\d{0,14}$/.test(token) || chance(random, 0.7)) return token;
  const zeros = between(random, 0, 3);
  return pick(random, [
    `${token}.0`,
    `${token}e0`,
    `${token}E+0`,
    `${token}${"0".repeat(zeros)}e-${zeros}`,
    `${token.slice(0, -1)}.${token.slice(-1)}e1`.replace(/^\./, "0."),
  ]);
}

/** Escapes some characters, but never half of a surrogate pair. */
function escapeSome(random: Random, token: string): string {
  return token.replace(/\\u[\da-f]{4}|\\.|[ -~]|[\u00a0-\ud7ff]/gi, (unit, at: number) => {
    if (at === 0 || at === token.length - 1 || unit.length > 1 || chance(random, 0.8)) return unit;
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Objects whose members may be reordered and added to. All other objects are content, which is recorded unchanged. */
const CONTAINERS =
  /^(?:response|message|usage|choices|error|incomplete_details|.*_tokens_details|cache_creation|server_tool_use)$/;

/** Changes the members of an event's containers. Returns text unchanged if `JSON.stringify` cannot reproduce it. */
export function rebuild(
  random: Random,
  text: string,
  change: (random: Random, members: Member[]) => Member[],
): string {
  const value = parse(text);
  if (typeof value !== "object" || value === null) return text;
  if (JSON.stringify(value) !== (text.match(TOKEN) ?? []).join("")) return text;
  return serialize(random, value, change);
}

export type Member = readonly [key: string, json: string];

function serialize(
  random: Random,
  value: unknown,
  change: (random: Random, members: Member[]) => Member[],
): string {
  if (Array.isArray(value)) return `[${value.map((item) => serialize(random, item, change)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, inner]): Member => [
    key,
    CONTAINERS.test(key) ? serialize(random, inner, change) : JSON.stringify(inner),
  ]);
  const texts = change(random, members).map(([key, json]) => `${JSON.stringify(key)}:${json}`);
  return `{${texts.join(",")}}`;
}

export const reorderMembers = (random: Random, members: Member[]): Member[] => shuffled(random, members);

/** Names that no reader reads, some close to a known name, and values that resemble expected ones. */
const UNKNOWN_NAMES = [
  "x_fuzz",
  "usages",
  "Usage",
  "usage_",
  "prompt_token",
  "vendor",
  "Error",
  "types",
  "INPUT_TOKENS",
];
const UNKNOWN_VALUES = [
  "null",
  "7",
  '{"prompt_tokens":999,"completion_tokens":999}',
  '{"usage":{"input_tokens":999,"output_tokens":999}}',
  '"\\"usage\\":{\\"prompt_tokens\\":999}"',
  '"data: [DONE]\\n\\n"',
  '"\\"type\\":\\"response.completed\\""',
  "[[],{}]",
  "1e400",
];

export function addUnknownMembers(random: Random, members: Member[]): Member[] {
  const all = [...members];
  for (let left = between(random, 0, 2); left > 0; left -= 1) {
    const json = chance(random, 0.2) ? oneLine(jsonObject(random, [])) : pick(random, UNKNOWN_VALUES);
    all.splice(between(random, 0, all.length), 0, [pick(random, UNKNOWN_NAMES), json]);
  }
  return all;
}

/** Replaces line breaks between tokens with spaces. JSON strings hold no raw line breaks. */
export const oneLine = (json: string): string => json.replace(/[\r\n]+/g, " ");

export function isJson(text: string): boolean {
  return parse(text) !== undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
