/**
 * Instructions per request from consecutive rounds of one process, each of which may contain garbage collections.
 *
 * A collection costs as much as dozens of requests, and a Worker that allocates little has one in more than a thousand. A
 * count that ends just before it would leave it out. The rounds that count are therefore those after the first round with a
 * collection, up to the last round with one.
 */
export type Round = {
  readonly requests: number;
  readonly instructions: number;
  /** Whether V8 collected garbage in it. */
  readonly collected: boolean;
};

/** The rounds between two collections, with the second one; none if there were fewer than two. */
function countedRounds(rounds: readonly Round[]): readonly Round[] {
  const first = rounds.findIndex(({ collected }) => collected);
  const last = rounds.findLastIndex(({ collected }) => collected);
  return first === -1 ? [] : rounds.slice(first + 1, last + 1);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Whether the rounds that count have enough requests. */
export const isEnough = (rounds: readonly Round[], requests: number): boolean =>
  sum(countedRounds(rounds).map((round) => round.requests)) >= requests;

/** Of all rounds if there were fewer than two collections. */
export function instructionsPerRequest(rounds: readonly Round[]): number {
  const counted = countedRounds(rounds);
  const used = counted.length > 0 ? counted : rounds;
  return sum(used.map(({ instructions }) => instructions)) / sum(used.map(({ requests }) => requests));
}
