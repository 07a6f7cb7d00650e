/** Processor time per request, side by side. */
import type { Contestant } from "./contestants.ts";
import { cpuMicros } from "./cpu.ts";
import { runLoad } from "./load.ts";
import { median, quartiles, type Quartiles } from "./numbers.ts";
import { openRaw } from "../test/support/raw-client.ts";
import { requestFor, type Traffic } from "./traffic.ts";

/** At once; of streams that take their time, more. */
const CONNECTIONS = 8;
const STEADY_CONNECTIONS = 50;

/** `ratio`: quartiles over the rounds, each round's figure against the first contestant's in the same round. */
export type Cost = { readonly name: string; readonly micros: number; readonly ratio: Quartiles };
export type CostRow = { readonly traffic: Traffic; readonly costs: readonly Cost[] };
export type Effort = { readonly rounds: number; readonly requests: Readonly<Record<Traffic, number>> };

const TRAFFICS: readonly Traffic[] = ["json", "tools", "burst", "steady", "burst-unasked"];

/**
 * Contestants take turns in each round, the first one changing from round to round, so that a noisy minute of the machine
 * is on everyone's account. Many short rounds tell more than a few long ones: each yields a ratio of its own.
 */
export async function measureCost(
  /** What the others are compared with. */
  bare: Contestant,
  others: readonly Contestant[],
  effort: Effort,
  traffics: readonly Traffic[] = TRAFFICS,
): Promise<CostRow[]> {
  const all = [bare, ...others];
  const rows: CostRow[] = [];
  for (const traffic of traffics) {
    const bodyBytes = await agreedBytes(bare, others, traffic);
    const micros = new Map<string, number[]>(all.map(({ name }) => [name, []]));
    for (let round = -1; round < effort.rounds; round += 1) {
      for (const contestant of round % 2 === 0 ? all : all.toReversed()) {
        const cost = await costOf(contestant, traffic, effort.requests[traffic], bodyBytes);
        // The first round only warms up.
        if (round >= 0) micros.get(contestant.name)?.push(cost);
      }
    }
    const least = micros.get(bare.name) ?? [];
    const costs = Array.from(micros, ([name, figures]) => ({
      name,
      micros: median(figures),
      ratio: quartiles(figures.map((cost, round) => cost / (least[round] ?? Number.NaN))),
    }));
    rows.push({ traffic, costs });
  }
  return rows;
}

async function costOf(
  contestant: Contestant,
  traffic: Traffic,
  count: number,
  bodyBytes: number,
): Promise<number> {
  const request = requestFor(traffic, contestant);
  const before = cpuMicros(contestant.pid);
  const connections = traffic === "steady" ? STEADY_CONNECTIONS : CONNECTIONS;
  await runLoad(contestant.port, request, count, connections, bodyBytes);
  await contestant.recorded(count, traffic);
  return (cpuMicros(contestant.pid) - before) / count;
}

/** The size of the right answer: all give the same bytes. */
async function agreedBytes(
  bare: Contestant,
  others: readonly Contestant[],
  traffic: Traffic,
): Promise<number> {
  const expected = await oneAnswer(bare, traffic);
  for (const other of others) {
    const given = await oneAnswer(other, traffic);
    if (expected.body !== given.body)
      throw new Error(`${traffic}: what ${other.name} answers is not the provider's`);
  }
  return expected.bytes;
}

async function oneAnswer(contestant: Contestant, traffic: Traffic) {
  const connection = await openRaw(contestant.port);
  connection.write(requestFor(traffic, contestant));
  const answer = await connection.readResponse("POST");
  connection.destroy();
  if (answer.status !== 200)
    throw new Error(`${contestant.name}: ${traffic}: ${answer.status} ${answer.text()}`);
  await contestant.recorded(1, traffic);
  return { body: answer.text(), bytes: answer.body.length };
}
