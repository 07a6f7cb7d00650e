/**
 * Reads the model out of a multipart form while the form is forwarded (RFC 7578). Parts before and inside a file stream on.
 * From the end of a file, everything waits until the model is decided, because SDKs send the file first. The closing
 * boundary waits for the end of the body, so the provider never gets a complete form that was not checked.
 */
import { Refusal } from "../../../shared/refusal.ts";
import { decodeUtf8 } from "../json-source.ts";
import { createFinder } from "./boundary.ts";
import { readPartHeaders, type Part } from "./part-headers.ts";

export type FormScanner = {
  /** Takes the next bytes; returns those that may be forwarded, in memory of their own or of `piece`. */
  readonly push: (piece: Uint8Array) => Uint8Array | Refusal;
  /** The body has ended: the rest of it. */
  readonly end: () => Uint8Array | Refusal;
  /** The form's model so far; null where none has been read. */
  readonly model: () => string | null;
};

/** Decides about the model, once; null where the form names none. */
export type CheckModel = (model: string | null) => Refusal | null;

/** The most bytes that may wait behind a file: a prompt of 32,000 characters, and as much again. */
export const MAX_WITHHELD_BYTES = 256 * 1024;
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_MODEL_BYTES = 512;
const MAX_PARTS = 256;
const CR = 13;
const LF = 10;
const DASH = 45;

const invalid = (detail: string): Refusal => new Refusal("form_invalid", { detail });

type State = "preamble" | "delimiter" | "headers" | "content" | "epilogue";

export function createFormScanner(boundary: string, check: CheckModel): FormScanner {
  return new Scanner(`--${boundary}`, check);
}

class Scanner implements FormScanner {
  /** Two dashes and the boundary, as text and as bytes. */
  readonly #delimiter: string;
  readonly #pattern: Uint8Array;
  readonly #finder;
  readonly #check: CheckModel;
  /** The bytes that have not been released: `#size` of them. */
  #buffer: Uint8Array = new Uint8Array();
  #size = 0;
  /** Offsets in the buffer: examined so far, the start of the current headers or content, and what may be released. */
  #at = 0;
  #start = 0;
  #free = 0;
  #state: State = "preamble";
  #part: Part | null = null;
  /** Bytes of the current content that were released already. */
  #released = 0;
  #parts = 0;
  #hasFile = false;
  #model: string | null = null;
  #isChecked = false;

  constructor(delimiter: string, check: CheckModel) {
    this.#delimiter = delimiter;
    this.#pattern = new TextEncoder().encode(delimiter);
    this.#finder = createFinder(this.#pattern);
    this.#check = check;
  }

  model(): string | null {
    return this.#model;
  }

  push(piece: Uint8Array): Uint8Array | Refusal {
    this.#append(piece);
    for (;;) {
      const step = this.#step();
      if (step instanceof Refusal) return step;
      if (step === "more") break;
    }
    if (this.#size - this.#free > MAX_WITHHELD_BYTES)
      return invalid("too much behind a file and before the model");
    return this.#release(this.#free);
  }

  end(): Uint8Array | Refusal {
    if (this.#state !== "epilogue") return invalid("incomplete");
    const rest = this.#size - this.#start;
    const isBlank =
      rest === 0 || (rest === 2 && this.#buffer[this.#start] === CR && this.#buffer[this.#start + 1] === LF);
    if (!isBlank) return invalid("bytes behind the closing boundary");
    const refusal = this.#isChecked ? null : this.#check(null);
    return refusal ?? this.#release(this.#size);
  }

  #step(): "again" | "more" | Refusal {
    if (this.#state === "epilogue")
      return this.#size - this.#start > 2 ? invalid("bytes behind the closing boundary") : "more";
    if (this.#state === "delimiter") return this.#readDelimiter();
    if (this.#state === "headers") return this.#readHeaders();
    return this.#readContent();
  }

  /** Behind a boundary: a line break, or two dashes for the last one. */
  #readDelimiter(): "again" | "more" | Refusal {
    if (this.#size - this.#at < 2) return "more";
    const [first, second] = this.#buffer.subarray(this.#at, this.#at + 2);
    this.#at += 2;
    this.#start = this.#at;
    if (first === DASH && second === DASH) this.#state = "epilogue";
    else if (first === CR && second === LF) this.#state = "headers";
    else return invalid("a boundary inside a line");
    this.#parts += 1;
    return this.#parts > MAX_PARTS ? invalid("too many parts") : "again";
  }

  #readHeaders(): "again" | "more" | Refusal {
    const end = this.#headersEnd();
    const size = (end < 0 ? this.#size : end) - this.#start;
    if (size > MAX_HEADER_BYTES) return invalid("long part headers");
    if (end < 0) return "more";
    const text = latin1(this.#buffer.subarray(this.#start, end));
    const part = text.includes(this.#delimiter) ? null : readPartHeaders(text);
    if (!part) return invalid("part headers");
    if (part.isModel && this.#model !== null) return invalid("several models");
    this.#part = part;
    this.#released = 0;
    this.#at = end + 4;
    this.#start = this.#at;
    this.#state = "content";
    return "again";
  }

  /** The offset of the blank line behind the headers, or -1. */
  #headersEnd(): number {
    const buffer = this.#buffer.subarray(0, this.#size);
    for (
      let at = buffer.indexOf(CR, this.#at);
      at >= 0 && at + 3 < this.#size;
      at = buffer.indexOf(CR, at + 1)
    ) {
      if (buffer[at + 1] === LF && buffer[at + 2] === CR && buffer[at + 3] === LF) return at;
      this.#at = at + 1;
    }
    return -1;
  }

  /** The preamble, which must be empty, or a part's content. */
  #readContent(): "again" | "more" | Refusal {
    const found = this.#finder.next(this.#buffer, this.#at, this.#size);
    if (found < 0) {
      this.#at = this.#size;
      return this.#streamOn();
    }
    const at = found - this.#pattern.length;
    this.#at = found;
    const hasBreak = at >= this.#start + 2 && this.#buffer[at - 2] === CR && this.#buffer[at - 1] === LF;
    const isFirst = this.#state === "preamble" && (at === 0 || (at === 2 && hasBreak));
    if (this.#state === "preamble" ? !isFirst : !hasBreak) return invalid("a boundary inside a line");
    const refusal = this.#state === "content" ? this.#endPart(at - 2) : null;
    this.#state = "delimiter";
    return refusal ?? "again";
  }

  /** Frees content up to where a boundary may have begun. */
  #streamOn(): "more" | Refusal {
    if (this.#state === "preamble")
      return this.#size > this.#pattern.length + 2 ? invalid("a preamble") : "more";
    const size = this.#size - this.#start;
    if (this.#part?.isModel)
      return size > MAX_MODEL_BYTES + this.#pattern.length ? invalid("a long model") : "more";
    const end = this.#size - this.#pattern.length - 2;
    if (this.#mayPass() && end > this.#start) this.#free = end;
    return "more";
  }

  /** Whether the current part goes on to the provider before the model is known. */
  #mayPass(): boolean {
    return this.#isChecked || !this.#hasFile || (this.#part?.isFile ?? false);
  }

  /** `end`: the offset behind the content. */
  #endPart(end: number): Refusal | null {
    const part = this.#part;
    const size = this.#released + end - this.#start;
    if (part?.length !== null && part?.length !== size) return invalid("a part's Content-Length");
    if (part.isModel) {
      const model = utf8(this.#buffer, this.#start, end);
      if (model === null) return invalid("the model is not UTF-8");
      this.#model = model;
      this.#isChecked = true;
      const refusal = this.#check(model);
      if (refusal) return refusal;
    }
    if (this.#mayPass()) this.#free = end;
    if (part.isFile) this.#hasFile = true;
    return null;
  }

  #append(piece: Uint8Array): void {
    const size = this.#size + piece.byteLength;
    if (size > this.#buffer.byteLength) {
      const grown = new Uint8Array(Math.max(size, 2 * this.#buffer.byteLength));
      grown.set(this.#buffer.subarray(0, this.#size));
      this.#buffer = grown;
    }
    this.#buffer.set(piece, this.#size);
    this.#size = size;
  }

  #release(count: number): Uint8Array {
    const bytes = this.#buffer.slice(0, count);
    this.#buffer.copyWithin(0, count, this.#size);
    if (this.#state === "content") this.#released += Math.max(0, count - this.#start);
    this.#size -= count;
    this.#at = Math.max(0, this.#at - count);
    this.#start = Math.max(0, this.#start - count);
    this.#free = 0;
    return bytes;
  }
}

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

function utf8(bytes: Uint8Array, from: number, to: number): string | null {
  try {
    return decodeUtf8(bytes, from, to);
  } catch {
    return null;
  }
}
