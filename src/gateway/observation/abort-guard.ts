/**
 * What ends an answer from outside: the client leaving, or the upstream's silence. Holds the first reason, aborts the
 * upstream, and tells whoever watches.
 */
import type { Ending, WatchOptions } from "./stream-end.ts";
import { watchIdle, type IdleWatch } from "./idle-timeout.ts";

export type Leash = {
  /** Why the answer was ended from outside; null as long as it was not. */
  readonly reason: () => Ending["how"] | null;
  readonly end: (why: Ending["how"]) => void;
  readonly idle: IdleWatch;
  /** Lets go of timer and listener. */
  readonly release: () => void;
};

export function leash(
  { clientSignal, abort, idleMs, now }: WatchOptions,
  onEnd: (why: Ending["how"]) => void,
): Leash {
  let reason: Ending["how"] | null = null;
  const end = (why: Ending["how"]): void => {
    if (reason !== null) return;
    reason = why;
    abort.abort();
    onEnd(why);
  };
  const gone = (): void => end("client");
  const idle = watchIdle(idleMs, now, () => end("idle"));
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
