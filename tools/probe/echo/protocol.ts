/** The protocol between the probe (Node) and its echo provider (a Worker): actions, their responses, and notes. */

/** Where the echo serves its actions, below the provider's base URL: one path of each kind of route of the gateway. */
export const PATHS = {
  /** An observed route. */
  chat: "/v1/chat/completions",
  /** A passthrough without a body. */
  control: "/v1/models/probe-echo",
  /** A passthrough with a body, which the gateway streams. */
  upload: "/v1/files",
} as const;

/** The name by which the echo identifies itself. */
export const ECHO_NAME = "ai-edge-interceptor-probe-echo";

/** A secret shorter than this is not accepted by either side. */
export const MIN_SECRET_LENGTH = 32;

export type Bindings = { readonly journal: boolean; readonly bucket: boolean; readonly queue: boolean };

export type Hello = {
  readonly echo: typeof ECHO_NAME;
  /** HMAC-SHA256 of the request's nonce under the secret, in hex: only the echo can compute it. */
  readonly proof: string;
  /** The echo's clock when the request arrived. */
  readonly at: number;
  readonly bindings: Bindings;
  /** Cloudflare's location that ran the echo; null where the runtime names none. */
  readonly colo: string | null;
};

export type SeenHeaders = {
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** `request.cf.clientAcceptEncoding`: the edge replaces the header itself on each request to a Worker. */
  readonly clientAcceptEncoding: string | null;
  readonly httpProtocol: string | null;
};

export type Upload = {
  readonly bytes: number;
  readonly sha256: string;
  readonly chunks: number;
  /** Milliseconds from the first byte to the last. */
  readonly spreadMs: number;
};

export type CreateOnly = {
  /** Whether the first and the second put returned an object. */
  readonly first: boolean;
  readonly second: boolean;
  /** Whether the bucket still has the first content. */
  readonly kept: boolean;
};

export type QueueTimes = {
  /** Milliseconds that each `send()` took. */
  readonly sendMs: readonly number[];
  /** Milliseconds from each send to its delivery; null where it was not delivered in time. */
  readonly deliveredMs: readonly (number | null)[];
};

export type ObjectTimes = { readonly firstMs: number; readonly callsMs: readonly number[] };

/** Notes of the echo about one run, by name. */
export type Notes = Readonly<Record<string, unknown>>;

/** The request's signal fired, or a write failed: the echo's client has disconnected. */
export type Disconnected = { readonly at: number; readonly stage: Stage; readonly how: "signal" | "write" };
export type Stage = "before headers" | "events" | "pause" | "ended";

export type Ended = { readonly at: number; readonly events: number; readonly sha256: string };

/** Work that continued in `waitUntil`: when it began and when it was last alive. */
export type Alive = { readonly from: number; readonly last: number; readonly finished: boolean };

/** The event's number and the echo's clock when it was written, from an event of a stream. */
export const EVENT_MARK = /"probe":\{"n":(\d+),"at":(\d+)\}/g;

/** A JSON text of exactly `bytes` ASCII characters. */
export function payloadText(bytes: number): string {
  const head = '{"object":"probe","filler":"';
  const filler = "The quick brown fox jumps over the lazy dog. ";
  const length = Math.max(0, bytes - head.length - 2);
  return `${head}${filler.repeat(Math.ceil(length / filler.length)).slice(0, length)}"}`;
}
