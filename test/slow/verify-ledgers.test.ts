/**
 * `verify` over thousands of ledgers: it names each change that who can write the database makes, and leaves a ledger green that
 * only had the history that ledgers have. Each run prints its seed; `SEED=<number>` repeats it.
 */
import { expect, it } from "vitest";
import { runMaintenance } from "../../src/records/ledger/maintain/cron.ts";
import { createSigner, newPrivateKey } from "../../src/records/ledger/seal/note-keys.ts";
import { ledgerDeps } from "../support/in-workerd/ledger-deps.ts";
import { T0 } from "../support/in-workerd/ledger-events.ts";
import { retain } from "../support/in-workerd/retain.ts";
import { STORED, storeEvents } from "../support/in-workerd/store-events.ts";
import { deliveries } from "../support/in-workerd/ledger-events.ts";
import {
  openLedger,
  randomCalls,
  seal,
  sealedHistory,
  verify,
  type Ledger,
} from "../support/mutated-ledger/history.ts";
import { randomMutation } from "../support/mutated-ledger/mutations.ts";
import { between, seededRandom } from "../support/rechunk.ts";

const HOUR_MS = 3_600_000;
const HISTORIES = 20;
/** Thousands of verifications, on a busy machine. */
const TIMEOUT_MS = 40 * 60_000;
const seed = Number(process.env["SEED"] ?? 20_261_129);
const MUTATED = Number(process.env["MUTATIONS"] ?? 10_000);
const signer = await createSigner(
  await newPrivateKey("ai.example.com/records", crypto.getRandomValues(new Uint8Array(32))),
);

/** One change, its verification, and back. @returns the kind; null where the change was none. */
async function mutate(ledger: Ledger, random: () => number): Promise<string | null> {
  const { sqlite } = ledger;
  sqlite.exec("SAVEPOINT mutation");
  try {
    const [kind, change] = randomMutation(random);
    let mutation;
    try {
      mutation = change(sqlite, random);
    } catch (error) {
      // A constraint of the schema refuses the value.
      if (/constraint|datatype mismatch|JSON cannot hold|malformed JSON/.test(String(error))) return null;
      throw error;
    }
    if (!mutation) return null;
    const { isIntact, findings, counts } = await verify(ledger);
    const named = findings.map(({ eventId, detail }) => `${eventId ?? ""} ${detail}`).join("\n");
    // The row of a call is two events: either one of them is named.
    const isNamed = mutation.eventId === null || named.includes(mutation.eventId.slice(19));
    if (isIntact || !isNamed)
      throw new Error(`${kind}: ${mutation.done}: ${JSON.stringify(counts)}\n${named.slice(0, 2000)}`);
    return kind;
  } finally {
    sqlite.exec("ROLLBACK TO mutation; RELEASE mutation");
  }
}

it(
  `names the change in each of ${MUTATED} mutated ledgers (SEED=${seed})`,
  async () => {
    const done = new Map<string, number>();
    const perLedger = 500;
    for (let from = 0; from < MUTATED; from += perLedger) {
      const random = seededRandom(seed + from);
      const ledger = await openLedger(signer);
      // The first one has complete tiles, so that there is a level above the leaves.
      await sealedHistory(ledger, from === 0 ? 40 : 6, random);
      expect((await verify(ledger)).findings).toEqual([]);
      for (let changes = 0; changes < Math.min(perLedger, MUTATED - from);) {
        const kind = await mutate(ledger, random);
        if (kind === null) continue;
        changes += 1;
        done.set(kind, (done.get(kind) ?? 0) + 1);
      }
      expect((await verify(ledger)).findings).toEqual([]);
      ledger.sqlite.close();
    }
    expect([...done.values()].reduce((sum, count) => sum + count, 0)).toBe(MUTATED);
  },
  TIMEOUT_MS,
);

it(
  `leaves a ledger green that was deleted by age, delivered late, twice and in any order (SEED=${seed})`,
  async () => {
    for (let history = 0; history < HISTORIES; history += 1) {
      const random = seededRandom(seed + history);
      const ledger = await openLedger(signer);
      const { database } = ledger;
      const days = between(random, 1, 2);
      const retention = { ...retain(0), days: { ...retain(days).days, tools: 1 } };
      const clean = (): Promise<void> =>
        runMaintenance({ ...ledgerDeps({ database }), retention }, ledger.now);
      for (const delivery of deliveries(randomCalls(12, random), random)) {
        ledger.now += HOUR_MS;
        await storeEvents(database, delivery, { ...STORED, storedAt: ledger.now });
        if (random() < 0.1) await clean();
        await seal(ledger);
        if (random() < 0.1) await clean();
        if (random() < 0.8) continue;
        const { findings } = await verify(ledger);
        expect({ history, hours: (ledger.now - T0) / HOUR_MS, findings }).toMatchObject({ findings: [] });
      }
      ledger.sqlite.close();
    }
  },
  TIMEOUT_MS,
);
