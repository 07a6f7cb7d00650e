/** What `npm run keys` tells people. */
import type { KeyEntry } from "../client-key.ts";
import { singleQuoted } from "../local/env-file.ts";
import type { StoredKey, StorePlace } from "./store.ts";

/** As interceptions name a key: `api_key_id`. */
export const idOf = (sha256: string): string => sha256.slice(0, 16);

/** Of KV's own caches and of the Worker's (src/gateway/identity/client-key-store.ts), by default. */
const REVOKED_WITHIN = "90 s";

export function explain(key: string, entry: KeyEntry): string {
  // Escaped as it must be wherever it is pasted between single quotes.
  const array = singleQuoted(JSON.stringify([entry]));
  const json = array.slice(2, -2);
  return `${shownOnce(key, entry)}

CLIENT_KEYS is one secret with all entries in a JSON array. The entry for this key:

  ${json}

Locally, as the first one, add this line to .dev.vars; later ones go into the same array:

  CLIENT_KEYS=${array}

Deployed, a secret cannot be read back, so keep the array in a file that is not in git. For the first key:

  printf %s ${array} > client-keys.json
  npx wrangler secret put CLIENT_KEYS < client-keys.json

For a further one, add the entry to the array in client-keys.json and run the second command again: it replaces
the whole array, and a key whose entry is not in it stops working.
`;
}

export function explainStored(key: string, entry: KeyEntry, place: StorePlace): string {
  const flag = place.remote ? " --remote" : "";
  return `${shownOnce(key, entry)}

It is in ${storeName(place)} now, and works where IDENTITY has { source = "keys", store = "${place.binding}" }. To take it back:

  npm run -s keys -- revoke ${idOf(entry.sha256)}${flag}
`;
}

const shownOnce = (key: string, { actor, kind }: KeyEntry): string =>
  `The key of ${actor} (${kind}), shown this once: what is stored is only its SHA-256.

  ${key}`;

const storeName = ({ remote, binding }: StorePlace): string =>
  `the ${remote ? "deployed" : "local"} store ${binding}`;

export function explainAdmin(token: string, sha256: string): string {
  return `The token for the API over the records, shown this once: what is stored is only its SHA-256.

  ${token}

Locally, add this line to .dev.vars:

  ADMIN_TOKEN=${sha256}

Deployed (a new one replaces the old):

  printf %s ${sha256} | npx wrangler secret put ADMIN_TOKEN

Ask with it, for example: INTERCEPTOR_ADMIN_TOKEN=… npm run report -- --url https://your-host
`;
}

export function keyTable(keys: readonly StoredKey[], place: StorePlace): string {
  if (keys.length === 0) return `There are no keys in ${storeName(place)}.\n`;
  const rows = keys.map(({ sha256, about }) => [
    idOf(sha256),
    about?.actor ?? "?",
    about?.kind ?? "?",
    about?.assert === undefined ? "" : about.assert ? "may" : "never",
    about?.created.slice(0, 10) ?? "?",
    about?.name ?? "",
  ]);
  const all = [["id", "actor", "kind", "asserts", "made", "name"], ...rows];
  const widths = all[0]?.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]): string =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd();
  return `${all.map(line).join("\n")}\n`;
}

export function explainRevoked(keys: readonly StoredKey[], place: StorePlace): string {
  const lines = keys.map(({ sha256, about }) => `Revoked ${idOf(sha256)} of ${about?.actor ?? "?"}.`);
  return `${lines.join("\n")}
Out of ${storeName(place)}; a running Worker refuses within ${REVOKED_WITHIN} (60 s of KV's caches, and cache_ttl_s).
What the secret CLIENT_KEYS lists is not touched by this.
`;
}
