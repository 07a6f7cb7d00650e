/**
 * The grammar of the owner header and of Coder's other id headers. `readOwnerHeader` returns the owner's id in its one
 * canonical form, or the reason why the value is not one. Whether an actor may name an owner is decided in `rules.ts`.
 */
import type { OwnerRejection } from "../../events/vocabulary.ts";
import { isRfcVariant, isUuid, isVersion4 } from "../../shared/uuid.ts";

/** Coder's id headers as the client sent them; null where a header is absent. */
export type CoderIdHeaders = {
  readonly owner: string | null;
  readonly chat: string | null;
  readonly subchat: string | null;
  readonly workspace: string | null;
};

export type OwnerHeader =
  | { readonly kind: "absent" }
  | { readonly kind: "owner"; readonly id: string }
  | { readonly kind: "bad"; readonly reason: OwnerRejection };

/**
 * Reads the header's value. It accepts only a version 4 UUID (RFC 9562 §5.4) in its plain 36-character form, in any
 * case and with blanks around it, and returns the id in lower case. A URN, braces, bare digits, another version, nil
 * and max are rejected, so that each user has exactly one id.
 */
export function readOwnerHeader(sent: string | null): OwnerHeader {
  if (sent === null) return { kind: "absent" };
  const value = trimWhitespace(sent);
  if (value === "") return { kind: "absent" };
  // `Headers.get` joins the values of a repeated header with a comma.
  if (value.includes(",")) return { kind: "bad", reason: "multiple" };
  if (!isUuid(value)) return { kind: "bad", reason: "form" };
  if (!isVersion4(value)) return { kind: "bad", reason: "version" };
  if (!isRfcVariant(value)) return { kind: "bad", reason: "variant" };
  return { kind: "owner", id: value.toLowerCase() };
}

/**
 * Removes the whitespace that HTTP allows around a value (RFC 9110 §5.6.3: space and tab). `String.trim` would also
 * remove no-break spaces and other characters that are part of the value.
 */
export function trimWhitespace(text: string): string {
  let [from, to] = [0, text.length];
  while (isBlank(text[from])) from += 1;
  while (to > from && isBlank(text[to - 1])) to -= 1;
  return text.slice(from, to);
}

const isBlank = (character: string | undefined): boolean => character === " " || character === "\t";

/** Returns Coder's id of a conversation or workspace in lower case, or null if it is absent or not a UUID. */
export function readCoderId(sent: string | null): string | null {
  const value = sent?.trim() ?? "";
  return isUuid(value) ? value.toLowerCase() : null;
}
