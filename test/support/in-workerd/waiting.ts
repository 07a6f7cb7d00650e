/**
 * Waiting for a condition. The bounds decide nothing about speed: they only turn a hang into a failure that says what
 * there was to wait for.
 */
const GENEROUS_MS = 4000;

/** As the promise, or fails with the text where it does not settle. */
export async function within<T>(promise: Promise<T>, waitedFor: string): Promise<T> {
  let timer = 0;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`never: ${waitedFor}`)), GENEROUS_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again until it is so. */
export async function until(isSo: () => boolean, waitedFor: string): Promise<void> {
  const deadline = Date.now() + GENEROUS_MS;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`never: ${waitedFor}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
