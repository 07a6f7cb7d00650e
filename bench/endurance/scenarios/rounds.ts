/** Ten rounds of a thousand streams that the client abandons. No connection may leak, and memory must stop growing. */
import { compareRecords, openAll, queueDelivered } from "../many-clients.ts";
import type { Plan } from "../plan.ts";
import { mustBe, mustNotExceed, report, scaled, type Row, type Scenario } from "../scenario.ts";
import { withSetup, type Setup } from "../setup.ts";

const ROUNDS = 10;
const STREAMS = 1_000;
/** The first rounds fill caches and pools, and V8 compiles hot code in them. */
const SETTLED_ROUND = 3;
/** The variation of a heap of some MiB between collections. */
const HEAP_SLACK_MIB = 2;

const MIB = 1024 * 1024;
type Round = { readonly connections: number; readonly residentMiB: number; readonly heapMiB: number };

async function runRound(setup: Setup, round: number, streams: number): Promise<Round> {
  const { provider, interceptor } = setup;
  const plans = Array.from({ length: streams }, (_, n): Plan => {
    // workerd notices a plain FIN only while the provider sends, and a reset at any time.
    const ending = n % 4 < 2 ? "hang" : "drip";
    return { id: `${round}-${n}`, requestsUsage: n % 2 === 0, events: 1, paced: false, ending };
  });
  const clients = await openAll(interceptor, plans);
  await Promise.all(clients.map(({ begun }) => begun));
  clients.forEach((client) => client.disconnect(client.plan.ending === "drip" ? "fin" : "reset"));
  const connections = await provider.allClosed();
  await interceptor.records.settled(round * streams);
  await queueDelivered(setup, 2 * round * streams);
  const { used } = await interceptor.heap();
  return { connections, residentMiB: interceptor.resident(), heapMiB: used / MIB };
}

function growth(rounds: readonly Round[]): Row[] {
  const settled = rounds.slice(0, SETTLED_ROUND).map(({ heapMiB }) => heapMiB);
  const later = rounds.slice(SETTLED_ROUND).map(({ heapMiB }) => heapMiB);
  const resident = (round: number): number => rounds[round - 1]?.residentMiB ?? Number.NaN;
  const most = Math.max(...settled) + HEAP_SLACK_MIB;
  return [
    mustNotExceed("JavaScript heap, maximum after round 3", Math.max(...later), most, "MiB"),
    report(
      "resident memory after round 10 relative to round 3",
      `${(resident(ROUNDS) / resident(SETTLED_ROUND)).toFixed(2)}×`,
    ),
    report(
      "resident memory, round by round",
      `${rounds.map(({ residentMiB }) => residentMiB.toFixed(0)).join(", ")} MiB`,
    ),
    report(
      "JavaScript heap after collection, round by round",
      `${rounds.map(({ heapMiB }) => heapMiB.toFixed(1)).join(", ")} MiB`,
    ),
  ];
}

export const rounds: Scenario = {
  name: "rounds",
  title: "10 rounds of 1,000 abandoned streams",
  run: (scale) =>
    withSetup({}, async (setup) => {
      const streams = scaled(STREAMS, scale, 20);
      const done: Round[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) done.push(await runRound(setup, round, streams));
      const { records } = setup.interceptor;
      const open = done.reduce((sum, { connections }) => sum + connections, 0);
      return [
        report("rounds, streams in each", `${ROUNDS}, ${streams}`),
        mustBe("open connections to the provider, all rounds", open, 0),
        ...compareRecords(records, ROUNDS * streams),
        mustBe("cancelled", records.outcomes()["cancelled"] ?? 0, ROUNDS * streams),
        ...growth(done),
      ];
    }),
};
