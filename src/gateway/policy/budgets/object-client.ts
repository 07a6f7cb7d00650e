/** Calls the budget objects: with a deadline, a fresh stub for each try, and one retry where the platform calls it one. */
import type {
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

/** For all tries together. */
const TIMEOUT_MS = 2000;

export type BudgetObjects = {
  /** The result of the object of that name; null where there is none. Never rejects. */
  readonly reserve: (name: string, reservation: Reservation) => Promise<ReserveResult | null>;
  readonly settle: (name: string, settlements: readonly Settlement[]) => Promise<SettleResult | null>;
  readonly release: (name: string, id: string) => Promise<true | null>;
  readonly renew: (name: string, id: string, leaseMs: number) => Promise<true | null>;
  readonly read: (
    name: string,
    ...args: Parameters<BudgetService["read"]>
  ) => Promise<Awaited<ReturnType<BudgetService["read"]>> | null>;
  /** `known`: a top-up of that id was made before, and nothing was changed. */
  readonly change: (
    name: string,
    ...args: Parameters<BudgetService["change"]>
  ) => Promise<"made" | "known" | null>;
  readonly keepLater: (name: string, call: LaterCall) => Promise<LaterCall | null>;
  /** null also where the object keeps none. */
  readonly findLater: (name: string) => Promise<LaterCall | null>;
};

export type BudgetNamespace = {
  readonly idFromName: (name: string) => DurableObjectId;
  readonly get: (id: DurableObjectId) => BudgetService;
};

async function done(work: Promise<void>): Promise<true> {
  await work;
  return true;
}

export function createBudgetObjects(namespace: BudgetNamespace, logError: LogOperatorEvent): BudgetObjects {
  const call = async <T>(name: string, query: (object: BudgetService) => Promise<T>): Promise<T | null> => {
    // A stub that has thrown stays broken.
    const attempt = async (): Promise<T> => query(namespace.get(namespace.idFromName(name)));
    const responded = attempt().catch((error: unknown) => {
      if (!isRetryable(error)) throw error;
      return attempt();
    });
    try {
      const result = await withDeadline(responded, TIMEOUT_MS);
      if (result !== TIMED_OUT) return result;
      responded.catch(() => undefined);
      logError({ event: "budget_failed", reason: `no response within ${TIMEOUT_MS} ms` });
    } catch (error) {
      logError({ event: "budget_failed", reason: errorName(error) });
    }
    return null;
  };
  return {
    reserve: (name, reservation) => call(name, (object) => object.reserve(reservation)),
    settle: (name, settlements) => call(name, (object) => object.settle(settlements)),
    release: (name, id) => call(name, (object) => done(object.release(id))),
    renew: (name, id, leaseMs) => call(name, (object) => done(object.renew(id, leaseMs))),
    read: (name, claims) => call(name, (object) => object.read(claims)),
    change: (name, change) =>
      call(name, async (object) => ((await object.change(change)) === true ? "known" : "made")),
    keepLater: (name, later) => call(name, (object) => object.keepLater(later)),
    findLater: (name) => call(name, (object) => object.findLater()),
  };
}
