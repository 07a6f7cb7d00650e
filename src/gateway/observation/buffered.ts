/** Observes a small response by reading it into memory before the client gets it. */
import type { StreamEnd, ObservationOptions } from "./stream-end.ts";
import { createAbortGuard } from "./abort-guard.ts";
import { Collected } from "../../shared/bounded-read.ts";

/** Larger responses are teed. */
export const MAX_BUFFERED_BYTES = 256 * 1024;
const CHUNK_BYTES = 16 * 1024;

export type BufferedResponse = {
  readonly body: Uint8Array | ReadableStream;
  readonly end: StreamEnd;
};

/** `length`: the response's Content-Length. `onBytes` is called once, with all bytes that arrived. Never rejects. */
export async function observeBuffered(
  upstream: ReadableStream<Uint8Array>,
  length: number,
  onBytes: (bytes: Uint8Array) => void,
  options: ObservationOptions,
): Promise<BufferedResponse> {
  const guard = createAbortGuard(options, () => undefined);
  const reader = upstream.getReader({ mode: "byob" });
  const collected = new Collected();
  let buffer = new ArrayBuffer(Math.min(length, CHUNK_BYTES));
  let firstByteAt: number | null = null;
  let failure: { readonly error: unknown } | null = null;
  try {
    while (collected.size < length) {
      const most = Math.min(length - collected.size, buffer.byteLength);
      const { done, value } = await reader.read(new Uint8Array(buffer, 0, most));
      if (done) break;
      guard.idle.reset();
      firstByteAt ??= options.now();
      collected.add(value);
      buffer = value.buffer as ArrayBuffer;
    }
    if (collected.size < length) failure = { error: new Error("the provider's response ended early") };
  } catch (error) {
    failure = { error };
  } finally {
    guard.release();
  }
  const bytes = collected.bytes();
  onBytes(bytes);
  const how: StreamEnd["how"] = guard.reason() ?? (failure ? "error" : "end");
  return {
    body: failure ? brokenBody(bytes, length, failure.error) : bytes,
    end: { how, bytes: bytes.byteLength, firstByteAt },
  };
}

/** A body of the declared length that breaks off after `bytes`, as the provider's did. */
function brokenBody(bytes: Uint8Array, length: number, error: unknown): ReadableStream {
  const through = new FixedLengthStream(length);
  const writer = through.writable.getWriter();
  const send = async (): Promise<void> => {
    if (bytes.byteLength > 0) await writer.write(bytes);
    // The runtime sends the headers in the first turn after the response is returned; an earlier abort would drop them.
    await new Promise((resolve) => setTimeout(resolve, 0));
    await writer.abort(error);
  };
  send().catch(() => undefined);
  return through.readable;
}
