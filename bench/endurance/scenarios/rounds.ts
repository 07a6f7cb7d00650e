/** Ten times: a thousand streams opened and left. Nothing stays behind, and memory stops growing. */
import { compareRecords, ledgerTold, openAll } from "../crowd.ts";
import type { Plan } from "../plan.ts";
import { mustBe, mustNotExceed, scaled, told, type Row, type Scenario } from "../scenario.ts";
import { onStage, type Stage } from "../stage.ts";

const ROUNDS = 10;
const STREAMS = 1_000;
/** The first rounds fill caches, pools and code that is only compiled when it is warm. */
const SETTLED_ROUND = 3;
/** What a heap of some MiB may differ by for reasons of its own. */
const HEAP_SLACK_MIB = 2;

const MIB = 1024 * 1024;
type Round = { readonly connections: number; readonly residentMiB: number; readonly heapMiB: number };

async function playRound(stage: Stage, round: number, streams: number): Promise<Round> {
  const { provider, interceptor } = stage;
  const plans = Array.from({ length: streams }, (_, n): Plan => {
    // Who leaves with a plain FIN is noticed while the provider still speaks; who resets, also in its silence.
    const fate = n % 4 < 2 ? "hang" : "drip";
    return { id: `${round}-${n}`, asked: n % 2 === 0, events: 1, paced: false, fate };
  });
  const clients = await openAll(interceptor, plans);
  await Promise.all(clients.map(({ begun }) => begun));
  clients.forEach((client) => client.leave(client.plan.fate === "drip" ? "fin" : "reset"));
  const connections = await provider.allClosed();
  await interceptor.records.settled(round * streams);
  await ledgerTold(stage, 2 * round * streams);
  const { used } = await interceptor.heap();
  return { connections, residentMiB: interceptor.resident(), heapMiB: used / MIB };
}

function growth(rounds: readonly Round[]): Row[] {
  const settled = rounds.slice(0, SETTLED_ROUND).map(({ heapMiB }) => heapMiB);
  const later = rounds.slice(SETTLED_ROUND).map(({ heapMiB }) => heapMiB);
  const resident = (round: number): number => rounds[round - 1]?.residentMiB ?? Number.NaN;
  const most = Math.max(...settled) + HEAP_SLACK_MIB;
  return [
    mustNotExceed("JavaScript's heap, the most after round 3", Math.max(...later), most, "MiB"),
    told(
      "resident memory after round 10, against round 3",
      `${(resident(ROUNDS) / resident(SETTLED_ROUND)).toFixed(2)}×`,
    ),
    told(
      "resident memory, round by round",
      `${rounds.map(({ residentMiB }) => residentMiB.toFixed(0)).join(", ")} MiB`,
    ),
    told(
      "JavaScript's heap after collection, round by round",
      `${rounds.map(({ heapMiB }) => heapMiB.toFixed(1)).join(", ")} MiB`,
    ),
  ];
}

export const rounds: Scenario = {
  name: "rounds",
  title: "10 rounds of 1,000 streams opened and left",
  run: (scale) =>
    onStage({}, async (stage) => {
      const streams = scaled(STREAMS, scale, 20);
      const played: Round[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) played.push(await playRound(stage, round, streams));
      const { records } = stage.interceptor;
      const open = played.reduce((sum, { connections }) => sum + connections, 0);
      return [
        told("rounds, streams in each", `${ROUNDS}, ${streams}`),
        mustBe("connections left at the provider, all rounds", open, 0),
        ...compareRecords(records, ROUNDS * streams),
        mustBe("cancelled", records.outcomes()["cancelled"] ?? 0, ROUNDS * streams),
        ...growth(played),
      ];
    }),
};
