/**
 * The owner header and Coder's ids beside it: their grammar. Receives what was sent; hands on an owner's id in its one
 * canonical form, or the reason why there is none. Who may name one is `rules.ts`.
 */
import { isUuid } from "../../shared/uuid.ts";

/** Why an owner header that was sent did not count. */
export type OwnerRejection =
  | "client" // another client than Coder Agents sent it
  | "not_permitted" // this actor may not assert owners
  | "multiple" // more than one value
  | "form" // not 8-4-4-4-12 hexadecimal digits
  | "version" // a UUID, but not version 4
  | "variant" // version 4, but not the variant of RFC 9562
  | "signature_required" // unsigned, where only signed owners count
  | "signature_malformed" // not exactly one timestamp and one signature of version 1
  | "signature_expired" // signed more than 300 s ago, or as far ahead
  | "signature_invalid" // of another secret, or of another request
  | "directory_unknown" // no user of the directory
  | "directory_inactive" // a user, but not an active one
  | "directory_down" // the directory could not be asked
  | "replayed" // this very signature has counted before
  | "replay_unavailable"; // whether it has could not be asked

export type OwnerHeader =
  | { readonly kind: "absent" }
  | { readonly kind: "owner"; readonly id: string }
  | { readonly kind: "bad"; readonly reason: OwnerRejection };

/**
 * Reads the header's value. Taken is only a UUID of version 4 (RFC 9562 §5.4) in its plain 36-character form, in any
 * case and with blanks around it; the id is handed on in lower case. No URN, braces, bare digits, other version, nil or
 * max: a user has one id.
 */
export function readOwnerHeader(sent: string | null): OwnerHeader {
  if (sent === null) return { kind: "absent" };
  const value = trimWhitespace(sent);
  if (value === "") return { kind: "absent" };
  // A header given twice arrives joined by a comma.
  if (value.includes(",")) return { kind: "bad", reason: "multiple" };
  if (!isUuid(value)) return { kind: "bad", reason: "form" };
  if (value[14] !== "4") return { kind: "bad", reason: "version" };
  if (!"89abAB".includes(value[19] ?? "")) return { kind: "bad", reason: "variant" };
  return { kind: "owner", id: value.toLowerCase() };
}

/** Without the blanks around it; `trim` would also take no-break spaces and their like, which are no part of HTTP's. */
export function trimWhitespace(text: string): string {
  let [from, to] = [0, text.length];
  while (isBlank(text[from])) from += 1;
  while (to > from && isBlank(text[to - 1])) to -= 1;
  return text.slice(from, to);
}

const isBlank = (character: string | undefined): boolean => character === " " || character === "\t";

/** One of Coder's ids of a conversation or workspace, in lower case; null where it is absent or not a UUID. */
export function readCoderId(sent: string | null): string | null {
  const value = sent?.trim() ?? "";
  return isUuid(value) ? value.toLowerCase() : null;
}
