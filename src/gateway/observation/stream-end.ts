import type { After } from "../../shared/deadline.ts";
import type { ClientConnection } from "../../shared/http/client-connection.ts";
import type { SecretWatch } from "../../shared/secret-finder.ts";

/** How the bytes of a response ended, regardless of their content. */
export type StreamEnd = {
  /**
   * - `end`: the upstream's body ended.
   * - `error`: the body broke off.
   * - `idle`: no byte arrived within the idle timeout.
   * - `client`: the client disconnected.
   * - `secret`: cut, because it contained a configured secret.
   */
  readonly how: "end" | "error" | "idle" | "client" | "secret";
  /** Bytes received from the upstream. */
  readonly bytes: number;
  /** When the first byte was received, in milliseconds since 1970; null if there was none. */
  readonly firstByteAt: number | null;
};

/** `truncated`: the body was too large to be held, so its content was not read. */
export type ObservedEnd = StreamEnd & { readonly truncated: boolean };

/** The options that every observer takes. */
export type ObservationOptions = {
  readonly connection: ClientConnection;
  /** The timers of the request. */
  readonly after: After;
  /** Aborts the upstream's response. */
  readonly abort: AbortController;
  readonly idleMs: number;
  readonly now: () => number;
  /** Searches the observed text, and ends the response once it has found a secret. null if there is nothing to find. */
  readonly secrets: SecretWatch | null;
};

/** An observed stream: the client's body, and how the stream ended. `end` never rejects. */
export type ObservedStream<Body> = { readonly body: Body; readonly end: Promise<StreamEnd> };
