/**
 * Holds the start of a stream until it was searched for configured secrets: the first event, or the JSON object that may be
 * an error. After that the bytes flow natively, and only the observed copy is searched. Comments and blanks before the start
 * are keep-alives, and pass at once.
 */
import { concat } from "../../shared/bounded-read.ts";
import type { SecretWatch } from "../../shared/secret-finder.ts";
import { sniffKind } from "./body-kind.ts";

/** A start of this size that has not ended is passed on: errors are shorter. */
export const MAX_START_BYTES = 64 * 1024;
/** Complete lines that hold no data: comments, blank lines, blanks. */
const KEEP_ALIVES = /^(?:(?::[\x20-\x7e\t]*)?(?:\r\n?|\n)|[ \t])+/;
/** An event with data and the blank line after it. */
const FIRST_EVENT = /(?:^|[\r\n])(?:data\b|(?:error: ?)?\{)[^]*?(?:\n\r?\n|\r\r)/;
/** One object per line, also of a list. */
const FIRST_LINE = /^\s*\[?\s*\{.*\},?\s*?[\r\n]/;
/** A list of objects in several lines each. */
const FIRST_OF_LIST = /^\s*\[[^]*[\r\n][,\]]/;

/** So many pieces are examined one by one. After them it takes twice the bytes each time: the work grows with the bytes only. */
const MAX_EXAMINED = 64;

const DECODER = new TextDecoder();
const NO_BYTES = new Uint8Array();

export const SECRET_FOUND = new Error("the response contained a configured secret");

export type StartGate = {
  /** The bytes that may go on. @throws `SECRET_FOUND` */
  readonly push: (bytes: Uint8Array) => Uint8Array;
  /** The bytes that are held when the body ends. @throws `SECRET_FOUND` */
  readonly end: () => Uint8Array;
  readonly isOpen: () => boolean;
  /** How many bytes are held. */
  readonly held: () => number;
};

export function createStartGate(watch: SecretWatch): StartGate {
  let held: Uint8Array = NO_BYTES;
  let isOpen = false;
  let pieces = 0;
  /** Of the held bytes. */
  let examined = 0;
  const take = (size: number): Uint8Array => {
    const taken = held.subarray(0, size);
    held = size < held.byteLength ? held.slice(size) : NO_BYTES;
    examined = held.byteLength;
    return taken;
  };
  const examine = (): string => {
    const text = DECODER.decode(held);
    examined = held.byteLength;
    examineStart(watch, text);
    if (watch.found() !== null) throw SECRET_FOUND;
    return text;
  };
  return {
    push: (bytes) => {
      held =
        held.byteLength === 0 ? bytes.slice() : concat([held, bytes], held.byteLength + bytes.byteLength);
      const isFull = held.byteLength >= MAX_START_BYTES;
      if ((pieces += 1) > MAX_EXAMINED && held.byteLength < 2 * examined && !isFull) return NO_BYTES;
      const decoded = examine();
      const text = plainStart(decoded);
      isOpen = isFull || isComplete(text);
      if (isOpen) return take(held.byteLength);
      // Without other characters a character is a byte.
      return decoded.length === held.byteLength && text === decoded
        ? take(KEEP_ALIVES.exec(text)?.[0].length ?? 0)
        : NO_BYTES;
    },
    end: () => {
      if (examined < held.byteLength) examine();
      return take(held.byteLength);
    },
    isOpen: () => isOpen,
    held: () => held.byteLength,
  };
}

/** UTF-16 in the characters of UTF-8. */
const plainStart = (text: string): string => (text.includes("\0") ? text.replaceAll("\0", "") : text);

function isComplete(text: string): boolean {
  const kind = sniffKind(text.replace(KEEP_ALIVES, ""));
  if (kind === "events") return FIRST_EVENT.test(text);
  if (kind === "json") return FIRST_LINE.test(text) || FIRST_OF_LIST.test(text);
  return kind === "unknown";
}

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

/**
 * Passes the start through the gate, and the rest natively. Rejects with `SECRET_FOUND` where the gate does. Of a response
 * that breaks off within its start the held bytes are dropped.
 */
export async function pipeThroughGate(
  from: ReadableStream<Uint8Array>,
  to: WritableStream<Uint8Array>,
  gate: StartGate,
): Promise<void> {
  const reader = from.getReader();
  const writer = to.getWriter();
  try {
    while (!gate.isOpen()) {
      const { done, value } = await reader.read();
      const bytes = done ? gate.end() : gate.push(value);
      if (bytes.byteLength > 0) await writer.write(bytes);
      if (done) return await writer.close();
    }
  } catch (error) {
    reader.cancel(error).catch(() => undefined);
    writer.abort(error).catch(() => undefined);
    throw error;
  }
  reader.releaseLock();
  writer.releaseLock();
  return from.pipeTo(to);
}
