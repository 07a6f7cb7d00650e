/** A sealed ledger in SQLite, with the history of a random week: late and repeated deliveries, folding, closed days. */
import type { DatabaseSync } from "node:sqlite";
import { closeDays, foldJournal } from "../../../src/records/ledger/rollups/fold.ts";
import type { Signer } from "../../../src/records/ledger/seal/note-keys.ts";
import { runSealer } from "../../../src/records/ledger/seal/sealer.ts";
import { queryOf } from "../../../src/records/ledger/seal/seal-state.ts";
import { SCHEMA_SQL, type SchemaObject } from "../../../src/records/ledger/seal/verify-schema.ts";
import { verifyLedger, type VerifyReport } from "../../../src/records/ledger/seal/verify.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { toLedgerEvents } from "../../../src/events/ledger-events.ts";
import { BATCH_FILE, CORRECTION, END, RETRIEVED } from "../in-workerd/events.ts";
import { allEventsOf, deliveries, idOf, T0 } from "../in-workerd/ledger-events.ts";
import { STORED, storeEvents } from "../in-workerd/store-events.ts";
import { between } from "../rechunk.ts";
import { openSqliteD1 } from "../sqlite-d1.ts";

const HOUR_MS = 3_600_000;

/** Calls with tools and results of tools, one in four without an end. */
export const randomCalls = (calls: number, random: () => number): InterceptorEvent[] =>
  Array.from({ length: calls }, (_, n) => {
    const events = allEventsOf({
      n,
      at: T0 + between(random, 0, 30) * HOUR_MS,
      toolCalls: random() < 0.5 ? [`call-${between(random, 0, 3)}`] : [],
      resultOf: random() < 0.5 ? `call-${between(random, 0, 3)}` : null,
    });
    const isOpen = random() < 0.25;
    return toLedgerEvents(events).filter(({ record_type: type }) => !isOpen || type !== "interception_end");
  }).flat();

/** A queued response whose usage is read later, and a batch with its file. */
const retrieved = (n: number): InterceptorEvent[] => {
  const queued = {
    ...END,
    interception_id: idOf(n),
    provider: RETRIEVED.provider,
    outcome: "queued",
    usage: "unknown",
    msg_id: RETRIEVED.msg_id,
    input_tokens: null,
    output_tokens: null,
    cache_read_input_tokens: null,
    cache_write_input_tokens: null,
  } as const;
  return [
    queued,
    { ...RETRIEVED, interception_id: idOf(n + 1) },
    { ...BATCH_FILE, interception_id: idOf(n + 2) },
    { ...CORRECTION, interception_id: idOf(n + 1), corrects: "retrieved_usage" },
  ];
};

/** Up to two corrections of every third call. */
const corrections = (events: readonly InterceptorEvent[], random: () => number): InterceptorEvent[] =>
  events.flatMap(({ record_type: type, interception_id }) =>
    type === "interception_start" && random() < 0.3
      ? Array.from({ length: between(random, 1, 2) }, (_, position) => ({
          ...CORRECTION,
          interception_id,
          position,
          cost_micros: between(random, 0, 9999),
        }))
      : [],
  );

export type Ledger = {
  readonly database: D1Database;
  readonly sqlite: DatabaseSync;
  readonly signer: Signer;
  readonly schema: readonly SchemaObject[];
  /** When its history ends, in milliseconds since 1970. */
  now: number;
};

export async function openLedger(signer: Signer): Promise<Ledger> {
  const { database, sqlite } = openSqliteD1();
  const schema = (await queryOf(database)(SCHEMA_SQL)) as readonly unknown[] as SchemaObject[];
  return { database, sqlite, signer, schema, now: T0 };
}

export const seal = ({ database, signer, now }: Ledger): ReturnType<typeof runSealer> =>
  runSealer({ database, signers: [signer], now: () => now });

export async function sealedHistory(ledger: Ledger, calls: number, random: () => number): Promise<void> {
  const { database } = ledger;
  const made = randomCalls(calls, random);
  const events = [...made, ...retrieved(900), ...corrections(made, random)];
  for (const delivery of deliveries(events, random)) {
    ledger.now += between(random, 0, 3) * 1_200_000;
    await storeEvents(database, delivery, { ...STORED, storedAt: ledger.now });
    if (random() < 0.2) await foldJournal(database);
    await seal(ledger);
    if (random() < 0.1) await closeDays(database, ledger.now);
  }
  await closeDays(database, T0 + 20 * 24 * HOUR_MS);
}

export const verify = (
  { database, signer, schema, now }: Ledger,
  checkpoints: readonly string[] = [],
): Promise<VerifyReport> =>
  verifyLedger({
    query: queryOf(database),
    verifierKeys: [signer.verifierKey],
    checkpoints,
    now,
    expectedSchema: schema,
  });
