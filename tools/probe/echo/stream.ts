/**
 * A chat stream on a schedule: silence before the headers (`lead_ms`), one event, a pause (`pause_ms`), then the other
 * events `gap_ms` apart. Notes when its client disconnects, and at which stage.
 */
import { count, note, type Action, type Exchange } from "./env.ts";
import type { Disconnected, Ended, Stage } from "./protocol.ts";

const MAX_MS = 3_600_000;
const MAX_EVENTS = 10_000;

type Progress = { stage: Stage; events: number };

export const stream: Action = async (exchange) => {
  const { request, ctx } = exchange;
  const progress: Progress = { stage: "before headers", events: 0 };
  let isNoted = false;
  const disconnected = (how: Disconnected["how"]): void => {
    if (isNoted || progress.stage === "ended") return;
    isNoted = true;
    const value: Disconnected = { at: Date.now(), stage: progress.stage, how };
    void note(exchange, "disconnected", value);
  };
  request.signal.addEventListener("abort", () => disconnected("signal"), { once: true });
  const withUsage = await requestsUsage(request);
  const { readable, writable } = new IdentityTransformStream();
  const leadPassed = wait(count(exchange, "lead_ms", MAX_MS), request.signal);
  const played = leadPassed
    .then(() => play(exchange, writable.getWriter(), progress, withUsage))
    .catch(() => disconnected("write"));
  // Otherwise a disconnect ends the context, and with it the listener, before the note is written.
  ctx.waitUntil(played);
  await leadPassed.catch(() => undefined);
  return new Response(readable, {
    headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" },
  });
};

async function play(
  exchange: Exchange,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  progress: Progress,
  withUsage: boolean,
): Promise<void> {
  const { signal } = exchange.request;
  const total = count(exchange, "events", MAX_EVENTS);
  const gapMs = count(exchange, "gap_ms", MAX_MS);
  const digest = new crypto.DigestStream("SHA-256");
  const hashed = digest.getWriter();
  const send = async (text: string): Promise<void> => {
    const bytes = new TextEncoder().encode(text);
    await Promise.all([writer.write(bytes), hashed.write(bytes)]);
  };
  for (let n = 0; n < total; n += 1) {
    progress.stage = "events";
    await send(event(n, total));
    progress.events = n + 1;
    const pauseMs = n === 0 ? count(exchange, "pause_ms", MAX_MS) : 0;
    if (pauseMs > 0) progress.stage = "pause";
    if (n + 1 < total) await wait(pauseMs + gapMs, signal);
  }
  if (withUsage) await send(USAGE);
  await send("data: [DONE]\n\n");
  progress.stage = "ended";
  await Promise.all([writer.close(), hashed.close()]);
  const sha256 = toHex(await digest.digest);
  const ended: Ended = { at: Date.now(), events: progress.events, sha256 };
  await note(exchange, "ended", ended);
}

const HEAD = '"id":"chatcmpl-probe","object":"chat.completion.chunk","created":1,"model":"probe"';
const USAGE = `data: {${HEAD},"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n`;

/** One chunk of a chat completion, with its number and the clock. */
function event(n: number, total: number): string {
  const finish = n + 1 === total ? '"stop"' : "null";
  const choice = `{"index":0,"delta":{"content":"${n} "},"finish_reason":${finish}}`;
  return `data: {${HEAD},"choices":[${choice}],"probe":{"n":${n},"at":${Date.now()}}}\n\n`;
}

/** Whether the body requests usage: the gateway adds that option where the client did not. */
async function requestsUsage(request: Request): Promise<boolean> {
  if (request.method !== "POST") return false;
  const body: { readonly stream_options?: { readonly include_usage?: boolean } } = await request.json();
  return body.stream_options?.include_usage === true;
}

/** Ends early, and rejects, when the client has disconnected: no later event would arrive. */
async function wait(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await scheduler.wait(ms, { signal });
}

const toHex = (buffer: ArrayBuffer): string =>
  Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
