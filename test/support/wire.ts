/**
 * HTTP/1.1 as bytes, for the fake provider and the raw client. Nothing is normalized, so that a test sees the bytes on
 * the wire: header names keep their case, pairs keep their order, and repeated headers stay separate. Every byte from
 * 0x80 up is one character (Latin-1).
 */
export type HeaderPair = readonly [name: string, value: string];

/** The peer ended or aborted the connection before the message was complete. */
export class ConnectionEnded extends Error {
  override name = "ConnectionEnded";
}

/** Received bytes that have not been read yet. */
export class ByteQueue {
  #pieces: Uint8Array[] = [];
  #ended: ConnectionEnded | null = null;
  #wake: (() => void) | null = null;

  push(piece: Uint8Array): void {
    if (piece.length > 0) this.#pieces.push(piece);
    this.#wake?.();
  }

  end(reason: string): void {
    this.#ended ??= new ConnectionEnded(reason);
    this.#wake?.();
  }

  /** At least one byte and at most `limit`; `null` once the peer has ended and everything is read. */
  async readSome(limit = Number.POSITIVE_INFINITY): Promise<Uint8Array | null> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece) {
        if (piece.length > limit) this.#pieces.unshift(piece.subarray(limit));
        return piece.subarray(0, limit);
      }
      if (this.#ended) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** One line without its CRLF (or bare LF), as Latin-1. */
  async readLine(): Promise<string> {
    let line = "";
    for (;;) {
      const piece = await this.readSome();
      if (!piece) throw this.#ended ?? new ConnectionEnded("ended");
      const newline = piece.indexOf(0x0a);
      if (newline === -1) {
        line += latin1(piece);
        continue;
      }
      if (newline + 1 < piece.length) this.#pieces.unshift(piece.subarray(newline + 1));
      line += latin1(piece.subarray(0, newline));
      return line.endsWith("\r") ? line.slice(0, -1) : line;
    }
  }
}

export type MessageHead = { readonly firstLine: string; readonly headers: readonly HeaderPair[] };

export async function readHead(queue: ByteQueue): Promise<MessageHead> {
  const firstLine = await queue.readLine();
  const headers: HeaderPair[] = [];
  for (let line = await queue.readLine(); line !== ""; line = await queue.readLine()) {
    const colon = line.indexOf(":");
    headers.push([line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")]);
  }
  return { firstLine, headers };
}

/** All values of a header, in order. The name matches in any case. */
export function headerValues(headers: readonly HeaderPair[], name: string): string[] {
  return headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

/** Reads one body by its framing and passes each piece to `onPiece`. @throws ConnectionEnded if it is truncated. */
export async function readBody(
  queue: ByteQueue,
  headers: readonly HeaderPair[],
  unframed: "empty" | "until-close",
  onPiece: (piece: Uint8Array) => void,
): Promise<void> {
  if (/chunked/i.test(headerValues(headers, "transfer-encoding").join())) return readChunked(queue, onPiece);
  const length = headerValues(headers, "content-length")[0];
  if (length !== undefined) return readLength(queue, Number(length), onPiece);
  if (unframed === "empty") return;
  for (let piece = await queue.readSome(); piece; piece = await queue.readSome()) onPiece(piece);
}

async function readLength(queue: ByteQueue, length: number, onPiece: (piece: Uint8Array) => void) {
  for (let left = length; left > 0;) {
    const piece = await queue.readSome(left);
    if (!piece) throw new ConnectionEnded(`ended ${left} bytes short of the announced ${length}`);
    left -= piece.length;
    onPiece(piece);
  }
}

async function readChunked(queue: ByteQueue, onPiece: (piece: Uint8Array) => void): Promise<void> {
  for (;;) {
    const size = Number.parseInt(await queue.readLine(), 16);
    if (!Number.isInteger(size)) throw new Error("not a chunk size");
    if (size === 0) break;
    await readLength(queue, size, onPiece);
    await queue.readLine();
  }
  while ((await queue.readLine()) !== "");
}

/** One HTTP/1.1 chunk. The empty chunk ends a body. */
export function chunk(bytes: Uint8Array): Uint8Array {
  return concat([fromLatin1(`${bytes.length.toString(16)}\r\n`), bytes, fromLatin1("\r\n")]);
}

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** One byte per character. @throws on a character above U+00FF; use `utf8("…")` for its UTF-8 bytes. */
export function fromLatin1(text: string): Uint8Array {
  const wide = [...text].find((char) => char.charCodeAt(0) > 0xff);
  if (wide !== undefined)
    throw new Error(`U+${wide.codePointAt(0)?.toString(16)} does not fit in one byte; use utf8()`);
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** The UTF-8 bytes of a text as Latin-1 characters, for header values: `utf8("а")` returns `"Ð°"`. */
export function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** Body bytes: text is UTF-8. */
export function toBytes(body: Uint8Array | string): Uint8Array {
  return typeof body === "string" ? new TextEncoder().encode(body) : body;
}
