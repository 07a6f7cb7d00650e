/** Ctrl-C and its like, as something to wait for: whoever runs children ends them first. */

export type Interruption = {
  readonly signal: AbortSignal;
  /** Resolves (with nothing) at the first of the signals. */
  readonly happened: Promise<undefined>;
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const IMPATIENT_EXIT_CODE = 130;

/** Takes the signals over from Node for the rest of the process; the second one ends it at once. */
export function interruption(): Interruption {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(IMPATIENT_EXIT_CODE);
      controller.abort();
      resolve(undefined);
    });
  }
  return { signal: controller.signal, happened: promise };
}
