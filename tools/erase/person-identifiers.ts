/** The texts that name a person: as given, their hashes as the gateway records them, and the ids of the person's credentials. */
import { createHash } from "node:crypto";
import { findOfActor, type ActorSource } from "../../src/records/ledger/erase/find-rows.ts";
import type { KnownTexts } from "../../src/records/ledger/erase/person.ts";
import type { Query, Row } from "../../src/records/ledger/seal/rebuild.ts";

/** An actor with rotating tokens has thousands of credentials. Each text is compared with each row. */
const MOST_KEYS = 200;

export const KEY_SOURCES: readonly ActorSource[] = (
  ["refusals", "initiator_overrides", "passthroughs", "interceptions"] as const
).map((table) => ({ table, column: "api_key_id" }));

export type PersonTexts = { readonly texts: KnownTexts; readonly keysLeft: number };

type Named = { readonly ids: readonly string[]; readonly names: readonly string[] };

/** `firsts`: the results of `firstOfActor` for `KEY_SOURCES`. */
export async function knownTexts(
  query: Query,
  { ids, names }: Named,
  firsts: readonly (readonly Row[])[],
): Promise<PersonTexts> {
  const keys = new Set<string>();
  for (const [at, source] of KEY_SOURCES.entries()) {
    const found = await findOfActor(query, source, { ids: JSON.stringify(ids), first: firsts[at] ?? [] });
    for (const key of found) keys.add(key);
  }
  const credentials = [...keys].filter((key) => /^[0-9a-f]{16}$/.test(key));
  const searched = credentials.slice(0, MOST_KEYS);
  const hashes = [...ids, ...names].flatMap(spellings).flatMap(hashesOf);
  const all = new Set([...names, ...hashes, ...searched]);
  return { texts: { ids, names: [...all] }, keysLeft: credentials.length - searched.length };
}

/** A rejected owner header is hashed as the client wrote it. */
const spellings = (text: string): string[] => [...new Set([text, text.toLowerCase(), text.toUpperCase()])];

/** As in `value_sha256` of a rejected owner, and as in `end_user`. With `RECORDING.end_user_key` they are HMACs instead. */
function hashesOf(text: string): string[] {
  const hex = createHash("sha256").update(text).digest("hex");
  return [hex.slice(0, 16), `sha256:${hex.slice(0, 32)}`];
}
