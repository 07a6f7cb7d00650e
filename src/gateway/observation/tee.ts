/**
 * Watches an answer beside the client's stream: the bytes flow natively, and JavaScript looks at a second branch in
 * batches. Nearly all the cost of watching is waking JavaScript once per chunk, so it is woken from ten times a second
 * down to once.
 */
import type { StreamEnd, ObservedStream, ObservationOptions } from "./stream-end.ts";
import { createAbortGuard, type AbortGuard } from "./abort-guard.ts";
import { createPollBackoff, type PollBackoff } from "./poll-backoff.ts";

/**
 * A stream at its own pace fills little, and there are many; one that comes at once is read in fewer, larger looks, from
 * the first that was full until the first that is not.
 */
const BATCH_BYTES = 8 * 1024;
const BURST_BYTES = 64 * 1024;
const POLL_MS = 100;
const MAX_POLL_MS = 1000;

/**
 * `length`: the answer's Content-Length where the upstream declared one; the client's is then the same.
 * `onBytes` gets each batch once, in order; the array is only lent.
 */
export function observeTee(
  upstream: ReadableStream<Uint8Array>,
  length: number | null,
  onBytes: (bytes: Uint8Array) => void,
  options: ObservationOptions,
): ObservedStream<ReadableStream> {
  const [toClient, toUs] = upstream.tee();
  const through = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
  // Silence is noticed by what is not found: looks must be closer together than the deadline.
  const most = Math.max(POLL_MS, Math.min(MAX_POLL_MS, options.idleMs / 4));
  const pace = createPollBackoff(POLL_MS, most);
  const delivered = toClient.pipeTo(through.writable).then(
    () => true,
    () => false,
  );
  return { body: through.readable, end: readBatches(toUs, delivered, pace, onBytes, options) };
}

async function readBatches(
  branch: ReadableStream<Uint8Array>,
  delivered: Promise<boolean>,
  pace: PollBackoff,
  onBytes: (bytes: Uint8Array) => void,
  options: ObservationOptions,
): Promise<StreamEnd> {
  const { capBytes, now } = options;
  let bytes = 0;
  let firstByteAt: number | null = null;
  const { held, handedOver, hasBroken, isBrokenForLong } = watchClientPipe(delivered, pace, options);
  const ending = (how: StreamEnd["how"]): StreamEnd => {
    return { how: held.reason() ?? how, bytes, firstByteAt, truncated: bytes > capBytes };
  };

  const reader = branch.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(BATCH_BYTES);
  try {
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) break;
      held.idle.heard();
      firstByteAt ??= now();
      const isPastCap = bytes > capBytes;
      bytes += value.byteLength;
      if (!isPastCap) onBytes(value);
      // Where the way to the client has broken, it is read on past the cap until it is clear whose side it was.
      if (bytes > capBytes && !hasBroken()) {
        held.idle.stop();
        await reader.cancel();
        return ending((await handedOver) ? "end" : "error");
      }
      // An upstream that never lets up leaves no turn to timers. One that had broken would have been read out by now.
      if (isBrokenForLong()) {
        held.end("client");
        await reader.cancel();
        return ending("client");
      }
      // A full batch: more is waiting.
      const full = value.byteLength === value.buffer.byteLength;
      buffer = bufferOf(full ? BURST_BYTES : BATCH_BYTES, value.buffer as ArrayBuffer);
      if (full) pace.reset();
      else await pace.wait();
    }
    held.idle.stop();
    // The answer is whole. The client may take its time over it, but the record does not wait for ever.
    const whole = await Promise.race([handedOver, patience(options.idleMs, handedOver)]);
    return ending(whole ? "end" : "client");
  } catch {
    return ending("error");
  } finally {
    held.release();
  }
}

type ClientPipe = {
  readonly held: AbortGuard;
  /** Whether the client's stream took all of it; false too once the client has left. */
  readonly handedOver: Promise<boolean>;
  readonly hasBroken: () => boolean;
  /** So long ago that the upstream's own end would have been seen since. */
  readonly isBrokenForLong: () => boolean;
};

function watchClientPipe(
  delivered: Promise<boolean>,
  pace: PollBackoff,
  options: ObservationOptions,
): ClientPipe {
  const { now } = options;
  const { promise: cut, resolve: cutOff } = Promise.withResolvers<false>();
  let brokenAt: number | null = null;
  // After an end from outside, what the other branch has buffered can still be read; then the read fails.
  const held = createAbortGuard(options, () => {
    pace.cancel();
    cutOff(false);
  });
  void delivered.then((whole) => {
    pace.cancel();
    if (whole) return;
    // The way to the client broke and no signal said so: let the other branch tell first whether the upstream did.
    brokenAt = now();
    setTimeout(() => held.end("client"), 0);
  });
  return {
    held,
    // Once the client has left nothing waits for the pipe to notice: the platform ends what goes on long after.
    handedOver: Promise.race([delivered, cut]),
    hasBroken: () => brokenAt !== null,
    isBrokenForLong: () => brokenAt !== null && now() - brokenAt >= POLL_MS,
  };
}

/** The one there is, where it has that size. */
function bufferOf(size: number, last: ArrayBuffer): ArrayBuffer {
  return last.byteLength === size ? last : new ArrayBuffer(size);
}

/** Resolves to true after `ms`; leaves no timer behind once `other` is settled. */
function patience(ms: number, other: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(true), ms);
    void other.then(() => clearTimeout(timer));
  });
}
