/** The measured Worker: makes calls of budget objects, as the gateway does. Its clock stands still, so the caller measures. */
import type { BudgetService, Claim } from "../../src/events/budget-service.ts";
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

const charge = (id: string) => ({ id, isEstimate: false, charges: [{ ...CLAIM, amount: 400 }] });

export default {
  async fetch(request: Request, { OBJECTS }: Environment): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const [mode, run = ""] = [searchParams.get("mode"), searchParams.get("run") ?? ""];
    const [calls, parallel] = [Number(searchParams.get("calls")), Number(searchParams.get("parallel"))];
    const object = (): BudgetService => OBJECTS.get(OBJECTS.idFromName(run));
    const strict = async (id: string): Promise<void> => {
      await object().reserve({ id, leaseMs: 900_000, claims: [CLAIM] });
      await object().settle([charge(id)]);
    };
    /** As many charges in one call as a busy isolate gathers in a second. */
    const soft = async (id: string): Promise<void> => {
      await object().settle(Array.from({ length: GATHERED }, (_, at) => charge(`${id}-${at}`)));
    };
    const lane = async (first: number): Promise<void> => {
      for (let n = first; n < calls; n += parallel) await (mode === "soft" ? soft : strict)(`${run}-${n}`);
    };
    if (mode !== "none") await Promise.all(Array.from({ length: parallel }, (_, first) => lane(first)));
    return new Response("done");
  },
};

const GATHERED = 50;
