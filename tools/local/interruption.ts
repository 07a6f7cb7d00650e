/** SIGINT, SIGTERM and SIGHUP as a promise, so that a command stops its children before it exits. */

export type Interruption = {
  readonly signal: AbortSignal;
  /** Resolves with undefined at the first signal. */
  readonly happened: Promise<undefined>;
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const IMPATIENT_EXIT_CODE = 130;
const PARENT_POLL_MS = 500;
/** One Ctrl-C arrives twice: from the terminal, and from npm, which forwards it to its script. */
const SAME_KEY_PRESS_MS = 300;

/** Handles the signals for the rest of the process; a second one exits at once. */
export function interruption(now: () => number = () => performance.now()): Interruption {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const interrupt = (): void => {
    controller.abort();
    resolve(undefined);
  };
  let firstAt: number | null = null;
  for (const name of SIGNALS) {
    process.on(name, () => {
      firstAt ??= now();
      if (controller.signal.aborted && now() - firstAt > SAME_KEY_PRESS_MS) process.exit(IMPATIENT_EXIT_CODE);
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
