/** SIGINT, SIGTERM and SIGHUP as a promise, so that a command stops its children before it exits. */

export type Interruption = {
  readonly signal: AbortSignal;
  /** Resolves with undefined at the first signal. */
  readonly happened: Promise<undefined>;
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const IMPATIENT_EXIT_CODE = 130;
const PARENT_POLL_MS = 500;

/** Handles the signals for the rest of the process; a second signal exits at once. */
export function interruption(): Interruption {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const interrupt = (): void => {
    controller.abort();
    resolve(undefined);
  };
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(IMPATIENT_EXIT_CODE);
      interrupt();
    });
  }
  if (process.env["npm_lifecycle_event"] !== undefined) onOrphaned(interrupt);
  return { signal: controller.signal, happened: promise };
}

/** A signal sent to npm ends npm and its shell, and never reaches this process. */
function onOrphaned(interrupt: () => void): void {
  const parentId = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parentId) return;
    clearInterval(timer);
    interrupt();
  }, PARENT_POLL_MS);
  timer.unref();
}
