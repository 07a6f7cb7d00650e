/**
 * Coalesces the calls of this isolate's requests to one budget object. While a call is in flight, further items queue and are
 * sent together in the next call. No timer delays an item.
 *
 * In workerd a call belongs to the request that made it, and ends with that request. So each call is made by a request whose
 * item waits, which `waitUntil` keeps alive, and the others await promises of their own, which the runtime continues in their
 * own contexts (see `shared/single-flight.ts`). Where a request ends nevertheless, or the object is slow, an item goes again
 * with a call of its own or of another: an object books it once.
 */
import type { BatchItem, BatchResult } from "../../../events/budget-service.ts";
import { TIMED_OUT, withDeadline, type After } from "../../../shared/deadline.ts";

/** How long an item waits for its result. */
export const TIMEOUT_MS = 2000;
/** A call that is older is not waited for. */
export const STALE_MS = TIMEOUT_MS / 2;
/** Items of one call: some 100 KB, and some milliseconds of the object. */
export const MAX_ITEMS = 128;

/** The request that an item is of. */
export type Owner = {
  /** Keeps the request alive. */
  readonly waitUntil: (work: Promise<unknown>) => void;
};

export type CoalesceDeps = {
  /** Calls an object. @returns a result for each item; rejects where the call fails. */
  readonly call: (name: string, items: readonly BatchItem[]) => Promise<readonly BatchResult[]>;
  readonly onFailure: (error: unknown) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly after?: After;
};

/** @returns the item's result, null where its call or the item failed, or `TIMED_OUT`. Never rejects. */
export type Coalesced = (
  name: string,
  item: BatchItem,
  owner: Owner,
) => Promise<BatchResult | typeof TIMED_OUT>;

/** A call that is under way, or that the request of a waiting item is about to make. */
type PendingCall = { readonly since: number };

type Waiting = {
  readonly item: BatchItem;
  readonly finish: (result: BatchResult) => void;
  /** Its call has failed. */
  readonly fail: () => void;
  /** Lets the item's request make the next call. */
  readonly takeTurn: (pending: PendingCall) => void;
};

/** The items of one object. */
type Lane = { readonly name: string; pending: PendingCall | null; waiting: Waiting[] };

export function coalesceCalls(deps: CoalesceDeps): Coalesced {
  const { now, after } = deps;
  const lanes = new Map<string, Lane>();
  const close = (lane: Lane): void => {
    if (lanes.get(lane.name) === lane) lanes.delete(lane.name);
  };

  return async (name, item, { waitUntil }) => {
    const lane = lanes.get(name) ?? { name, pending: null, waiting: [] };
    lanes.set(name, lane);
    const { promise, resolve } = Promise.withResolvers<BatchResult>();
    let current: Waiting | null = null;
    const leave = (): void => {
      if (current !== null) lane.waiting = lane.waiting.filter((one) => one !== current);
    };
    const callNow = (pending: PendingCall): void => {
      // Another request has made the call meanwhile.
      if (lane.pending === pending) waitUntil(makeCall(lane, pending, deps, close));
    };
    const join = (): void => {
      leave();
      const turn = Promise.withResolvers<PendingCall>();
      // Continues in this request, whichever request's call ends.
      void turn.promise.then(callNow);
      const waiting: Waiting = {
        item,
        finish: (result) => {
          // It was about to go again.
          if (current !== waiting) leave();
          resolve(result);
        },
        fail: () => {
          if (current === waiting) resolve(null);
        },
        takeTurn: turn.resolve,
      };
      current = waiting;
      lane.waiting.push(waiting);
      if (lane.pending !== null && now() - lane.pending.since < STALE_MS) return;
      lane.pending = { since: now() };
      callNow(lane.pending);
    };
    join();
    const early = await withDeadline(promise, STALE_MS, after);
    if (early !== TIMED_OUT) return early;
    join();
    const late = await withDeadline(promise, TIMEOUT_MS - STALE_MS, after);
    leave();
    return late;
  };
}

/** Makes one call with the items that wait, in the context of a request. Never rejects. */
async function makeCall(
  lane: Lane,
  pending: PendingCall,
  { call, onFailure, now, after }: CoalesceDeps,
  close: (lane: Lane) => void,
): Promise<void> {
  const all = lane.waiting.splice(0, MAX_ITEMS);
  const items = all.map(({ item }) => item);
  let results: readonly BatchResult[] | typeof TIMED_OUT | null = null;
  try {
    if (items.length > 0) results = await withDeadline(call(lane.name, items), TIMEOUT_MS, after);
  } catch (error) {
    onFailure(error);
  }
  // The items of a call that has timed out have reached their own deadlines.
  if (results !== TIMED_OUT)
    for (const [at, one] of all.entries()) {
      const result = results?.[at];
      if (result === undefined) one.fail();
      else {
        if (result === null) onFailure(new TypeError("an item was not booked"));
        one.finish(result);
      }
    }
  if (lane.pending !== pending) return;
  const [next] = lane.waiting;
  lane.pending = next ? { since: now() } : null;
  if (next && lane.pending) next.takeTurn(lane.pending);
  else close(lane);
}
