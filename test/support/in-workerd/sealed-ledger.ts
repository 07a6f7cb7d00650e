/** A ledger whose events have seals and a journal, and a sealer over it. */
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { RECORDS } from "../../../src/events/fields.ts";
import { createSigner, newPrivateKey, type Signer } from "../../../src/records/ledger/seal/note-keys.ts";
import { sealColumn } from "../../../src/records/ledger/seal/rebuild.ts";
import { queryOf } from "../../../src/records/ledger/seal/seal-state.ts";
import { runSealer, type SealRun } from "../../../src/records/ledger/seal/sealer.ts";
import { SEAL_COLUMNS } from "../../../src/records/ledger/seal/unsealed.ts";
import {
  verifyLedger,
  type VerifyOptions,
  type VerifyReport,
} from "../../../src/records/ledger/seal/verify.ts";
import { storeEvents } from "../../../src/records/ledger/write/store.ts";
import { emptyLedger } from "./ledger-database.ts";
import { T0 } from "./ledger-events.ts";

export const ORIGIN = "ai.example.com/records";

export const signerOf = async (name = ORIGIN): Promise<Signer> =>
  createSigner(await newPrivateKey(name, crypto.getRandomValues(new Uint8Array(32))));

/** The signer of all tests that need no other. */
export const SIGNER = await signerOf();

const SEAL_TABLES = ["seal_tiles", "seal_entries", "seal_checkpoints", "journal"];

/** Until the migration that adds them is there. */
async function addColumns(database: D1Database): Promise<void> {
  await database
    .prepare(
      "CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, stored_at INTEGER NOT NULL, event_ids TEXT NOT NULL, deltas TEXT NOT NULL, delta_count INTEGER NOT NULL)",
    )
    .run();
  for (const [table, column] of SEAL_COLUMNS) {
    const isCall = column !== "seal";
    await database
      .prepare(`ALTER TABLE ${table} ADD COLUMN ${column} TEXT ${isCall ? "" : "NOT NULL DEFAULT ''"}`)
      .run()
      .catch(() => undefined);
  }
}

/** The database with every table empty, and the log before its first leaf. */
export async function emptySealedLedger(): Promise<D1Database> {
  const database = await emptyLedger();
  await addColumns(database);
  await database.batch([
    ...SEAL_TABLES.map((table) => database.prepare(`DELETE FROM ${table}`)),
    database.prepare("DELETE FROM seal_state"),
    database.prepare("INSERT INTO seal_state VALUES (1, 0, 0, 0)"),
  ]);
  return database;
}

function newSeal(storedAt: number): string {
  const seed = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
  return `${seed.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}.${storedAt.toString(36)}.q.`;
}

/** Stores the events as one batch, as the consumer does. */
export async function storeSealed(
  database: D1Database,
  events: readonly InterceptorEvent[],
  at = T0,
): Promise<void> {
  await storeEvents(database, events);
  const ids: string[] = [];
  for (const event of events) {
    const id = eventId(event);
    const { table } = RECORDS[event.record_type];
    const column = event.record_type === "refusal_count" ? null : sealColumn(event.record_type);
    if (column === null) continue;
    const key = column === "seal" ? id : event.interception_id;
    const { meta } = await database
      .prepare(`UPDATE ${table} SET ${column} = ?1 WHERE id = ?2 AND COALESCE(${column}, '') = ''`)
      .bind(newSeal(at), key)
      .run();
    if (meta.changes > 0) ids.push(id);
  }
  if (ids.length === 0) return;
  await database
    .prepare("INSERT INTO journal (stored_at, event_ids, deltas, delta_count) VALUES (?1, ?2, '[]', 0)")
    .bind(at, JSON.stringify(ids))
    .run();
}

export const seal = (
  database: D1Database,
  now = T0,
  signers: readonly [Signer, ...Signer[]] = [SIGNER],
): Promise<SealRun> => runSealer({ database, signers, now: () => now });

export const verify = (database: D1Database, over: Partial<VerifyOptions> = {}): Promise<VerifyReport> =>
  verifyLedger({
    query: queryOf(database),
    verifierKeys: [SIGNER.verifierKey],
    checkpoints: [],
    now: T0 + 60_000,
    ...over,
  });
