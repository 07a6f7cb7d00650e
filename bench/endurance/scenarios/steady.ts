/** A thousand streams with five events per second for 90 seconds: no loss, no change, and the added delay. */
import { availableParallelism, loadavg } from "node:os";
import { cpuMicros } from "../../cpu.ts";
import { percentile } from "../../numbers.ts";
import type { Target } from "../client.ts";
import { compareEnds, compareRecords, openAll } from "../many-clients.ts";
import { BEATS_PER_SECOND, type Plan } from "../plan.ts";
import { mustBe, report, scaled, type Row, type Scenario } from "../scenario.ts";
import { withSetup, type Setup } from "../setup.ts";

const STREAMS = 1_000;
const SECONDS = 90;
const FIRST_MS = 5_000;

type Usage = "requested" | "removed";

type Measured = {
  readonly rows: readonly Row[];
  /** Delays by whether the client requests usage, or the gateway requests and removes it. */
  readonly delays: Readonly<Record<Usage, readonly number[]>>;
  /** The delays after the first seconds, in which all streams begin. */
  readonly settled: Readonly<Record<Usage, readonly number[]>>;
  /** Processor time per event, including opening and closing the streams. */
  readonly micros: number;
};

type Load = { readonly prefix: string; readonly streams: number; readonly seconds: number };

async function measure(
  { provider }: Setup,
  target: Target,
  { prefix, streams, seconds }: Load,
): Promise<Measured> {
  const plans = Array.from({ length: streams }, (_, n): Plan => {
    const requestsUsage = n % 2 === 0;
    const events = seconds * BEATS_PER_SECOND;
    return { id: `${prefix}-${n}`, requestsUsage, events, paced: true, ending: "end" };
  });
  const before = cpuMicros(target.pid);
  const delays = { requested: [] as number[], removed: [] as number[] };
  const settled = { requested: [] as number[], removed: [] as number[] };
  const since = performance.now();
  const clients = await openAll(target, plans, ({ requestsUsage }) => {
    const mode = requestsUsage ? "requested" : "removed";
    return {
      onBody: (bytes, client) => {
        const added = client.delays(bytes);
        delays[mode].push(...added);
        if (performance.now() - since >= FIRST_MS) settled[mode].push(...added);
      },
    };
  });
  await Promise.all(clients.map(({ over }) => over));
  const rows = compareEnds(clients, await provider.query("sent"));
  clients.forEach((client) => client.disconnect("fin"));
  const events = streams * seconds * BEATS_PER_SECOND;
  const received = delays.requested.length + delays.removed.length;
  return {
    delays,
    settled,
    micros: (cpuMicros(target.pid) - before) / events,
    rows: [...rows, mustBe("received events", received, events)],
  };
}

/** Not reported on a busy machine, where the delays would measure the other work. */
function delayRows(bare: Measured, gateway: Measured, [load = 0]: readonly number[]): Row[] {
  const processors = availableParallelism();
  if (load > processors / 2) {
    const reason = `the machine was busy before the run (load ${load.toFixed(1)} on ${processors} processors)`;
    return [report("added delay per event", `not reported: ${reason}`, "target ≤ 25 ms")];
  }
  const modes: readonly (readonly [string, Usage])[] = [
    ["usage requested by the client", "requested"],
    ["usage event removed", "removed"],
  ];
  return modes.flatMap(([name, mode]) => [
    ...[0.5, 0.99].map((share): Row => {
      const reference = percentile(bare.delays[mode], share);
      const delay = percentile(gateway.delays[mode], share);
      const details = `${delay.toFixed(2)} ms, bare Worker ${reference.toFixed(2)} ms`;
      const row = report(
        `added delay per event, p${share * 100}, ${name}`,
        `${(delay - reference).toFixed(2)} ms (${details})`,
        share > 0.5 ? "target ≤ 25 ms" : "",
      );
      return share > 0.5 ? { ...row, decides: { target: "load", value: delay - reference } } : row;
    }),
    settledRow(name, bare.settled[mode], gateway.settled[mode]),
  ]);
}

/** A short run has no such events. */
function settledRow(name: string, bare: readonly number[], gateway: readonly number[]): Row {
  const title = `the same after the first ${FIRST_MS / 1000} seconds, p99, ${name}`;
  if (bare.length === 0 || gateway.length === 0) return report(title, "no events");
  const [reference, delay] = [percentile(bare, 0.99), percentile(gateway, 0.99)];
  return report(
    title,
    `${(delay - reference).toFixed(2)} ms (${delay.toFixed(2)} ms, bare Worker ${reference.toFixed(2)} ms)`,
  );
}

export const steady: Scenario = {
  name: "steady",
  title: "1,000 streams × 5 events/s",
  run: (scale) =>
    withSetup({}, async (setup) => {
      const load = loadavg();
      const streams = scaled(STREAMS, scale, 20);
      const seconds = scaled(SECONDS, scale, 4);
      const bareSeconds = Math.ceil(seconds / 3);
      const bareTarget = await setup.startBare();
      const bare = await measure(setup, bareTarget, { prefix: "bare", streams, seconds: bareSeconds });
      const gateway = await measure(setup, setup.interceptor, { prefix: "gateway", streams, seconds });
      const { records } = setup.interceptor;
      await records.settled(streams);
      const final = [...records.last.values()].filter(
        ({ outcome, usage }) => outcome === "completed" && usage === "final",
      );
      return [
        report("streams, seconds", `${streams}, ${seconds} (bare Worker: ${bareSeconds})`),
        ...gateway.rows,
        ...compareRecords(records, streams),
        mustBe("completed with final usage", final.length, streams),
        report(
          "processor time per event relative to the bare Worker",
          `${(gateway.micros / bare.micros).toFixed(2)}× (${gateway.micros.toFixed(0)} and ${bare.micros.toFixed(0)} µs)`,
        ),
        ...delayRows(bare, gateway, load),
        mustBe("open connections to the provider", await setup.provider.allClosed(), 0),
      ];
    }),
};
