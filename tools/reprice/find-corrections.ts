/** Computes the costs of recorded calls again, and collects those that differ. */
import { MAX_POSITIONS, toCorrectionFacts, type CorrectionFacts } from "../../src/events/cost-correction.ts";
import type { CostFacts, PriceCall } from "../../src/shared/prices/pricing.ts";
import type { RecordedCall } from "./recorded-call.ts";

/** The corrections of one model. Costs are in micro-dollars, where one that is not known counts as 0. */
export type ModelChange = {
  readonly model: string | null;
  corrections: number;
  before: number;
  after: number;
  /** Costs that become known, and costs that are no longer known. */
  priced: number;
  unpriced: number;
};

export type Repricing = {
  readonly corrections: readonly CorrectionFacts[];
  /** The largest change first. */
  readonly models: readonly ModelChange[];
  /** Calls and retrieved usages in the period. */
  readonly read: number;
  /** Those whose cost cannot be computed again: a fact is not in the ledger. */
  readonly unrecorded: number;
  /** Those with another cost that have as many corrections as there can be. */
  readonly exhausted: number;
};

/** Another version of the prices that leads to the same cost is no correction. */
const isSame = (a: CostFacts, b: CostFacts): boolean => a.micros === b.micros && a.source === b.source;

export async function findCorrections(
  calls: AsyncIterable<RecordedCall>,
  price: PriceCall,
): Promise<Repricing> {
  const corrections: CorrectionFacts[] = [];
  const models = new Map<string | null, ModelChange>();
  const counts = { read: 0, unrecorded: 0, exhausted: 0 };
  for await (const call of calls) {
    counts.read += 1;
    const { id, corrects, provider, model, cost: former, corrections: position, priced } = call;
    if (priced === "unrecorded") counts.unrecorded += 1;
    if (typeof priced === "string") continue;
    const cost = price(provider, priced);
    if (isSame(cost, former)) continue;
    if (position >= MAX_POSITIONS) {
      counts.exhausted += 1;
      continue;
    }
    corrections.push(toCorrectionFacts({ id, corrects, position }, cost, former));
    addTo(models, model, { cost, former });
  }
  return { ...counts, corrections, models: [...models.values()].toSorted(byChange) };
}

type Change = { readonly cost: CostFacts; readonly former: CostFacts };

function addTo(
  models: Map<string | null, ModelChange>,
  model: string | null,
  { cost, former }: Change,
): void {
  const change = models.get(model) ?? { model, corrections: 0, before: 0, after: 0, priced: 0, unpriced: 0 };
  models.set(model, change);
  change.corrections += 1;
  change.before += former.micros ?? 0;
  change.after += cost.micros ?? 0;
  if (former.micros === null && cost.micros !== null) change.priced += 1;
  if (former.micros !== null && cost.micros === null) change.unpriced += 1;
}

const sizeOf = ({ before, after }: ModelChange): number => Math.abs(after - before);
const byChange = (a: ModelChange, b: ModelChange): number => sizeOf(b) - sizeOf(a);
