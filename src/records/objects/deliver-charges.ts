/**
 * Delivers the charges that a budget object did not take from the gateway (`budget_charge` events). They can be delivered any
 * number of times: an object books a call once.
 */
import type { BudgetService, Claim, Settlement } from "../../events/budget-service.ts";
import type { InterceptorEvent } from "../../events/event.ts";
import { asObject } from "../../shared/json.ts";

/** The budget objects of the Worker itself. */
export type BudgetObjects = {
  readonly idFromName: (name: string) => DurableObjectId;
  readonly get: (id: DurableObjectId) => Pick<BudgetService, "settle">;
};

/** Rejects where an object does not respond: the events are delivered again. Charges that are malformed are left out. */
export async function deliverCharges(
  objects: BudgetObjects | null,
  events: readonly InterceptorEvent[],
): Promise<void> {
  if (objects === null) return;
  for (const event of events) {
    if (event.record_type !== "budget_charge") continue;
    const { object, settlements } = asObject(event.charges) ?? {};
    if (typeof object !== "string" || !Array.isArray(settlements)) continue;
    const valid = settlements.filter(isSettlement);
    if (valid.length > 0) await objects.get(objects.idFromName(object)).settle(valid);
  }
}

function isSettlement(value: unknown): value is Settlement {
  const { id, isEstimate, charges } = asObject(value) ?? {};
  return (
    typeof id === "string" &&
    typeof isEstimate === "boolean" &&
    Array.isArray(charges) &&
    charges.every(isCharge)
  );
}

const NUMBERS = ["start", "since", "resetsAt", "keepMs", "limit", "amount"] as const;

function isCharge(value: unknown): value is Claim {
  const charge = asObject(value) ?? {};
  const { account, isHard, warnAt } = charge;
  return (
    typeof account === "string" &&
    typeof isHard === "boolean" &&
    Array.isArray(warnAt) &&
    warnAt.every(Number.isFinite) &&
    NUMBERS.every((name) => Number.isSafeInteger(charge[name]))
  );
}
