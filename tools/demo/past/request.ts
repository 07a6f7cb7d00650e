/** Sends one request of an earlier day, as a client does. */
import { parseObject, type JsonObject } from "../../../src/shared/json.ts";

/** A client: where it sends its requests, its credential, and the headers by which it is known. */
export type Sender = {
  readonly dialect: "openai" | "anthropic";
  /** The complete address of the endpoint. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
};

export type SendOptions = {
  /** How the request must end, as the demonstration's table shows it; `completed` by default. */
  readonly ends?: string;
  /** Disconnects after the first piece of the response. */
  readonly disconnects?: boolean;
};

/** A request that was sent: the id of its interception, and how it must end. */
export type Sent = { readonly id: string; readonly ends: string };

/** Resolves once the response has been read, with its body if that is JSON. */
export async function send(
  { url, headers }: Sender,
  body: JsonObject,
  { ends = "completed", disconnects = false }: SendOptions = {},
): Promise<Sent & { readonly body: JsonObject | null }> {
  const left = new AbortController();
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
    signal: left.signal,
  });
  const id = response.headers.get("x-interception-id") ?? "";
  if (disconnects) {
    await response.body?.getReader().read();
    left.abort();
    return { id, ends, body: null };
  }
  // A response that the provider cuts off rejects here: the record of it is what counts.
  const text = await response.text().catch(() => "");
  return { id, ends, body: parseObject(text) };
}
