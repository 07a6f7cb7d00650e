/** A database as the migrations make it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { ROOT } from "../root.ts";

const FOLDER = join(ROOT, "migrations");

export function applyMigrations(database: DatabaseSync): void {
  for (const file of readdirSync(FOLDER).toSorted())
    if (file.endsWith(".sql")) database.exec(readFileSync(join(FOLDER, file), "utf8"));
}
