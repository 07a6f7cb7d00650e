/**
 * Reads a body at its own pace: each chunk at once, and those of a burst in batches. Nearly all the cost of carrying a
 * stream through JavaScript is waking JavaScript once per chunk, and a fast provider sends a hundred chunks a millisecond.
 */
import { runAhead, type RunAhead } from "./run-ahead.ts";

/**
 * The most that a read takes: one chunk of a stream at its own pace, or all of a burst that has been pulled ahead. The first chunk
 * that fills the small buffer makes room for larger ones: pieces of one chunk would look like the chunks of a burst.
 */
const CHUNK_BYTES = 4 * 1024;
const LARGE_CHUNK_BYTES = 16 * 1024;
const BATCH_BYTES = 64 * 1024;
/** So many chunks that had to be waited for less than `WINDOW_MS` together are a burst: more than about 1,000 a second. */
const WINDOW_CHUNKS = 8;
const WINDOW_MS = 8;
/** In a burst, the time that a chunk may wait for those behind it. */
const PAUSE_MS = 3;
/** A burst is over with a batch of less than so many chunks. */
const MIN_BATCH_CHUNKS = 3;
/**
 * Reads in a row that each waited so long, and together `SLOW_MS`: the stream is slow. The wait for the first chunk tells no
 * pace. After a burst more is needed, because a busy isolate delays the reads of a burst too.
 */
const SLOW_READ_MS = 4;
const SLOW_MS = 15;
const SLOW_MS_AFTER_BURST = 300;

export type BurstReader = {
  /** The next bytes, in memory that the next read reuses; null at the end of the body. */
  readonly read: () => Promise<Uint8Array | null>;
  /** The last chunks came at such a pace that a native pipe is cheaper than reads, and no burst is going on. */
  readonly isSlow: () => boolean;
  /** The rest of the body, for another reader. */
  readonly release: () => ReadableStream<Uint8Array>;
};

type State = {
  body: ReadableStream<Uint8Array>;
  reader: ReadableStreamBYOBReader;
  buffer: ArrayBuffer;
  /** Of a buffer for one chunk. */
  chunkBytes: number;
  ahead: RunAhead | null;
  readonly pace: Pace;
  readonly now: () => number;
};

export function createBurstReader(body: ReadableStream<Uint8Array>, now: () => number): BurstReader {
  const state: State = {
    body,
    reader: body.getReader({ mode: "byob" }),
    buffer: new ArrayBuffer(CHUNK_BYTES),
    chunkBytes: CHUNK_BYTES,
    ahead: null,
    pace: createPace(),
    now,
  };
  return {
    read: () => readNext(state),
    isSlow: state.pace.isSlow,
    release: () => {
      state.reader.releaseLock();
      state.ahead?.stop();
      return state.body;
    },
  };
}

/**
 * A function of the module: the stack of an error that ends a read holds the functions that await it. A closure would hold the
 * reader, whose stream holds the error by a reference that is not collected.
 */
async function readNext(state: State): Promise<Uint8Array | null> {
  const { pace, now } = state;
  if (pace.isBurst()) {
    state.ahead ??= startAhead(state);
    await state.ahead.wait(PAUSE_MS);
  }
  const size = pace.isBurst() ? BATCH_BYTES : state.chunkBytes;
  if (state.buffer.byteLength !== size) state.buffer = new ArrayBuffer(size);
  const since = now();
  const { done, value } = await state.reader.read(new Uint8Array(state.buffer));
  if (done) return null;
  if (value.byteLength === CHUNK_BYTES) state.chunkBytes = LARGE_CHUNK_BYTES;
  pace.add(value.byteLength, now() - since);
  state.ahead?.advance(value.byteLength);
  state.buffer = value.buffer as ArrayBuffer;
  return value;
}

function startAhead(state: State): RunAhead {
  state.reader.releaseLock();
  const [kept, other] = state.body.tee();
  state.body = kept;
  state.reader = kept.getReader({ mode: "byob" });
  return runAhead(other, state.pace.isBurst);
}

type Pace = {
  /** A read returned `bytes` after `waitedMs`. Clocks that tick in milliseconds are right on average. */
  readonly add: (bytes: number, waitedMs: number) => void;
  readonly isBurst: () => boolean;
  readonly isSlow: () => boolean;
};

function createPace(): Pace {
  let chunks = 0;
  let bytes = 0;
  let waitedMs = 0;
  /** null before the first chunk. */
  let slowMs: number | null = null;
  let isBurst = false;
  let enoughSlowMs = SLOW_MS;
  const startWindow = (): void => {
    chunks = 0;
    bytes = 0;
    waitedMs = 0;
  };
  const addBatch = (batchBytes: number): void => {
    if (batchBytes * WINDOW_CHUNKS >= MIN_BATCH_CHUNKS * bytes) return;
    isBurst = false;
    startWindow();
  };
  return {
    add: (chunkBytes, ms) => {
      slowMs = slowMs === null || isBurst || ms < SLOW_READ_MS ? 0 : slowMs + ms;
      if (isBurst) return addBatch(chunkBytes);
      chunks += 1;
      bytes += chunkBytes;
      waitedMs += ms;
      if (waitedMs >= WINDOW_MS) startWindow();
      else if (chunks === WINDOW_CHUNKS) {
        isBurst = true;
        enoughSlowMs = SLOW_MS_AFTER_BURST;
      }
    },
    isBurst: () => isBurst,
    isSlow: () => (slowMs ?? 0) >= enoughSlowMs,
  };
}
