/** How the bytes of an answer ended, whatever they said. */
export type StreamEnd = {
  /**
   * `end`: the upstream's body ended · `error`: it broke off · `idle`: nothing came for the idle deadline · `client`:
   * the client left.
   */
  readonly how: "end" | "error" | "idle" | "client";
  /** It outgrew what is observed: its last bytes, and a silence among them, went by unseen. */
  readonly truncated: boolean;
  /** Bytes seen from the upstream; a lower bound where `truncated`. */
  readonly bytes: number;
  /** When the first of them was seen, in milliseconds since 1970; null where none was. */
  readonly firstByteAt: number | null;
};

/** What a way of observing is given. */
export type ObservationOptions = {
  /** Fires when the client leaves. */
  readonly clientSignal: AbortSignal;
  /** Ends the upstream's answer. */
  readonly abort: AbortController;
  readonly idleMs: number;
  /** Bytes after which an answer is no longer read beside the client's stream. */
  readonly capBytes: number;
  readonly now: () => number;
};

/** What a way of observing hands on: the client's body, and how it ended, which never rejects. */
export type ObservedStream<Body> = { readonly body: Body; readonly end: Promise<StreamEnd> };
