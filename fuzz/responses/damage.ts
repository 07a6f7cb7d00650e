/** Damage to a response: to its events, its numbers or its bytes. The oracle computes the expected report afterwards. */
import { between } from "../../test/support/rechunk.ts";
import { FIXTURES } from "../fixtures.ts";
import { pick, shuffled, type Random } from "../random.ts";

export type Damage = (random: Random, bytes: Uint8Array) => Uint8Array;

const asText =
  (change: (random: Random, text: string) => string): Damage =>
  (random, bytes) =>
    new TextEncoder().encode(
      change(random, new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes)),
    );

/** Changes the list of complete events, which blank lines separate. */
const changeEvents = (change: (random: Random, list: string[]) => string[]): Damage =>
  asText((random, text) => change(random, text.split(/(?<=\n\n|\r\r|\r\n\r\n)/)).join(""));

const NUMBERS = [
  "-1",
  "1e308",
  "1e400",
  '"12"',
  "9007199254740993",
  "9007199254740991",
  "1.5",
  "null",
  "true",
  "{}",
  "[]",
  "0",
  "-0",
  "007",
];

const replaceNumbers = asText((random, text) =>
  text.replaceAll(/(?<=tokens"\s*:\s*)\d+/g, (number) => (random() < 0.4 ? pick(random, NUMBERS) : number)),
);

const SPECIAL_BYTES = [
  0, 10, 13, 0x20, 0x22, 0x3a, 0x5c, 0x7b, 0x7d, 0x80, 0xbf, 0xc3, 0xed, 0xef, 0xbb, 0xff,
];

const overwriteBytes: Damage = (random, bytes) => {
  const changed = bytes.slice();
  for (let left = between(random, 1, 5); left > 0 && changed.length > 0; left -= 1)
    changed[between(random, 0, changed.length - 1)] =
      random() < 0.5 ? pick(random, SPECIAL_BYTES) : between(random, 0, 255);
  return changed;
};

/** A random range of the bytes, with the bytes before and after it. */
function splitAtRange(random: Random, bytes: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const from = between(random, 0, bytes.length);
  const to = Math.min(bytes.length, from + between(random, 0, 200));
  return [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)];
}

const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Replaces a random range of the bytes. */
const replaceRange =
  (change: (random: Random, inner: Uint8Array) => readonly Uint8Array[]): Damage =>
  (random, bytes) => {
    const [before, inner, after] = splitAtRange(random, bytes);
    return join(before, ...change(random, inner), after);
  };

const specialBytes = (random: Random): Uint8Array =>
  Uint8Array.from({ length: between(random, 1, 8) }, () => pick(random, SPECIAL_BYTES));

const insertForeign: Damage = (random, bytes) => {
  const other = new TextEncoder().encode(pick(random, FIXTURES).text.slice(0, 4000));
  const [, inner] = splitAtRange(random, other);
  const at = between(random, 0, bytes.length);
  return join(bytes.subarray(0, at), inner, bytes.subarray(between(random, 0, bytes.length)));
};

/** Only the first line can start with a byte order mark. On a later line it makes an unknown field name. */
const insertMarks = asText((random, text) =>
  text.replaceAll(/(?<=[\r\n])(?=data)/g, () => (random() < 0.2 ? "\ufeff" : "")),
);

export const DAMAGE: readonly (readonly [name: string, damage: Damage])[] = [
  ["event removed", changeEvents((random, list) => list.toSpliced(Math.floor(random() * list.length), 1))],
  [
    "event repeated",
    changeEvents((random, list) => list.flatMap((one) => (random() < 0.1 ? [one, one] : [one]))),
  ],
  ["events reordered", changeEvents(shuffled)],
  ["other numbers", replaceNumbers],
  ["byte order marks inside", insertMarks],
  ["bytes overwritten", overwriteBytes],
  ["bytes removed", replaceRange(() => [])],
  ["bytes repeated", replaceRange((_, inner) => [inner, inner])],
  ["special bytes", replaceRange((random, inner) => [inner, specialBytes(random)])],
  ["truncated", (random, bytes) => bytes.subarray(0, between(random, 0, bytes.length))],
  ["part of another response", insertForeign],
];
