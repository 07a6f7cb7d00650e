/** Finds the file of the local D1 database that has the ledger. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { localState } from "./ledger-sql.ts";
import type { FileOrPlace } from "./place.ts";
import { StartFailure } from "./start-failure.ts";
import { ROOT } from "../root.ts";

/** wrangler's own place, below the configuration. */
const DEFAULT_STATE = join(ROOT, ".wrangler", "state");

export function ledgerFileOf(place: FileOrPlace): string {
  if ("file" in place) return place.file;
  return ledgerFileIn(place.persistTo ?? localState(place.environment) ?? DEFAULT_STATE);
}

/** @throws StartFailure where there is none, or more than one. */
export function ledgerFileIn(state: string): string {
  const folder = join(state, "v3", "d1");
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
  const [path, ...others] = names
    .filter((name) => name.endsWith(".sqlite"))
    .map((name) => join(folder, name))
    .filter(hasLedger);
  if (path === undefined)
    throw new StartFailure(`There is no ledger in ${folder}; run \`npm start\` first, or name a --database.`);
  if (others.length > 0)
    throw new StartFailure(
      `There are several ledgers; name one with --database: ${[path, ...others].join(", ")}.`,
    );
  return path;
}

function hasLedger(path: string): boolean {
  const sqlite = new DatabaseSync(path, { readOnly: true });
  try {
    return sqlite.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'seal_state'").get() !== undefined;
  } catch {
    return false;
  } finally {
    sqlite.close();
  }
}
