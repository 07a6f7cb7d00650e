/**
 * Calls back once when the upstream has sent nothing for `idleMs`. It keeps one timer, however often it is reset. A silence
 * that a slow client causes does not count against the upstream; it is reported instead.
 */
import type { After } from "../../shared/deadline.ts";

export type IdleTimeout = {
  /** A byte has arrived: the timeout starts again. */
  readonly reset: () => void;
  /** Suspends the timeout until the next `reset`, while a slow client and not the upstream causes the silence. */
  readonly pause: () => void;
  readonly stop: () => void;
};

/** Finds out who causes a silence, for an observer that does not know it. */
export type SilenceCause = {
  /** Starts to find out. Called at each look until the client is found to be the cause. */
  readonly look: () => void;
  /** Whether a slow client causes the silence. */
  readonly isCausedByClient: () => boolean;
};

export type IdleEvents = {
  readonly onIdle: () => void;
  /** The client has taken nothing since the last look. Called at each look while that lasts. */
  readonly onUnread: () => void;
  /** A look finds that the client is not the cause, or not any more. */
  readonly onRead: () => void;
};

/** The interval of the looks at a silence; half of a shorter timeout. */
export const LOOK_MS = 5000;

export type IdleClock = {
  readonly idleMs: number;
  readonly now: () => number;
  readonly after: After;
};

export function startIdleTimeout(
  { idleMs, now, after }: IdleClock,
  { onIdle, onUnread, onRead }: IdleEvents,
  silence: SilenceCause | null = null,
): IdleTimeout {
  const lookMs = Math.min(idleMs / 2, LOOK_MS);
  let lastByteAt = now();
  /** The upstream's silence began then. */
  let idleSince = lastByteAt;
  let paused = false;
  let cancel = after(lookMs, check);

  function check(): void {
    const at = now();
    const leftMs = lookMs - (at - lastByteAt);
    if (leftMs > 0) {
      onRead();
      cancel = after(leftMs, check);
      return;
    }
    if (paused || silence?.isCausedByClient()) {
      idleSince = at;
      onUnread();
    } else {
      onRead();
      if (at - idleSince >= idleMs) return onIdle();
      silence?.look();
    }
    cancel = after(Math.min(lookMs, Math.max(1, idleSince + idleMs - at)), check);
  }

  return {
    reset: () => {
      paused = false;
      lastByteAt = now();
      idleSince = lastByteAt;
    },
    pause: () => {
      paused = true;
      lastByteAt = now();
    },
    stop: () => cancel(),
  };
}
