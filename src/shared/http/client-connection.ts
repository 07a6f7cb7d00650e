/** The client's connection, as one request sees it. */

export type ClientConnection = {
  readonly isGone: () => boolean;
  /** Calls back once when the client disconnects, not if it already has; the returned function cancels that. */
  readonly onGone: (call: () => void) => () => void;
};

/** One native listener for all callbacks: each takes 10,000 instructions. The signal is read when it is needed. */
export function clientConnection(request: Pick<Request, "signal">): ClientConnection {
  let calls: Set<() => void> | null = null;
  const listen = (): Set<() => void> => {
    const added = new Set<() => void>();
    request.signal.addEventListener("abort", () => added.forEach((call) => call()), { once: true });
    return added;
  };
  return {
    isGone: () => request.signal.aborted,
    onGone: (call) => {
      calls ??= listen();
      calls.add(call);
      return () => void calls?.delete(call);
    },
  };
}
