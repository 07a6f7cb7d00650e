/** Sends a body that is held in parts. */
import { concat } from "../../shared/bounded-read.ts";

/** Up to this size a copy costs less than a stream. */
const MAX_COPIED_BYTES = 1024 * 1024;

/** The parts as the body of a fetch, with a known length. A large body is not copied. */
export function joinParts(parts: readonly Uint8Array[]): Uint8Array | ReadableStream {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  if (length <= MAX_COPIED_BYTES) return concat(parts, length);
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  // The fetch fails where the provider's side breaks; these only repeat why.
  for (const part of parts) writer.write(part).catch(() => undefined);
  writer.close().catch(() => undefined);
  return readable;
}
