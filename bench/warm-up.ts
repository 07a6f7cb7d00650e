/** When a variant is warm: V8 has compiled the functions that each request runs. */

const RECENT = 3;
const TOLERANCE = 0.03;
/** Other load on the machine can make costs fall for a long time. */
const MOST_ROUNDS = 20;

/**
 * Whether the cost no longer falls: the least of the last three rounds is at most 3 % below the least of all rounds before
 * them. The least is compared, because other load only ever raises a cost.
 */
export function isWarm(costs: readonly number[]): boolean {
  const earlier = costs.slice(0, -RECENT);
  if (earlier.length < RECENT) return false;
  return Math.min(...costs.slice(-RECENT)) >= Math.min(...earlier) * (1 - TOLERANCE);
}

export type WarmUp = { readonly rounds: number; readonly settled: boolean };

/** Repeats a round, which returns its cost, at least `least` times and until the variant is warm. */
export async function warmUp(round: () => Promise<number>, least = 0): Promise<WarmUp> {
  const costs: number[] = [];
  while (costs.length < least || (!isWarm(costs) && costs.length < MOST_ROUNDS)) costs.push(await round());
  return { rounds: costs.length, settled: isWarm(costs) };
}
