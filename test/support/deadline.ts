/**
 * Waiting for a condition. The timeouts here set no performance requirement. They turn a hang into a failure that names
 * the expected condition and the actual state.
 */
const TIMEOUT_MS = 10_000;
const POLL_MS = 5;

/** Settles as `promise` does. @throws an error with `describe()` after `ms`. */
export async function within<T>(promise: Promise<T>, describe: () => string, ms = TIMEOUT_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${ms} ms: ${describe()}`)), ms);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Polls `read` and returns its first result that is not `undefined`. @throws an error with `describe()` after `ms`. */
export async function until<T>(
  read: () => T | undefined | Promise<T | undefined>,
  describe: () => string,
  ms = TIMEOUT_MS,
): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const result = await read();
    if (result !== undefined) return result;
    if (performance.now() > deadline) throw new Error(`after ${ms} ms: ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
