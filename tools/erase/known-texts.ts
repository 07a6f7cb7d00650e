/** The texts that name a person: as given, their hashes as the gateway records them, and the ids of the person's credentials. */
import { createHash } from "node:crypto";
import { findOfActor } from "../../src/records/ledger/erase/find-rows.ts";
import type { KnownTexts } from "../../src/records/ledger/erase/person.ts";
import type { Query } from "../../src/records/ledger/seal/rebuild.ts";

/** An actor with rotating tokens has thousands of credentials. Each text is compared with each row. */
const MOST_KEYS = 200;

const KEY_SOURCES = [
  { table: "refusals", key: "id", column: "api_key_id" },
  { table: "initiator_overrides", key: "id", column: "api_key_id" },
  { table: "passthroughs", key: "id", column: "api_key_id" },
  { table: "interceptions", key: "id", column: "api_key_id" },
] as const;

export type Found = { readonly texts: KnownTexts; readonly keysLeft: number };

export async function knownTexts(
  query: Query,
  { ids, names }: { readonly ids: readonly string[]; readonly names: readonly string[] },
): Promise<Found> {
  const keys = new Set<string>();
  for (const source of KEY_SOURCES)
    for (const key of await findOfActor(query, source, JSON.stringify(ids))) keys.add(key);
  const searched = [...keys].filter((key) => /^[0-9a-f]{16}$/.test(key)).slice(0, MOST_KEYS);
  const hashes = [...ids, ...names].flatMap(spellings).flatMap(hashesOf);
  const all = new Set([...names, ...hashes, ...searched]);
  return { texts: { ids, names: [...all] }, keysLeft: Math.max(0, keys.size - MOST_KEYS) };
}

/** A rejected owner header is hashed as the client wrote it. */
const spellings = (text: string): string[] => [...new Set([text, text.toLowerCase(), text.toUpperCase()])];

/** As in `value_sha256` of a rejected owner, and as in `end_user`. With `RECORDING.end_user_key` they are HMACs instead. */
function hashesOf(text: string): string[] {
  const hex = createHash("sha256").update(text).digest("hex");
  return [hex.slice(0, 16), `sha256:${hex.slice(0, 32)}`];
}
