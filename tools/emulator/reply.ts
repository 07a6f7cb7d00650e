/** The reply of an endpoint as plain data. `send.ts` sends it, with its pace and fault. */

export type Dialect = "openai" | "anthropic";

/** One server-sent event; `data` is JSON text or a literal such as `[DONE]`. */
export type SseEvent = { readonly event?: string; readonly data: string };

export type JsonReply = { readonly kind: "json"; readonly status: number; readonly body: unknown };

export type StreamReply = {
  readonly kind: "stream";
  readonly events: readonly SseEvent[];
  /** How this API reports an error inside a stream that began with 200. */
  readonly failure: SseEvent;
};

/** A body and its Content-Type as they are sent, without a Content-Length. */
export type RawReply = {
  readonly kind: "raw";
  readonly status: number;
  readonly contentType: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
};

export type Reply = JsonReply | StreamReply | RawReply;

export function json(body: unknown, status = 200): JsonReply {
  return { kind: "json", status, body };
}

/** An event named after its `type`, as in Anthropic's API and OpenAI's Responses API. */
export function namedEvent<T extends { readonly type: string }>(payload: T): SseEvent {
  return { event: payload.type, data: JSON.stringify(payload) };
}

export function encodeEvent({ event, data }: SseEvent): string {
  return `${event === undefined ? "" : `event: ${event}\n`}data: ${data}\n\n`;
}
