/**
 * A fake provider's response: a list of steps that run one after another on one connection. A step is a function of the
 * `Wire`, so a test can write its own.
 *
 * Steps wait on promises that the test resolves, never on time.
 */
import { gzipSync } from "node:zlib";
import { toBytes, type HeaderPair } from "./wire.ts";

export type Framing = "content-length" | "chunked" | "until-close";

/** One connection as a step sees it. A write settles when its bytes are sent or the peer disconnects. */
export type Wire = {
  /** Status line and headers; `framing` only says how later `body()` calls are framed. */
  head(status: number, headers: readonly HeaderPair[], framing: Framing): Promise<void>;
  /** A piece of the body, framed as `head()` declared. Text is UTF-8. */
  body(piece: Uint8Array | string): Promise<void>;
  /** Bytes without any framing. Text is Latin-1. */
  raw(piece: Uint8Array | string): Promise<void>;
  /** Ends the body as its framing requires: the last chunk, FIN for `until-close`, nothing for a content-length. */
  finish(): Promise<void>;
  /** Sends FIN at any point of the response. */
  fin(): void;
  /** Sends RST at any point of the response. */
  reset(): void;
  /** Settles when the peer has disconnected. */
  readonly gone: Promise<void>;
};

/** Synchronous steps are allowed, so that a load test can write without a turn of the event loop per step. */
export type Step = (wire: Wire) => void | Promise<void>;

export type HeadOptions = {
  readonly status?: number;
  readonly headers?: readonly HeaderPair[];
  readonly framing?: Framing;
};

/** Status line and headers. Only `transfer-encoding: chunked` is added, for that framing. */
export const head =
  ({ status = 200, headers = [], framing = "chunked" }: HeadOptions): Step =>
  (wire) =>
    wire.head(status, headers, framing);

export const body =
  (piece: Uint8Array | string): Step =>
  (wire) =>
    wire.body(piece);

export const raw =
  (piece: Uint8Array | string): Step =>
  (wire) =>
    wire.raw(piece);

/** Pauses the response until the promise settles or the peer disconnects. */
export const waitFor =
  (promise: Promise<unknown>): Step =>
  async (wire) => {
    await Promise.race([promise, wire.gone]);
  };

/** Sends nothing more until the peer disconnects. As the only step, it sends no headers. */
export const hang = (): Step => (wire) => wire.gone;
export const finish = (): Step => (wire) => wire.finish();
export const fin = (): Step => (wire) => wire.fin();
export const reset = (): Step => (wire) => wire.reset();

/** A complete JSON response with its length. A string is sent unchanged; other values go through `JSON.stringify`. */
export function json(status: number, value: unknown, headers: readonly HeaderPair[] = []): Step[] {
  const bytes = toBytes(typeof value === "string" ? value : JSON.stringify(value));
  const all: HeaderPair[] = [
    ["Content-Type", "application/json"],
    ["Content-Length", String(bytes.length)],
    ...headers,
  ];
  return [head({ status, headers: all, framing: "content-length" }), body(bytes)];
}

const EVENT_STREAM: HeaderPair = ["Content-Type", "text/event-stream; charset=utf-8"];

/** A complete event stream, one HTTP chunk per event. Each event includes its closing blank line. */
export function sse(events: readonly (string | Uint8Array)[], headers: readonly HeaderPair[] = []): Step[] {
  return [...sseSteps(events.map(body), headers), finish()];
}

/** An event stream of steps, which can pause, abort or hang between events. Without `finish()` it stays open. */
export function sseSteps(steps: readonly Step[], headers: readonly HeaderPair[] = []): Step[] {
  return [head({ headers: [EVENT_STREAM, ...headers] }), ...steps];
}

/** One event. Its data is a value as JSON, or a string unchanged (`[DONE]`). */
export function event(data: unknown, name?: string): string {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${text}\n\n`;
}

/** A compressed event stream from a provider that ignores `Accept-Encoding`. Each event can be inflated on arrival. */
export function gzipSse(events: readonly string[], headers: readonly HeaderPair[] = []): Step[] {
  // Members of a multi-member gzip file: RFC 1952, section 2.2.
  return sse(
    events.map((text) => new Uint8Array(gzipSync(text))),
    [["Content-Encoding", "gzip"], ...headers],
  );
}

/** A body `missing` bytes shorter than its content-length, then FIN. */
export function truncated(status: number, text: string, missing: number, type = "application/json"): Step[] {
  const headers: HeaderPair[] = [
    ["Content-Type", type],
    ["Content-Length", String(toBytes(text).length + missing)],
  ];
  return [head({ status, headers, framing: "content-length" }), body(text), fin()];
}
