/** Calls back once when no byte has arrived for `idleMs`. It keeps one timer, however often it is reset. */

export type IdleTimeout = {
  /** A byte has arrived: the timeout starts again. */
  readonly reset: () => void;
  /** Suspends the timeout until the next `reset`, while a slow client and not the upstream causes the silence. */
  readonly pause: () => void;
  readonly stop: () => void;
};

/** Finds out who causes a silence, for an observer that does not know it. */
export type Silence = {
  /** No byte has arrived for half of the timeout. */
  readonly onHalf: () => void;
  /** Whether a slow client causes the silence: the timeout then starts again. */
  readonly isClients: () => boolean;
};

export function startIdleTimeout(
  idleMs: number,
  now: () => number,
  onIdle: () => void,
  silence: Silence | null = null,
): IdleTimeout {
  const firstMs = silence ? idleMs / 2 : idleMs;
  let lastReset = now();
  let paused = false;
  let timer = setTimeout(check, firstMs);

  function check(): void {
    let silentMs = paused ? 0 : now() - lastReset;
    if (silentMs >= idleMs && silence?.isClients()) {
      lastReset = now();
      silentMs = 0;
    }
    if (silentMs >= idleMs) return onIdle();
    const isHalf = silentMs >= firstMs;
    if (isHalf) silence?.onHalf();
    timer = setTimeout(check, (isHalf ? idleMs : firstMs) - silentMs);
  }

  return {
    reset: () => {
      paused = false;
      lastReset = now();
    },
    pause: () => {
      paused = true;
    },
    stop: () => clearTimeout(timer),
  };
}
