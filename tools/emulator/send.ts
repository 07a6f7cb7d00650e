/** Sends a reply at a pace that a person can watch, and breaks it where a fault says so. */
import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import type { Fault, MidAnswer } from "./faults.ts";
import { encodeEvent, type Reply } from "./reply.ts";

/** Milliseconds between two events of a stream, usually and under `fault-slow`. */
export type Pace = { readonly eventMs: number; readonly slowMs: number };

/** In how many pieces a JSON answer leaves when a fault breaks or slows it. */
const JSON_PIECES = 10;

/**
 * Resolves when the answer has been sent, broken off, or abandoned by the client; never rejects.
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

function finish(response: ServerResponse, half: MidAnswer | undefined, failure: string): void {
  switch (half) {
    case "reset":
      response.socket?.resetAndDestroy();
      return;
    case "stall":
      // Says nothing more: only the client or the emulator's close() ends this connection.
      return;
    case "error-event":
      response.end(failure);
      return;
    case "end":
    case undefined:
      response.end();
  }
}

/** Each piece reaches the socket before the next is due, so a reset afterwards takes none of them back. */
async function sendPieces(response: ServerResponse, pieces: readonly string[], gapMs: number): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  for (const piece of pieces) {
    if (gone.signal.aborted) return;
    await new Promise<void>((resolve) => response.write(piece, () => resolve()));
    if (gapMs > 0) await wait(gapMs, undefined, { signal: gone.signal }).catch(() => undefined);
  }
}

function firstHalf(pieces: readonly string[]): readonly string[] {
  return pieces.slice(0, Math.ceil(pieces.length / 2));
}

function inPieces(text: string): readonly string[] {
  const size = Math.ceil(text.length / JSON_PIECES);
  return Array.from({ length: JSON_PIECES }, (_, i) => text.slice(i * size, (i + 1) * size));
}
