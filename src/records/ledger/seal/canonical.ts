/**
 * Canonical JSON (RFC 8785): one text for one value, so that everyone computes the same hash of it. ECMAScript's own form of
 * numbers and texts is the one that the RFC demands (§3.2.2).
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** @throws TypeError for what is not JSON, and RangeError for a text that UTF-8 cannot hold. */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new RangeError("a lone surrogate");
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError("not a number of JSON");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object") throw new TypeError("not JSON");
  // The operator compares UTF-16 code units, as §3.2.3 demands.
  const members = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${canonicalJson(name)}:${canonicalJson(member)}`).join(",")}}`;
}
