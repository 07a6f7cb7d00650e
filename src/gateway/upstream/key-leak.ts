/** Keeps the gateway's key out of a provider's error responses: some providers quote the key that they reject. */
import { Refusal } from "../../shared/refusal.ts";
import { contentEncoding, deleteBodyHeaders, type ContentEncoding } from "../../shared/http/body-headers.ts";
import { MAX_ERROR_BYTES, readBounded } from "../../shared/bounded-read.ts";
import { abortAfter } from "../../shared/deadline.ts";

const WINDOW = 8;

/**
 * Returns a successful response as it is, and an error response with its body in memory.
 *
 * - Refuses `upstream_key_rejected` if an error response contains the key, or if its encoding cannot be decoded, so that
 *   it might.
 * - Refuses `upstream_unreachable` if an error response breaks off, is incomplete after `deadlineMs`, or exceeds 1 MiB.
 */
export async function rejectKeyLeak(
  response: Response,
  key: string,
  abort: AbortController,
  deadlineMs: number,
): Promise<Response | Refusal> {
  const { status } = response;
  if (status < 400) return response;
  const encoding = contentEncoding(response.headers);
  if (encoding === "encoded") {
    abort.abort();
    return new Refusal("upstream_key_rejected", { detail: `status ${status}, in an unsupported encoding` });
  }
  const deadline = abortAfter(deadlineMs, abort);
  try {
    const bytes = response.body && (await readBounded(response.body, MAX_ERROR_BYTES));
    if (response.body && !bytes) {
      return new Refusal("upstream_unreachable", {
        detail: `an error response (status ${status}) over 1 MiB`,
      });
    }
    if (quotesKey(response, bytes, key)) {
      return new Refusal("upstream_key_rejected", { detail: `status ${status}` });
    }
    return inMemory(response, bytes, encoding);
  } catch {
    return new Refusal("upstream_unreachable", {
      detail: `an error response (status ${status}) broke off`,
    });
  } finally {
    deadline.clear();
  }
}

function quotesKey({ statusText, headers }: Response, body: Uint8Array | null, key: string): boolean {
  if (body && containsKey(new TextDecoder().decode(body), key)) return true;
  return containsKey([statusText, ...headers.values()].join("\n"), key);
}

/** The same response with a body of known length, neither chunked nor encoded any more. */
export function inMemory(
  { status, statusText, headers: received }: Response,
  body: Uint8Array | null,
  encoding: ContentEncoding,
): Response {
  const headers = new Headers(received);
  if (encoding === "decoded") deleteBodyHeaders(headers);
  headers.delete("transfer-encoding");
  if (body) headers.set("content-length", String(body.byteLength));
  return new Response(body, { status, statusText, headers });
}

/**
 * Whether `text` contains any run of 16 or more characters of the key: each such run contains one of the key's aligned
 * windows of eight. The first window is skipped, because many keys share it (`sk-proj-`, `sk-ant-a`).
 */
export function containsKey(text: string, key: string): boolean {
  if (key.length < 2 * WINDOW) return text.includes(key);
  for (let at = WINDOW; at + WINDOW <= key.length; at += WINDOW) {
    if (text.includes(key.slice(at, at + WINDOW))) return true;
  }
  return false;
}
