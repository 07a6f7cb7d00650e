/** A request of the probe on a connection of its own, in HTTP/1.1 or HTTP/2. */

export type Protocol = "HTTP/1.1" | "HTTP/2";

export type Endpoint = {
  /** Scheme, host and port. */
  readonly url: URL;
  /** A certificate authority to trust besides the system's; for tests. */
  readonly ca?: string;
};

export type Outgoing = {
  readonly method: "GET" | "POST";
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent in these pieces, each when its delay has passed. */
  readonly body?: readonly { readonly bytes: Uint8Array; readonly delayMs: number }[];
};

export type Head = {
  readonly status: number;
  /** In lower case; repeated values joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
};

export type Received = Head & {
  /** Raw, in the order and at the time of their arrival (milliseconds since 1970). */
  readonly chunks: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly startedAt: number;
  readonly headAt: number;
  readonly endedAt: number;
  /** Null where the response is complete. */
  readonly brokenBy: string | null;
};

/**
 * How a client disconnects:
 * - `reset`: RST on the TCP connection;
 * - `close`: a clean close of the connection (FIN; over TLS after close_notify, in HTTP/2 after GOAWAY);
 * - `cancel`: RST_STREAM with CANCEL; the connection stays (HTTP/2 only).
 */
export type Manner = "reset" | "close" | "cancel";

export type OpenRequest = {
  /** Rejects where no response begins. */
  readonly head: Promise<Head>;
  /** Rejects where no response begins; resolves with `brokenBy` where it breaks off. */
  readonly received: Promise<Received>;
  /** Resolves with the time of the first bytes of the body. */
  readonly firstBytes: Promise<number>;
  /** @returns the time. */
  readonly disconnect: (manner: Manner) => number;
};

export type Clock = () => number;

/** Milliseconds since 1970 with fractions. */
export const clock: Clock = () => performance.timeOrigin + performance.now();

export const bodyOf = ({ chunks }: Received): Buffer => Buffer.concat(chunks.map(({ bytes }) => bytes));
