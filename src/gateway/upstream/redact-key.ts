import { Refusal } from "../../shared/refusal.ts";
import { contentEncoding } from "../../shared/http/body-headers.ts";
import { concat, MAX_ERROR_BYTES } from "../../shared/bounded-read.ts";

const WINDOW = 8;

/**
 * The answer as it was; `upstream_key_rejected` where it gives away the key, or is compressed in a way that hides
 * whether it does; `upstream_unreachable` where it breaks off or is over 1 MiB.
 */
export async function rejectKeyEcho(
  response: Response,
  key: string,
  abort: AbortController,
  deadlineMs: number,
): Promise<Response | Refusal> {
  if (response.status < 400) return response;
  const encoding = contentEncoding(response.headers);
  if (encoding === "encoded") {
    abort.abort();
    return new Refusal("upstream_key_rejected", {
      detail: `status ${response.status}, of an encoding that cannot be read`,
    });
  }
  const timer = setTimeout(() => abort.abort(), deadlineMs);
  try {
    const bytes = response.body === null ? null : await readUpTo(response.body, MAX_ERROR_BYTES);
    const text = bytes ? new TextDecoder().decode(bytes) : "";
    const fields = [response.statusText, ...[...response.headers].map(([, value]) => value)].join("\n");
    if (containsKey(text, key) || containsKey(fields, key))
      return new Refusal("upstream_key_rejected", { detail: `status ${response.status}` });
    const headers = new Headers(response.headers);
    if (encoding === "decoded") headers.delete("content-encoding");
    // Read whole, it has a length: no chunks of the provider's any more.
    headers.delete("transfer-encoding");
    if (bytes) headers.set("content-length", String(bytes.byteLength));
    return new Response(bytes, { status: response.status, statusText: response.statusText, headers });
  } catch {
    return new Refusal("upstream_unreachable", {
      detail: `an error answer (status ${response.status}) broke off`,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Throws where the body is larger. */
async function readUpTo(body: ReadableStream<Uint8Array>, max: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.byteLength;
    if (size > max) throw new Error("too large for an error answer");
    parts.push(part);
  }
  return concat(parts, size);
}

/**
 * True where `text` holds any run of 16 or more characters of the key: each such run holds one of the key's aligned
 * eights. The first eight are left out, as they are the same for everybody (`sk-proj-`, `sk-ant-a`).
 */
export function containsKey(text: string, key: string): boolean {
  if (key.length < 2 * WINDOW) return text.includes(key);
  for (let at = WINDOW; at + WINDOW <= key.length; at += WINDOW) {
    if (text.includes(key.slice(at, at + WINDOW))) return true;
  }
  return false;
}
