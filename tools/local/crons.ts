/** The crons of a local run. Wrangler triggers none locally, so the command does, at the same times as Cloudflare. */

/** Only a local run has this path (tools/local/worker/gateway.ts). `?cron=…`: the expression. */
export const CRON_PATH = "/local/cron";

const MINUTE_MS = 60_000;

/** The expressions of wrangler.records.toml. */
export const CRONS: readonly { readonly expression: string; readonly everyMs: number }[] = [
  { expression: "*/10 * * * *", everyMs: 10 * MINUTE_MS },
  { expression: "* * * * *", everyMs: MINUTE_MS },
];

/**
 * Triggers each cron when its next period begins. After a pause, such as a laptop's sleep, each that was due runs once.
 * @returns a function that stops it.
 */
export function startCrons(url: string): () => void {
  const stopped = new AbortController();
  let timer: ReturnType<typeof setTimeout>;
  let last = Date.now();
  const schedule = (): void => {
    timer = setTimeout(() => void tick(), MINUTE_MS - (Date.now() % MINUTE_MS));
  };
  const tick = async (): Promise<void> => {
    const now = Date.now();
    const due = CRONS.filter(({ everyMs }) => Math.floor(now / everyMs) > Math.floor(last / everyMs));
    last = now;
    await Promise.all(due.map(({ expression }) => trigger(url, expression, stopped.signal)));
    if (!stopped.signal.aborted) schedule();
  };
  schedule();
  return () => {
    stopped.abort();
    clearTimeout(timer);
  };
}

/** The Worker logs a failure itself, and the end of the run is reported elsewhere. */
async function trigger(url: string, expression: string, signal: AbortSignal): Promise<void> {
  const query = new URLSearchParams({ cron: expression });
  await fetch(`${url}${CRON_PATH}?${query}`, { method: "POST", signal })
    .then((response) => response.body?.cancel())
    .catch(() => undefined);
}
