/**
 * Watches an answer by carrying it: each chunk passes through JavaScript, as something must be taken out of it. Costs
 * more than `beside.ts`; used only where the client is not to see what was asked for on its behalf.
 */
import type { StreamEnd, ObservedStream, ObservationOptions } from "./stream-end.ts";
import { createAbortGuard, type AbortGuard } from "./abort-guard.ts";

const CHUNK_BYTES = 16 * 1024;

/** What each chunk becomes: bytes for the client (perhaps none yet), and at the end what was held back. */
export type ChunkFilter = {
  readonly chunk: (bytes: Uint8Array) => Uint8Array;
  readonly rest: () => Uint8Array;
};

export function observeCoalesced(
  upstream: ReadableStream<Uint8Array>,
  filter: ChunkFilter,
  options: ObservationOptions,
): ObservedStream<ReadableStream> {
  const through = new IdentityTransformStream();
  return { body: through.readable, end: carry(upstream, through.writable.getWriter(), filter, options) };
}

async function carry(
  upstream: ReadableStream<Uint8Array>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  filter: ChunkFilter,
  options: ObservationOptions,
): Promise<StreamEnd> {
  let bytes = 0;
  let firstByteAt: number | null = null;
  // A write that nobody is left to take must not hold the record up: it fails now, whatever the runtime says, and when.
  const held = createAbortGuard(options, (why) => {
    if (why === "client") writer.abort(WRITE_FAILED).catch(() => undefined);
  });
  const reader = upstream.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(CHUNK_BYTES);
  let how: StreamEnd["how"] = "end";
  try {
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) break;
      firstByteAt ??= options.now();
      bytes += value.byteLength;
      await write(writer, filter.chunk(value), held);
      buffer = value.buffer as ArrayBuffer;
    }
    await write(writer, filter.rest(), held);
    await writer.close();
  } catch (error) {
    how = error === WRITE_FAILED ? "client" : "error";
    if (how === "client") held.end("client");
    // What came of an event before the break is the client's.
    else if (held.reason() !== "client") await write(writer, filter.rest(), held).catch(() => undefined);
    writer.abort(error).catch(() => undefined);
  } finally {
    held.release();
  }
  return { how: held.reason() ?? how, bytes, firstByteAt, truncated: false };
}

const WRITE_FAILED = new Error("the client's side of the stream is closed");

/** Writes unless there is nothing to write; while the client is slow to take it, the upstream is not to blame. */
async function write(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  bytes: Uint8Array,
  held: AbortGuard,
): Promise<void> {
  held.idle.pause();
  try {
    if (bytes.byteLength > 0) await writer.write(bytes);
  } catch {
    throw WRITE_FAILED;
  }
  held.idle.heard();
}
