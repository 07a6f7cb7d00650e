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

export const grace: Action = async (exchange) => {
  const { params, request, ctx, run } = exchange;
  const forMs = count(exchange, "for_ms", MAX_MS);
  const after = params.get("after");
  if (after === "disconnect") {
    const { promise, resolve } = Promise.withResolvers<void>();
    request.signal.addEventListener("abort", () => resolve(), { once: true });
    ctx.waitUntil(promise.then(() => stayAlive(exchange, forMs)));
    return openStream();
  }
  ctx.waitUntil(stayAlive(exchange, forMs));
  if (after !== "native") return Response.json({ run });
  const journal = journalOf(exchange);
  if (!journal) return Response.json({ error: { message: "no binding JOURNAL" } }, { status: 501 });
  const { body } = await journal.fetch(`https://journal/?for_ms=${forMs}`);
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
};

async function stayAlive(exchange: Exchange, forMs: number): Promise<void> {
  const from = Date.now();
  const alive = (last: number): Alive => ({ from, last, finished: last - from >= forMs });
  for (let last = from; ; last = Date.now()) {
    await note(exchange, "alive", alive(last));
    if (last - from >= forMs) return;
    await scheduler.wait(TICK_MS);
  }
}

/** A stream of one event that stays open. */
function openStream(): Response {
  const { readable, writable } = new IdentityTransformStream();
  const writer = writable.getWriter();
  writer.write(new TextEncoder().encode(": open\n\n")).catch(() => undefined);
  return new Response(readable, { headers: { "content-type": "text/event-stream" } });
}
