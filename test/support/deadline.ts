/**
 * Waiting for a condition. Bounds here never decide how fast something must be; they only turn a hang into a failure
 * that says what was being waited for and what there was instead.
 */
const GENEROUS_MS = 10_000;
const POLL_MS = 5;

/** Resolves as `promise` does, or fails after the bound with `describe()`. */
export async function within<T>(promise: Promise<T>, describe: () => string, ms = GENEROUS_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`after ${ms} ms: ${describe()}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again until `look` gives something other than `undefined`, and gives that. */
export async function until<T>(
  look: () => T | undefined | Promise<T | undefined>,
  describe: () => string,
  ms = GENEROUS_MS,
): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`after ${ms} ms: ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
