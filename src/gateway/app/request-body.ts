/**
 * The request's body: read at most once, only when a step needs it, and never larger than `LIMITS.body_bytes`. Bytes are
 * exactly as the client sent them.
 */
import { readBounded } from "../../shared/bounded-read.ts";
import { sha256Hex } from "../../shared/digest.ts";
import { contentEncoding, declaredLength } from "../../shared/http/body-headers.ts";
import { Refusal } from "../../shared/refusal.ts";

/** A body that is read when it is first needed. */
export type RequestBody = {
  /** The whole body. Refusals: those of `check`, `body_too_large` and `body_incomplete`. */
  readonly bytes: () => Promise<Uint8Array | Refusal>;
  /** SHA-256 of the whole body, 64 hex digits; null where it is not known (a described request). */
  readonly sha256: () => Promise<string | null | Refusal>;
  /** Whether `bytes` or `sha256` has been called: the request's stream can then not be forwarded any more. */
  readonly isRead: () => boolean;
};

/**
 * `check` runs before the first byte is read. It refuses the body by its headers, its declared length included. `limit`: the
 * largest body in bytes.
 */
export function createRequestBody(request: Request, limit: number, check: () => Refusal | null): RequestBody {
  let whole: Promise<Uint8Array | Refusal> | null = null;
  const read = async (): Promise<Uint8Array | Refusal> => check() ?? readWithin(request, limit);
  const bytes = (): Promise<Uint8Array | Refusal> => (whole ??= read());
  return {
    bytes,
    sha256: async () => {
      const body = await bytes();
      return body instanceof Refusal ? body : sha256Hex(body);
    },
    isRead: () => whole !== null,
  };
}

/**
 * The whole body, at most `limit` bytes. Refuses `body_too_large` (413) by the declared length before a byte is read and
 * by the real length in any case, and `body_incomplete` (400) where the client stops sending.
 */
export async function readBody(request: Request, limit: number): Promise<Uint8Array | Refusal> {
  return checkDeclaredLength(request.headers, limit) ?? readWithin(request, limit);
}

/** The same for a body whose declared length has been checked. */
async function readWithin(request: Request, limit: number): Promise<Uint8Array | Refusal> {
  if (request.body === null) return new Uint8Array();
  try {
    // With a declared length one native read is enough; without, the bytes are counted while reading.
    if (declaredLength(request.headers) !== null) {
      const bytes = new Uint8Array(await request.arrayBuffer());
      return bytes.byteLength > limit ? new Refusal("body_too_large") : bytes;
    }
    const bytes = await readBounded(request.body, limit);
    return bytes ?? new Refusal("body_too_large", { detail: "counted while reading" });
  } catch {
    return new Refusal("body_incomplete");
  }
}

/** Refuses `body_encoded` (415) where there is a Content-Encoding: the provider must read what was checked here. */
export function rejectEncodedBody(headers: Headers): Refusal | null {
  return contentEncoding(headers) === "plain" ? null : new Refusal("body_encoded");
}

/** Refuses `body_unexpected` (400) where a request whose method takes no body declares one. */
export function rejectBody(headers: Headers): Refusal | null {
  const declared = headers.get("content-length");
  const hasBody = headers.has("transfer-encoding") || (declared !== null && declared.trim() !== "0");
  return hasBody ? new Refusal("body_unexpected") : null;
}

/** The refusal for a Content-Length that is over the limit or not a number; null where there is nothing to refuse. */
export function checkDeclaredLength(headers: Headers, limit: number): Refusal | null {
  if (!headers.has("content-length") || headers.has("transfer-encoding")) return null;
  const length = declaredLength(headers);
  if (length === null) return new Refusal("body_incomplete", { detail: "Content-Length is not a number" });
  return length > limit ? new Refusal("body_too_large", { detail: `declared ${length} bytes` }) : null;
}
