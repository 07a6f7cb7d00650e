/** Reading a body into memory without letting its sender decide how much. */

/**
 * Pieces as one array. The pieces are not kept: a stream that sends single bytes delivers each in a buffer of 4 KiB, which
 * stays in memory as long as the byte does.
 */
export class Collected {
  #held = new Uint8Array();
  size = 0;

  add(piece: Uint8Array): void {
    const size = this.size + piece.byteLength;
    if (size > this.#held.byteLength) {
      const grown = new Uint8Array(Math.max(size, 2 * this.size));
      grown.set(this.#held.subarray(0, this.size));
      this.#held = grown;
    }
    this.#held.set(piece, this.size);
    this.size = size;
  }

  bytes(): Uint8Array {
    return this.#held.subarray(0, this.size);
  }
}

/** The whole stream, or null where it is larger than `maxBytes`; the rest is then cancelled. Rejects as the stream does. */
export async function readBounded(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array | null> {
  const collected = new Collected();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return collected.bytes();
    if (collected.size + value.byteLength > maxBytes) {
      reader.cancel().catch(() => undefined);
      return null;
    }
    collected.add(value);
  }
}

/** An error response up to this size may be read whole: to be searched for a key, and to be observed. */
export const MAX_ERROR_BYTES = 1024 * 1024;

/** One array of `size` bytes out of its parts; a single part is returned as it is. */
export function concat(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first) return first;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
