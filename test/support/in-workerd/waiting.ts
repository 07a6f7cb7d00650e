/** Waits for a condition. The time limit does not test speed: it only turns a hang into a failure with a message. */
const TIMEOUT_MS = 4000;

/** The promise's value. Fails with `description` if the promise does not settle in time. */
export async function within<T>(promise: Promise<T> | T, description: string): Promise<T> {
  let timer = 0;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out: ${description}`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Polls the condition every millisecond until it holds. Fails with `description` if it does not hold in time. */
export async function until(condition: () => boolean, description: string): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`timed out: ${description}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Lets the event loop turn, so that bytes which are in memory reach every branch of a stream. */
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0));
}
