/**
 * Observes a response on a second branch: the client's bytes flow past it, in batches while they are a burst and natively
 * otherwise (`carry.ts`), and JavaScript reads the other branch in batches. Nearly all the cost of observing is waking
 * JavaScript once per chunk, so it is woken from ten times a second down to once.
 *
 *     provider ─ carry ─ IdentityTransformStream ─tee─┬─ client
 *                                                     └─ observer
 *
 * The second tee keeps step with the client: while a write to the client is pending, it takes nothing from the provider.
 * (kj's `AsyncTee` joins the backpressure of its pumps, and workerd's `TeeBranch::pumpTo` is such a pump.) So a client that
 * reads nothing costs the blocks on their way to it and what `carry.ts` holds, and then the provider waits: up to 0.4 MiB
 * more than a native body (test/sockets/unread-clients.test.ts). A tee of the provider's own body would let the observer run ahead of the client without
 * bound.
 */
import type { StreamEnd, ObservedStream, ObservationOptions } from "./stream-end.ts";
import { createAbortGuard } from "./abort-guard.ts";
import { createInterruptible } from "../../shared/interruptible.ts";
import { createPollBackoff } from "./poll-backoff.ts";
import { carry, type Carried } from "./carry.ts";
import { createStartGate } from "./start-gate.ts";

/**
 * There are many streams at a model's own pace, and each fills little of its buffer. A burst is read in fewer, larger
 * batches: from the first full batch until the first that is not full.
 */
const BATCH_BYTES = 8 * 1024;
const BURST_BYTES = 64 * 1024;
const POLL_MS = 100;
const MAX_POLL_MS = 1000;
/** After an abort, buffered bytes can still be read. This bounds the wait for a branch that a slow client holds back. */
const ABORT_GRACE_MS = 100;
const GIVEN_UP = Symbol("given up");

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
  const through = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
  const [toClient, observed] = through.readable.tee();
  const gate = options.secrets ? createStartGate(options.secrets) : null;
  const isLeak = (): boolean => options.secrets?.found() != null;
  const carried = carry(upstream, { to: through.writable, gate, now: options.now, isLeak });
  return { body: toClient, end: readBatches({ observed, carried }, onBytes, options) };
}

type Branches = {
  readonly observed: ReadableStream<Uint8Array>;
  readonly carried: Carried;
};

async function readBatches(
  { observed, carried }: Branches,
  onBytes: (bytes: Uint8Array) => void,
  options: ObservationOptions,
): Promise<StreamEnd> {
  const { now, idleMs } = options;
  let bytes = 0;
  let firstByteAt: number | null = null;
  // The idle timeout is reset by reads, so reads must be more frequent than it.
  const backoff = createPollBackoff(POLL_MS, Math.max(POLL_MS, Math.min(MAX_POLL_MS, idleMs / 4)));
  const reader = observed.getReader({ mode: "byob" });
  const work = createInterruptible<typeof GIVEN_UP>();
  let grace: ReturnType<typeof setTimeout> | null = null;
  const guard = createAbortGuard(
    options,
    () => {
      backoff.cancel();
      grace = setTimeout(() => work.interrupt(GIVEN_UP), ABORT_GRACE_MS);
    },
    carried,
  );
  void carried.ended.then(backoff.cancel);

  const toEnd = (how: StreamEnd["how"]): StreamEnd => ({ how: guard.reason() ?? how, bytes, firstByteAt });
  let buffer = new ArrayBuffer(BATCH_BYTES);
  try {
    for (;;) {
      const read = await work.wait(reader.read(new Uint8Array(buffer)));
      if (read === GIVEN_UP) return toEnd("error");
      const { done, value } = read;
      // The branch ends once the client's connection has accepted every byte.
      if (done) return toEnd("end");
      guard.idle.reset();
      firstByteAt ??= now();
      bytes += value.byteLength;
      carried.advance(value.byteLength);
      onBytes(value);
      // A full batch: more is waiting.
      const isFull = value.byteLength === value.buffer.byteLength;
      buffer = bufferOfSize(isFull ? BURST_BYTES : BATCH_BYTES, value.buffer as ArrayBuffer);
      if (isFull) backoff.reset();
      else await backoff.wait();
    }
  } catch {
    return toEnd("error");
  } finally {
    clearTimeout(grace);
    guard.release();
    carried.release();
  }
}

/** `last` if it has that size. */
function bufferOfSize(size: number, last: ArrayBuffer): ArrayBuffer {
  return last.byteLength === size ? last : new ArrayBuffer(size);
}
