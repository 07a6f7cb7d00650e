/**
 * Random JSON texts that no serializer writes: unusual white space, unnecessary escapes, numbers beyond 2^53, repeated
 * keys. The texts depend only on the random number generator.
 */
import { between } from "../rechunk.ts";

type Random = () => number;

const pick = <T>(random: Random, from: readonly T[]): T => {
  const picked = from[between(random, 0, from.length - 1)];
  if (picked === undefined) throw new Error("nothing to pick from");
  return picked;
};

const blank = (random: Random): string =>
  random() < 0.6 ? "" : pick(random, [" ", "\n", "\t", "\r\n", "  \n\t "]);

const NUMBERS = [
  "0",
  "-0",
  "1",
  "-17",
  "1.0",
  "1.10",
  "1e5",
  "1E+5",
  "9007199254740993",
  "123456789012345678901234567890",
  "0.1000000000000000055511151231257827",
  "1e-400",
  "-1.5E-7",
];

const TEXTS = [
  "",
  "gpt-4o",
  "Grüße",
  "東京 🗼",
  "\u2028",
  '"',
  "\\",
  "}",
  "{",
  "[",
  "]",
  ",",
  ":",
  "{}",
  '{"stream":true}',
  '"stream_options":{"include_usage":true},',
  '"model"',
  "data: [DONE]",
  "\u0000\u001f",
  "/path/to",
];

/** The text as a JSON string with some unnecessary escapes, in varying spellings. */
export function jsonString(random: Random, text: string): string {
  let out = "";
  for (const unit of text.split("")) {
    const hex = unit.charCodeAt(0).toString(16).padStart(4, "0");
    const lone = /[\ud800-\udfff]/.test(unit);
    if (!lone && random() < 0.1) out += `\\u${random() < 0.5 ? hex : hex.toUpperCase()}`;
    else if (unit === "/" && random() < 0.5) out += "\\/";
    else out += JSON.stringify(unit + "x").slice(1, -2);
  }
  // JSON.stringify escapes the halves of a surrogate pair one by one; this joins them again.
  return `"${out.replace(/\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}/g, (pair) => JSON.parse(`"${pair}"`) as string)}"`;
}

function value(random: Random, depth: number): string {
  const kind = between(random, 0, depth > 0 ? 6 : 4);
  if (kind === 0) return pick(random, NUMBERS);
  if (kind === 1) return pick(random, ["true", "false", "null"]);
  if (kind <= 4) return jsonString(random, pick(random, TEXTS));
  if (kind === 5) {
    const items = Array.from({ length: between(random, 0, 4) }, () => value(random, depth - 1));
    return `[${blank(random)}${items.join(`${blank(random)},${blank(random)}`)}${blank(random)}]`;
  }
  return object(random, depth - 1, []);
}

type Members = readonly (readonly [key: string, value: string])[];

function object(random: Random, depth: number, required: Members): string {
  const members = Array.from({ length: between(random, 0, 5) }, () => {
    const key = pick(random, ["messages", "temperature", "ü", "", "tools", "seed", "a b", "metadata"]);
    return [key, value(random, depth)] as const;
  });
  for (const member of required) members.splice(between(random, 0, members.length), 0, member);
  const texts = members.map(
    ([key, text]) => `${jsonString(random, key)}${blank(random)}:${blank(random)}${text}`,
  );
  const inner = texts.join(`${blank(random)},${blank(random)}`);
  return `{${blank(random)}${inner}${blank(random)}}`;
}

/** The text of a random object with the required members (values as JSON text) at random positions. */
export function jsonObject(random: Random, required: Members): string {
  return `${blank(random)}${object(random, 3, required)}${blank(random)}`;
}
