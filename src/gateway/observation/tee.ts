/**
 * Observes a response on a second branch: the client's bytes flow natively, and JavaScript reads the other branch in
 * batches. Nearly all the cost of observing is waking JavaScript once per chunk, so it is woken from ten times a second
 * down to once.
 */
import type { StreamEnd, ObservedStream, ObservationOptions } from "./stream-end.ts";
import { createAbortGuard, type AbortGuard } from "./abort-guard.ts";
import { createPollBackoff, type PollBackoff } from "./poll-backoff.ts";
import { withDeadline } from "../../shared/deadline.ts";

/**
 * There are many streams at a model's own pace, and each fills little of its buffer. A burst is read in fewer, larger
 * batches: from the first full batch until the first that is not full.
 */
const BATCH_BYTES = 8 * 1024;
const BURST_BYTES = 64 * 1024;
const POLL_MS = 100;
const MAX_POLL_MS = 1000;

/**
 * `length`: the response's Content-Length if the upstream declared one; the client's is then the same.
 * `onBytes` gets each batch once, in order; the array is reused after it returns.
 */
export function observeTee(
  upstream: ReadableStream<Uint8Array>,
  length: number | null,
  onBytes: (bytes: Uint8Array) => void,
  options: ObservationOptions,
): ObservedStream<ReadableStream> {
  const [toClient, observed] = upstream.tee();
  const through = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
  const piped = toClient.pipeTo(through.writable).then(
    () => true,
    () => false,
  );
  return {
    body: through.readable,
    end: readBatches(observed, watchClientPipe(piped, options), onBytes, options),
  };
}

async function readBatches(
  branch: ReadableStream<Uint8Array>,
  { guard, backoff, delivered, hasBroken, isBrokenForLong }: ClientPipe,
  onBytes: (bytes: Uint8Array) => void,
  { capBytes, idleMs, now }: ObservationOptions,
): Promise<StreamEnd> {
  let bytes = 0;
  let firstByteAt: number | null = null;
  const toEnd = (how: StreamEnd["how"]): StreamEnd => {
    return { how: guard.reason() ?? how, bytes, firstByteAt, truncated: bytes > capBytes };
  };

  const reader = branch.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(BATCH_BYTES);
  try {
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) break;
      guard.idle.reset();
      firstByteAt ??= now();
      const isPastCap = bytes > capBytes;
      bytes += value.byteLength;
      if (!isPastCap) onBytes(value);
      // If the client pipe has broken, reading goes on past the cap until it is clear which side broke it.
      if (bytes > capBytes && !hasBroken()) {
        guard.idle.stop();
        await reader.cancel();
        return toEnd((await delivered) ? "end" : "error");
      }
      // An upstream that sends without pause starves timers. Had it broken, its last bytes would have been read by now.
      if (isBrokenForLong()) {
        guard.abort("client");
        await reader.cancel();
        return toEnd("client");
      }
      // A full batch: more is waiting.
      const isFull = value.byteLength === value.buffer.byteLength;
      buffer = bufferOfSize(isFull ? BURST_BYTES : BATCH_BYTES, value.buffer as ArrayBuffer);
      if (isFull) backoff.reset();
      else await backoff.wait();
    }
    guard.idle.stop();
    // The response is complete. A slow client counts as served after the idle timeout, so that the end is recorded.
    return toEnd((await withDeadline(delivered, idleMs)) === false ? "client" : "end");
  } catch {
    return toEnd("error");
  } finally {
    guard.release();
  }
}

type ClientPipe = {
  readonly guard: AbortGuard;
  readonly backoff: PollBackoff;
  /** Whether the client's stream accepted all bytes; false as soon as the client has disconnected. Never rejects. */
  readonly delivered: Promise<boolean>;
  readonly hasBroken: () => boolean;
  /** The pipe broke so long ago that an end of the upstream would have been seen since. */
  readonly isBrokenForLong: () => boolean;
};

function watchClientPipe(piped: Promise<boolean>, options: ObservationOptions): ClientPipe {
  const { now, idleMs } = options;
  // The idle timeout is reset by reads, so reads must be more frequent than it.
  const backoff = createPollBackoff(POLL_MS, Math.max(POLL_MS, Math.min(MAX_POLL_MS, idleMs / 4)));
  const { promise: aborted, resolve: resolveAborted } = Promise.withResolvers<false>();
  let brokenAt: number | null = null;
  // After an abort the bytes buffered in the observed branch can still be read; then the read fails.
  const guard = createAbortGuard(options, () => {
    backoff.cancel();
    resolveAborted(false);
  });
  void piped.then((isComplete) => {
    backoff.cancel();
    if (isComplete) return;
    // The pipe broke without a signal. The observed branch first gets a turn to show whether the upstream broke it.
    brokenAt = now();
    setTimeout(() => guard.abort("client"), 0);
  });
  return {
    guard,
    backoff,
    // After a disconnect the end does not wait for the pipe to fail: the platform may end the handler first.
    delivered: Promise.race([piped, aborted]),
    hasBroken: () => brokenAt !== null,
    isBrokenForLong: () => brokenAt !== null && now() - brokenAt >= POLL_MS,
  };
}

/** `last` if it has that size. */
function bufferOfSize(size: number, last: ArrayBuffer): ArrayBuffer {
  return last.byteLength === size ? last : new ArrayBuffer(size);
}
