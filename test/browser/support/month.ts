/** A ledger with a month of generated traffic, behind both Workers: what the plots look like in use. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NOW, SPAN_MS, traffic } from "../../../bench/ledger/traffic.ts";
import { storeEvents } from "../../../src/records/ledger/write/store.ts";
import { ledgerFileIn } from "../../../tools/local/ledger-file.ts";
import { twoFreePorts } from "../../../tools/local/ports.ts";
import { chooseLocalSetup, startStack, type Stack } from "../../../tools/local/stack.ts";
import { openSqliteD1 } from "../../support/sqlite-d1.ts";

const ALL = 9000;
const AT_ONCE = 250;
const DAY_MS = 86_400_000;

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The query of the month. */
export const MONTH = `from=${dayOf(NOW - SPAN_MS + DAY_MS)}&to=${dayOf(NOW)}`;

/** Fewer calls at weekends, and a little more each week. */
function isKept(at: number): boolean {
  const time = NOW - SPAN_MS + (at / ALL) * SPAN_MS;
  const day = new Date(time).getUTCDay();
  const share = (day === 0 || day === 6 ? 15 : 60) + Math.floor(((time - NOW + SPAN_MS) / SPAN_MS) * 35);
  return (at * 7919) % 100 < share;
}

export async function startMonth(): Promise<Stack> {
  const [port, providerPort] = await twoFreePorts();
  const persistTo = mkdtempSync(join(tmpdir(), "console-month-"));
  const options = { port, providerPort, onEvent: () => undefined, onNotice: () => undefined };
  const setup = chooseLocalSetup({ providerPort, isolated: true });
  const stack = await startStack(
    { ...options, isolated: false, persistTo },
    setup,
    new AbortController().signal,
  );
  const stop = async (): Promise<void> => {
    await stack.stop();
    rmSync(persistTo, { recursive: true, force: true });
  };
  try {
    await fill(ledgerFileIn(persistTo));
  } catch (error) {
    await stop();
    throw error;
  }
  return { ...stack, stop };
}

async function fill(file: string): Promise<void> {
  const { database, sqlite } = openSqliteD1(file);
  sqlite.exec("PRAGMA busy_timeout = 60000");
  for (let from = 0; from < ALL; from += AT_ONCE) {
    const kept = Array.from({ length: AT_ONCE }, (_, n) => from + n).filter(isKept);
    const events = kept.flatMap((at) => traffic(at, 1, ALL));
    await storeEvents(
      database,
      events.map((event) => ({ event, via: "q", macKeyId: null, storedAt: NOW })),
    );
  }
  sqlite.close();
}
