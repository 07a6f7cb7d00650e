/** An empty ledger in a temporary file. It will hold recorded content, so only this user can read it, and it is gone afterwards. */
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { applyMigrations } from "../../local/migrations.ts";

export type TemporaryLedger = { readonly sqlite: DatabaseSync; readonly close: () => void };

export function temporaryLedger(): TemporaryLedger {
  const folder = mkdtempSync(join(tmpdir(), "ledger-copy-"));
  const path = join(folder, "ledger.sqlite");
  closeSync(openSync(path, "wx", 0o600));
  const sqlite = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  sqlite.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE");
  applyMigrations(sqlite);
  removeFolder(folder);
  const close = (): void => {
    sqlite.close();
    removeFolder(folder);
  };
  return { sqlite, close };
}

/** An open file can be removed, except on Windows: however this process ends, its file is gone. */
function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // `close` tries again.
  }
}
