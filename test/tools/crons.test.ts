/** The crons of `npm start` and `npm run demo -- --keep`. With wrangler: test/slow/local-run.test.ts. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { readProjectConfig } from "../../tools/deploy/project-config.ts";
import { CRONS, startCrons } from "../../tools/local/crons.ts";
import { ROOT } from "../../tools/root.ts";

const MINUTE_MS = 60_000;
const [MAINTENANCE, SEALER] = CRONS.map(({ expression }) => expression);

/** The expressions that were triggered since the last call. */
function startAt(time: string): () => readonly (string | null)[] {
  vi.useFakeTimers({ now: Date.parse(time) });
  const triggered: (string | null)[] = [];
  vi.stubGlobal("fetch", (url: string, { method }: RequestInit) => {
    if (method === "POST") triggered.push(new URL(url).searchParams.get("cron"));
    return Promise.reject(new Error("The Worker restarts."));
  });
  const stop = startCrons("http://127.0.0.1:8787");
  onTestFinished(() => {
    stop();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  return () => triggered.splice(0);
}

describe("the crons of a local run", () => {
  it("are those of the shipped configuration", () => {
    const config = readProjectConfig(ROOT, "records", { shippedOnly: true });
    expect(config).toMatchObject({ triggers: { crons: CRONS.map(({ expression }) => expression) } });
    for (const { expression, everyMs } of CRONS) {
      const minutes = everyMs / MINUTE_MS;
      expect(expression).toBe(`${minutes === 1 ? "*" : `*/${minutes}`} * * * *`);
    }
  });

  it("run every minute and every ten minutes, without a request and after a failure", async () => {
    const triggered = startAt("2026-11-30T10:08:30.000Z");
    await vi.advanceTimersByTimeAsync(29_999);
    expect(triggered()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(triggered()).toEqual([SEALER]);
    await vi.advanceTimersByTimeAsync(MINUTE_MS);
    expect(triggered()).toEqual([MAINTENANCE, SEALER]);
    await vi.advanceTimersByTimeAsync(10 * MINUTE_MS);
    expect(triggered().filter((cron) => cron === MAINTENANCE)).toHaveLength(1);
  });

  it("run once each after the machine slept past several of their times", async () => {
    const triggered = startAt("2026-11-30T10:08:30.000Z");
    vi.setSystemTime(Date.parse("2026-11-30T13:04:10.000Z"));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(triggered()).toEqual([MAINTENANCE, SEALER]);
  });
});
