/** Sends a reply at a visible pace, with its fault. */
import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { Fault, NextAfterHalf } from "./faults.ts";
import { encodeEvent, type Reply } from "./reply.ts";

/** Milliseconds between two events of a stream: by default, and with `fault-slow`. */
export type Pace = { readonly eventMs: number; readonly slowMs: number };

/** Number of pieces of a JSON response that a fault breaks or slows. */
const JSON_PIECES = 10;

/**
 * Resolves when the response has been sent, aborted, or abandoned by the client; never rejects.
 * Headers other than the content type must already be set on `response`.
 */
export async function sendReply(
  response: ServerResponse,
  reply: Reply,
  fault: Fault | undefined,
  pace: Pace,
): Promise<void> {
  const half = fault?.kind === "half" ? fault.next : undefined;
  const slow = fault?.kind === "slow";
  if (reply.kind === "stream") {
    response.writeHead(200, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
    });
    const pieces = reply.events.map(encodeEvent);
    await sendPieces(
      response,
      half === undefined ? pieces : firstHalf(pieces),
      slow ? pace.slowMs : pace.eventMs,
    );
    finish(response, half, encodeEvent(reply.failure));
    return;
  }
  if (reply.kind === "raw") {
    const type = reply.contentType === null ? {} : { "content-type": reply.contentType };
    response.writeHead(reply.status, { ...type, ...reply.headers });
    response.write(reply.body);
    response.end();
    return;
  }
  const body = JSON.stringify(reply.body, null, 2);
  response.writeHead(reply.status, { "content-type": "application/json" });
  if (half === undefined && !slow) {
    response.end(body);
    return;
  }
  const pieces = inPieces(body);
  await sendPieces(response, half === undefined ? pieces : firstHalf(pieces), slow ? pace.slowMs : 0);
  finish(response, half, "");
}

function finish(response: ServerResponse, half: NextAfterHalf | undefined, failure: string): void {
  switch (half) {
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "stall":
      // Sends nothing more: only the client or the emulator's close() ends this connection.
      return;
    case "error-event":
      response.end(failure);
      return;
    case "end":
    case undefined:
      response.end();
  }
}

/** Each piece reaches the socket before the next is due, so a later reset does not discard any of them. */
async function sendPieces(response: ServerResponse, pieces: readonly string[], gapMs: number): Promise<void> {
  const closed = new AbortController();
  response.once("close", () => closed.abort());
  for (const piece of pieces) {
    if (closed.signal.aborted) return;
    await new Promise<void>((resolve) => response.write(piece, () => resolve()));
    if (gapMs > 0) await wait(gapMs, undefined, { signal: closed.signal }).catch(() => undefined);
  }
}

function firstHalf(pieces: readonly string[]): readonly string[] {
  return pieces.slice(0, Math.ceil(pieces.length / 2));
}

function inPieces(text: string): readonly string[] {
  const size = Math.ceil(text.length / JSON_PIECES);
  return Array.from({ length: JSON_PIECES }, (_, i) => text.slice(i * size, (i + 1) * size));
}
