/**
 * Holds the start of a stream until it was searched for configured secrets: the first event, or of JSON, which may be an error,
 * the last bytes up to 64 KiB. After that the bytes flow natively, and only the observed copy is searched. Comments and blanks
 * before the start are keep-alives, and pass at once.
 */
import { Collected } from "../../shared/bounded-read.ts";
import type { SecretWatch } from "../../shared/secret-finder.ts";
import { sniffKind } from "./body-kind.ts";

/** A start of this size that has not ended is passed on: errors are shorter. */
export const MAX_START_BYTES = 64 * 1024;
/** Complete lines that hold no data: comments, blank lines, blanks. */
const KEEP_ALIVES = /^(?:(?::[\x20-\x7e\t]*)?(?:\r\n?|\n)|[ \t])+/;
/** An event with data and the blank line after it. */
const FIRST_EVENT = /(?:^|[\r\n])(?:data\b|(?:error: ?)?\{)[^]*?(?:\n\r?\n|\r\r)/;
/**
 * Of JSON only these last bytes are held, and none after the end of a line: the longest form of 15 characters of a secret is
 * shorter, and it is within one line. So a client that has gone is noticed by what is written to it.
 */
const LAG_BYTES = 160;
const isLineEnd = (byte: number | undefined): boolean => byte === 0x0a || byte === 0x0d;

/** So many pieces are examined one by one. After them it takes twice the bytes each time: the work grows with the bytes only. */
const MAX_EXAMINED = 64;

const DECODER = new TextDecoder();
const NO_BYTES = new Uint8Array();

/** Made where it is thrown: an error at the start of an isolate has V8 parse all of the bundle once more, for its position. */
export class SecretFound extends Error {
  constructor() {
    super("the response contained a configured secret");
  }
}

export type StartGate = {
  /** The bytes that may go on. @throws `SecretFound` */
  readonly push: (bytes: Uint8Array) => Uint8Array;
  /** The bytes that are held when the body ends. @throws `SecretFound` */
  readonly end: () => Uint8Array;
  readonly isOpen: () => boolean;
  /** How many bytes are held. */
  readonly held: () => number;
};

export function createStartGate(watch: SecretWatch): StartGate {
  let held = new Collected();
  let isOpen = false;
  let isJson = false;
  let passed = 0;
  let pieces = 0;
  /** Of the held bytes. */
  let examined = 0;
  const take = (size: number): Uint8Array => {
    if (size === 0) return NO_BYTES;
    const all = held.bytes();
    held = new Collected();
    held.add(all.subarray(size));
    examined = held.size;
    passed += size;
    return all.subarray(0, size);
  };
  const examine = (): string => {
    const text = DECODER.decode(held.bytes());
    examined = held.size;
    examineStart(watch, text);
    if (watch.found() !== null) throw new SecretFound();
    return text;
  };
  return {
    push: (bytes) => {
      held.add(bytes);
      const isFull = passed + held.size >= MAX_START_BYTES;
      const endsLine = isJson && isLineEnd(bytes.at(-1));
      if ((pieces += 1) > MAX_EXAMINED && held.size < 2 * examined && !isFull && !endsLine) return NO_BYTES;
      const decoded = examine();
      const text = plainStart(decoded);
      const kind = isJson ? "json" : sniffKind(text.replace(KEEP_ALIVES, ""));
      isJson = kind === "json";
      isOpen = isFull || kind === "unknown" || (kind === "events" && FIRST_EVENT.test(text));
      if (isOpen) return take(held.size);
      // A short secret counts by the words around it.
      if (isJson && text === decoded && !watch.hasShort)
        return take(isLineEnd(bytes.at(-1)) ? held.size : Math.max(0, held.size - LAG_BYTES));
      // Without other characters a character is a byte.
      if (decoded.length !== held.size || text !== decoded) return NO_BYTES;
      const alive = KEEP_ALIVES.exec(text)?.[0].length ?? 0;
      if (alive > 0) pieces = 0;
      return take(alive);
    },
    end: () => {
      if (examined < held.size) examine();
      return take(held.size);
    },
    isOpen: () => isOpen,
    held: () => held.size,
  };
}

/** UTF-16 in the characters of UTF-8. */
const plainStart = (text: string): string => (text.includes("\0") ? text.replaceAll("\0", "") : text);

/** Examines the text, and once more with the data of each event in one line: a key may be split between two. */
export function examineStart(watch: SecretWatch, text: string): void {
  watch.examine(text);
  const joined = joinDataLines(text);
  if (joined !== text) watch.examine(joined);
}

const DATA_LINES = /(?:\r\n?|\n)data: ?/g;

function joinDataLines(text: string): string {
  return text.indexOf("data:", text.indexOf("data:") + 1) < 0
    ? text
    : text.replace(DATA_LINES, (line, at: number) =>
        at === 0 || /[\r\n]/.test(text[at - 1] ?? "") ? line : "",
      );
}
