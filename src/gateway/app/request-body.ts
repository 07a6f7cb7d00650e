import { Refusal } from "../../shared/refusal.ts";
import { contentEncoding } from "../../shared/http/content-encoding.ts";

/**
 * The request's whole body, at most `limit` bytes, exactly as it came: never inflated, never decoded.
 *
 * Refuses `body_too_large` (413) by the declared length before a byte is read and by the real one in any case, and
 * `body_incomplete` where the client stops sending.
 */
export async function readBody(request: Request, limit: number): Promise<Uint8Array | Refusal> {
  const tooLarge = checkDeclaredLength(request.headers, limit);
  if (tooLarge) return tooLarge;
  if (request.body === null) return new Uint8Array();
  try {
    // With a declared length one native read is enough; without, count while reading.
    if (declaredLength(request.headers) !== null) {
      const bytes = new Uint8Array(await request.arrayBuffer());
      return bytes.byteLength > limit ? new Refusal("body_too_large") : bytes;
    }
    return await readCounted(request.body, limit);
  } catch {
    return new Refusal("body_incomplete");
  }
}

/** Refuses `body_encoded` (415) where a Content-Encoding is named: what is judged must be what the provider reads. */
export function rejectEncodedBody(headers: Headers): Refusal | null {
  return contentEncoding(headers) === "plain" ? null : new Refusal("body_encoded");
}

/** Refuses `body_unexpected` (400) where a body comes with a method that takes none; else there is none to forward. */
export function rejectBody(headers: Headers): Refusal | null {
  const declared = headers.get("content-length");
  const some = headers.has("transfer-encoding") || (declared !== null && declared.trim() !== "0");
  return some ? new Refusal("body_unexpected") : null;
}

/**
 * The declared length in bytes; null where there is none, or none that is a number. Beside a Transfer-Encoding it does
 * not count (RFC 9112 §6.3), and some builds of workerd leave it there: who believes it reads without a bound.
 */
export function declaredLength(headers: Headers): number | null {
  if (headers.has("transfer-encoding")) return null;
  const declared = headers.get("content-length");
  return declared !== null && /^\d{1,15}$/.test(declared) ? Number(declared) : null;
}

/** The refusal due for a Content-Length that is over the limit or no number; null where there is nothing to refuse. */
export function checkDeclaredLength(headers: Headers, limit: number): Refusal | null {
  if (!headers.has("content-length") || headers.has("transfer-encoding")) return null;
  const length = declaredLength(headers);
  if (length === null) return new Refusal("body_incomplete", { detail: "Content-Length is not a number" });
  return length > limit ? new Refusal("body_too_large", { detail: `declared ${length} bytes` }) : null;
}

async function readCounted(body: ReadableStream, limit: number): Promise<Uint8Array | Refusal> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concat(parts, size);
    const chunk = value as Uint8Array;
    size += chunk.byteLength;
    if (size > limit) {
      reader.cancel().catch(() => undefined);
      return new Refusal("body_too_large", { detail: "counted while reading" });
    }
    parts.push(chunk);
  }
}

/** An error answer up to this size may be read whole: to be looked through for a key, and to be observed. */
export const MAX_ERROR_BYTES = 1024 * 1024;

/** One array of `size` bytes out of its parts; a single part is returned as it is. */
export function concat(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first) return first;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
