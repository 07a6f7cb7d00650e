/**
 * Whether the erased fields of an event are what a recorded erasure leaves. A mark alone would hide any change: an attacker who can
 * write to the database could mark a field and put another value there.
 */
import { ERASED } from "../erased-texts.ts";
import type { StoredEvent } from "./entry.ts";
import type { Query } from "./rebuild.ts";

const ERASURES_SQL = `SELECT target, MAX(created_at) AS created_at FROM ledger_accesses
WHERE action = 'erase' AND seal <> '' GROUP BY target`;

/** `ERASED`, alone or in front of an event's id. */
const PLACEHOLDER = new RegExp(`^${ERASED}(?:/(?:response/)?[0-9a-f-]{36})?$`);

export async function readErasures(query: Query): Promise<(event: StoredEvent) => boolean> {
  const rows = await query(ERASURES_SQL);
  const pseudonyms = rows.map(({ target }) => String(target));
  const last = Math.max(...rows.map((row) => Date.parse(String(row["created_at"]))));
  const isLeft = (value: unknown): boolean => {
    if (value === null || value === "" || (typeof value === "string" && PLACEHOLDER.test(value))) return true;
    // Of a list or an object only the parts that name the person are replaced.
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return (
      text === "[]" ||
      text === "{}" ||
      text.includes(JSON.stringify(ERASED)) ||
      pseudonyms.some((pseudonym) => text.includes(pseudonym))
    );
  };
  return ({ values, facts }) =>
    Object.entries(facts.erased).every(([name, { at }]) => at <= last && isLeft(values[name] ?? null));
}
