/**
 * The platform's limit on connections: six of one invocation may wait for response headers at once, and further ones are
 * queued. Local runtimes do not enforce it. Sends to a queue count like fetches:
 * https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections
 */
export const MAX_WAITING = 6;

export type ConnectionLimit = {
  /** Starts the connection as soon as there is room, unless it has been aborted by then. */
  readonly run: <T>(name: string, start: () => Promise<T>, signal?: AbortSignal) => Promise<T>;
  /** The names of the connections that wait for headers now. */
  readonly waiting: () => readonly string[];
  /** The number of connections that have not started yet. */
  readonly queued: () => number;
  /** The largest number that have waited for headers at once. */
  readonly peak: () => number;
  /** The names of the connections that have started, in their order. */
  readonly started: () => readonly string[];
};

/** `capacity`: the number of connections that may wait at once. */
export function connectionLimit(capacity = MAX_WAITING): ConnectionLimit {
  const waiting: string[] = [];
  const queue: (() => void)[] = [];
  const started: string[] = [];
  let peak = 0;
  const startQueued = (): void => {
    while (waiting.length < capacity && queue.length > 0) queue.shift()?.();
  };
  return {
    waiting: () => [...waiting],
    queued: () => queue.length,
    peak: () => peak,
    started: () => [...started],
    run: (name, start, signal) =>
      new Promise((resolve, reject) => {
        let isOpen = false;
        const finish = (): void => {
          if (!isOpen) return;
          isOpen = false;
          waiting.splice(waiting.indexOf(name), 1);
          startQueued();
        };
        const begin = (): void => {
          isOpen = true;
          started.push(name);
          waiting.push(name);
          peak = Math.max(peak, waiting.length);
          start().then(resolve, reject).finally(finish);
        };
        signal?.addEventListener("abort", () => {
          const at = queue.indexOf(begin);
          if (at >= 0) queue.splice(at, 1);
          finish();
          reject(new DOMException("aborted", "AbortError"));
        });
        queue.push(begin);
        startQueued();
      }),
  };
}
