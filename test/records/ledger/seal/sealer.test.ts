import { beforeEach, describe, expect, it } from "vitest";
import { checkpointIn } from "../../../../src/records/ledger/seal/checkpoint.ts";
import { parseNote, verifyNote } from "../../../../src/records/ledger/seal/note.ts";
import { queryOf, readState } from "../../../../src/records/ledger/seal/seal-state.ts";
import { TIME_ENTRY_MS, runSealer } from "../../../../src/records/ledger/seal/sealer.ts";
import { BUDGET_CHANGE } from "../../../support/in-workerd/events.ts";
import { allEventsOf, eventsOf, T0 } from "../../../support/in-workerd/ledger-events.ts";
import {
  emptySealedLedger,
  ORIGIN,
  seal,
  SIGNER,
  signerOf,
  storeSealed,
  verify,
} from "../../../support/in-workerd/sealed-ledger.ts";

let database: D1Database;
beforeEach(async () => {
  database = await emptySealedLedger();
});

const notesOf = async (): Promise<string[]> => {
  const { results } = await database
    .prepare("SELECT note FROM seal_checkpoints ORDER BY tree_size")
    .all<{ readonly note: string }>();
  return results.map(({ note }) => note);
};

/** The rows of the log, to compare two logs. */
const logOf = async (): Promise<unknown> => {
  const { results } = await database
    .prepare("SELECT id, hex(hashes) AS h, hex(event_ids) AS e FROM seal_tiles ORDER BY id")
    .all();
  return { tiles: results, notes: await notesOf() };
};

describe("the sealer", () => {
  it("seals every event of the journal once, and signs the tree", async () => {
    const events = allEventsOf({ n: 1, toolCalls: ["call-1", null] });
    await storeSealed(database, events);
    await storeSealed(database, events);
    const run = await seal(database);
    // Without the count of refusals, whose rows the cron merges, and the usage, which the end has.
    const count = events.length - 2;
    expect(run).toMatchObject({ events: count, absent: [], isUnfinished: false });
    const [note = ""] = await notesOf();
    expect(checkpointIn(note)).toMatchObject({ origin: ORIGIN, size: count + 3 });
    const parsed = parseNote(note);
    expect(parsed && (await verifyNote(parsed, [SIGNER]))).toEqual([SIGNER]);
    expect(await verify(database)).toMatchObject({ isIntact: true, findings: [], events: count });
  });

  // A retried top-up is recorded again, by another administrator with another name in it.
  it("keeps the first of two events with one id, and seals it once", async () => {
    const again = { ...BUDGET_CHANGE, changed_by: "token:fedcba9876543210" };
    await storeSealed(database, [BUDGET_CHANGE, again]);
    await storeSealed(database, [again]);
    expect(await seal(database)).toMatchObject({ events: 1, absent: [] });
    const { results } = await database.prepare("SELECT changed_by FROM budget_events").all();
    expect(results).toEqual([{ changed_by: BUDGET_CHANGE.changed_by }]);
    expect(await verify(database)).toMatchObject({ isIntact: true, findings: [], events: 1 });
  });

  it("writes nothing where there is nothing to seal, and after an hour an entry of its own", async () => {
    await storeSealed(database, eventsOf({ n: 1 }));
    const first = await seal(database);
    expect((await seal(database, T0 + TIME_ENTRY_MS - 1)).checkpoint).toBeNull();
    const idle = await seal(database, T0 + TIME_ENTRY_MS);
    expect(idle.checkpoint?.size).toBe((first.checkpoint?.size ?? 0) + 1);
    const later = T0 + TIME_ENTRY_MS;
    expect(await verify(database, { now: later })).toMatchObject({ isIntact: true });
    expect((await verify(database, { now: later + 3 * TIME_ENTRY_MS })).counts).toEqual({ gap: 1 });
  });

  it("appends to a tree of many tiles, with the root of the whole tree each time", async () => {
    for (let batch = 0; batch < 12; batch += 1) {
      const events = Array.from({ length: 25 + batch }, (_, at) => eventsOf({ n: batch * 40 + at })).flat();
      await storeSealed(database, events, T0 + batch);
      await seal(database, T0 + batch);
    }
    const report = await verify(database);
    expect(report).toMatchObject({ isIntact: true, checkpoints: 12 });
    expect(report.leaves).toBeGreaterThan(2 * 256);
  });

  it("seals the absence of an event whose row is gone", async () => {
    const events = eventsOf({ n: 1, toolCalls: ["a"] });
    await storeSealed(database, events);
    await database.prepare("DELETE FROM tool_usages").run();
    expect((await seal(database)).absent).toHaveLength(1);
    expect((await verify(database)).counts).toEqual({ absent: 1 });
  });
});

describe("two sealers at once", () => {
  it("make one tree: the slower one writes nothing", async () => {
    for (let round = 0; round < 8; round += 1) {
      await storeSealed(
        database,
        Array.from({ length: 30 }, (_, at) => eventsOf({ n: round * 30 + at })).flat(),
      );
      const runs = await Promise.all([seal(database), seal(database), seal(database)]);
      expect(runs.filter(({ checkpoint }) => checkpoint !== null)).toHaveLength(1);
    }
    expect(await verify(database)).toMatchObject({ isIntact: true, checkpoints: 8 });
  });

  it("do so too where one is overtaken between its reads and its write", async () => {
    await storeSealed(database, eventsOf({ n: 1 }));
    await seal(database);
    await storeSealed(database, eventsOf({ n: 2 }));
    let isOvertaken = false;
    const slow = withBatch(database, async (statements) => {
      if (!isOvertaken) {
        isOvertaken = true;
        await seal(database);
      }
      return database.batch(statements);
    });
    expect((await seal(slow)).checkpoint).toBeNull();
    expect(isOvertaken).toBe(true);
    expect(await verify(database)).toMatchObject({ isIntact: true, checkpoints: 2 });
  });
});

type Batch = (statements: D1PreparedStatement[]) => Promise<D1Result[]>;

const withBatch = (target: D1Database, batch: Batch): D1Database =>
  new Proxy(target, {
    get: (inner, name) => {
      if (name === "batch") return batch;
      const value: unknown = Reflect.get(inner, name);
      return typeof value === "function" ? (value.bind(inner) as unknown) : value;
    },
  });

/** A database that fails at its `at`-th statement; where `isLost`, a transaction is done and its result is lost. */
function failingAt(
  target: D1Database,
  at: number,
  isLost: boolean,
): { database: D1Database; failed: () => boolean } {
  let count = 0;
  let hasFailed = false;
  const fails = (): boolean => {
    count += 1;
    hasFailed ||= count === at;
    return count === at;
  };
  const lost = new Error("D1_ERROR: Network connection lost.");
  const inner = withBatch(target, async (statements) => {
    const isFailing = fails();
    if (isFailing && !isLost) throw lost;
    const results = await target.batch(statements);
    if (isFailing) throw lost;
    return results;
  });
  const failing = new Proxy(inner, {
    get: (object, name) => {
      const value: unknown = Reflect.get(object, name);
      if (name !== "prepare" || typeof value !== "function") return value;
      return (sql: string) => {
        // Reads fail when they are prepared; a statement of a transaction fails with it.
        if (/^\s*SELECT/.test(sql) && fails()) throw lost;
        return (value as D1Database["prepare"])(sql);
      };
    },
  });
  return { database: failing, failed: () => hasFailed };
}

describe("a sealer that fails", () => {
  it.each([false, true])(
    "at any statement is continued by the next run (result lost: %s)",
    async (isLost) => {
      const events = Array.from({ length: 90 }, (_, n) => allEventsOf({ n })).flat();
      let statements = 0;
      for (let at = 1; ; at += 1) {
        database = await emptySealedLedger();
        await storeSealed(database, events.slice(0, 250));
        await seal(database);
        await storeSealed(database, events.slice(250));
        const { database: failing, failed } = failingAt(database, at, isLost);
        await seal(failing).catch(() => undefined);
        if (!failed()) break;
        statements = at;
        await seal(database);
        const report = await verify(database);
        expect([at, report.findings]).toEqual([at, []]);
        expect(report.pendingEvents).toBe(0);
      }
      expect(statements).toBeGreaterThan(8);
    },
  );

  it("has a tree like that of one run", async () => {
    const events = Array.from({ length: 30 }, (_, n) => eventsOf({ n })).flat();
    await storeSealed(database, events);
    const { database: failing } = failingAt(database, 6, false);
    await seal(failing).catch(() => undefined);
    await seal(database);
    const first = await logOf();
    await database.batch(
      ["seal_tiles", "seal_entries", "seal_checkpoints"].map((table) =>
        database.prepare(`DELETE FROM ${table}`),
      ),
    );
    await database.prepare("UPDATE seal_state SET tree_size = 0, journal_seq = 0").run();
    await seal(database);
    expect(await logOf()).toEqual(first);
  });
});

describe("the log's key", () => {
  it("is followed by one that it names, in a leaf and with its signature", async () => {
    await storeSealed(database, eventsOf({ n: 1 }));
    await seal(database);
    const next = await signerOf();
    await storeSealed(database, eventsOf({ n: 2 }));
    await seal(database, T0, [next, SIGNER]);
    await storeSealed(database, eventsOf({ n: 3 }));
    await seal(database, T0, [next]);
    const state = await readState(queryOf(database));
    expect(state.facts.verifierKey).toBe(next.verifierKey);
    // The auditor knows the first key alone.
    expect(await verify(database)).toMatchObject({ isIntact: true, checkpoints: 3 });
  });

  // The attack: a caller who can write the database signs with a key of their own.
  it("is not followed by one that it has not named", async () => {
    await storeSealed(database, eventsOf({ n: 1 }));
    await seal(database);
    const thief = await signerOf();
    await storeSealed(database, eventsOf({ n: 2 }));
    await seal(database, T0, [thief]);
    expect((await verify(database)).counts).toEqual({ key_unknown: 1, unsigned: 1 });
    const keys = [SIGNER.verifierKey, thief.verifierKey];
    expect(await verify(database, { verifierKeys: keys })).toMatchObject({ isIntact: true });
  });

  it("keeps its name: a log does not change its origin", async () => {
    await storeSealed(database, eventsOf({ n: 1 }));
    await seal(database);
    const other = await signerOf("other.example.com/records");
    await expect(runSealer({ database, signers: [other], now: () => T0 })).rejects.toThrow("another origin");
  });
});
