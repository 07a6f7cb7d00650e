/**
 * Measures how long `waitUntil` keeps work alive: a note every second, for up to `for_ms`, after
 * - `after=end`: a response that ended at once;
 * - `after=disconnect`: a stream whose client disconnects;
 * - `after=native`: the headers of a body that the runtime carries natively ("deferred proxying", cloudflare/workerd#6151).
 */
import { count, journalOf, note, type Action, type Exchange } from "./env.ts";
import type { Alive } from "./protocol.ts";

const MAX_MS = 300_000;
const TICK_MS = 1000;
const EVENT_MS = 250;

export const grace: Action = async (exchange) => {
  const { params, request, ctx, run } = exchange;
  const forMs = count(exchange, "for_ms", MAX_MS);
  const after = params.get("after");
  if (after === "disconnect") {
    const { readable, writable } = new IdentityTransformStream();
    ctx.waitUntil(sendUntilDisconnect(writable, request.signal).then(() => stayAlive(exchange, forMs)));
    return new Response(readable, { headers: EVENTS });
  }
  ctx.waitUntil(stayAlive(exchange, forMs));
  if (after !== "native") return Response.json({ run });
  const journal = journalOf(exchange);
  if (!journal) return Response.json({ error: { message: "no binding JOURNAL" } }, { status: 501 });
  const { body } = await journal.fetch(`https://journal/?for_ms=${forMs}`);
  return new Response(body, { headers: EVENTS });
};

const EVENTS = { "content-type": "text/event-stream" };

async function stayAlive(exchange: Exchange, forMs: number): Promise<void> {
  const from = Date.now();
  const alive = (last: number): Alive => ({ from, last, finished: last - from >= forMs });
  for (let last = from; ; last = Date.now()) {
    await note(exchange, "alive", alive(last));
    if (last - from >= forMs) return;
    await scheduler.wait(TICK_MS);
  }
}

/** Resolves when the client has disconnected: the signal fires, or a write fails. */
async function sendUntilDisconnect(writable: WritableStream, signal: AbortSignal): Promise<void> {
  const writer = writable.getWriter();
  const event = new TextEncoder().encode(": open\n\n");
  try {
    while (!signal.aborted) {
      await writer.write(event);
      await scheduler.wait(EVENT_MS, { signal });
    }
  } catch {
    // Disconnected.
  }
}
