/** Processor time per request of several variants. */
import { openRaw } from "../test/support/raw-client.ts";
import { cpuMicros } from "./cpu.ts";
import { runLoad } from "./load.ts";
import { median, quartiles, type Quartiles } from "./numbers.ts";
import { requestFor, type Traffic } from "./traffic.ts";
import type { Variant } from "./variant.ts";
import { warmUp } from "./warm-up.ts";

/** Concurrent connections. Paced streams need more of them to load the processor. */
const CONNECTIONS = 8;
const STEADY_CONNECTIONS = 50;

/**
 * The requests of a warm-up at the least. V8 compiles the scanner of request bodies after about 1,500 requests, and costs can
 * stop falling before that.
 */
const LEAST_WARM_UP: Readonly<Partial<Record<Traffic, number>>> = { json: 2_000, tools: 2_000 };

export type Cost = {
  readonly name: string;
  readonly micros: number;
  /**
   * Quartiles over the rounds of the variant's cost divided by another variant's cost in the same round. Each variant that
   * the traffic is measured with is a key.
   */
  readonly ratios: Readonly<Record<string, Quartiles>>;
  /** The requests until the variant was warm; null: it never was. */
  readonly warmUp: number | null;
};
export type CostRow = { readonly traffic: Traffic; readonly costs: readonly Cost[] };
export type Effort = { readonly rounds: number; readonly requests: Readonly<Record<Traffic, number>> };

const TRAFFICS: readonly Traffic[] = ["json", "tools", "burst", "burst-no-usage", "steady"];

/** Measures all variants with each kind of traffic. All but those that encode again must send the same bytes. */
export async function measureCost(
  variants: readonly Variant[],
  effort: Effort,
  traffics: readonly Traffic[] = TRAFFICS,
): Promise<CostRow[]> {
  const rows: CostRow[] = [];
  for (const traffic of traffics) {
    const taking = variants.filter((variant) => variant.traffics?.includes(traffic) ?? true);
    const sources = await costSources(taking, traffic, effort.requests[traffic]);
    rows.push({ traffic, costs: await compareCosts(sources, effort) });
    console.log(`measured: CPU time, ${traffic}`);
  }
  return rows;
}

/** A variant under one kind of traffic. `round` sends requests and returns their mean cost. */
type CostSource = {
  readonly name: string;
  readonly requests: number;
  /** The requests of its warm-up at the least. */
  readonly leastWarmUp: number;
  readonly round: () => Promise<number>;
};

/**
 * The variants take turns in each round, in alternating order, so that other load on the machine affects all of them.
 * Many short rounds are better than a few long ones, because each round yields one ratio.
 */
async function compareCosts(sources: readonly CostSource[], { rounds }: Effort): Promise<Cost[]> {
  const warmUps = new Map<string, number | null>();
  for (const { name, requests, leastWarmUp, round } of sources) {
    const { rounds: needed, settled } = await warmUp(round, Math.ceil(leastWarmUp / requests));
    warmUps.set(name, settled ? needed * requests : null);
  }
  const costs = new Map<string, number[]>(sources.map(({ name }) => [name, []]));
  for (let at = 0; at < rounds; at += 1) {
    for (const { name, round } of at % 2 === 0 ? sources : sources.toReversed()) {
      costs.get(name)?.push(await round());
    }
  }
  return Array.from(costs, ([name, perRound]) => ({
    name,
    micros: median(perRound),
    ratios: Object.fromEntries(
      Array.from(costs, ([other, others]) => [other, quartiles(quotients(perRound, others))]),
    ),
    warmUp: warmUps.get(name) ?? null,
  }));
}

const quotients = (values: readonly number[], others: readonly number[]): number[] =>
  values.map((value, at) => value / (others[at] ?? Number.NaN));

async function costSources(
  variants: readonly Variant[],
  traffic: Traffic,
  requests: number,
): Promise<CostSource[]> {
  let expected: string | null = null;
  const sources: CostSource[] = [];
  for (const variant of variants) {
    const { body, bytes } = await fetchOnce(variant, traffic);
    expected ??= body;
    if (body !== expected && !variant.reencodes)
      throw new Error(`${traffic}: the response of ${variant.name} differs from the provider's`);
    const round = () => costOf(variant, traffic, requests, bytes);
    sources.push({ name: variant.name, requests, leastWarmUp: LEAST_WARM_UP[traffic] ?? 0, round });
  }
  return sources;
}

async function costOf(variant: Variant, traffic: Traffic, count: number, bodyBytes: number): Promise<number> {
  const request = requestFor(traffic, variant);
  const before = cpuMicros(variant.pid);
  const connections = traffic === "steady" ? STEADY_CONNECTIONS : CONNECTIONS;
  await runLoad(variant.port, { request, count, connections, bodyBytes });
  await variant.recorded(count, traffic);
  return (cpuMicros(variant.pid) - before) / count;
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
