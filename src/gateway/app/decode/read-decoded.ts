/**
 * Reads a compressed request body and decodes it while it arrives. Only the decoded bytes are held: the compressed ones
 * pass through in pieces.
 */
import { declaredLength } from "../../../shared/http/body-headers.ts";
import { realTimer, TIMED_OUT } from "../../../shared/deadline.ts";
import { createInterruptible } from "../../../shared/interruptible.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { pieceBytes, startSendDeadline } from "../../../shared/send-deadline.ts";
import { MARGIN_MS, type ReadOptions } from "../read-options.ts";
import { MAX_WINDOW_LOG, type Coding } from "./coding.ts";
import { createDecoder, type Decoder } from "./decoder.ts";
import type { LoadZlib } from "./zlib.ts";

export type DecodeOptions = ReadOptions & {
  /** The most bytes that a compressed byte may stand for, once `RATIO_FROM_BYTES` are decoded. */
  readonly maxRatio: number;
  readonly loadZlib: LoadZlib;
  /** Gets the compressed bytes too. A piece is overwritten once the promise resolves. */
  readonly onPiece?: ((piece: Uint8Array) => Promise<void>) | null;
};

/** Below this, any ratio is allowed: a few hundred bytes of blanks compress a thousandfold. */
export const RATIO_FROM_BYTES = 1024 * 1024;
const PIECE_BYTES = 64 * 1024;
const FIRST_BYTES = 16 * 1024;

/**
 * The decoded body. Refuses `body_encoded` (415), `body_encoding_invalid` (400), `body_too_large` (413) by its decoded or
 * compressed length or its ratio, and as `readBody` does.
 */
export async function readDecoded(
  request: Request,
  coding: Coding,
  options: DecodeOptions,
): Promise<Uint8Array | Refusal> {
  const { body } = request;
  if (body === null) return new Uint8Array();
  const zlib = await options.loadZlib().catch(() => null);
  if (zlib === null) return new Refusal("body_encoded", { detail: "node:zlib is not available" });
  const read = { bytes: 0 };
  const output = createOutput(options, read);
  const decoder = createDecoder(coding, zlib, output.append);
  const length = declaredLength(request.headers);
  const refusal = await pump(body, decoder, options, read);
  const isIncomplete = length !== null && read.bytes < length;
  if (refusal === null && !isIncomplete) return (await decoder.end()) ?? output.take();
  decoder.cancel();
  return refusal ?? new Refusal("body_incomplete");
}

/** Feeds the body to the decoder. `read` counts the compressed bytes. */
async function pump(
  body: ReadableStream<Uint8Array>,
  decoder: Decoder,
  { maxBytes, pace, now, after = realTimer, onPiece }: DecodeOptions,
  read: { bytes: number },
): Promise<Refusal | null> {
  const work = createInterruptible<typeof TIMED_OUT>();
  const deadline = startSendDeadline({ ...pace, keeps: "held" }, now, () => work.interrupt(TIMED_OUT), after);
  const reader = body.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(pieceBytes(pace, PIECE_BYTES));
  let refusal: Refusal | null = null;
  try {
    for (;;) {
      const piece = await work.wait(reader.readAtLeast(buffer.byteLength, new Uint8Array(buffer)));
      if (piece === TIMED_OUT)
        return (refusal = new Refusal("body_timeout", { detail: `after ${read.bytes} bytes` }));
      if (piece.value !== undefined && piece.value.byteLength > 0) {
        read.bytes += piece.value.byteLength;
        deadline.received(piece.value.byteLength);
        if (read.bytes > maxBytes) return (refusal = new Refusal("body_too_large", { detail: "compressed" }));
        await onPiece?.(piece.value);
        refusal = await decoder.write(piece.value);
        if (refusal) return refusal;
      }
      if (piece.done || piece.value === undefined) return null;
      buffer = piece.value.buffer as ArrayBuffer;
    }
  } catch {
    return (refusal = new Refusal("body_incomplete"));
  } finally {
    deadline.stop();
    if (refusal) reader.cancel().catch(() => undefined);
  }
}

type Output = {
  readonly append: (bytes: Uint8Array) => Refusal | null;
  readonly take: () => Uint8Array | Refusal;
};

/** The decoded bytes in one buffer that grows. The budget counts the buffer, and as much again for the decoder's window. */
function createOutput(
  { maxBytes, maxRatio, pace, budget, holding, neededMs }: DecodeOptions,
  read: { readonly bytes: number },
): Output {
  let buffer = new ArrayBuffer(0);
  let size = 0;
  const resize = (bytes: number, forMs: number): boolean => budget.resize(holding, bytes, forMs + MARGIN_MS);
  return {
    append: (bytes) => {
      const end = size + bytes.byteLength;
      if (end > maxBytes) return new Refusal("body_too_large", { detail: "counted while decoding" });
      if (end > RATIO_FROM_BYTES && end > maxRatio * read.bytes)
        return new Refusal("body_too_large", { detail: `more than ${maxRatio} times its compressed size` });
      if (end > buffer.byteLength) {
        const capacity = Math.min(maxBytes, Math.max(2 * buffer.byteLength, end, FIRST_BYTES));
        if (!resize(capacity + Math.min(capacity, MAX_WINDOW_BYTES), pace.graceMs))
          return new Refusal("gateway_busy", { detail: `after ${size} decoded bytes` });
        buffer = buffer.transfer(capacity);
      }
      new Uint8Array(buffer).set(bytes, size);
      size = end;
      return null;
    },
    take: () => {
      if (!resize(size, neededMs)) return new Refusal("gateway_busy");
      return new Uint8Array(size < buffer.byteLength ? buffer.transfer(size) : buffer);
    },
  };
}

const MAX_WINDOW_BYTES = 2 ** MAX_WINDOW_LOG;
