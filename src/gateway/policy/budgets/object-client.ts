/** Calls the budget objects: with a deadline, a fresh stub for each try, and one retry where the platform calls it one. */
import type {
  BatchItem,
  BatchResult,
  BookedTopUp,
  BudgetService,
  LaterCall,
  Reservation,
  ReserveResult,
  Settlement,
  SettleResult,
} from "../../../events/budget-service.ts";
import { TIMED_OUT, withDeadline } from "../../../shared/deadline.ts";
import { isRetryable } from "../../../shared/retryable.ts";
import { errorName, type LogOperatorEvent } from "../../../shared/operator-log.ts";
import { coalesceCalls, TIMEOUT_MS, type Owner } from "./coalesce-calls.ts";

export type BudgetObjects = {
  /** The result of the object of that name; null where there is none. Never rejects. */
  readonly reserve: (name: string, reservation: Reservation, owner: Owner) => Promise<ReserveResult | null>;
  readonly settle: (
    name: string,
    settlements: readonly Settlement[],
    owner: Owner,
  ) => Promise<SettleResult | null>;
  readonly release: (name: string, id: string, owner: Owner) => Promise<true | null>;
  readonly renew: (name: string, renewal: Renewal, owner: Owner) => Promise<true | null>;
  /** A call of its own, which no reservation waits for. */
  readonly deliver: (name: string, settlements: readonly Settlement[]) => Promise<SettleResult | null>;
  readonly read: (
    name: string,
    ...args: Parameters<BudgetService["read"]>
  ) => Promise<Awaited<ReturnType<BudgetService["read"]>> | null>;
  /** `topUp`: see `BudgetService.change`. */
  readonly change: (
    name: string,
    ...args: Parameters<BudgetService["change"]>
  ) => Promise<{ readonly topUp: BookedTopUp | undefined } | null>;
  readonly keepLater: (name: string, call: LaterCall) => Promise<LaterCall | null>;
  /** `later`: null where the object stores none. */
  readonly findLater: (name: string) => Promise<{ readonly later: LaterCall | null } | null>;
};

type Renewal = { readonly id: string; readonly leaseMs: number };

export type BudgetNamespace = {
  readonly idFromName: (name: string) => DurableObjectId;
  readonly get: (id: DurableObjectId) => BudgetService;
};

type Platform = {
  readonly logError: LogOperatorEvent;
  /** Milliseconds since 1970. */
  readonly now: () => number;
};

export function createBudgetObjects(namespace: BudgetNamespace, { logError, now }: Platform): BudgetObjects {
  const onFailure = (error: unknown): void => logError({ event: "budget_failed", reason: errorName(error) });
  const onTimeout = (): void =>
    logError({ event: "budget_failed", reason: `no response within ${TIMEOUT_MS} ms` });

  const attempt = async <T>(name: string, query: (object: BudgetService) => Promise<T>): Promise<T> => {
    // A stub that has thrown stays broken.
    const once = async (): Promise<T> => query(namespace.get(namespace.idFromName(name)));
    return once().catch((error: unknown) => {
      if (!isRetryable(error)) throw error;
      return once();
    });
  };
  const call = async <T>(name: string, query: (object: BudgetService) => Promise<T>): Promise<T | null> => {
    try {
      const result = await withDeadline(attempt(name, query), TIMEOUT_MS);
      if (result !== TIMED_OUT) return result;
      onTimeout();
    } catch (error) {
      onFailure(error);
    }
    return null;
  };

  /** Each item by its own method. */
  const callEach = (name: string, items: readonly BatchItem[]): Promise<readonly BatchResult[]> =>
    Promise.all(items.map((item) => call(name, (object) => callOne(object, item))));
  const callAll = async (name: string, items: readonly BatchItem[]): Promise<readonly BatchResult[]> => {
    const [only, ...others] = items;
    if (only && others.length === 0) return [await attempt(name, (object) => callOne(object, only))];
    try {
      return await attempt(name, (object) => object.batch(items));
    } catch (error) {
      if (!isOlderVersion(error)) throw error;
      return callEach(name, items);
    }
  };
  const coalesced = coalesceCalls({ call: callAll, onFailure, now });
  const send = async (name: string, item: BatchItem, owner: Owner): Promise<BatchResult> => {
    const result = await coalesced(name, item, owner);
    if (result !== TIMED_OUT) return result;
    onTimeout();
    return null;
  };
  return {
    reserve: (name, reservation, owner) => send(name, { kind: "reserve", reservation }, owner),
    settle: (name, settlements, owner) => send(name, { kind: "settle", settlements }, owner),
    release: async (name, id, owner) => isDone(await send(name, { kind: "release", id }, owner)),
    renew: async (name, renewal, owner) => isDone(await send(name, { kind: "renew", ...renewal }, owner)),
    deliver: (name, settlements) => call(name, (object) => object.settle(settlements)),
    read: (name, claims) => call(name, (object) => object.read(claims)),
    change: (name, change) => call(name, async (object) => ({ topUp: await object.change(change) })),
    keepLater: (name, later) => call(name, (object) => object.keepLater(later)),
    findLater: (name) => call(name, async (object) => ({ later: await object.findLater() })),
  };
}

const isDone = (result: unknown): true | null => (result === null ? null : true);

/** Where a method has no result of these. */
const NOTHING: ReserveResult = { refusedBy: null, states: [], news: [] };

async function callOne(object: BudgetService, item: BatchItem): Promise<ReserveResult> {
  switch (item.kind) {
    case "reserve":
      return object.reserve(item.reservation);
    case "settle":
      return { ...NOTHING, ...(await object.settle(item.settlements)) };
    case "release":
      await object.release(item.id);
      return NOTHING;
    case "renew":
      await object.renew(item.id, item.leaseMs);
      return NOTHING;
  }
}

/** Whether an object has no `batch`. The platform tells it by the text alone. */
const isOlderVersion = (error: unknown): boolean =>
  error instanceof Error && error.message.includes("RPC receiver does not implement");
