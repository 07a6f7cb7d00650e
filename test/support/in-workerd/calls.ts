/** Requests and provider responses for tests of the whole app, and helpers to find events. */
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { CANARIES } from "./gateway-harness.ts";
import { fixture } from "./fixtures.ts";
import { wholeBody } from "./upstream-body.ts";
import { CODER_AGENTS_UA, utf8 } from "./values.ts";

export const CHAT = "/openai/v1/chat/completions";
export const CENTRAL_CHAT = "/central/v1/chat/completions";
export const BODY = `{"model":"gpt-4o","messages":[{"role":"user","content":"${CANARIES.prompt}"}]}`;
export const STREAM_BODY = `{ "model":"gpt-4o", "stream":true, "messages":[{"role":"user","content":"${CANARIES.prompt}"}]}`;
export const MESSAGES_BODY = `{"model":"claude-opus-4-6","max_tokens":9,"stream":true,"messages":[]}`;

export const CLIENT_KEY = { authorization: `Bearer ${CANARIES.clientKey}` };
export const OWN_KEY = { authorization: `Bearer ${CANARIES.ownKey}` };
export const AGENTS = { ...CLIENT_KEY, "user-agent": CODER_AGENTS_UA };

export const post = (body: BodyInit, headers: Record<string, string> = OWN_KEY): RequestInit => ({
  method: "POST",
  body,
  headers: { "content-type": "application/json", ...headers },
});

export function json(value: string | Uint8Array, init: ResponseInit = {}): Response {
  const bytes = typeof value === "string" ? utf8(value) : value;
  const headers = { "content-type": "application/json", "content-length": String(bytes.length) };
  return new Response(wholeBody(bytes), { ...init, headers: { ...headers, ...(init.headers as object) } });
}

export const sse = (body: ReadableStream, init: ResponseInit = {}): Response =>
  new Response(body, {
    ...init,
    headers: { "content-type": "text/event-stream", ...(init.headers as object) },
  });

/** A stream that breaks after its first event. */
export const brokenStream = (): Response =>
  sse(
    new ReadableStream({
      pull(controller) {
        if (controller.desiredSize === 0) return;
        controller.enqueue(utf8('data: {"choices":[]}\n\n'));
        controller.error(new Error("reset"));
      },
    }),
  );

export const chatResponse = (): Response => json(fixture("chat/json").bytes);

export const typesOf = (events: readonly InterceptorEvent[]): string[] =>
  events.map((event) => event.record_type);

/** The only event of the type. @throws Error if there is none or more than one. */
export function only<T extends InterceptorEvent["record_type"]>(
  events: readonly InterceptorEvent[],
  type: T,
): Extract<InterceptorEvent, { record_type: T }> {
  const matches = events.filter((event) => event.record_type === type);
  if (matches.length !== 1 || !matches[0]) throw new Error(`${matches.length} events of type ${type}`);
  return matches[0] as Extract<InterceptorEvent, { record_type: T }>;
}
