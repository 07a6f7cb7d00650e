/**
 * A provider's body under the test's hand: a byte stream that says what it is told, when it is told. It can be read with
 * a byob reader, as the bodies of real fetches can.
 */
import { utf8 } from "./values.ts";

export type UpstreamBody = {
  readonly stream: ReadableStream<Uint8Array>;
  readonly send: (piece: string | Uint8Array) => void;
  readonly end: () => void;
  readonly fail: (error?: Error) => void;
  /** Whether all that was sent has been taken out of the stream. */
  readonly isTaken: () => boolean;
  /** Breaks off once the signal fires, as a fetch's body does. */
  readonly failWith: (signal: AbortSignal) => UpstreamBody;
};

export function upstreamBody(): UpstreamBody {
  let controller: ReadableByteStreamController | undefined;
  const stream = new ReadableStream({
    type: "bytes",
    start(own) {
      controller = own as ReadableByteStreamController;
    },
  });
  const own: UpstreamBody = {
    stream,
    // A copy: an enqueued array is taken over by the stream.
    send: (piece) => controller?.enqueue(typeof piece === "string" ? utf8(piece) : piece.slice()),
    end: () => {
      controller?.close();
      controller?.byobRequest?.respond(0);
    },
    fail: (error = new Error("connection reset")) => controller?.error(error),
    isTaken: () => (controller?.desiredSize ?? 0) >= 0,
    failWith: (signal) => {
      signal.addEventListener("abort", () => controller?.error(new Error("aborted")));
      return own;
    },
  };
  return own;
}

/** A body that holds these pieces and then ends. */
export function wholeBody(...pieces: readonly (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  const body = upstreamBody();
  for (const piece of pieces) body.send(piece);
  body.end();
  return body.stream;
}

/** What the client got of a body: all bytes up to its end or its break. */
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
