/** How the bytes of a response ended, regardless of their content. */
export type StreamEnd = {
  /**
   * - `end`: the upstream's body ended.
   * - `error`: the body broke off.
   * - `idle`: no byte arrived within the idle timeout.
   * - `client`: the client disconnected.
   */
  readonly how: "end" | "error" | "idle" | "client";
  /** The response outgrew `capBytes`: its last bytes, and an idle upstream among them, were not observed. */
  readonly truncated: boolean;
  /** Bytes received from the upstream; a lower bound if `truncated`. */
  readonly bytes: number;
  /** When the first byte was received, in milliseconds since 1970; null if there was none. */
  readonly firstByteAt: number | null;
};

/** The options that every observer takes. */
export type ObservationOptions = {
  /** Aborted when the client disconnects. */
  readonly clientSignal: AbortSignal;
  /** Aborts the upstream's response. */
  readonly abort: AbortController;
  readonly idleMs: number;
  /** Bytes after which a teed response is no longer read. */
  readonly capBytes: number;
  readonly now: () => number;
};

/** An observed stream: the client's body, and how the stream ended. `end` never rejects. */
export type ObservedStream<Body> = { readonly body: Body; readonly end: Promise<StreamEnd> };
