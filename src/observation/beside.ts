/**
 * Watches an answer beside the client's stream: the bytes flow natively, and JavaScript looks at a second branch in
 * batches. Nearly all the cost of watching is waking JavaScript once per chunk; ten looks a second cost half as much as
 * the bare answer, one look per event five times as much (docs/streams.md).
 */
import type { Ending, Watched, WatchOptions } from "./ending.ts";
import { watchIdle } from "./idle.ts";

const BATCH_BYTES = 16 * 1024;
const PACE_MS = 100;

/**
 * `length`: the answer's Content-Length where the upstream declared one; the client's is then the same.
 * `onBytes` gets each batch once, in order; the array is only lent.
 */
export function watchBeside(
  upstream: ReadableStream<Uint8Array>,
  length: number | null,
  onBytes: (bytes: Uint8Array) => void,
  options: WatchOptions,
): Watched<ReadableStream> {
  const [toClient, toUs] = upstream.tee();
  const through = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
  const piped = toClient.pipeTo(through.writable).then(
    () => true,
    () => false,
  );
  return { body: through.readable, ending: readBatches(toUs, piped, onBytes, options) };
}

async function readBatches(
  branch: ReadableStream<Uint8Array>,
  piped: Promise<boolean>,
  onBytes: (bytes: Uint8Array) => void,
  { clientSignal, abort, idleMs, capBytes, now }: WatchOptions,
): Promise<Ending> {
  let bytes = 0;
  let firstByteAt: number | null = null;
  let how: Ending["how"] | null = null;
  const pace = pacer(PACE_MS);
  const stop = (why: Ending["how"]): void => {
    how ??= why;
    // What this branch has buffered can still be read; then the read ends in an error.
    abort.abort();
    pace.skip();
  };
  const onGone = (): void => stop("client");
  if (clientSignal.aborted) onGone();
  clientSignal.addEventListener("abort", onGone);
  const idle = watchIdle(idleMs, now, () => stop("idle"));
  void piped.then((whole) => {
    pace.skip();
    // The way to the client is gone and no signal said so: let this branch tell first whether the upstream broke.
    if (!whole) setTimeout(() => stop("client"), 0);
  });

  const reader = branch.getReader({ mode: "byob" });
  try {
    let buffer = new ArrayBuffer(BATCH_BYTES);
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) break;
      idle.heard();
      firstByteAt ??= now();
      bytes += value.byteLength;
      onBytes(value);
      if (bytes > capBytes) {
        await reader.cancel();
        how ??= (await piped) ? "capped" : clientSignal.aborted ? "client" : "error";
        return { how, bytes, firstByteAt };
      }
      buffer = value.buffer as ArrayBuffer;
      // A full batch: more is waiting.
      if (value.byteLength < BATCH_BYTES) await pace.wait();
    }
    // The answer is whole; has the client got it? It may take its time, but not for ever.
    idle.heard();
    await Promise.race([piped, pace.never()]);
    how ??= "end";
  } catch {
    how ??= "error";
  } finally {
    idle.stop();
    clientSignal.removeEventListener("abort", onGone);
  }
  return { how, bytes, firstByteAt };
}
