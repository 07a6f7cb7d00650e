/** A sealed ledger in an SQLite file. */
import { join } from "node:path";
import type { LedgerAccess } from "../../src/events/event.ts";
import { createSigner, newPrivateKey, type Signer } from "../../src/records/ledger/seal/note-keys.ts";
import { runSealer } from "../../src/records/ledger/seal/sealer.ts";
import { storeEvents } from "../../src/records/ledger/write/store.ts";
import { uuidV7 } from "../../src/shared/uuid.ts";
import { sqliteD1 } from "./sqlite-d1.ts";
import { storeSealedTraffic } from "./sealed-traffic.ts";

export const ORIGIN = "ai.example.com/records";

export const newSigner = async (name = ORIGIN): Promise<Signer> =>
  createSigner(await newPrivateKey(name, crypto.getRandomValues(new Uint8Array(32))));

export type SealedFile = {
  readonly path: string;
  readonly database: D1Database;
  readonly signer: Signer;
  /** The last one. */
  readonly checkpoint: string;
  /** The ids of its events. */
  readonly ids: readonly string[];
};

/** With the events of 300 interceptions, sealed in two runs. More than one tile, and less than two complete ones of level 1. */
export async function sealedFile(folder: string): Promise<SealedFile> {
  const path = join(folder, "ledger.sqlite");
  const database = sqliteD1(path);
  const signer = await newSigner();
  const ids: string[] = [];
  let checkpoint = "";
  for (const [from, to] of [
    [0, 100],
    [100, 300],
  ] as const) {
    ids.push(...(await storeSealedTraffic(database, { from, to, all: 400 })));
    checkpoint = await seal(database, signer);
  }
  return { path, database, signer, checkpoint, ids };
}

/** @returns the note. */
export async function seal(database: D1Database, signer: Signer): Promise<string> {
  const { checkpoint } = await runSealer({ database, signers: [signer], now: Date.now });
  if (!checkpoint) throw new Error("nothing was sealed");
  return checkpoint.note;
}

/** Deletes the user prompts, tool calls and so on from before, and records it, as the retention does. */
export async function purge(database: D1Database, table: "tool_usages", before: number): Promise<void> {
  const { meta } = await database
    .prepare(`DELETE FROM ${table} WHERE interception_id < ?1`)
    .bind(uuidV7(before, "00000000-0000-4000-8000-000000000000"))
    .run();
  const now = Date.now();
  const event: LedgerAccess = {
    record_type: "ledger_access",
    interception_id: uuidV7(now, crypto.randomUUID()),
    action: "purge",
    by: "cron",
    target: table,
    parameters: {},
    rows: meta.changes,
    before: new Date(before).toISOString(),
    cause: "age",
    created_at: new Date(now).toISOString(),
  };
  await storeEvents(database, [{ event, via: "m", macKeyId: null, storedAt: now }]);
}
