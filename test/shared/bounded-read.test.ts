import { describe, expect, it } from "vitest";
import { concat, readBounded } from "../../src/shared/bounded-read.ts";
import { byteByByte, forSeedsAsync, rechunk } from "../support/rechunk.ts";
import { utf8 } from "../support/in-workerd/values.ts";

type Source = {
  readonly body: ReadableStream<Uint8Array>;
  readonly cancelled: () => boolean;
  readonly pulled: () => number;
};

/** A stream of these chunks, which then ends or fails. */
function sourceOf(chunks: readonly Uint8Array[], error?: Error): Source {
  let next = 0;
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const chunk = chunks[next];
        next += 1;
        if (chunk) controller.enqueue(chunk);
        else if (error) controller.error(error);
        else controller.close();
      },
      cancel: () => void (isCancelled = true),
    },
    { highWaterMark: 0 },
  );
  return { body, cancelled: () => isCancelled, pulled: () => next };
}

describe("readBounded", () => {
  const bytes = utf8("The quick brown fox jumps over the lazy dog.");

  it("returns the whole stream, in any chunks, up to exactly the bound", async () => {
    await forSeedsAsync(50, async (seed) => {
      const { body } = sourceOf(rechunk(bytes, seed));
      expect(await readBounded(body, bytes.length)).toEqual(bytes);
    });
  });

  it("returns an empty array for an empty stream", async () => {
    expect(await readBounded(sourceOf([]).body, 0)).toEqual(new Uint8Array());
  });

  it("returns null for one byte more than the bound, and cancels the rest", async () => {
    const { body, cancelled, pulled } = sourceOf(byteByByte(bytes));
    expect(await readBounded(body, 10)).toBeNull();
    expect(cancelled()).toBe(true);
    expect(pulled()).toBe(11);
  });

  // The attack: single bytes, each in a buffer of its own, which is much larger and was kept with it.
  it("keeps no piece: the stream may use its memory again", async () => {
    const piece = new Uint8Array(1);
    let next = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          piece[0] = bytes[next++] ?? 0;
          if (next > bytes.length) controller.close();
          else controller.enqueue(piece);
        },
      },
      { highWaterMark: 0 },
    );
    expect(await readBounded(body, bytes.length)).toEqual(bytes);
  });

  it("rejects as the stream does", async () => {
    const { body } = sourceOf([bytes], new Error("connection lost"));
    await expect(readBounded(body, 1000)).rejects.toThrow("connection lost");
  });

  it("returns null, and leaves a failing cancel handled", async () => {
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes),
      cancel: () => Promise.reject(new Error("cancel failed")),
    });
    expect(await readBounded(body, 1)).toBeNull();
    // An unhandled rejection would fail the run.
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
});

describe("concat", () => {
  it("joins the parts in their order", () => {
    expect(concat([Uint8Array.of(1, 2), new Uint8Array(), Uint8Array.of(3)], 3)).toEqual(
      Uint8Array.of(1, 2, 3),
    );
    expect(concat([], 0)).toEqual(new Uint8Array());
  });

  it("returns a single part itself", () => {
    const part = Uint8Array.of(1);
    expect(concat([part], 1)).toBe(part);
  });
});
