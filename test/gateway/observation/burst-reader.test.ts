import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createBurstReader, type BurstReader } from "../../../src/gateway/observation/burst-reader.ts";
import { concat } from "../../../src/shared/bounded-read.ts";
import { drain, upstreamBody } from "../../support/in-workerd/upstream-body.ts";
import { turns } from "../../support/in-workerd/waiting.ts";
import { between, forSeedsAsync, rechunk, seededRandom } from "../../support/rechunk.ts";

const KIB = 1024;

/** As the body of a `fetch`: each read gets one chunk, however many could be had. `afterMs`: the clock's step before it. */
function chunked(pieces: Iterable<Uint8Array>, afterMs: (at: number) => number = () => 0) {
  const iterator = pieces[Symbol.iterator]();
  let at = 0;
  let time = 0;
  let pulled = 0;
  const body = new ReadableStream(
    {
      type: "bytes",
      pull: (controller) => {
        const { done, value } = iterator.next();
        time += afterMs(at);
        at += 1;
        if (!done) {
          pulled += value.byteLength;
          controller.enqueue(value.slice());
          return;
        }
        controller.close();
        controller.byobRequest?.respond(0);
      },
    },
    { highWaterMark: 0 },
  );
  return { body, now: () => time, pulled: () => pulled };
}

/** The reads up to the end of the body. */
async function readAll({ read }: BurstReader): Promise<Uint8Array[]> {
  const reads: Uint8Array[] = [];
  for (let bytes = await read(); bytes !== null; bytes = await read()) reads.push(bytes.slice());
  return reads;
}

const join = (parts: readonly Uint8Array[]): Uint8Array =>
  concat(
    parts,
    parts.reduce((size, part) => size + part.byteLength, 0),
  );

const randomBytes = (seed: number, size: number): Uint8Array => {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: size }, () => between(random, 0, 255));
};

function* endless(size: number): Generator<Uint8Array> {
  for (;;) yield new Uint8Array(size);
}

/** Reads until a burst was recognized, and once more. */
async function readIntoBurst(reader: BurstReader): Promise<void> {
  for (let reads = 0; reads < 9; reads += 1) await reader.read();
}

describe("a burst", () => {
  it("is read in few batches, and its bytes stay the same, in any pieces", async () => {
    await forSeedsAsync(20, async (seed) => {
      const bytes = randomBytes(seed, 50_000);
      const pieces = rechunk(bytes, seed, 2000);
      const { body, now } = chunked(pieces);
      const reads = await readAll(createBurstReader(body, now));
      expect(join(reads)).toEqual(bytes);
      expect(reads.length).toBeLessThan(pieces.length / 4);
    });
  });

  it("begins after eight chunks, each of which is passed on at once", async () => {
    const { body, now } = chunked(rechunk(randomBytes(1, 10_000), 2, 1));
    const reads = await readAll(createBurstReader(body, now));
    expect(reads.slice(0, 8).map((one) => one.byteLength)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
    expect(reads[8]?.byteLength).toBeGreaterThan(3);
  });

  it("may be followed by a slow stream and another burst, in any pieces", async () => {
    await forSeedsAsync(20, async (seed) => {
      const bytes = randomBytes(seed, 30_000);
      const random = seededRandom(seed);
      let left = 0;
      let stepMs = 0;
      const { body, now } = chunked(rechunk(bytes, seed, 600), () => {
        if (left === 0) {
          left = between(random, 1, 100);
          stepMs = random() < 0.5 ? 0 : 20;
        }
        left -= 1;
        return stepMs;
      });
      expect(join(await readAll(createBurstReader(body, now)))).toEqual(bytes);
    });
  });

  it("is pulled at most 128 KiB ahead of a reader that does not go on", async () => {
    for (const size of [300, 5000, 16 * KIB]) {
      const { body, now, pulled } = chunked(endless(size));
      const reader = createBurstReader(body, now);
      await readIntoBurst(reader);
      const read = pulled();
      await turns();
      const settled = pulled();
      expect(settled - read).toBeLessThan(192 * KIB);
      await turns();
      expect(pulled()).toBe(settled);
      expect(await reader.read()).not.toBeNull();
    }
  });

  it("rejects with the error of a body that breaks off", async () => {
    let pulls = 0;
    const body = new ReadableStream({
      type: "bytes",
      pull: (controller) => {
        pulls += 1;
        if (pulls > 1000) controller.error(new Error("reset"));
        else controller.enqueue(new Uint8Array(100));
      },
    });
    await expect(readAll(createBurstReader(body, () => 0))).rejects.toThrow("reset");
  });
});

describe("a stream at its own pace", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([1, 2, 5, 20, 1000])("is read chunk by chunk without a timer, every %i ms", async (everyMs) => {
    const pieces = rechunk(randomBytes(3, 10_000), 4, 200);
    const { body, now } = chunked(pieces, () => everyMs);
    expect(await readAll(createBurstReader(body, now))).toEqual(pieces);
    expect(vi.getTimerCount()).toBe(0);
  });
});

/** A body that the test sends chunk by chunk, each to a read that has waited for `ms`. */
const paced = () => {
  const upstream = upstreamBody();
  let time = 0;
  const reader = createBurstReader(upstream.stream, () => time);
  const readAfter = async (ms: number, chunk: Uint8Array): Promise<Uint8Array> => {
    const read = reader.read();
    time += ms;
    upstream.send(chunk);
    return (await read)?.slice() ?? new Uint8Array();
  };
  return { upstream, reader, readAfter };
};

describe("a slow stream", () => {
  const CHUNK = new Uint8Array(100);

  it.each([
    [0, 100, false],
    [1, 100, false],
    [3, 100, false],
    [4, 4, false],
    [4, 5, true],
    [20, 1, false],
    [20, 2, true],
  ])("of a chunk each %i ms is recognized after %i of them: %s", async (everyMs, chunks, isSlow) => {
    const { reader, readAfter } = paced();
    for (let at = 0; at < chunks; at += 1) await readAfter(everyMs, CHUNK);
    expect(reader.isSlow()).toBe(isSlow);
  });

  it("is recognized later after a burst", async () => {
    const { reader, readAfter } = paced();
    // The ninth read is the batch that ends the burst.
    for (let at = 0; at < 9; at += 1) await readAfter(0, CHUNK);
    for (let at = 0; at < 14; at += 1) await readAfter(20, CHUNK);
    expect(reader.isSlow()).toBe(false);
    await readAfter(20, CHUNK);
    expect(reader.isSlow()).toBe(true);
  });

  it.each([0, 9])(
    "leaves the rest to another reader, in any pieces, after a burst of %i chunks",
    async (burst) => {
      await forSeedsAsync(20, async (seed) => {
        const bytes = randomBytes(seed, 30_000);
        const pieces = rechunk(bytes, seed, 600);
        const { upstream, reader, readAfter } = paced();
        const reads: Uint8Array[] = [];
        let at = 0;
        for (; !reader.isSlow(); at += 1)
          reads.push(await readAfter(at < burst ? 0 : 20, pieces[at] ?? new Uint8Array()));
        expect(join(reads)).toEqual(join(pieces.slice(0, at)));
        const rest = drain(reader.release());
        for (const piece of pieces.slice(at)) upstream.send(piece);
        upstream.end();
        expect(join([...reads, (await rest).bytes])).toEqual(bytes);
      });
    },
  );

  it.each([0, 9])("is pulled no further once it is released, after a burst of %i chunks", async (burst) => {
    const { upstream, reader, readAfter } = paced();
    for (let at = 0; !reader.isSlow(); at += 1) await readAfter(at < burst ? 0 : 20, CHUNK);
    reader.release();
    // The pipe ends at its next chunk.
    upstream.send(CHUNK);
    await turns();
    for (let at = 0; at < 100; at += 1) upstream.send(new Uint8Array(5000));
    await turns();
    expect(upstream.isConsumed()).toBe(false);
  });
});
