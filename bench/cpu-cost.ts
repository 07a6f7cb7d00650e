/** Processor time per request, side by side. */
import type { Contestant } from "./contestants.ts";
import { cpuMicros } from "./cpu.ts";
import { runLoad } from "./load.ts";
import { median, quartiles, type Quartiles } from "./numbers.ts";
import { openRaw } from "../test/support/raw-client.ts";
import { requestFor, type Traffic } from "./traffic.ts";

const CONNECTIONS = 8;

/** `ratio`: quartiles over the rounds, each round's two figures against each other. */
export type CostRow = {
  readonly traffic: Traffic;
  readonly bareMicros: number;
  readonly interceptorMicros: number;
  readonly ratio: Quartiles;
};
export type Effort = { readonly rounds: number; readonly requests: Readonly<Record<Traffic, number>> };

const TRAFFICS: readonly Traffic[] = ["json", "burst", "burst-unasked"];

/**
 * Variants take turns in each round, the first one changing from round to round, so that a noisy minute of the machine
 * is on everyone's account. Many short rounds tell more than a few long ones: each yields a ratio of its own.
 */
export async function measureCost(
  bare: Contestant,
  interceptor: Contestant,
  effort: Effort,
): Promise<CostRow[]> {
  const rows: CostRow[] = [];
  for (const traffic of TRAFFICS) {
    const bodyBytes = await agreedBytes(bare, interceptor, traffic);
    const costs = { bare: [] as number[], interceptor: [] as number[] };
    for (let round = -1; round < effort.rounds; round += 1) {
      for (const contestant of round % 2 === 0 ? [bare, interceptor] : [interceptor, bare]) {
        const cost = await costOf(contestant, traffic, effort.requests[traffic], bodyBytes);
        // The first round only warms up.
        if (round >= 0) costs[contestant.name].push(cost);
      }
    }
    const ratios = costs.interceptor.map((cost, round) => cost / (costs.bare[round] ?? Number.NaN));
    const [bareMicros, interceptorMicros] = [median(costs.bare), median(costs.interceptor)];
    rows.push({ traffic, bareMicros, interceptorMicros, ratio: quartiles(ratios) });
  }
  return rows;
}

async function costOf(
  contestant: Contestant,
  traffic: Traffic,
  count: number,
  bodyBytes: number,
): Promise<number> {
  const request = requestFor(traffic, contestant.port, contestant.path);
  const before = cpuMicros(contestant.pid);
  await runLoad(contestant.port, request, count, CONNECTIONS, bodyBytes);
  await contestant.recorded(count);
  return (cpuMicros(contestant.pid) - before) / count;
}

/** The size of the right answer: both give the same bytes. */
async function agreedBytes(bare: Contestant, interceptor: Contestant, traffic: Traffic): Promise<number> {
  const [expected, given] = [await oneAnswer(bare, traffic), await oneAnswer(interceptor, traffic)];
  if (expected.body !== given.body)
    throw new Error(`${traffic}: the interceptor's answer is not the provider's`);
  return expected.bytes;
}

async function oneAnswer(contestant: Contestant, traffic: Traffic) {
  const connection = await openRaw(contestant.port);
  connection.write(requestFor(traffic, contestant.port, contestant.path));
  const answer = await connection.readAnswer("POST");
  connection.destroy();
  if (answer.status !== 200)
    throw new Error(`${contestant.name}: ${traffic}: ${answer.status} ${answer.text()}`);
  await contestant.recorded(1);
  return { body: answer.text(), bytes: answer.body.length };
}
