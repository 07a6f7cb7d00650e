/**
 * Pulls a body ahead of its reader. A reader of a `fetch` body gets one HTTP chunk for each read, however many have arrived.
 * A branch of a tee has everything that another branch has pulled. This is that other branch: it is piped natively into a
 * stream that wakes JavaScript once per batch, and its bytes are dropped.
 *
 * (workerd's `TeeBranch` and `IdentityTransformStream`. `readAtLeast` on the branch itself would make the tee pull as much
 * before either branch gets a byte, and a native sink without JavaScript could not be stopped.)
 */

/** It stops when the reader is so far behind. The reader's branch holds at most this and one batch more for the reader. */
const MAX_AHEAD_BYTES = 64 * 1024;
/** Batches grow while the burst lasts, so that a stream whose burst is over keeps a small buffer. */
const MIN_BATCH_BYTES = 4 * 1024;

export type RunAhead = {
  /** The reader has read `bytes` of its own branch. */
  readonly advance: (bytes: number) => void;
  /** Waits until the branch is as far ahead as it may be, or the body has ended, but at most `ms`. */
  readonly wait: (ms: number) => Promise<void>;
  /** The reader goes on without it. */
  readonly stop: () => void;
};

/** `isBurst`: whether the reader still reads in batches. */
export function runAhead(branch: ReadableStream<Uint8Array>, isBurst: () => boolean): RunAhead {
  const through = new IdentityTransformStream();
  const pipe = new AbortController();
  branch.pipeTo(through.writable, { signal: pipe.signal }).catch(() => undefined);
  const reader = through.readable.getReader({ mode: "byob" });
  let ahead = 0;
  let hasEnded = false;
  let isReading = false;
  let wake: (() => void) | null = null;

  const pull = async (): Promise<void> => {
    isReading = true;
    let size = MIN_BATCH_BYTES;
    let buffer = new ArrayBuffer(size);
    try {
      while (ahead < MAX_AHEAD_BYTES) {
        const { done, value } = await reader.readAtLeast(size, new Uint8Array(buffer));
        ahead += value?.byteLength ?? 0;
        if (done) {
          hasEnded = true;
          break;
        }
        buffer = value.buffer as ArrayBuffer;
        const next = isBurst() ? Math.min(MAX_AHEAD_BYTES, 2 * size) : MIN_BATCH_BYTES;
        if (next !== size) buffer = new ArrayBuffer(next);
        size = next;
      }
    } catch {
      hasEnded = true;
    }
    isReading = false;
    wake?.();
  };
  void pull();

  return {
    advance: (bytes) => {
      ahead -= bytes;
      if (!isReading && !hasEnded && ahead < MAX_AHEAD_BYTES) void pull();
    },
    wait: (ms) => {
      if (hasEnded || !isReading) return Promise.resolve();
      return new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
    stop: () => {
      hasEnded = true;
      pipe.abort();
      reader.cancel().catch(() => undefined);
    },
  };
}
