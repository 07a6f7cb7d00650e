/** The events of a local run that are not in the ledger yet, as its gateway counts them (tools/local/worker/gateway.ts). */

/** Only a local run has this path. */
export const UNDELIVERED_PATH = "/local/undelivered";

export type Undelivered = {
  /** Requests that still run, or whose last events are not queued yet. */
  readonly requests: number;
  /** Events that are queued or being stored. */
  readonly events: number;
};

const POLL_MS = 50;

export type WaitOptions = {
  readonly withinMs: number;
  /** Called once, where there is something to wait for. */
  readonly onWait: (undelivered: Undelivered) => void;
};

/**
 * Waits until every event is in the ledger, for `withinMs` at most.
 * @returns the rest; null where nothing is left, or no local run responds.
 */
export async function waitForDelivery(url: string, options: WaitOptions): Promise<Undelivered | null> {
  const deadline = Date.now() + options.withinMs;
  let waited = false;
  for (;;) {
    const undelivered = await fetchUndelivered(url);
    if (undelivered === null || isNothing(undelivered)) return null;
    if (Date.now() >= deadline) return undelivered;
    if (!waited) options.onWait(undelivered);
    waited = true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const isNothing = ({ requests, events }: Undelivered): boolean => requests === 0 && events === 0;

/** "1 running request and 3 queued events" */
export function describeUndelivered({ requests, events }: Undelivered): string {
  const parts = [
    ...(requests > 0 ? [`${requests} running request${requests === 1 ? "" : "s"}`] : []),
    ...(events > 0 ? [`${events} queued event${events === 1 ? "" : "s"}`] : []),
  ];
  return parts.join(" and ");
}

async function fetchUndelivered(url: string): Promise<Undelivered | null> {
  try {
    const response = await fetch(`${url}${UNDELIVERED_PATH}`, {
      redirect: "error",
      signal: AbortSignal.timeout(2000),
    });
    return response.ok ? read(await response.json()) : null;
  } catch {
    return null;
  }
}

function read(value: unknown): Undelivered | null {
  const { requests, events } = (value ?? {}) as Readonly<Record<string, unknown>>;
  return typeof requests === "number" && typeof events === "number" ? { requests, events } : null;
}
