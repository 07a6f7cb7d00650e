/** The database that is verified: a file, read as one state of it, or a copy of the deployed database. */
import type { Query } from "../../src/records/ledger/seal/rebuild.ts";
import { queryLedger } from "../local/ledger-sql.ts";
import { copyLedger } from "./copy/copy-ledger.ts";
import { ledgerFileOf } from "../local/ledger-file.ts";
import type { FileOrPlace } from "../local/place.ts";
import { openSnapshot } from "../local/snapshot.ts";

export type VerifySource = {
  readonly name: string;
  readonly query: Query;
  /** When the state was read, in milliseconds since 1970. */
  readonly at: number;
  /** Events that were stored while the database was copied; null where it was not. */
  readonly storedMeanwhile: number | null;
  readonly close: () => void;
};

export async function openSource(place: FileOrPlace): Promise<VerifySource> {
  if (!("file" in place) && place.remote) {
    const copy = await copyLedger((sql) => queryLedger(sql, place), {
      now: Date.now,
      onProgress: (line) => process.stderr.write(`${line}\n`),
    });
    return { ...copy, name: "the deployed database" };
  }
  const path = ledgerFileOf(place);
  return { ...openSnapshot(path), name: path, at: Date.now(), storedMeanwhile: null };
}
