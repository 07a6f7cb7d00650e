/** The error that a response reports: a short type and, if `ContentOptions` keeps it, the message. */
import type { ResponseReport, ContentOptions } from "./response-reader.ts";
import { cut } from "./bounded-text.ts";
import { asText } from "./usage.ts";
import { asObject } from "../../shared/json.ts";

export type ProviderError = Pick<ResponseReport, "error" | "errorMessage">;

export const NO_ERROR: ProviderError = { error: null, errorMessage: null };

export const MAX_ERROR_TYPE = 64;
const MAX_MESSAGE = 1024;

/** Reads an error in either provider's form: an object with `type` or `code` and `message`, or a string. */
export function readProviderError(failure: unknown, keep: ContentOptions): ProviderError {
  const object = asObject(failure);
  return {
    error: asText(object?.["type"], MAX_ERROR_TYPE) ?? asText(object?.["code"], MAX_ERROR_TYPE) ?? "error",
    errorMessage: keep.errorMessages ? toMessage(object ? object["message"] : failure) : null,
  };
}

/** Truncated between words, because redaction would not recognize the remaining part of a truncated key. */
function toMessage(value: unknown): string | null {
  if (typeof value !== "string" || value === "") return null;
  if (value.length <= MAX_MESSAGE) return value;
  const end = Math.max(...[" ", "\n", "\t"].map((blank) => value.lastIndexOf(blank, MAX_MESSAGE)));
  return end < 0 ? null : cut(value, end);
}
