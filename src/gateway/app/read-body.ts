/**
 * Reads a request's body into memory: at most once, only when a step needs it, bounded in bytes, in time, and in the sum
 * over all requests of the isolate. Bytes are exactly as the client sent them, or decoded where it sent them compressed.
 */
import { SMALL_BYTES } from "../../shared/byte-budget.ts";
import { realTimer, TIMED_OUT } from "../../shared/deadline.ts";
import { sha256Hex } from "../../shared/digest.ts";
import { createDigest, type Digest } from "../../shared/digest-stream.ts";
import { declaredLength } from "../../shared/http/body-headers.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { createInterruptible } from "../../shared/interruptible.ts";
import { Refusal } from "../../shared/refusal.ts";
import { pieceBytes, sendingMs, startSendDeadline } from "../../shared/send-deadline.ts";
import { requestCoding, type Coding } from "./decode/coding.ts";
import { readDecoded } from "./decode/read-decoded.ts";
import { loadZlib } from "./decode/zlib.ts";
import { MARGIN_MS, type ReadOptions } from "./read-options.ts";
import { checkDeclaredLength, type RequestBody } from "./request-body.ts";

/** A large body, or one of unknown length, is read into a buffer that begins with this size and grows as bytes arrive. */
const FIRST_BYTES = 4 * 1024;
/** JavaScript is woken once per piece. */
const PIECE_BYTES = 128 * 1024;

/**
 * A body that is decoded when it is read. `check` runs before the first byte. It refuses the body by its headers, its
 * declared length and its Content-Encoding included.
 */
export function createRequestBody(
  request: Request,
  headers: HeaderReader,
  options: ReadOptions & { readonly maxRatio: number },
  check: () => Refusal | null,
): RequestBody {
  let isRead = false;
  let whole: Promise<Uint8Array | Refusal> | null = null;
  let decoded: Coding | null = null;
  // Of the compressed bytes, which are not kept: only where it is requested before they are read.
  let sent: Digest | null = null;
  let hash: Promise<string> | null = null;
  const read = async (): Promise<Uint8Array | Refusal> => {
    const refusal = check();
    if (refusal) return refusal;
    const coding = requestCoding(headers);
    if (coding === null || coding === "unsupported")
      return readWithin(request, declaredLength(headers), options);
    decoded = coding;
    return readDecoded(request, coding, { loadZlib, onPiece: sent?.update ?? null, ...options });
  };
  const bytes = (): Promise<Uint8Array | Refusal> => {
    isRead = true;
    return (whole ??= read());
  };
  return {
    take: () => {
      const taken = bytes();
      whole = TAKEN;
      return taken;
    },
    sha256: async (form) => {
      const isCompressed = form === "sent" && requestCoding(headers) !== null;
      if (isCompressed && whole === null) sent = createDigest();
      const body = await bytes();
      if (body instanceof Refusal) return body;
      return isCompressed ? (sent?.hex() ?? null) : (hash ??= sha256Hex(body));
    },
    hash: (taken) => (hash ??= sha256Hex(taken)),
    isRead: () => isRead,
    decoded: () => decoded,
  };
}

const TAKEN = Promise.resolve(new Refusal("internal", { detail: "a body that is already taken" }));

/** The whole body, once `checkDeclaredLength` and `readWithin` find nothing to refuse. */
export async function readBody(request: Request, options: ReadOptions): Promise<Uint8Array | Refusal> {
  const { headers } = request;
  return (
    checkDeclaredLength(headers, options.maxBytes) ?? readWithin(request, declaredLength(headers), options)
  );
}

/**
 * The whole body. Refuses `body_too_large` (413) by its real length, `body_incomplete` (400) where the client stops
 * sending, `body_timeout` (408) where it sends too slowly, and `gateway_busy` (503) where the budget is used up. The
 * declared length must have been checked.
 */
async function readWithin(
  request: Request,
  length: number | null,
  options: ReadOptions,
): Promise<Uint8Array | Refusal> {
  if (request.body === null) return new Uint8Array();
  try {
    if (length !== null && length <= SMALL_BYTES) {
      const { budget, holding, pace } = options;
      const readMs = pace.graceMs + sendingMs(length, pace.minRate);
      // Where many announce bodies and send nothing, small bodies are read as the large ones are.
      if (budget.announce(holding, length, readMs + MARGIN_MS))
        return await readNatively(request, readMs, options);
    }
    return await readGrowing(request.body, length, options);
  } catch {
    return new Refusal("body_incomplete");
  }
}

/** In one native read: 36,000 instructions less than a byob reader needs. Written without `await`, which costs more. */
function readNatively(
  request: Request,
  readMs: number,
  { maxBytes, budget, holding, neededMs, after = realTimer }: ReadOptions,
): Promise<Uint8Array | Refusal> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const cancel = after(readMs, () => {
      isLate = true;
      resolve(new Refusal("body_timeout", { detail: `not complete after ${Math.ceil(readMs)} ms` }));
    });
    const take = (read: ArrayBuffer): void => {
      cancel();
      // The caller has released the holding, and must not hold the bytes that come after all.
      if (isLate) return;
      if (read.byteLength > maxBytes) resolve(new Refusal("body_too_large"));
      else if (budget.resize(holding, read.byteLength, neededMs + MARGIN_MS)) resolve(new Uint8Array(read));
      else resolve(new Refusal("gateway_busy"));
    };
    request.arrayBuffer().then(take, (error: unknown) => {
      cancel();
      reject(error);
    });
  });
}

/** `length`: null where it is not declared. The buffer, and not only the bytes in it, counts in the budget. */
async function readGrowing(
  body: ReadableStream<Uint8Array>,
  length: number | null,
  { maxBytes, pace, budget, holding, neededMs, now, after = realTimer }: ReadOptions,
): Promise<Uint8Array | Refusal> {
  const resize = (bytes: number, forMs = pace.graceMs): boolean =>
    budget.resize(holding, bytes, forMs + MARGIN_MS);
  // One byte more than the limit shows that a body of unknown length exceeds it.
  const end = length ?? maxBytes + 1;
  let capacity = Math.min(FIRST_BYTES, end);
  if (!resize(capacity)) return new Refusal("gateway_busy");
  // It grows in place: growing by copies would take the body's size once more.
  let buffer = new ArrayBuffer(capacity, { maxByteLength: end });
  let size = 0;

  const work = createInterruptible<typeof TIMED_OUT>();
  const deadline = startSendDeadline({ ...pace, keeps: "held" }, now, () => work.interrupt(TIMED_OUT), after);
  const reader = body.getReader({ mode: "byob" });
  const stop = (refusal: Refusal): Refusal => {
    reader.cancel().catch(() => undefined);
    return refusal;
  };
  try {
    const piece = pieceBytes(pace, PIECE_BYTES);
    while (size < end) {
      if (size === capacity) {
        capacity = Math.min(end, grown(capacity));
        if (!resize(capacity)) return stop(new Refusal("gateway_busy", { detail: `after ${size} bytes` }));
        buffer.resize(capacity);
      }
      const view = new Uint8Array(buffer, size, Math.min(piece, capacity - size));
      const read = await work.wait(reader.readAtLeast(view.byteLength, view));
      if (read === TIMED_OUT) return stop(new Refusal("body_timeout", { detail: `after ${size} bytes` }));
      // A read moves the buffer's memory into the view that it returns, at the end of the body too.
      if (read.value === undefined) throw new TypeError("a read without its buffer");
      const { byteLength } = read.value;
      buffer = read.value.buffer as ArrayBuffer;
      if (read.done) break;
      size += byteLength;
      deadline.received(byteLength);
    }
  } finally {
    deadline.stop();
  }
  if (length === null && size > maxBytes)
    return stop(new Refusal("body_too_large", { detail: "counted while reading" }));
  if (length !== null && size < length) return new Refusal("body_incomplete");
  if (size < capacity) buffer.resize(size);
  return resize(size, neededMs) ? new Uint8Array(buffer) : new Refusal("gateway_busy");
}

/** Four times the bytes so far, and twice as many once they are not small. */
const grown = (bytes: number): number => bytes * (bytes < SMALL_BYTES ? 4 : 2);
