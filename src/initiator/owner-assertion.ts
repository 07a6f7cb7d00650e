/**
 * The owner header: its grammar and who may use it. Receives what was sent and who sent it; hands on an owner's id in
 * its one canonical form, or the reason why there is none.
 */
import { isUuid } from "../uuid.ts";

/** Why an owner header that was sent did not count. */
export type OwnerRejection =
  | "client" // another client than Coder Agents sent it
  | "not_permitted" // this actor may not assert owners
  | "multiple" // more than one value
  | "form" // not 8-4-4-4-12 hexadecimal digits
  | "version" // a UUID, but not version 4
  | "variant"; // version 4, but not the variant of RFC 9562

export type OwnerValue =
  | { readonly kind: "absent" }
  | { readonly kind: "owner"; readonly id: string }
  | { readonly kind: "bad"; readonly reason: OwnerRejection };

/**
 * Reads the header's value. Taken is only a UUID of version 4 (RFC 9562 §5.4) in its plain 36-character form, in any
 * case and with blanks around it; the id is handed on in lower case. No URN, braces, bare digits, other version, nil or
 * max: a user has one id.
 */
export function readOwner(sent: string | null): OwnerValue {
  if (sent === null) return { kind: "absent" };
  const value = withoutBlanks(sent);
  if (value === "") return { kind: "absent" };
  // A header given twice arrives joined by a comma.
  if (value.includes(",")) return { kind: "bad", reason: "multiple" };
  if (!isUuid(value)) return { kind: "bad", reason: "form" };
  if (value[14] !== "4") return { kind: "bad", reason: "version" };
  if (!"89abAB".includes(value[19] ?? "")) return { kind: "bad", reason: "variant" };
  return { kind: "owner", id: value.toLowerCase() };
}

/** Without the blanks around it; `trim` would also take no-break spaces and their like, which are no part of HTTP's. */
function withoutBlanks(text: string): string {
  let [from, to] = [0, text.length];
  while (isBlank(text[from])) from += 1;
  while (to > from && isBlank(text[to - 1])) to -= 1;
  return text.slice(from, to);
}

const isBlank = (character: string | undefined): boolean => character === " " || character === "\t";

/** Who may assert: `OWNER_ASSERTION` of the config. */
export type AssertionRules = {
  readonly allow: "any" | "listed" | "off";
  /** Actor ids that count as listed. */
  readonly actors: ReadonlySet<string>;
  readonly onInvalid: "ignore" | "reject";
};

/** What a credential says of itself (`mayAssert`) narrows `any` and counts as listed; nothing widens `off`. */
export function mayAssert(
  actor: { readonly id: string; readonly mayAssert: boolean | null },
  rules: AssertionRules,
): boolean {
  if (rules.allow === "off" || actor.mayAssert === false) return false;
  return rules.allow === "any" || actor.mayAssert === true || rules.actors.has(actor.id);
}

/** One of Coder's ids of a conversation or workspace, in lower case; null where it is absent or not a UUID. */
export function readCoderId(sent: string | null): string | null {
  const value = sent?.trim() ?? "";
  return isUuid(value) ? value.toLowerCase() : null;
}
