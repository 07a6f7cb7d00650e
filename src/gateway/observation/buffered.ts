import type { StreamEnd, ObservationOptions } from "./stream-end.ts";
import { createAbortGuard } from "./abort-guard.ts";
import { concat } from "../../shared/bounded-read.ts";

/** Larger answers are watched beside the client's stream. */
export const MAX_BUFFERED_BYTES = 256 * 1024;
const CHUNK_BYTES = 16 * 1024;

export async function observeBuffered(
  upstream: ReadableStream<Uint8Array>,
  length: number,
  onBytes: (bytes: Uint8Array) => void,
  options: ObservationOptions,
): Promise<{ readonly body: Uint8Array | ReadableStream; readonly ending: StreamEnd }> {
  const held = createAbortGuard(options, () => undefined);
  const reader = upstream.getReader({ mode: "byob" });
  const parts: Uint8Array[] = [];
  let at = 0;
  let firstByteAt: number | null = null;
  let failure: { readonly error: unknown } | null = null;
  try {
    while (at < length) {
      const { done, value } = await reader.read(new Uint8Array(Math.min(length - at, CHUNK_BYTES)));
      if (done) break;
      held.idle.heard();
      firstByteAt ??= options.now();
      at += value.byteLength;
      parts.push(value);
    }
    if (at < length) failure = { error: new Error("the provider's answer ended early") };
  } catch (error) {
    failure = { error };
  } finally {
    held.release();
  }
  const bytes = concat(parts, at);
  onBytes(bytes);
  const how: StreamEnd["how"] = held.reason() ?? (failure ? "error" : "end");
  return {
    body: failure ? brokenBody(bytes, length, failure.error) : bytes,
    ending: { how, bytes: at, firstByteAt, truncated: false },
  };
}

/** A body of the declared length that breaks off after the bytes there were, as the provider's did. */
function brokenBody(bytes: Uint8Array, length: number, error: unknown): ReadableStream {
  const through = new FixedLengthStream(length);
  const writer = through.writable.getWriter();
  const send = async (): Promise<void> => {
    if (bytes.byteLength > 0) await writer.write(bytes);
    // The headers leave with the first turn of the loop after the answer is returned; a break before it takes them along.
    await new Promise((resolve) => setTimeout(resolve, 0));
    await writer.abort(error);
  };
  send().catch(() => undefined);
  return through.readable;
}
