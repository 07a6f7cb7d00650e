/** Collects a response's head and chunks with their times, for both protocols. */
import type { Clock, Head, OpenRequest, Received } from "./http.ts";

export type Receiving = Pick<OpenRequest, "head" | "received" | "firstBytes"> & {
  readonly onHead: (head: Head) => void;
  readonly onBytes: (bytes: Uint8Array) => void;
  /** The response ended; `brokenBy`: why it is incomplete. Later calls are ignored. */
  readonly onEnd: (brokenBy: string | null) => void;
};

export function receiving(now: Clock): Receiving {
  const startedAt = now();
  const head = Promise.withResolvers<Head>();
  const received = Promise.withResolvers<Received>();
  const firstBytes = Promise.withResolvers<number>();
  const chunks: Received["chunks"][number][] = [];
  let begun: { readonly head: Head; readonly at: number } | null = null;
  for (const { promise } of [head, received, firstBytes])
    (promise as Promise<unknown>).catch(() => undefined);
  return {
    head: head.promise,
    received: received.promise,
    firstBytes: firstBytes.promise,
    onHead: (value) => {
      begun = { head: value, at: now() };
      head.resolve(value);
    },
    onBytes: (bytes) => {
      chunks.push({ at: now(), bytes });
      firstBytes.resolve(chunks[0]?.at ?? startedAt);
    },
    onEnd: (brokenBy) => {
      const failure = new Error(brokenBy ?? "the response ended without a body");
      firstBytes.reject(failure);
      if (begun === null) {
        head.reject(failure);
        received.reject(failure);
        return;
      }
      received.resolve({ ...begun.head, chunks, startedAt, headAt: begun.at, endedAt: now(), brokenBy });
    },
  };
}
