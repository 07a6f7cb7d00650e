/** Calls back once when no byte has arrived for `idleMs`. It keeps one timer, however often it is reset. */

export type IdleTimeout = {
  /** A byte has arrived: the timeout starts again. */
  readonly reset: () => void;
  /** Suspends the timeout until the next `reset`, while a slow client and not the upstream causes the silence. */
  readonly pause: () => void;
  readonly stop: () => void;
};

export function startIdleTimeout(idleMs: number, now: () => number, onIdle: () => void): IdleTimeout {
  let lastReset = now();
  let paused = false;
  let timer = setTimeout(check, idleMs);

  function check(): void {
    const leftMs = paused ? idleMs : lastReset + idleMs - now();
    if (leftMs <= 0) onIdle();
    else timer = setTimeout(check, leftMs);
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
