/** Reading a body into memory without letting its sender decide how much. */

/** The whole stream, or null where it is larger than `maxBytes`; the rest is then cancelled. Rejects as the stream does. */
export async function readBounded(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(parts, size);
    size += value.byteLength;
    if (size > maxBytes) {
      reader.cancel().catch(() => undefined);
      return null;
    }
    parts.push(value);
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
