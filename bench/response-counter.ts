/** Finds the end of HTTP/1.1 responses in a socket's bytes and counts their bodies. This is the load's inner loop. */

/** Longer than any chunk size line with its CRLF. */
const SIZE_LINE = 20;

export class ResponseCounter {
  status = 0;
  bodyBytes = 0;
  #reading: "head" | "size" | "bytes" = "head";
  /** The part of a head or size line that earlier pieces held. */
  #text = "";
  /** Bytes to skip: a body with a content length, a chunk with its CRLF, or the last CRLF. */
  #left = 0;
  #endsAfter = false;
  /** The number of framing bytes at the end of the bytes to skip. */
  #framing = 0;
  readonly #onBody: ((bytes: Buffer) => void) | null;

  /** `onBody` receives the body's bytes without framing. A piece is valid only during the call. */
  constructor(onBody: ((bytes: Buffer) => void) | null = null) {
    this.#onBody = onBody;
  }

  start(): void {
    this.status = 0;
    this.bodyBytes = 0;
    this.#reading = "head";
  }

  /** Reads a piece. Returns true if it ends the response. */
  take(piece: Buffer): boolean {
    let at = 0;
    while (at < piece.length) {
      if (this.#reading === "bytes") {
        const skipped = Math.min(this.#left, piece.length - at);
        const body = Math.min(skipped, this.#left - this.#framing);
        if (this.#onBody && body > 0) this.#onBody(piece.subarray(at, at + body));
        at += skipped;
        this.#left -= skipped;
        if (this.#left > 0) return false;
        if (this.#endsAfter) return true;
        this.#reading = "size";
        continue;
      }
      const ending = this.#reading === "head" ? "\r\n\r\n" : "\r\n";
      const upTo = this.#reading === "head" ? piece.length : Math.min(at + SIZE_LINE, piece.length);
      const text = this.#text + piece.toString("latin1", at, upTo);
      const end = text.indexOf(ending);
      if (end === -1) {
        this.#text = text;
        return false;
      }
      at += end + ending.length - this.#text.length;
      this.#text = "";
      if (this.#reading === "head") this.#beginBody(text.slice(0, end));
      else this.#beginChunk(Number.parseInt(text.slice(0, end), 16));
    }
    return false;
  }

  #beginBody(head: string): void {
    this.status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    this.#reading = length === undefined ? "size" : "bytes";
    this.#left = Number(length ?? 0);
    this.#framing = 0;
    this.#endsAfter = length !== undefined;
    this.bodyBytes = this.#left;
  }

  #beginChunk(size: number): void {
    this.bodyBytes += size;
    this.#reading = "bytes";
    this.#left = size + 2;
    this.#framing = 2;
    this.#endsAfter = size === 0;
  }
}
