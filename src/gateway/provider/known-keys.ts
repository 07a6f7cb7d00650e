/**
 * Keys that the gateway or the provider reads, found as lenient readers find them. Go's `encoding/json` ignores case under
 * Unicode's simple folding, which also maps ſ to s and K (the Kelvin sign) to k; readers differ in which of two equal keys
 * counts. The gateway could thus check one value and the provider use another.
 */
import { Refusal } from "../../shared/refusal.ts";
import type { JsonSource } from "./json-source.ts";
import { hexValue } from "./json-bytes.ts";

/** A known key as found. `isExact`: equal without folding. `index`: its place in the list. */
type KeyMatch = { readonly name: string; readonly index: number; readonly isExact: boolean };

/** A name with its closing quote, and both forms in which a key can match it. */
type Candidate = { readonly quoted: string; readonly exact: KeyMatch; readonly folded: KeyMatch };

export class KnownKeys {
  readonly names: readonly string[];
  /** The names by their first letter, since the first search: an isolate starts without them. */
  #byLetter: readonly (readonly Candidate[])[] | null = null;

  /** Names of lower-case ASCII. */
  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** The known key that the key whose content begins at `at` equals, after unescaping and folding; null if none. */
  find(source: JsonSource, at: number): KeyMatch | null {
    const { bytes } = source;
    this.#byLetter ??= byLetter(this.names);
    const candidates = this.#byLetter[unitOf(foldedUnit(bytes, at))];
    if (candidates === undefined) return null;
    // Nearly every key is spelled as its name, and a native comparison finds it.
    for (const { quoted, exact } of candidates) if (source.hasAt(quoted, at)) return exact;
    for (const { exact, folded } of candidates) {
      const equal = equals(bytes, at, exact.name);
      if (equal !== "no") return equal === "exact" ? exact : folded;
    }
    return null;
  }
}

function byLetter(names: readonly string[]): readonly (readonly Candidate[])[] {
  const candidates: Candidate[][] = Array.from({ length: 128 }, () => []);
  for (const [index, name] of names.entries()) {
    const found = { name, index };
    candidates[name.charCodeAt(0)]?.push({
      quoted: `${name}"`,
      exact: { ...found, isExact: true },
      folded: { ...found, isExact: false },
    });
  }
  return candidates;
}

/** Finds the known keys of one object and refuses `field_repeated` (400) for a second or a folded one. */
export class KeyCheck {
  readonly #keys: KnownKeys;
  readonly #path: string;
  readonly #seen: Uint8Array;
  refusal: Refusal | null = null;

  /** `path`: what precedes a key in the refusal's `param`. */
  constructor(keys: KnownKeys, path = "") {
    this.#keys = keys;
    this.#path = path;
    this.#seen = new Uint8Array(keys.names.length);
  }

  /** Before the next object. */
  reset(): void {
    this.#seen.fill(0);
  }

  /** The known name of the key at `at`; null if it has none, or must be refused. */
  name(source: JsonSource, at: number): string | null {
    const found = this.#keys.find(source, at);
    if (found === null) return null;
    if (found.isExact && this.#seen[found.index] === 0) {
      this.#seen[found.index] = 1;
      return found.name;
    }
    this.refusal ??= new Refusal("field_repeated", { param: this.#path + found.name });
    return null;
  }
}

/** Whether the content of the string at `from` equals the name; `folded`: only under folding. */
function equals(bytes: Uint8Array, from: number, name: string): "no" | "exact" | "folded" {
  let at = from;
  let isFolded = false;
  for (let index = 0; index < name.length; index += 1) {
    const found = foldedUnit(bytes, at);
    if (unitOf(found) !== name.charCodeAt(index)) return "no";
    isFolded ||= (found & FOLDED) !== 0;
    at += found & WIDTH;
  }
  if (bytes[at] !== 0x22) return "no";
  return isFolded ? "folded" : "exact";
}

/** A character as one number, so that none is allocated: its unit, whether it was folded, and its bytes. */
const WIDTH = 7;
const FOLDED = 8;
const unitOf = (found: number): number => found >> 4;
const toUnit = (unit: number, width: number): number => {
  const folded = fold(unit);
  return (folded << 4) | (folded === unit ? 0 : FOLDED) | width;
};

/** The character at `at` of a valid string. Characters that fold to no ASCII letter have a unit that is in no name. */
function foldedUnit(bytes: Uint8Array, at: number): number {
  const byte = bytes[at] ?? 0;
  if (byte === 0x5c) return bytes[at + 1] === 0x75 ? toUnit(hexValue(bytes, at + 2), 6) : toUnit(0, 2);
  if (byte === 0xc5 && bytes[at + 1] === 0xbf) return toUnit(LONG_S, 2);
  if (byte === 0xe2 && bytes[at + 1] === 0x84 && bytes[at + 2] === 0xaa) return toUnit(KELVIN, 3);
  return toUnit(byte === 0x22 ? 0 : byte, 1);
}

const LONG_S = 0x17f;
const KELVIN = 0x212a;

function fold(unit: number): number {
  if (unit >= 0x41 && unit <= 0x5a) return unit + 0x20;
  if (unit === LONG_S) return 0x73;
  return unit === KELVIN ? 0x6b : unit;
}
