/** What breaks an answer: by events, by figures, by bytes. What is then to be read is for the oracle to say. */
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

/** Whole events moved about: as they stand between blank lines. */
const events = (change: (random: Random, list: string[]) => string[]): Damage =>
  asText((random, text) => change(random, text.split(/(?<=\n\n|\r\r|\r\n\r\n)/)).join(""));

const FIGURES = [
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

const figures = asText((random, text) =>
  text.replaceAll(/(?<=tokens"\s*:\s*)\d+/g, (figure) => (random() < 0.4 ? pick(random, FIGURES) : figure)),
);

const ODD = [0, 10, 13, 0x20, 0x22, 0x3a, 0x5c, 0x7b, 0x7d, 0x80, 0xbf, 0xc3, 0xed, 0xef, 0xbb, 0xff];

const overwritten: Damage = (random, bytes) => {
  const changed = bytes.slice();
  for (let left = between(random, 1, 5); left > 0 && changed.length > 0; left -= 1)
    changed[between(random, 0, changed.length - 1)] =
      random() < 0.5 ? pick(random, ODD) : between(random, 0, 255);
  return changed;
};

/** A stretch of the bytes, and the bytes before and after it. */
function parted(random: Random, bytes: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const from = between(random, 0, bytes.length);
  const to = Math.min(bytes.length, from + between(random, 0, 200));
  return [bytes.subarray(0, from), bytes.subarray(from, to), bytes.subarray(to)];
}

const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** What a stretch of the bytes becomes. */
const stretch =
  (change: (random: Random, inner: Uint8Array) => readonly Uint8Array[]): Damage =>
  (random, bytes) => {
    const [before, inner, after] = parted(random, bytes);
    return join(before, ...change(random, inner), after);
  };

const oddBytes = (random: Random): Uint8Array =>
  Uint8Array.from({ length: between(random, 1, 8) }, () => pick(random, ODD));

const foreign: Damage = (random, bytes) => {
  const other = new TextEncoder().encode(pick(random, FIXTURES).text.slice(0, 4000));
  const [, inner] = parted(random, other);
  const at = between(random, 0, bytes.length);
  return join(bytes.subarray(0, at), inner, bytes.subarray(between(random, 0, bytes.length)));
};

/** One at the head of a line that is not the first is no mark: the line's field has another name. */
const innerMarks = asText((random, text) =>
  text.replaceAll(/(?<=[\r\n])(?=data)/g, () => (random() < 0.2 ? "\ufeff" : "")),
);

export const DAMAGE: readonly (readonly [name: string, damage: Damage])[] = [
  ["event left out", events((random, list) => list.toSpliced(Math.floor(random() * list.length), 1))],
  ["event twice", events((random, list) => list.flatMap((one) => (random() < 0.1 ? [one, one] : [one])))],
  ["events in another order", events(shuffled)],
  ["other figures", figures],
  ["byte order marks inside", innerMarks],
  ["bytes overwritten", overwritten],
  ["bytes left out", stretch(() => [])],
  ["bytes twice", stretch((_, inner) => [inner, inner])],
  ["odd bytes", stretch((random, inner) => [inner, oddBytes(random)])],
  ["cut short", (random, bytes) => bytes.subarray(0, between(random, 0, bytes.length))],
  ["part of another answer", foreign],
];
