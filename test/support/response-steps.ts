/**
 * What a fake provider answers: a list of steps, run one after another against one connection. A test can write steps
 * of its own; each is only a function of the `Wire`.
 *
 * Waits are on promises that the test resolves, never on time.
 */
import { gzipSync } from "node:zlib";
import { toBytes, type HeaderPair } from "./wire.ts";

export type Framing = "content-length" | "chunked" | "until-close";

/** One connection as a step sees it. All writes settle once the bytes have left, or the peer has. */
export type Wire = {
  /** Status line and headers; `framing` only says how later `body()` calls are framed. */
  head(status: number, headers: readonly HeaderPair[], framing: Framing): Promise<void>;
  /** A piece of the body in the head's framing. Text is UTF-8. */
  body(piece: Uint8Array | string): Promise<void>;
  /** Bytes as they are, outside any framing. Text is Latin-1. */
  raw(piece: Uint8Array | string): Promise<void>;
  /** The body's proper end: the last chunk, or FIN for `until-close`; nothing for a content-length. */
  finish(): Promise<void>;
  /** FIN, wherever the answer is. */
  fin(): void;
  /** RST, wherever the answer is. */
  reset(): void;
  /** Settles when the peer has gone. */
  readonly gone: Promise<void>;
};

export type Step = (wire: Wire) => void | Promise<void>;

export type HeadOptions = {
  readonly status?: number;
  readonly headers?: readonly HeaderPair[];
  readonly framing?: Framing;
};

/** Status line and headers; `transfer-encoding: chunked` is added for that framing, nothing else. */
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

/** Holds the answer until the promise settles, or the peer goes. */
export const waitFor =
  (promise: Promise<unknown>): Step =>
  async (wire) => {
    await Promise.race([promise, wire.gone]);
  };

/** Says nothing more until the peer goes. As the only step: no headers, ever. */
export const hang = (): Step => (wire) => wire.gone;
export const finish = (): Step => (wire) => wire.finish();
export const fin = (): Step => (wire) => wire.fin();
export const reset = (): Step => (wire) => wire.reset();

/** A whole JSON answer with its length. A string is sent as it is, anything else through `JSON.stringify`. */
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

/** A whole event stream, one HTTP chunk per event. Each event is given as it goes on the wire, blank line and all. */
export function sse(events: readonly (string | Uint8Array)[], headers: readonly HeaderPair[] = []): Step[] {
  return [...sseSteps(events.map(body), headers), finish()];
}

/** An event stream of steps: between events it can wait, break off or hang. Without `finish()` it stays open. */
export function sseSteps(steps: readonly Step[], headers: readonly HeaderPair[] = []): Step[] {
  return [head({ headers: [EVENT_STREAM, ...headers] }), ...steps];
}

/** One event whose data is a value as JSON, or a string as it is (`[DONE]`). */
export function event(data: unknown, name?: string): string {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${text}\n\n`;
}

/** An event stream compressed by a provider that was asked not to; each event can be inflated as it arrives. */
export function gzipSse(events: readonly string[], headers: readonly HeaderPair[] = []): Step[] {
  // Members of a multi-member gzip file: RFC 1952, section 2.2.
  return sse(
    events.map((text) => new Uint8Array(gzipSync(text))),
    [["Content-Encoding", "gzip"], ...headers],
  );
}

/** A content-length that promises more than is sent, then FIN. */
export function truncated(status: number, text: string, missing: number, type = "application/json"): Step[] {
  const headers: HeaderPair[] = [
    ["Content-Type", type],
    ["Content-Length", String(toBytes(text).length + missing)],
  ];
  return [head({ status, headers, framing: "content-length" }), body(text), fin()];
}
