/**
 * The platform lets six connections of one invocation wait for headers at once; whoever comes after them waits for one to
 * be through. Local runtimes do not. Sends to a queue count like fetches:
 * https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections
 */
export const MOST_WAITING = 6;

export type Turnstile = {
  /** Starts what waits for headers as soon as there is room, unless it has been given up by then. */
  readonly pass: <T>(what: string, start: () => Promise<T>, signal?: AbortSignal) => Promise<T>;
  /** Who is waiting now, within and before it. */
  readonly within: () => readonly string[];
  readonly before: () => number;
  /** The most that have waited within at once. */
  readonly most: () => number;
};

/** `room`: as many as are left by others. */
export function turnstile(room = MOST_WAITING): Turnstile {
  const inside: string[] = [];
  const queue: (() => void)[] = [];
  let most = 0;
  const enter = (): void => {
    while (inside.length < room && queue.length > 0) queue.shift()?.();
  };
  return {
    within: () => [...inside],
    before: () => queue.length,
    most: () => most,
    pass: (what, start, signal) =>
      new Promise((resolve, reject) => {
        const leave = (): void => {
          const at = inside.indexOf(what);
          if (at >= 0) inside.splice(at, 1);
          enter();
        };
        const go = (): void => {
          inside.push(what);
          most = Math.max(most, inside.length);
          start().then(resolve, reject).finally(leave);
        };
        signal?.addEventListener("abort", () => {
          const at = queue.indexOf(go);
          if (at >= 0) queue.splice(at, 1);
          reject(new DOMException("given up", "AbortError"));
        });
        queue.push(go);
        enter();
      }),
  };
}
