/**
 * `npm run keys`: mints client keys and the token for the API over the records, and keeps the store of client keys. What
 * it prints of a key it prints once; nothing that is stored can be used to call.
 */
import { entryFor, mintAdminToken, mintKey, sha256 } from "./client-key.ts";
import { readArguments, USAGE, type Wanted } from "./keys/arguments.ts";
import { chooseKeys } from "./keys/choose.ts";
import { listEntries, removeEntry, storeEntry } from "./keys/store.ts";
import { explain, explainAdmin, explainRevoked, explainStored, keyTable } from "./keys/texts.ts";
import { StartFailure } from "./local/start-failure.ts";

const BAD_USAGE = 2;

export async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  const wanted = readArguments(args);
  if (typeof wanted === "string") {
    process.stderr.write(`${wanted} (--help shows how.)\n`);
    return BAD_USAGE;
  }
  try {
    process.stdout.write(await answer(wanted));
    return 0;
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Does it, and says what there is to say. */
async function answer(wanted: Wanted): Promise<string> {
  switch (wanted.verb) {
    case "admin": {
      const token = mintAdminToken();
      const stored = { token, sha256: sha256(token) };
      return wanted.asJson ? asLine(stored) : explainAdmin(token, stored.sha256);
    }
    case "new": {
      const key = mintKey();
      const entry = entryFor(key, wanted.holder);
      if (wanted.store) await storeEntry(wanted.store, entry, new Date().toISOString());
      if (wanted.asJson) return asLine({ key, entry });
      return wanted.store ? explainStored(key, entry, wanted.store) : explain(key, entry);
    }
    case "list": {
      const keys = await listEntries(wanted.store);
      return wanted.asJson ? asLine(keys) : keyTable(keys, wanted.store);
    }
    case "revoke": {
      const chosen = chooseKeys(wanted.what, await listEntries(wanted.store));
      if (typeof chosen === "string") throw new StartFailure(chosen);
      for (const { sha256: digest } of chosen) await removeEntry(wanted.store, digest);
      return explainRevoked(chosen, wanted.store);
    }
  }
}

const asLine = (value: unknown): string => `${JSON.stringify(value)}\n`;
