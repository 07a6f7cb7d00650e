/** A queue that delivers each message at least once, in a random order, to the consumer's own code. */
import type { LedgerDeps } from "../../../src/records/ledger/ledger.ts";
import { consumeBatch } from "../../../src/records/ledger/write/consume.ts";
import { between } from "../rechunk.ts";

type Queued = { readonly body: string; readonly attempts: number };

/** One of so many acknowledged messages is delivered again. */
const REPEATED = 6;

/** Resolves when every message is acknowledged. */
export async function deliver(
  bodies: readonly string[],
  deps: LedgerDeps,
  random: () => number,
): Promise<void> {
  let queued: Queued[] = shuffled(bodies, random).map((body) => ({ body, attempts: 1 }));
  while (queued.length > 0) {
    const batch = queued.slice(0, between(random, 1, 40));
    queued = queued.slice(batch.length);
    const left = new Set(batch);
    const messages = batch.map((message, at) => ({
      id: `m${at}`,
      timestamp: new Date(deps.now()),
      ...message,
      ack: () => void left.delete(message),
      retry: () => undefined,
    }));
    await consumeBatch({ queue: "ai-events", messages } as unknown as MessageBatch, deps);
    const retried = [...left].map(({ body, attempts }) => ({ body, attempts: attempts + 1 }));
    const repeated = batch.filter((message) => !left.has(message) && between(random, 1, REPEATED) === 1);
    queued = shuffled([...queued, ...retried, ...repeated], random);
  }
}

export function shuffled<Value>(values: readonly Value[], random: () => number): Value[] {
  return values
    .map((value) => ({ value, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .map(({ value }) => value);
}
