/** A deadline for silence: calls back once when nothing has been heard for `idleMs`. One timer, however much is heard. */

export type IdleTimeout = {
  readonly heard: () => void;
  /** Silence is not the upstream's for now (the client is slow to read): the deadline starts anew at the next `heard`. */
  readonly pause: () => void;
  readonly stop: () => void;
};

export function startIdleTimeout(idleMs: number, now: () => number, onIdle: () => void): IdleTimeout {
  let last = now();
  let paused = false;
  let timer = setTimeout(check, idleMs);

  function check(): void {
    const left = paused ? idleMs : last + idleMs - now();
    if (left <= 0) onIdle();
    else timer = setTimeout(check, left);
  }

  return {
    heard: () => {
      paused = false;
      last = now();
    },
    pause: () => {
      paused = true;
    },
    stop: () => clearTimeout(timer),
  };
}
