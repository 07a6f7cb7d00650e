/**
 * The same JSON written otherwise: white space, key order, escapes, numbers, members that nobody knows. Keys and the
 * values of `type` keep their spelling: readers that look before they parse look for these as every provider writes
 * them.
 */
import { between } from "../../test/support/rechunk.ts";
import { jsonObject } from "../../test/support/in-workerd/random-json.ts";
import { chance, pick, shuffled, type Random } from "../random.ts";

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:,]|[^\s{}[\]:,"]+/g;

/** White space between tokens, other spellings of values. What is no JSON comes back as it was. */
export function respelled(random: Random, text: string): string {
  if (!isJson(text)) return text;
  const tokens = text.match(TOKEN) ?? [];
  const dense = random();
  let key = "";
  return tokens
    .map((token, at) => {
      const isKey = tokens[at + 1] === ":" && token.startsWith('"');
      const kept = isKey || (key === '"type"' && token !== ":");
      if (isKey) key = token;
      else if (token !== ":") key = "";
      const blank = chance(random, dense * 0.2) ? pick(random, [" ", "  ", "\t", "\n", " \n ", "\n\n"]) : "";
      return `${kept ? token : respelledValue(random, token)}${blank}`;
    })
    .join("");
}

function respelledValue(random: Random, token: string): string {
  if (token.startsWith('"')) return chance(random, 0.2) ? escapedMore(random, token) : token;
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

/** Some characters as escapes; never half of a pair. */
function escapedMore(random: Random, token: string): string {
  return token.replace(/\\u[\da-f]{4}|\\.|[ -~]|[\u00a0-\ud7ff]/gi, (unit, at: number) => {
    if (at === 0 || at === token.length - 1 || unit.length > 1 || chance(random, 0.8)) return unit;
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** Objects whose members may be shuffled and added to: what lies in others is content, which is told as it was written. */
const SHELLS =
  /^(?:response|message|usage|choices|error|incomplete_details|.*_tokens_details|cache_creation|server_tool_use)$/;

/** A new order, or more members, in the shells of an event. What cannot be written out again as it was is left alone. */
export function rebuilt(
  random: Random,
  text: string,
  change: (random: Random, members: Member[]) => Member[],
): string {
  const value = parse(text);
  if (typeof value !== "object" || value === null) return text;
  if (JSON.stringify(value) !== (text.match(TOKEN) ?? []).join("")) return text;
  return written(random, value, change);
}

export type Member = readonly [key: string, json: string];

function written(
  random: Random,
  value: unknown,
  change: (random: Random, members: Member[]) => Member[],
): string {
  if (Array.isArray(value)) return `[${value.map((item) => written(random, item, change)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, inner]): Member => [
    key,
    SHELLS.test(key) ? written(random, inner, change) : JSON.stringify(inner),
  ]);
  const texts = change(random, members).map(([key, json]) => `${JSON.stringify(key)}:${json}`);
  return `{${texts.join(",")}}`;
}

export const inAnotherOrder = (random: Random, members: Member[]): Member[] => shuffled(random, members);

/** Names that no reader reads, some of them nearly one that it does, with values that look like what it wants. */
const STRANGE_NAMES = [
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
const STRANGE_VALUES = [
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

export function withStrangeMembers(random: Random, members: Member[]): Member[] {
  const all = [...members];
  for (let left = between(random, 0, 2); left > 0; left -= 1) {
    const json = chance(random, 0.2) ? oneLine(jsonObject(random, [])) : pick(random, STRANGE_VALUES);
    all.splice(between(random, 0, all.length), 0, [pick(random, STRANGE_NAMES), json]);
  }
  return all;
}

/** Line breaks between tokens as blanks; in strings there are none. */
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
