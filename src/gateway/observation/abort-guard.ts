/**
 * Ends a response from outside: on client disconnect, when the upstream has been idle for too long, when too many clients
 * of the isolate do not read, or when the response contains a configured secret. Keeps the first reason and aborts the upstream.
 */
import type { StreamEnd, ObservationOptions } from "./stream-end.ts";
import { startIdleTimeout, type IdleTimeout, type SilenceCause } from "./idle-timeout.ts";
import { trackUnreadClient } from "./unread-clients.ts";

export type AbortReason = Extract<StreamEnd["how"], "client" | "idle" | "secret">;

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
  { connection, after, abort: upstream, idleMs, now, secrets }: ObservationOptions,
  onAbort: (reason: AbortReason) => void,
  silence: SilenceCause | null = null,
): AbortGuard {
  let firstReason: AbortReason | null = null;
  const abort = (reason: AbortReason): void => {
    if (firstReason !== null) return;
    firstReason = reason;
    upstream.abort();
    onAbort(reason);
  };
  const onDisconnect = (): void => abort("client");
  const unread = trackUnreadClient(now);
  const events = {
    onIdle: () => abort("idle"),
    onUnread: () => {
      if (unread.isOneTooMany()) abort("client");
    },
    onRead: unread.clear,
  };
  const idle = startIdleTimeout({ idleMs, now, after }, events, silence);
  const stopListening = connection.onGone(onDisconnect);
  if (secrets) secrets.onFound = () => abort("secret");
  if (connection.isGone()) onDisconnect();
  return {
    reason: () => firstReason,
    abort,
    idle,
    release: () => {
      idle.stop();
      unread.clear();
      stopListening();
    },
  };
}
