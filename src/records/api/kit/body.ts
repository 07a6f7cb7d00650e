/** Reads a question that is asked in a body: JSON of a bounded size, and what is at fault where it is not. */
import { readBody, rejectEncodedBody } from "../../../gateway/app/request-body.ts";
import { Refusal } from "../../../shared/refusal.ts";

/** Twice what any request's headers may take. */
const MAX_BYTES = 256 * 1024;

/** Any JSON value. Refuses `body_encoded`, `body_too_large`, `body_incomplete` and `body_invalid`; never tells what was sent. */
export async function readJson(request: Request): Promise<{ readonly value: unknown } | Refusal> {
  const bytes = rejectEncodedBody(request.headers) ?? (await readBody(request, MAX_BYTES));
  if (bytes instanceof Refusal) return bytes;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
    return { value: JSON.parse(text) };
  } catch {
    // The error would quote the text.
    return new Refusal("body_invalid", { detail: "it is no JSON in UTF-8" });
  }
}

/** By a field that our own documentation names. */
export const invalidField = (name: string, why: string): Refusal =>
  new Refusal("field_invalid", { detail: `${name} ${why}`, param: name });
