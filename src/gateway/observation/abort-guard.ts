/**
 * Ends a response from outside: on client disconnect, or when the upstream has been idle for too long. Keeps the first
 * reason and aborts the upstream.
 */
import type { StreamEnd, ObservationOptions } from "./stream-end.ts";
import { startIdleTimeout, type IdleTimeout, type Silence } from "./idle-timeout.ts";

export type AbortReason = Extract<StreamEnd["how"], "client" | "idle">;

export type AbortGuard = {
  /** Why the response was aborted; null while it has not been. */
  readonly reason: () => AbortReason | null;
  /** Aborts the upstream. Only the first call has an effect. */
  readonly abort: (reason: AbortReason) => void;
  readonly idle: IdleTimeout;
  /** Clears the timer and removes the listener. */
  readonly release: () => void;
};

export function createAbortGuard(
  { clientSignal, abort: upstream, idleMs, now }: ObservationOptions,
  onAbort: (reason: AbortReason) => void,
  silence: Silence | null = null,
): AbortGuard {
  let firstReason: AbortReason | null = null;
  const abort = (reason: AbortReason): void => {
    if (firstReason !== null) return;
    firstReason = reason;
    upstream.abort();
    onAbort(reason);
  };
  const onDisconnect = (): void => abort("client");
  const idle = startIdleTimeout(idleMs, now, () => abort("idle"), silence);
  clientSignal.addEventListener("abort", onDisconnect);
  if (clientSignal.aborted) onDisconnect();
  return {
    reason: () => firstReason,
    abort,
    idle,
    release: () => {
      idle.stop();
      clientSignal.removeEventListener("abort", onDisconnect);
    },
  };
}
