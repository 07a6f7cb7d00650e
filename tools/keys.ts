/**
 * `npm run keys`: creates client keys, the token of the records API, the key of the events' MACs and that of the ledger's log,
 * and manages the store of client keys. A key is printed once. Of client keys and the token only the SHA-256 is stored, which
 * cannot be used to call.
 */
import { macKeyId } from "../src/events/event-mac.ts";
import { createSigner, newPrivateKey } from "../src/records/ledger/seal/note-keys.ts";
import { entryFor, mintAdminToken, mintKey, mintMacKey, sha256 } from "./client-key.ts";
import { readWorkers } from "./deploy/worker-configs.ts";
import { readArguments, USAGE, type Command } from "./keys/arguments.ts";
import { chooseKeys } from "./keys/choose.ts";
import { listEntries, removeEntry, storeEntry } from "./keys/store.ts";
import { listWarning, readKeyList } from "./keys/list-size.ts";
import {
  explain,
  explainAdmin,
  explainMac,
  explainRevoked,
  explainSeal,
  explainStored,
  keyTable,
} from "./keys/texts.ts";
import { BAD_USAGE, StartFailure } from "./local/start-failure.ts";
import { ROOT } from "./root.ts";

export async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    process.stdout.write(USAGE);
    return 0;
  }
  const command = readArguments(args);
  if (typeof command === "string") {
    process.stderr.write(`${command} (See --help.)\n`);
    return BAD_USAGE;
  }
  try {
    process.stdout.write(await run(command));
    return 0;
  } catch (error) {
    if (!(error instanceof StartFailure)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Runs the command and returns its output. */
async function run(command: Command): Promise<string> {
  const environment = "environment" in command ? command.environment : command.store.environment;
  // Writes the configurations, which the commands below name.
  readWorkers(ROOT, { gatewayOnly: false, environment });
  switch (command.verb) {
    case "admin": {
      const token = mintAdminToken();
      const stored = { token, sha256: sha256(token) };
      return command.asJson ? asLine(stored) : explainAdmin(token, stored.sha256, environment);
    }
    case "mac": {
      const key = mintMacKey();
      const keyId = await macKeyId(key);
      return command.asJson ? asLine({ key, key_id: keyId }) : explainMac(key, keyId, environment);
    }
    case "seal": {
      const random = crypto.getRandomValues(new Uint8Array(32));
      const private_key = await newPrivateKey(command.origin, random);
      const { verifierKey: verifier_key } = await createSigner(private_key);
      return command.asJson
        ? asLine({ private_key, verifier_key })
        : explainSeal({ privateKey: private_key, verifierKey: verifier_key }, command.origin, environment);
    }
    case "new": {
      const key = mintKey();
      const entry = entryFor(key, command.holder);
      if (command.store) await storeEntry(command.store, entry, new Date().toISOString());
      const warning = command.store ? null : listWarning(readKeyList(environment), entry);
      if (warning !== null) process.stderr.write(`Warning: ${warning}\n`);
      if (command.asJson) return asLine({ key, entry });
      return command.store ? explainStored(key, entry, command.store) : explain(key, entry, environment);
    }
    case "list": {
      const keys = await listEntries(command.store);
      return command.asJson ? asLine(keys) : keyTable(keys, command.store);
    }
    case "revoke": {
      const chosen = chooseKeys(command.selector, await listEntries(command.store));
      if (typeof chosen === "string") throw new StartFailure(chosen);
      for (const { sha256: digest } of chosen) await removeEntry(command.store, digest);
      return explainRevoked(chosen, command.store);
    }
  }
}

const asLine = (value: unknown): string => `${JSON.stringify(value)}\n`;
