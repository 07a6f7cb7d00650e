/**
 * A provider's body that the test controls: a byte stream that sends, ends and fails on request. A byob reader can read
 * it, as it can read the body of a real fetch.
 */
import { utf8 } from "./values.ts";

export type UpstreamBody = {
  readonly stream: ReadableStream<Uint8Array>;
  readonly send: (piece: string | Uint8Array) => void;
  readonly end: () => void;
  readonly fail: (error?: Error) => void;
  /** Whether all sent bytes have been read from the stream. */
  readonly isConsumed: () => boolean;
  /** Makes the stream fail when the signal is aborted, as a fetch's body does. */
  readonly failOnAbort: (signal: AbortSignal) => UpstreamBody;
};

export function upstreamBody(): UpstreamBody {
  let controller: ReadableByteStreamController | undefined;
  let isPulled = false;
  const stream = new ReadableStream({
    type: "bytes",
    start(byteController) {
      controller = byteController as ReadableByteStreamController;
    },
    pull: () => void (isPulled = true),
  });
  const body: UpstreamBody = {
    stream,
    // A copy, because enqueueing detaches the array's buffer.
    send: (piece) => {
      isPulled = false;
      controller?.enqueue(typeof piece === "string" ? utf8(piece) : piece.slice());
    },
    end: () => {
      controller?.close();
      controller?.byobRequest?.respond(0);
    },
    fail: (error = new Error("connection reset")) => controller?.error(error),
    // Of a teed stream, `desiredSize` is that of the slower branch; the faster one pulls more.
    isConsumed: () => isPulled || (controller?.desiredSize ?? 0) >= 0,
    failOnAbort: (signal) => {
      signal.addEventListener("abort", () => controller?.error(new Error("aborted")));
      return body;
    },
  };
  return body;
}

/** A body that contains these pieces and has ended. */
export function wholeBody(...pieces: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const body = upstreamBody();
  for (const piece of pieces) body.send(piece);
  body.end();
  return body.stream;
}

/** The bytes of a body up to its end, or to the point where it broke off. */
export async function drain(
  body: ReadableStream | Uint8Array | null,
): Promise<{ readonly bytes: Uint8Array; readonly broken: boolean }> {
  if (body === null) return { bytes: new Uint8Array(), broken: false };
  if (body instanceof Uint8Array) return { bytes: body, broken: false };
  const parts: number[] = [];
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { bytes: Uint8Array.from(parts), broken: false };
      for (const byte of value) parts.push(byte);
    }
  } catch {
    return { bytes: Uint8Array.from(parts), broken: true };
  }
}
