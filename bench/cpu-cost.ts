/** Processor time per request of several variants. */
import { openRaw } from "../test/support/raw-client.ts";
import { cpuMicros } from "./cpu.ts";
import { runLoad } from "./load.ts";
import { median, quartiles, type Quartiles } from "./numbers.ts";
import { requestFor, type Traffic } from "./traffic.ts";
import type { Variant } from "./variants.ts";

/** Concurrent connections. Paced streams need more of them to load the processor. */
const CONNECTIONS = 8;
const STEADY_CONNECTIONS = 50;

/** `ratio`: quartiles over the rounds of the variant's cost divided by the reference's cost in the same round. */
export type Cost = { readonly name: string; readonly micros: number; readonly ratio: Quartiles };
export type CostRow = { readonly traffic: Traffic; readonly costs: readonly Cost[] };
export type Effort = { readonly rounds: number; readonly requests: Readonly<Record<Traffic, number>> };

const TRAFFICS: readonly Traffic[] = ["json", "tools", "burst", "steady", "burst-no-usage"];

/**
 * The variants take turns in each round, in alternating order, so that other load on the machine affects all of them.
 * Many short rounds are better than a few long ones, because each round yields one ratio.
 */
export async function measureCost(
  /** The other variants are compared with this one. */
  reference: Variant,
  others: readonly Variant[],
  effort: Effort,
  traffics: readonly Traffic[] = TRAFFICS,
): Promise<CostRow[]> {
  const all = [reference, ...others];
  const rows: CostRow[] = [];
  for (const traffic of traffics) {
    const bodyBytes = await commonBodyBytes(reference, others, traffic);
    const micros = new Map<string, number[]>(all.map(({ name }) => [name, []]));
    for (let round = -1; round < effort.rounds; round += 1) {
      for (const variant of round % 2 === 0 ? all : all.toReversed()) {
        const cost = await costOf(variant, traffic, effort.requests[traffic], bodyBytes);
        // The first round only warms up.
        if (round >= 0) micros.get(variant.name)?.push(cost);
      }
    }
    const referenceCosts = micros.get(reference.name) ?? [];
    const costs = Array.from(micros, ([name, perRound]) => ({
      name,
      micros: median(perRound),
      ratio: quartiles(perRound.map((cost, round) => cost / (referenceCosts[round] ?? Number.NaN))),
    }));
    rows.push({ traffic, costs });
  }
  return rows;
}

async function costOf(variant: Variant, traffic: Traffic, count: number, bodyBytes: number): Promise<number> {
  const request = requestFor(traffic, variant);
  const before = cpuMicros(variant.pid);
  const connections = traffic === "steady" ? STEADY_CONNECTIONS : CONNECTIONS;
  await runLoad(variant.port, { request, count, connections, bodyBytes });
  await variant.recorded(count, traffic);
  return (cpuMicros(variant.pid) - before) / count;
}

/** The size of the response body. Throws unless all variants send the same bytes. */
async function commonBodyBytes(
  reference: Variant,
  others: readonly Variant[],
  traffic: Traffic,
): Promise<number> {
  const expected = await fetchOnce(reference, traffic);
  for (const other of others) {
    const response = await fetchOnce(other, traffic);
    if (expected.body !== response.body)
      throw new Error(`${traffic}: the response of ${other.name} differs from the provider's`);
  }
  return expected.bytes;
}

async function fetchOnce(variant: Variant, traffic: Traffic) {
  const connection = await openRaw(variant.port);
  connection.write(requestFor(traffic, variant));
  const response = await connection.readResponse("POST");
  connection.destroy();
  if (response.status !== 200)
    throw new Error(`${variant.name}: ${traffic}: ${response.status} ${response.text()}`);
  await variant.recorded(1, traffic);
  return { body: response.text(), bytes: response.body.length };
}
