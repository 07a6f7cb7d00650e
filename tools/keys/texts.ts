/** The texts that `npm run keys` prints. */
import { aligned } from "../local/aligned.ts";
import type { KeyEntry } from "../client-key.ts";
import { deployedFiles } from "../deploy/files.ts";
import { singleQuoted } from "../local/env-file.ts";
import { listFile } from "./list-size.ts";
import type { StoredKey, StoreLocation } from "./store.ts";

/** The id of a key in interceptions: `api_key_id`. */
export const idOf = (sha256: string): string => sha256.slice(0, 16);

/** TTL of KV's own caches plus the default of the gateway's (src/gateway/identity/client-key-store.ts). */
const REVOKED_WITHIN = "90 s";

export function explain(key: string, entry: KeyEntry, environment: string | null): string {
  // Quoted for the shell and for .dev.vars.
  const array = singleQuoted(JSON.stringify([entry]));
  const json = array.slice(2, -2);
  const file = listFile(environment);
  return `${keyText(key, entry)}

CLIENT_KEYS is a secret of the gateway: a JSON array with all entries. The entry for this key:

  ${json}

For local runs, add this line to .dev.vars if this is the first key; otherwise add the entry to the array there:

  CLIENT_KEYS=${array}

For a deployment, keep the array in a file outside git, because a secret cannot be read back. For the first key:

  printf %s ${array} > ${file}
  npx wrangler secret put CLIENT_KEYS${selected(environment, "gateway")} < ${file}

For a further key, add the entry to the array in ${file} and run the second command again. It replaces
the whole array: a key whose entry is missing is rejected.
`;
}

export function explainStored(key: string, entry: KeyEntry, location: StoreLocation): string {
  const flag = (location.remote ? " --remote" : "") + flagOf(location.environment);
  return `${keyText(key, entry)}

It is in ${storeName(location)}, and is accepted where IDENTITY has { source = "keys", store = "${location.binding}" }. To revoke it:

  npm run -s keys -- revoke ${idOf(entry.sha256)}${flag}
`;
}

const keyText = (key: string, { actor, kind }: KeyEntry): string =>
  `The key of ${actor} (${kind}). It is shown only once: only its SHA-256 is stored.

  ${key}`;

const storeName = ({ remote, binding }: StoreLocation): string =>
  `the ${remote ? "deployed" : "local"} store ${binding}`;

const flagOf = (environment: string | null): string => (environment === null ? "" : ` --env ${environment}`);

/** Wrangler's arguments for a Worker's configuration. */
const selected = (environment: string | null, worker: "gateway" | "records"): string =>
  ` -c ${deployedFiles(environment)[worker]}`;

export function explainAdmin(token: string, sha256: string, environment: string | null): string {
  return `The token of the records API. It is shown only once: only its SHA-256 is stored.

  ${token}

ADMIN_TOKEN is a secret of the records Worker. For local runs, add this line to .dev.vars.records:

  ADMIN_TOKEN=${sha256}

For a deployment (this replaces the previous token):

  printf %s ${sha256} | npx wrangler secret put ADMIN_TOKEN${selected(environment, "records")}

To use it, for example: INTERCEPTOR_ADMIN_TOKEN=… npm run report -- --url https://your-host
`;
}

/** The gateway gets the key first: with the key, the records Worker takes no event without a MAC. */
export function explainMac(key: string, keyId: string, environment: string | null): string {
  return `The key ${keyId} of the events' MACs. It is shown only once.

  ${key}

EVENT_MAC_KEY is a secret of both Workers, with the same value. For local runs, add this line to .dev.vars and to
.dev.vars.records:

  EVENT_MAC_KEY=${key}

For a deployment, both commands prompt for the key. The first time, store it in the gateway, wait until the queue has
delivered the events from before, and then store it in the records Worker:

  npx wrangler secret put EVENT_MAC_KEY${selected(environment, "gateway")}
  npx wrangler secret put EVENT_MAC_KEY${selected(environment, "records")}

To replace a key, see "Replacing the key of the events' MACs" in docs/runbook.md.
`;
}

export type SealKeyPair = { readonly privateKey: string; readonly verifierKey: string };

export function explainSeal(
  { privateKey, verifierKey }: SealKeyPair,
  origin: string,
  environment: string | null,
): string {
  const quoted = singleQuoted(privateKey);
  return `The key pair of the log ${origin}. The private key is shown only once.

The public key, for everyone who verifies the log. Keep it where the records Worker cannot change it:

  ${verifierKey}

SEAL_KEY, the private key, is a secret of the records Worker. For local runs, add these lines to .dev.vars.records:

  SEALS='{"origin":"${origin}"}'
  SEAL_KEY=${quoted}

For a deployment, set SEALS = { origin = "${origin}" } in [vars] of the records Worker, then:

  printf %s ${quoted} | npx wrangler secret put SEAL_KEY${selected(environment, "records")}

To replace a key, put the new one and the present one with a blank between. The log then names the new key in an entry that
the present one signs. After the next checkpoint, put the new one alone.
`;
}

export function keyTable(keys: readonly StoredKey[], location: StoreLocation): string {
  if (keys.length === 0) return `There are no keys in ${storeName(location)}.\n`;
  const rows = keys.map(({ sha256, about }) => [
    idOf(sha256),
    about?.actor ?? "?",
    about?.kind ?? "?",
    about?.assert === undefined ? "" : about.assert ? "may" : "never",
    about?.created.slice(0, 10) ?? "?",
    about?.name ?? "",
  ]);
  const allRows = [["id", "actor", "kind", "asserts", "made", "name"], ...rows];
  const lines = aligned(allRows, () => false).map((line) => line.trimEnd());
  return `${lines.join("\n")}\n`;
}

export function explainRevoked(keys: readonly StoredKey[], location: StoreLocation): string {
  const lines = keys.map(({ sha256, about }) => `Revoked ${idOf(sha256)} of ${about?.actor ?? "?"}.`);
  return `${lines.join("\n")}
Removed from ${storeName(location)}. A running gateway usually rejects it within ${REVOKED_WITHIN} (60 s of KV's caches, and cache_ttl_s).
Entries of the secret CLIENT_KEYS are not changed.
`;
}
