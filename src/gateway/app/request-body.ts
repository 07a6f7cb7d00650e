/** A request's body as the steps see it, and the refusals by its headers alone. `read-body.ts` reads it. */
import { contentEncoding, declaredLength } from "../../shared/http/body-headers.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { requestCoding, type Coding } from "./decode/coding.ts";

export type BodyForm = "decoded" | "sent";

/** A body that is read when it is first needed. */
export type RequestBody = {
  /**
   * The whole body, decoded. Refusals: those by its headers, of `readBody` and of `readDecoded`. Only the last reader calls
   * it, once: the body is not kept, so that it can be collected as soon as that reader drops it.
   */
  readonly take: () => Promise<Uint8Array | Refusal>;
  /**
   * SHA-256 of the whole body, 64 hex digits: as the provider reads it (decoded), or as the client sent it. null where it is
   * not known (a described request).
   */
  readonly sha256: (form: BodyForm) => Promise<string | null | Refusal>;
  /** SHA-256 of the bytes that `take` returned, 64 hex digits. It is computed once, also where a signature needed it. */
  readonly hash: (taken: Uint8Array) => Promise<string>;
  /** Whether `take` or `sha256` has been called: the request's stream can then not be forwarded any more. */
  readonly isRead: () => boolean;
  /** The coding that was decoded; null where there was none, or the body has not been read. */
  readonly decoded: () => Coding | null;
};

/** Refuses `body_encoded` (415) where a body cannot be decoded: the provider must read what was checked here. */
export function rejectUnknownCoding(headers: HeaderReader): Refusal | null {
  return requestCoding(headers) === "unsupported" ? new Refusal("body_encoded") : null;
}

const UTF_8 = /;[ \t]*charset[ \t]*=[ \t]*(?:utf-?8|"utf-?8")[ \t]*(?=;|$)/gi;
/** A form, in which `{"a":"&model=x"}` names another model than in JSON. */
const FORM = /x-www-form-urlencoded/i;

/**
 * Refuses `body_type_unsupported` (415) where the provider could read the body as other text than was checked here: in
 * another charset than UTF-8, which a second `charset` or another spelling may name, or as a URL-encoded form.
 */
export function rejectOtherText(headers: HeaderReader): Refusal | null {
  const type = headers.get("content-type");
  if (type === null || type === "application/json") return null;
  // Bounded first: the header may be long.
  const isOther = type.length > 1024 || FORM.test(type) || /charset/i.test(type.trim().replace(UTF_8, ""));
  return isOther ? new Refusal("body_type_unsupported") : null;
}

/** Refuses `body_encoded` (415) where there is a Content-Encoding. */
export function rejectEncodedBody(headers: HeaderReader): Refusal | null {
  return contentEncoding(headers) === "plain" ? null : new Refusal("body_encoded");
}

/** Refuses `body_unexpected` (400) where a request whose method takes no body declares one. */
export function rejectBody(headers: HeaderReader): Refusal | null {
  const declared = headers.get("content-length");
  const hasBody = headers.has("transfer-encoding") || (declared !== null && declared.trim() !== "0");
  return hasBody ? new Refusal("body_unexpected") : null;
}

/** The refusal for a Content-Length that is over the limit or not a number; null where there is nothing to refuse. */
export function checkDeclaredLength(headers: HeaderReader, limit: number): Refusal | null {
  if (!headers.has("content-length") || headers.has("transfer-encoding")) return null;
  const length = declaredLength(headers);
  if (length === null) return new Refusal("body_incomplete", { detail: "Content-Length is not a number" });
  return length > limit ? new Refusal("body_too_large", { detail: `declared ${length} bytes` }) : null;
}
