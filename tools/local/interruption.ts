/** Ctrl-C and its like, as something to wait for: whoever runs children ends them first. */

export type Interruption = {
  readonly signal: AbortSignal;
  /** Resolves (with nothing) at the first of the signals. */
  readonly happened: Promise<undefined>;
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const IMPATIENT_EXIT_CODE = 130;
const LOOK_FOR_PARENT_MS = 500;

/** Takes the signals over from Node for the rest of the process; the second one ends it at once. */
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

/** A signal sent to npm ends npm and the shell between it and us, and never reaches us. */
function onOrphaned(interrupt: () => void): void {
  const parentId = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parentId) return;
    clearInterval(timer);
    interrupt();
  }, LOOK_FOR_PARENT_MS);
  timer.unref();
}
