/** Gateways with several keys of one provider. Waits end at once, and move the clock. */
import { ByteBudget } from "../../../src/shared/byte-budget.ts";
import type { After } from "../../../src/shared/deadline.ts";
import type { Deps } from "../../../src/gateway/app/deps.ts";
import { LOOK_MS } from "../../../src/gateway/observation/idle-timeout.ts";
import { openGateway, T0, type Gateway, type Provider } from "./gateway-harness.ts";

export const POOL_CHAT = "/pool/v1/chat/completions";

export const keyName = (at: number): string => `sk-pool-${at}-0123456789abcdef`;
/** The zero-based number of the key that a request has. */
export const keyOf = (headers: Headers): number =>
  Number(/sk-pool-(\d+)-/.exec(headers.get("authorization") ?? "")?.[1] ?? -1);

export type PoolGateway = Gateway & {
  readonly waits: readonly number[];
  /** The longer timers, in milliseconds: most are deadlines of headers. */
  readonly deadlines: readonly number[];
  readonly held: () => number;
};

export type PoolSetup = {
  readonly keys?: number;
  readonly retries?: Record<string, unknown>;
  readonly provider: Provider;
  readonly parts?: Partial<Deps>;
  /** Called when a wait begins. */
  readonly onWait?: () => void;
  readonly vars?: Record<string, unknown>;
  /** Longer timers are deadlines. */
  readonly maxWaitMs?: number;
};

export async function openPool({
  keys = 3,
  retries,
  provider,
  parts,
  onWait,
  vars,
  maxWaitMs = 60_000,
}: PoolSetup): Promise<PoolGateway> {
  const waits: number[] = [];
  const deadlines: number[] = [];
  let clock = { at: T0 };
  const now = (): number => clock.at;
  // After a success the timers are those of the response. A deadline is longer than any wait. None is reached here.
  let hasFailed = false;
  const noted: Provider = async (sent) => {
    hasFailed = true;
    const response = await provider(sent);
    hasFailed = response.status >= 400;
    return response;
  };
  const after: After = (ms, call) => {
    if (ms > maxWaitMs) deadlines.push(ms);
    if (!hasFailed || ms > maxWaitMs || ms === LOOK_MS) return () => undefined;
    waits.push(ms);
    let isCancelled = false;
    if (onWait) queueMicrotask(onWait);
    queueMicrotask(() => {
      if (isCancelled) return;
      clock.at += Math.ceil(ms);
      call();
    });
    return () => void (isCancelled = true);
  };
  const budget = new ByteBudget(48 * 1024 * 1024, now);
  const names = Array.from({ length: keys }, (_, at) => [`POOL_KEY_${at}`, keyName(at)] as const);
  const gateway = await openGateway({
    provider: noted,
    vars: {
      PROVIDERS: {
        pool: {
          type: "openai",
          base_url: "https://pool.example/v1",
          ...(keys > 0 ? { keys: names.map(([name]) => name) } : {}),
          ...(retries ? { retries } : {}),
        },
      },
      LIMITS: { body_ms: 3_600_000 },
      ...Object.fromEntries(names),
      ...vars,
    },
    parts: {
      bodies: {
        pace: { graceMs: 3_600_000, minRate: 1 },
        budget,
        neededMs: 600_000,
        now,
        after,
      },
      ...parts,
    },
  });
  ({ clock } = gateway);
  return { ...gateway, waits, deadlines, held: () => budget.held };
}
