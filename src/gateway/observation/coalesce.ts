/**
 * Observes a response by passing all of it through JavaScript, so that a filter can remove an event: a burst in batches,
 * a stream at its own pace chunk by chunk, which costs more than `tee.ts`. It is used only if the client must not see an
 * event that the gateway requested.
 */
import type { StreamEnd, ObservedStream, ObservationOptions } from "./stream-end.ts";
import { createAbortGuard, type AbortGuard } from "./abort-guard.ts";
import { createBurstReader } from "./burst-reader.ts";
import { SecretFound } from "./start-gate.ts";

/** As in a TransformStream: `transform` returns the client's bytes for a chunk, `flush` the bytes still buffered. */
export type ChunkFilter = {
  readonly transform: (bytes: Uint8Array) => Uint8Array;
  readonly flush: () => Uint8Array;
};

export function observeCoalesced(
  upstream: ReadableStream<Uint8Array>,
  filter: ChunkFilter,
  options: ObservationOptions,
): ObservedStream<ReadableStream> {
  const through = new IdentityTransformStream();
  return {
    body: through.readable,
    end: pipeFiltered(upstream, through.writable.getWriter(), filter, options),
  };
}

async function pipeFiltered(
  upstream: ReadableStream<Uint8Array>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  filter: ChunkFilter,
  options: ObservationOptions,
): Promise<StreamEnd> {
  let bytes = 0;
  let firstByteAt: number | null = null;
  // After a disconnect no reader takes a pending write. Aborting the writer fails it now, so the end is recorded at once.
  const guard = createAbortGuard(options, (reason) => {
    if (reason === "client") writer.abort(new WriteFailed()).catch(() => undefined);
  });
  const { read } = createBurstReader(upstream, options.now);
  let how: StreamEnd["how"] = "end";
  try {
    for (;;) {
      const value = await read();
      if (value === null) break;
      firstByteAt ??= options.now();
      bytes += value.byteLength;
      const kept = filter.transform(value);
      if (guard.reason() === "secret") throw new SecretFound();
      await write(writer, kept, guard);
    }
    const rest = filter.flush();
    if (guard.reason() === "secret") throw new SecretFound();
    await write(writer, rest, guard);
    await writer.close();
  } catch (error) {
    how = error instanceof WriteFailed ? "client" : "error";
    if (how === "client") guard.abort("client");
    // The client gets the part of an event that arrived before the upstream broke off.
    else if (guard.reason() !== "client" && guard.reason() !== "secret")
      await write(writer, filter.flush(), guard).catch(() => undefined);
    writer.abort(error).catch(() => undefined);
  } finally {
    guard.release();
  }
  return { how: guard.reason() ?? how, bytes, firstByteAt };
}

class WriteFailed extends Error {
  constructor() {
    super("the client's side of the stream is closed");
  }
}

/** Writes unless there is nothing to write. The idle timeout is paused while a slow client delays the write. */
async function write(
  writer: WritableStreamDefaultWriter<Uint8Array>,
  bytes: Uint8Array,
  guard: AbortGuard,
): Promise<void> {
  guard.idle.pause();
  try {
    if (bytes.byteLength > 0) await writer.write(bytes);
  } catch {
    throw new WriteFailed();
  }
  guard.idle.reset();
}
