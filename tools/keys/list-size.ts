/** The size of the secret CLIENT_KEYS: all entries in one value, which `wrangler secret put` rejects beyond a limit. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { KeyEntry } from "../client-key.ts";
import { ROOT } from "../root.ts";
import { MAX_VALUE_BYTES } from "../value-size.ts";

/** The list of an environment is another one: its keys must not be valid in production. */
export const listFile = (environment: string | null): string =>
  environment === null ? "client-keys.json" : `client-keys.${environment}.json`;

/** From here on there is room for a few entries only. */
const NEAR_BYTES = 0.8 * MAX_VALUE_BYTES;

const STORE = "Create keys in Workers KV instead, with --store --remote: docs/recipes.md, recipe 4.";

/** @returns the list in the project's folder, where deploy.md keeps it; null without one. */
export function readKeyList(environment: string | null): string | null {
  try {
    return readFileSync(join(ROOT, listFile(environment)), "utf8");
  } catch {
    return null;
  }
}

/**
 * @param list The text of the list without the new entry.
 * @returns one warning where the list with the entry is near or beyond the limit; else null.
 */
export function listWarning(list: string | null, entry: KeyEntry): string | null {
  if (list === null) return null;
  const bytes = Buffer.byteLength(list.trim()) + Buffer.byteLength(`,${JSON.stringify(entry)}`);
  if (bytes < NEAR_BYTES) return null;
  const size = `With this key, CLIENT_KEYS has ${bytes} bytes`;
  return bytes > MAX_VALUE_BYTES
    ? `${size}. A secret must have at most ${MAX_VALUE_BYTES} bytes, so \`wrangler secret put\` will fail. ${STORE}`
    : `${size} of the ${MAX_VALUE_BYTES} that a secret may have. ${STORE}`;
}
