/** A thousand streams of five events a second, for a minute and a half: nothing lost, nothing changed, what is added. */
import { availableParallelism, loadavg } from "node:os";
import { cpuMicros } from "../../cpu.ts";
import { percentile } from "../../numbers.ts";
import type { Target } from "../client.ts";
import { compareEnds, compareRecords, openAll } from "../crowd.ts";
import { BEATS_PER_SECOND, type Plan } from "../plan.ts";
import { mustBe, scaled, told, type Row, type Scenario } from "../scenario.ts";
import { onStage, type Stage } from "../stage.ts";

const STREAMS = 1_000;
const SECONDS = 90;

type Played = {
  readonly rows: readonly Row[];
  readonly delays: Readonly<Record<Way, readonly number[]>>;
  /** Processor time for each event, opening and closing included. */
  readonly micros: number;
};
type Way = "asked" | "unasked";

async function playOn(
  { provider }: Stage,
  target: Target,
  prefix: string,
  streams: number,
  seconds: number,
): Promise<Played> {
  const plans = Array.from({ length: streams }, (_, n): Plan => {
    const asked = n % 2 === 0;
    return { id: `${prefix}-${n}`, asked, events: seconds * BEATS_PER_SECOND, paced: true, fate: "end" };
  });
  const before = cpuMicros(target.pid);
  const delays = { asked: [] as number[], unasked: [] as number[] };
  const clients = await openAll(target, plans, ({ asked }) => {
    const own = asked ? delays.asked : delays.unasked;
    return { onBody: (bytes, client) => own.push(...client.delays(bytes)) };
  });
  await Promise.all(clients.map(({ over }) => over));
  const rows = compareEnds(clients, await provider.ask("sent"));
  clients.forEach((client) => client.leave("fin"));
  const events = streams * seconds * BEATS_PER_SECOND;
  return {
    delays,
    micros: (cpuMicros(target.pid) - before) / events,
    rows: [...rows, mustBe("events that arrived", delays.asked.length + delays.unasked.length, events)],
  };
}

/** Where other work waits for the processors too, a delay tells of that work. */
function delayRows(bare: Played, own: Played, [busy = 0]: readonly number[]): Row[] {
  const processors = availableParallelism();
  if (busy > processors / 2) {
    const why = `the machine was busy before this began (load ${busy.toFixed(1)} on ${processors} processors)`;
    return [told("added delay per event", `not told: ${why}`, "target ≤ 25 ms")];
  }
  const ways = [
    ["usage asked for", "asked"],
    ["usage event taken out", "unasked"],
  ] as const;
  return ways.flatMap(([name, way]) =>
    [0.5, 0.99].map((share) => {
      const [least, ours] = [bare, own].map(({ delays }) => percentile(delays[way], share));
      const figures = `${ours?.toFixed(2)} − ${least?.toFixed(2)} ms of the bare Worker's`;
      const added = (ours ?? 0) - (least ?? 0);
      return told(
        `added delay per event, p${share * 100}, ${name}`,
        `${added.toFixed(2)} ms (${figures})`,
        share > 0.5 ? "target ≤ 25 ms" : "",
      );
    }),
  );
}

export const steady: Scenario = {
  name: "steady",
  title: "1,000 streams × 5 events/s",
  run: (scale) =>
    onStage({}, async (stage) => {
      const busy = loadavg();
      const streams = scaled(STREAMS, scale, 20);
      const seconds = scaled(SECONDS, scale, 4);
      const bare = await playOn(stage, await stage.startBare(), "bare", streams, Math.ceil(seconds / 3));
      const own = await playOn(stage, stage.interceptor, "own", streams, seconds);
      const { records } = stage.interceptor;
      await records.settled(streams);
      const final = [...records.last.values()].filter(
        ({ outcome, usage }) => outcome === "completed" && usage === "final",
      );
      return [
        told("streams, seconds", `${streams}, ${seconds} (bare: ${Math.ceil(seconds / 3)})`),
        ...own.rows,
        ...compareRecords(records, streams),
        mustBe("completed with final usage", final.length, streams),
        told(
          "processor time per event, against the bare Worker's",
          `${(own.micros / bare.micros).toFixed(2)}× (${own.micros.toFixed(0)} and ${bare.micros.toFixed(0)} µs)`,
        ),
        ...delayRows(bare, own, busy),
        mustBe("connections left at the provider", await stage.provider.allClosed(), 0),
      ];
    }),
};
