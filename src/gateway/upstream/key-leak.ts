/** Keeps the gateway's secrets out of a provider's error responses: some providers quote the key that they reject. */
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { contentEncoding, deleteBodyHeaders, type ContentEncoding } from "../../shared/http/body-headers.ts";
import { MAX_ERROR_BYTES, readBounded } from "../../shared/bounded-read.ts";
import { abortAfter } from "../../shared/deadline.ts";

/** Whether the text of that part of a response contains a secret. */
type Quotes = (text: string, where: "header" | "body") => boolean;

/**
 * Returns a successful response as it is, and an error response with its body in memory.
 *
 * - Refuses `upstream_key_rejected` if an error response contains a secret, or if its encoding or charset cannot be decoded,
 *   so that it might.
 * - Refuses `upstream_unreachable` if an error response breaks off, is incomplete after `deadlineMs`, or exceeds 1 MiB.
 */
export async function rejectKeyLeak(
  response: Response,
  quotes: Quotes,
  abort: AbortController,
  deadlineMs: number,
): Promise<Response | Refusal> {
  const { status } = response;
  if (status < 400) return response;
  const encoding = contentEncoding(response.headers);
  if (encoding === "encoded" || !hasReadableCharset(response.headers)) {
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
    if (quotesSecret(response, bytes, quotes)) {
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

function quotesSecret({ statusText, headers }: Response, body: Uint8Array | null, quotes: Quotes): boolean {
  const texts = [statusText, ...headers.values()];
  return quotes(body ? new TextDecoder().decode(body) : "", "body") || quotes(texts.join("\n"), "header");
}

const READABLE = /^(?:us-?ascii|ascii|utf-?(?:8|16|32)(?:le|be)?)$/i;

/**
 * Whether a search of the bytes finds ASCII text in the charset that the response declares. UTF-16 and UTF-32 have zero bytes
 * between; each charset of the Encoding Standard but ISO-2022-JP has ASCII as it is.
 */
export function hasReadableCharset(headers: HeaderReader): boolean {
  const charset = /;\s*charset\s*=\s*["']?([^\s;"']*)/i.exec(headers.get("content-type") ?? "")?.[1];
  if (!charset || READABLE.test(charset)) return true;
  try {
    return new TextDecoder(charset).encoding !== "iso-2022-jp";
  } catch {
    return false;
  }
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
