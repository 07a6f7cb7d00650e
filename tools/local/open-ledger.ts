/**
 * Opens the ledger for reading: a local database through Node's own SQLite, in one transaction, and a deployed one through
 * wrangler. Each call of wrangler takes about two seconds, so a reader queries many rows at once.
 */
import type { Query } from "../../src/records/ledger/seal/rebuild.ts";
import { ledgerFileOf } from "./ledger-file.ts";
import { queryLedger } from "./ledger-sql.ts";
import type { FileOrPlace } from "./place.ts";
import { openSnapshot, type Snapshot } from "./snapshot.ts";
import { inlined } from "./sql-literal.ts";

/** @throws StartFailure where there is no ledger. */
export function openLedger(place: FileOrPlace): Snapshot {
  if ("file" in place || !place.remote) return openSnapshot(ledgerFileOf(place));
  const query: Query = (sql, ...parameters) => queryLedger(inlined(sql, parameters), place);
  return { query, close: () => undefined };
}
