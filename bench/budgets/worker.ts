/** The measured Worker: makes calls of budget objects, as the gateway does. Its clock stands still, so the caller measures. */
import type { BudgetService, Claim, Settlement } from "../../src/events/budget-service.ts";
import { createBudgetObjects } from "../../src/gateway/policy/budgets/object-client.ts";
import { BudgetObject } from "../../src/records/objects/budget-object.ts";

export { BudgetObject };

type Environment = {
  readonly OBJECTS: {
    idFromName(name: string): DurableObjectId;
    get(id: DurableObjectId): BudgetService;
  };
};

const CLAIM: Claim = {
  account: "budget:bench",
  start: 0,
  since: 0,
  resetsAt: 4_000_000_000_000,
  keepMs: 1_000_000,
  limit: Number.MAX_SAFE_INTEGER,
  isHard: true,
  warnAt: [80],
  amount: 1000,
};

const charge = (id: string): Settlement => ({
  id,
  isEstimate: false,
  charges: [{ ...CLAIM, amount: 400 }],
});
const reservation = (id: string) => ({ id, leaseMs: 900_000, claims: [CLAIM] });

type Call = (object: string, id: string) => Promise<unknown>;

const logError = (event: object): never => {
  throw new Error(JSON.stringify(event));
};

/**
 * `each`: a reservation and a charge, each with a call of the object. `coalesced`: the same by the gateway's client.
 * `soft`: as many charges in one call as a busy isolate gathers.
 */
function callIn(
  mode: string,
  gathered: number,
  { OBJECTS }: Environment,
  waitUntil: ExecutionContext["waitUntil"],
): Call {
  const object = (name: string): BudgetService => OBJECTS.get(OBJECTS.idFromName(name));
  if (mode === "each")
    return async (name, id) => {
      await object(name).reserve(reservation(id));
      await object(name).settle([charge(id)]);
    };
  if (mode === "soft")
    return (name, id) =>
      object(name).settle(Array.from({ length: gathered }, (_, at) => charge(`${id}-${at}`)));
  const objects = createBudgetObjects(OBJECTS, { logError, now: Date.now });
  return async (name, id) => {
    await objects.reserve(name, reservation(id), { waitUntil });
    await objects.settle(name, [charge(id)], { waitUntil });
  };
}

export default {
  async fetch(request: Request, environment: Environment, context: ExecutionContext): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const number = (name: string): number => Number(searchParams.get(name));
    const [mode, run] = [searchParams.get("mode") ?? "", searchParams.get("run") ?? ""];
    const [calls, parallel] = [number("calls"), number("parallel")];
    const call = callIn(mode, number("gathered"), environment, (work) => context.waitUntil(work));
    const lane = async (first: number): Promise<void> => {
      for (let n = first; n < calls; n += parallel) await call(run, `${run}-${n}`);
    };
    await Promise.all(Array.from({ length: parallel }, (_, first) => lane(first)));
    return new Response("done");
  },
};
