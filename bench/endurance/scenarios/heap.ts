/** The JavaScript heap that an idle open stream uses. */
import { residentMiB } from "../../cpu.ts";
import { compareRecords, openAll, queueDelivered } from "../many-clients.ts";
import type { Plan } from "../plan.ts";
import { mustBe, report, scaled, type Row, type Scenario } from "../scenario.ts";
import { withSetup } from "../setup.ts";

const STREAMS = 1_000;
const TARGET_KB = 10;
const WARM_UP = 100;

const idle = (prefix: string, count: number, requestsUsage: boolean): Plan[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `${prefix}-${n}`,
    requestsUsage,
    events: 1,
    paced: false,
    ending: "hang",
  }));

function measure(requestsUsage: boolean, streams: number): Promise<readonly Row[]> {
  return withSetup({}, async (setup) => {
    const { interceptor, provider } = setup;
    const open = async (plans: readonly Plan[]) => {
      const clients = await openAll(interceptor, plans);
      await Promise.all(clients.map(({ begun }) => begun));
      return () => clients.forEach((client) => client.disconnect("reset"));
    };
    const { records } = interceptor;
    (await open(idle("warm", WARM_UP, requestsUsage)))();
    await records.settled(WARM_UP);
    await provider.allClosed();
    await queueDelivered(setup, 2 * WARM_UP);
    const before = await interceptor.heap();
    const resident = interceptor.resident();
    const disconnect = await open(idle("idle", streams, requestsUsage));
    // The queue's sink holds a start back for a second. That memory does not belong to the stream.
    await queueDelivered(setup, 2 * WARM_UP + streams);
    const during = await interceptor.heap();
    const residentDuring = interceptor.resident();
    disconnect();
    const stillOpen = await provider.allClosed();
    await records.settled(WARM_UP + streams);
    await queueDelivered(setup, 2 * (WARM_UP + streams));
    const after = await interceptor.heap();
    const mode = requestsUsage ? "tee" : "coalesce";
    const each = (during.used - before.used) / streams / 1_000;
    const verdict = each <= TARGET_KB ? "met" : "missed";
    const kept = (after.used - before.used) / streams / 1_000;
    return [
      {
        ...report(
          `heap per open stream, ${mode}`,
          `${each.toFixed(1)} KB`,
          `target ≤ ${TARGET_KB} KB: ${verdict}`,
        ),
        decides: { target: "heap", value: each },
      },
      report(
        `array buffers per open stream, ${mode}`,
        `${((during.buffers - before.buffers) / streams / 1_000).toFixed(1)} KB`,
      ),
      report(
        `resident memory per open stream, ${mode}`,
        `${(((residentDuring - resident) * 1_024) / streams).toFixed(0)} KiB`,
      ),
      report(`heap per stream after it is closed, ${mode}`, `${kept.toFixed(1)} KB`),
      mustBe(`open connections to the provider, ${mode}`, stillOpen, 0),
      ...compareRecords(records, WARM_UP + streams),
    ];
  });
}

/** workerd's own memory for a stream that a Worker only forwards. */
function measureBare(streams: number): Promise<readonly Row[]> {
  return withSetup({}, async ({ startBare, provider }) => {
    const bare = await startBare();
    const open = async (plans: readonly Plan[]): Promise<void> => {
      const clients = await openAll(bare, plans);
      await Promise.all(clients.map(({ begun }) => begun));
      closing.push(() => clients.forEach((client) => client.disconnect("reset")));
    };
    const closing: (() => void)[] = [];
    await open(idle("warm", WARM_UP, true));
    const before = residentMiB(bare.pid);
    await open(idle("idle", streams, true));
    const each = ((residentMiB(bare.pid) - before) * 1_024) / streams;
    closing.forEach((close) => close());
    await provider.allClosed();
    return [report("resident memory per open stream, the bare Worker", `${each.toFixed(0)} KiB`)];
  });
}

export const heap: Scenario = {
  name: "heap",
  title: "JavaScript's heap per open stream",
  run: async (scale) => {
    const streams = scaled(STREAMS, scale, 100);
    const rows = [report("open streams", String(streams))];
    for (const requestsUsage of [true, false]) rows.push(...(await measure(requestsUsage, streams)));
    return [...rows, ...(await measureBare(streams))];
  },
};
