/** What an open stream holds of JavaScript's heap while nothing happens on it. */
import { residentMiB } from "../../cpu.ts";
import { compareRecords, ledgerTold, openAll } from "../crowd.ts";
import type { Plan } from "../plan.ts";
import { mustBe, scaled, told, type Row, type Scenario } from "../scenario.ts";
import { onStage } from "../stage.ts";

const STREAMS = 1_000;
const TARGET_KB = 20;
const WARM = 100;

const idle = (prefix: string, count: number, asked: boolean): Plan[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `${prefix}-${n}`,
    asked,
    events: 1,
    paced: false,
    fate: "hang",
  }));

function measure(asked: boolean, streams: number): Promise<readonly Row[]> {
  return onStage({}, async (stage) => {
    const { interceptor, provider } = stage;
    const open = async (plans: readonly Plan[]) => {
      const clients = await openAll(interceptor, plans);
      await Promise.all(clients.map(({ begun }) => begun));
      return () => clients.forEach((client) => client.leave("reset"));
    };
    const { records } = interceptor;
    (await open(idle("warm", WARM, asked)))();
    await records.settled(WARM);
    await provider.allClosed();
    await ledgerTold(stage, 2 * WARM);
    const before = await interceptor.heap();
    const resident = interceptor.resident();
    const leave = await open(idle("idle", streams, asked));
    // The ledger holds a start back for a second; that is no stream's memory.
    await ledgerTold(stage, 2 * WARM + streams);
    const during = await interceptor.heap();
    const residentDuring = interceptor.resident();
    leave();
    const left = await provider.allClosed();
    await records.settled(WARM + streams);
    await ledgerTold(stage, 2 * (WARM + streams));
    const after = await interceptor.heap();
    const way = asked ? "watched beside" : "carried through";
    const each = (during.used - before.used) / streams / 1_000;
    const met = each <= TARGET_KB ? "met" : "missed";
    const kept = (after.used - before.used) / streams / 1_000;
    return [
      told(`heap per open stream, ${way}`, `${each.toFixed(1)} KB`, `target ≤ ${TARGET_KB} KB: ${met}`),
      told(
        `array buffers per open stream, ${way}`,
        `${((during.buffers - before.buffers) / streams / 1_000).toFixed(1)} KB`,
      ),
      told(
        `resident memory per open stream, ${way}`,
        `${(((residentDuring - resident) * 1_024) / streams).toFixed(0)} KiB`,
      ),
      told(`heap per stream once it is closed, ${way}`, `${kept.toFixed(1)} KB`),
      mustBe(`connections left at the provider, ${way}`, left, 0),
      ...compareRecords(records, WARM + streams),
    ];
  });
}

/** What workerd itself takes for a stream that it only passes on. */
function measureBare(streams: number): Promise<readonly Row[]> {
  return onStage({}, async ({ startBare, provider }) => {
    const bare = await startBare();
    const open = async (plans: readonly Plan[]): Promise<void> => {
      const clients = await openAll(bare, plans);
      await Promise.all(clients.map(({ begun }) => begun));
      closing.push(() => clients.forEach((client) => client.leave("reset")));
    };
    const closing: (() => void)[] = [];
    await open(idle("warm", WARM, true));
    const before = residentMiB(bare.pid);
    await open(idle("idle", streams, true));
    const each = ((residentMiB(bare.pid) - before) * 1_024) / streams;
    closing.forEach((close) => close());
    await provider.allClosed();
    return [told("resident memory per open stream, the bare Worker", `${each.toFixed(0)} KiB`)];
  });
}

export const heap: Scenario = {
  name: "heap",
  title: "JavaScript's heap per open stream",
  run: async (scale) => {
    const streams = scaled(STREAMS, scale, 100);
    const rows = [told("open streams", String(streams))];
    for (const asked of [true, false]) rows.push(...(await measure(asked, streams)));
    return [...rows, ...(await measureBare(streams))];
  },
};
