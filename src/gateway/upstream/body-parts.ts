/** Sends a body that is held in memory, whole or in parts. */
import { concat } from "../../shared/bounded-read.ts";

/** A fetch copies an array that it sends. Up to this size that costs less than a stream. */
const MAX_COPIED_BYTES = 1024 * 1024;
const PIECE_BYTES = 64 * 1024;

type HeldBody = Uint8Array | readonly Uint8Array[];

const partsOf = (body: HeldBody): readonly Uint8Array[] => (body instanceof Uint8Array ? [body] : body);
const lengthOf = (body: HeldBody): number => partsOf(body).reduce((sum, part) => sum + part.byteLength, 0);

/** Whether JavaScript sends the body, which needs the request's context until it has. */
export const isSentInPieces = (body: HeldBody): boolean => lengthOf(body) > MAX_COPIED_BYTES;

/** The body of a fetch, with a known length. */
export function fetchBody(body: HeldBody): Uint8Array | ReadableStream {
  const length = lengthOf(body);
  if (length <= MAX_COPIED_BYTES) return concat(partsOf(body), length);
  const { readable, writable } = new FixedLengthStream(length);
  // Where the provider's side breaks, the fetch fails too and says why.
  sendPieces(partsOf(body), writable.getWriter()).catch(() => undefined);
  return readable;
}

/** A write copies its bytes, so the next piece waits until the provider has taken the one before. */
async function sendPieces(parts: readonly Uint8Array[], writer: WritableStreamDefaultWriter<Uint8Array>) {
  for (const part of parts) {
    for (let at = 0; at < part.byteLength; at += PIECE_BYTES)
      await writer.write(part.subarray(at, at + PIECE_BYTES));
  }
  await writer.close();
}
