/**
 * What ends an answer from outside: the client leaving, or the upstream's silence. Holds the first reason, aborts the
 * upstream, and tells whoever watches.
 */
import type { StreamEnd, ObservationOptions } from "./stream-end.ts";
import { startIdleTimeout, type IdleTimeout } from "./idle-timeout.ts";

export type AbortGuard = {
  /** Why the answer was ended from outside; null as long as it was not. */
  readonly reason: () => StreamEnd["how"] | null;
  readonly end: (why: StreamEnd["how"]) => void;
  readonly idle: IdleTimeout;
  /** Lets go of timer and listener. */
  readonly release: () => void;
};

export function createAbortGuard(
  { clientSignal, abort, idleMs, now }: ObservationOptions,
  onEnd: (why: StreamEnd["how"]) => void,
): AbortGuard {
  let reason: StreamEnd["how"] | null = null;
  const end = (why: StreamEnd["how"]): void => {
    if (reason !== null) return;
    reason = why;
    abort.abort();
    onEnd(why);
  };
  const gone = (): void => end("client");
  const idle = startIdleTimeout(idleMs, now, () => end("idle"));
  clientSignal.addEventListener("abort", gone);
  if (clientSignal.aborted) gone();
  return {
    reason: () => reason,
    end,
    idle,
    release: () => {
      idle.stop();
      clientSignal.removeEventListener("abort", gone);
    },
  };
}
