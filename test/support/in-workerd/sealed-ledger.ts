/** A ledger whose events have seals and a journal, and a sealer over it. */
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { createSigner, newPrivateKey, type Signer } from "../../../src/records/ledger/seal/note-keys.ts";
import { queryOf } from "../../../src/records/ledger/seal/seal-state.ts";
import { runSealer, type SealRun } from "../../../src/records/ledger/seal/sealer.ts";
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

/** The database with every table empty, and the log before its first leaf. */
export async function emptySealedLedger(): Promise<D1Database> {
  const database = await emptyLedger();
  await database.prepare("UPDATE seal_state SET tree_size = 0, journal_seq = 0, published_size = 0").run();
  return database;
}

/** Stores the events as one message from the queue. */
export async function storeSealed(
  database: D1Database,
  events: readonly InterceptorEvent[],
  at = T0,
): Promise<void> {
  await storeEvents(
    database,
    events.map((event) => ({ event, via: "q", macKeyId: null, storedAt: at })),
  );
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

/** Changes rows behind the ledger's back. Fails where the statement changes none. */
export async function tamper(
  database: D1Database,
  sql: string,
  ...values: readonly unknown[]
): Promise<void> {
  const { meta } = await database
    .prepare(sql)
    .bind(...values)
    .run();
  if (meta.changes === 0) throw new Error(`no row was changed: ${sql}`);
}
