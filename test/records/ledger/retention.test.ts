import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { toLedgerEvents } from "../../../src/events/ledger-events.ts";
import { deleteExpired, type Retention } from "../../../src/records/ledger/maintain/retention.ts";
import { SIZE_STEP_ROWS } from "../../../src/records/ledger/maintain/retention-sql.ts";
import { foldJournal } from "../../../src/records/ledger/rollups/fold.ts";
import { allRows, emptyLedger, rowsOf, TABLE_NAMES } from "../../support/in-workerd/ledger-database.ts";
import { ledgerDeps } from "../../support/in-workerd/ledger-deps.ts";
import { allEventsOf, eventsOf, idOf, T0 } from "../../support/in-workerd/ledger-events.ts";
import { retain } from "../../support/in-workerd/retain.ts";
import { STORED, storeEvents } from "../../support/in-workerd/store-events.ts";
import { THOUGHT } from "../../support/in-workerd/events.ts";
import { storeUnauthenticated } from "../../../src/records/ledger/write/unauthenticated.ts";
import { uuidV7 } from "../../../src/shared/uuid.ts";
import { storedTotals } from "../../support/in-workerd/totals.ts";

const DAY = 86_400_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

async function countsOf(tables: readonly string[] = TABLE_NAMES): Promise<Record<string, number>> {
  const rows = await allRows(database);
  return Object.fromEntries(tables.map((table) => [table, rows[table]?.length ?? 0]));
}

const run = (retention: Retention, now: number) => {
  const deps = ledgerDeps({ database, retention });
  return deleteExpired(deps, now).then(() => deps);
};

const all = (n: number, at = T0): readonly InterceptorEvent[] =>
  toLedgerEvents(allEventsOf({ n, at, toolCalls: ["a"] }));

async function hold(columns: {
  readonly principal_id?: string;
  readonly session_id?: string;
}): Promise<void> {
  await database
    .prepare(
      "INSERT INTO legal_holds (id, principal_id, session_id, reason, created_at) VALUES ('h', ?1, ?2, 'case 7', '')",
    )
    .bind(columns.principal_id ?? null, columns.session_id ?? null)
    .run();
}

/** The sessions and the actors with noted spans. */
const spans = async (): Promise<{ readonly sessions: unknown[]; readonly actors: unknown[] }> => ({
  sessions: await namesIn("session_spans", "session_id"),
  actors: await namesIn("actor_spans", "actor_id"),
});

async function namesIn(table: string, column: string): Promise<unknown[]> {
  const { results } = await database.prepare(`SELECT DISTINCT ${column} AS name FROM ${table}`).all();
  return results.map(({ name }) => name);
}

describe("retention by age", () => {
  it("deletes each table after its own period, and content before its interception", async () => {
    await storeEvents(database, all(0));
    const { days } = retain(60);
    const short: Retention = { days: { ...days, prompts: 7, tools: 7, overrides: 400 }, maxBytes: 0 };
    const before = await countsOf();
    await run(short, T0 + 8 * DAY);
    expect(await countsOf()).toEqual({
      ...before,
      user_prompts: 0,
      tool_usages: 0,
      ledger_accesses: 2 + (before["ledger_accesses"] ?? 0),
    });
    await run(short, T0 + 61 * DAY);
    const left = await countsOf(["interceptions", "initiator_overrides", "model_thoughts", "passthroughs"]);
    expect(left).toEqual({
      interceptions: 0,
      initiator_overrides: before["initiator_overrides"],
      model_thoughts: 0,
      passthroughs: 0,
    });
  });

  // H9 of the security review: rows disappeared without a trace.
  it("Finding H9: records what it deleted as events, in the ledger and in the log", async () => {
    await storeEvents(
      database,
      [0, 1, 2].flatMap((n) => toLedgerEvents(eventsOf({ n }))),
    );
    const deps = await run(retain(60), T0 + 61 * DAY);
    const accesses = await rowsOf(database, "ledger_accesses");
    expect(accesses).toEqual([
      expect.objectContaining({
        action: "purge",
        by: "cron",
        target: "interceptions",
        rows: 3,
        before: new Date(T0 + DAY).toISOString(),
        cause: "age",
      }),
    ]);
    expect(deps.printed.map((line) => JSON.parse(line) as object)).toEqual([
      expect.objectContaining({ record_type: "ledger_access", target: "interceptions", rows: 3 }),
    ]);
  });
});

describe("retention by size", () => {
  it("deletes the oldest rows until the database is small enough, and keeps the newest and the totals", async () => {
    const events = Array.from({ length: SIZE_STEP_ROWS + 500 }, (_, n) =>
      toLedgerEvents(eventsOf({ n })),
    ).flat();
    await storeEvents(database, events);
    await foldJournal(database);
    const totals = await storedTotals(database);
    const { meta } = await database.prepare("SELECT 1").run();
    const deps = await run({ ...retain(0), maxBytes: meta.size_after - 1 }, T0 + DAY);
    const left = (await rowsOf(database, "interceptions")).map(({ id }) => id);
    expect(left).toEqual(Array.from({ length: 500 }, (_, n) => idOf(SIZE_STEP_ROWS + n)));
    expect(await storedTotals(database)).toEqual(totals);
    const purges = (await rowsOf(database, "ledger_accesses")).map(({ target, rows, cause }) => [
      target,
      rows,
      cause,
    ]);
    expect(purges).toContainEqual(["interceptions", SIZE_STEP_ROWS, "size"]);
    expect(deps.operatorErrors).toEqual([]);
  });

  it("deletes nothing while the database is smaller, and without a bound", async () => {
    await storeEvents(database, all(0));
    const before = await countsOf();
    await run({ ...retain(0), maxBytes: 10_000_000_000 }, T0 + DAY);
    await run({ ...retain(0), maxBytes: 0 }, T0 + DAY);
    expect(await countsOf()).toEqual(before);
  });

  // The attack: another writer of the queue fills the database, so that the ledger's oldest rows are deleted.
  it("Finding H9: deletes events without a valid MAC first, and then no row of the ledger", async () => {
    await storeEvents(database, all(0));
    const before = await countsOf();
    const entries = Array.from({ length: 1500 }, (_, n) => ({
      event: { ...THOUGHT, interception_id: idOf(n), content: "x".repeat(2000) },
      ...STORED,
      storedAt: T0 + DAY,
      reason: "missing" as const,
    }));
    const { meta } = await database.prepare("SELECT 1").run();
    await storeUnauthenticated(database, entries, (now) => uuidV7(now, crypto.randomUUID()));
    await run({ ...retain(0), maxBytes: meta.size_after + 500_000 }, T0 + DAY);
    const left = await database.prepare("SELECT COUNT(*) AS rows FROM unauthenticated_events").first("rows");
    expect(left).toBe(0);
    expect(await countsOf()).toEqual({ ...before, ledger_accesses: 1 + (before["ledger_accesses"] ?? 0) });
    expect(await rowsOf(database, "ledger_accesses")).toContainEqual(
      expect.objectContaining({ target: "unauthenticated_events", rows: 1500, cause: "size" }),
    );
  });

  it("ends where the rest of the rows is held or newest", async () => {
    await storeEvents(database, all(0));
    const deps = await run({ ...retain(0), maxBytes: 1 }, T0 + DAY);
    expect(await rowsOf(database, "interceptions")).toHaveLength(1);
    expect(deps.operatorErrors).toEqual([]);
  });
});

describe("a legal hold", () => {
  it.each([
    ["the initiator", { principal_id: "alice" }],
    ["the actor", { principal_id: "ci-bot" }],
    ["the session", { session_id: "s1" }],
  ])("keeps every row of %s past its period, and no others'", async (_, columns) => {
    const held = toLedgerEvents(allEventsOf({ n: 0, toolCalls: ["a"], initiator: "alice", session: "s1" }));
    const others = toLedgerEvents(
      eventsOf({
        n: 1,
        initiator: "bob",
        session: "s2",
        evidence: {
          actor_id: "bob",
          actor_kind: "user",
          identity_source: "keys",
          initiator_source: "keys",
          attribution: "authenticated",
        },
      }),
    );
    await storeEvents(database, [...held, ...others]);
    await hold(columns);
    await run(retain(60), T0 + 100 * DAY);
    const interceptions = await rowsOf(database, "interceptions");
    expect(interceptions.map(({ initiator_id: id }) => id)).toEqual(["alice"]);
    // Lists by session and by actor find the held row.
    expect(await spans()).toEqual({ sessions: ["s1"], actors: ["ci-bot"] });
    const tables = ["user_prompts", "tool_usages", "model_thoughts"];
    expect(await countsOf(tables)).toEqual({ user_prompts: 1, tool_usages: 1, model_thoughts: 2 });
    await database.prepare("DELETE FROM legal_holds").run();
    await run(retain(60), T0 + 100 * DAY);
    expect(await rowsOf(database, "interceptions")).toEqual([]);
    expect(await spans()).toEqual({ sessions: [], actors: [] });
    expect(await countsOf(tables)).toEqual({ user_prompts: 0, tool_usages: 0, model_thoughts: 0 });
  });

  it("lets a late end of a held interception in", async () => {
    const [start, end] = toLedgerEvents(eventsOf({ n: 0, initiator: "alice" }));
    await storeEvents(database, [start as InterceptorEvent]);
    await hold({ principal_id: "alice" });
    await run(retain(60), T0 + 100 * DAY);
    await storeEvents(database, [end as InterceptorEvent]);
    expect(await rowsOf(database, "interceptions")).toMatchObject([{ outcome: "completed" }]);
  });
});
