/** Each change of a sealed ledger is found and named; what may change leaves it intact. */
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../../src/events/event.ts";
import { eventId } from "../../../../src/events/event-id.ts";
import { RECORDS } from "../../../../src/events/fields.ts";
import { formatCheckpoint } from "../../../../src/records/ledger/seal/checkpoint.ts";
import { eraseFields } from "../../../../src/records/ledger/seal/entry.ts";
import { leafHash } from "../../../../src/records/ledger/seal/merkle.ts";
import { signNote } from "../../../../src/records/ledger/seal/note.ts";
import { loadEvents, sealColumn } from "../../../../src/records/ledger/seal/rebuild.ts";
import { SCHEMA_VERSION } from "../../../../src/records/ledger/seal/schema.ts";
import { formatErased } from "../../../../src/records/ledger/seal/sealed-facts.ts";
import { queryOf } from "../../../../src/records/ledger/seal/seal-state.ts";
import type { VerifyReport } from "../../../../src/records/ledger/seal/verify.ts";
import { toHex } from "../../../../src/shared/hex.ts";
import { closeDays, foldJournal } from "../../../../src/records/ledger/rollups/fold.ts";
import { ACCESS, END, NO_TOKENS, RETRIEVED, START } from "../../../support/in-workerd/events.ts";
import { allEventsOf, eventsOf, idOf, T0 } from "../../../support/in-workerd/ledger-events.ts";
import {
  emptySealedLedger,
  ORIGIN,
  seal,
  SIGNER,
  signerOf,
  storeSealed,
  tamper,
  verify,
} from "../../../support/in-workerd/sealed-ledger.ts";

const [FIRST, SECOND] = [
  [0, 1],
  [2, 3],
].map((calls) =>
  calls.flatMap((n): readonly InterceptorEvent[] => allEventsOf({ n, toolCalls: ["call-a"] })),
) as [InterceptorEvent[], InterceptorEvent[]];
const EVENTS: readonly InterceptorEvent[] = [...FIRST, ...SECOND];

let database: D1Database;
beforeEach(async () => {
  database = await emptySealedLedger();
  await storeSealed(database, FIRST);
  await seal(database);
  await storeSealed(database, SECOND);
  await seal(database);
});

const run = (sql: string, ...values: readonly unknown[]): Promise<void> => tamper(database, sql, ...values);

const idsOf = ({ findings }: VerifyReport, kind: string): (string | null)[] =>
  findings.filter((finding) => finding.kind === kind).map(({ eventId: id }) => id);

const start = (n: number): string => eventId({ ...START, interception_id: idOf(n) });
const end = (n: number): string => eventId({ ...END, interception_id: idOf(n) });
const tool = (n: number): string =>
  eventId(
    EVENTS.find((event) => event.record_type === "tool_usage" && event.interception_id === idOf(n)) ?? START,
  );

describe("an edited row", () => {
  it.each([
    ["a plain field of an end", "UPDATE interceptions SET outcome = 'cancelled' WHERE id = ?1", [end(1)]],
    [
      "a committed field of a start",
      "UPDATE interceptions SET end_user = 'mallory' WHERE id = ?1",
      [start(1)],
    ],
    [
      "a field of both",
      "UPDATE interceptions SET initiator_id = 'mallory' WHERE id = ?1",
      [start(1), end(1)],
    ],
    ["a value that is taken away", "UPDATE interceptions SET model = NULL WHERE id = ?1", [start(1), end(1)]],
    ["a value that was not there", "UPDATE interceptions SET agent_id = 'x' WHERE id = ?1", [start(1)]],
    [
      "the facts of its storing",
      "UPDATE interceptions SET end_seal = REPLACE(end_seal, '.q.', '.r.') WHERE id = ?1",
      [end(1)],
    ],
    [
      "a repeated key in an object",
      `UPDATE interceptions SET metadata = '{"actor_name":"x",' || SUBSTR(metadata, 2) WHERE id = ?1`,
      [start(1)],
    ],
    ["a blank in a list", "UPDATE interceptions SET flags = flags || ' ' WHERE id = ?1", [start(1)]],
    ["a seal that is taken away", "UPDATE interceptions SET end_seal = '' WHERE id = ?1", [end(1)]],
    ["a seal that is broken", "UPDATE interceptions SET end_seal = 'x' WHERE id = ?1", [end(1)]],
  ])("is named: %s", async (_, sql, expected) => {
    await run(sql, idOf(1));
    const report = await verify(database);
    expect(idsOf(report, "altered").toSorted()).toEqual(expected.toSorted());
  });

  it("is named where an override becomes a rejection", async () => {
    const override = EVENTS.find(({ record_type }) => record_type === "initiator_override") ?? START;
    await run("UPDATE initiator_overrides SET accepted = 0 WHERE id = ?1", eventId(override));
    expect(idsOf(await verify(database), "altered")).toEqual([eventId(override)]);
  });

  // The attack: two rows exchange their content, so that each value is one that was sealed.
  it("is named where two rows exchange a value", async () => {
    await run("UPDATE interceptions SET duration_ms = 1 WHERE id = ?1", idOf(1));
    await run("UPDATE interceptions SET initiator_name = 'other' WHERE id = ?1", idOf(2));
    expect(idsOf(await verify(database), "altered").toSorted()).toEqual([end(1), start(2)].toSorted());
  });

  // The attack: the columns of seals are exchanged as well, so that all salts and values are genuine.
  it("is named where two rows exchange all of their content", async () => {
    const columns = ["tool", "input", "created_at", "seal", "initiator_id", "position", "metadata"];
    await run(
      `UPDATE tool_usages SET ${columns.map((name) => `${name} = o.${name}`).join(", ")}
       FROM (SELECT * FROM tool_usages LIMIT 100) AS o
       WHERE tool_usages.id IN (?1, ?2) AND o.id = IIF(tool_usages.id = ?1, ?2, ?1)`,
      tool(0),
      tool(1),
    );
    expect(idsOf(await verify(database), "altered").toSorted()).toEqual([tool(0), tool(1)].toSorted());
  });
});

describe("a deleted row", () => {
  it.each([
    ["an interception", "DELETE FROM interceptions WHERE id = ?1", [start(2), end(2)]],
    ["a tool call", "DELETE FROM tool_usages WHERE interception_id = ?1", [tool(2)]],
    ["an end", "UPDATE interceptions SET end_seal = NULL, outcome = 'orphaned' WHERE id = ?1", [end(2)]],
  ])("is named: %s", async (_, sql, expected) => {
    await run(sql, idOf(2));
    const report = await verify(database);
    expect(idsOf(report, "missing").toSorted()).toEqual(expected.toSorted());
  });

  it("is accepted where a purge is on record, as far as that goes", async () => {
    for (const n of [1, 2]) await run("DELETE FROM interceptions WHERE id = ?1", idOf(n));
    const purge = {
      ...ACCESS,
      interception_id: idOf(60),
      action: "purge",
      target: "interceptions",
      before: new Date(T0 + 1500).toISOString(),
    } as const;
    await storeSealed(database, [purge]);
    await seal(database);
    const report = await verify(database);
    expect(report.purgedEvents).toBe(2);
    expect(idsOf(report, "missing").toSorted()).toEqual([start(2), end(2)].toSorted());
    // The attack: the record of the purge claims more than it did.
    await run("UPDATE ledger_accesses SET before = '2099'");
    expect((await verify(database)).counts).toMatchObject({ altered: 1 });
  });
});

describe("an inserted row", () => {
  it("is named, though it has a seal of its own", async () => {
    const columns =
      "id, actor_id, actor_kind, initiator_id, attribution, identity_source, client, provider, provider_type, route, streaming, credential_kind, started_at, api_key_id, start_seal";
    await run(
      `INSERT INTO interceptions (${columns}) SELECT ?2, ${columns.slice(4)} FROM interceptions WHERE id = ?1`,
      idOf(1),
      idOf(77),
    );
    expect(idsOf(await verify(database), "inserted")).toEqual([start(77)]);
  });

  it("is named where it claims to be older than the log", async () => {
    const columns =
      "id, interception_id, initiator_id, position, tool, truncated, injected, metadata, created_at, link_key, seal";
    await run(
      `INSERT INTO tool_usages (${columns}) SELECT '01a20846-0000-8400-8def-0000000000ff', ${columns.slice(4, -6)}, '' FROM tool_usages WHERE id = ?1`,
      tool(1),
    );
    expect((await verify(database)).counts).toEqual({ unsealed_added: 1 });
  });
});

describe("a changed value that follows from events", () => {
  const CLAIMED = {
    ...RETRIEVED,
    interception_id: idOf(40),
    msg_id: "resp_1",
    usage_of: `${RETRIEVED.provider}/resp_1`,
  };
  const QUEUED = {
    ...END,
    ...NO_TOKENS,
    interception_id: idOf(3),
    provider: RETRIEVED.provider,
    outcome: "queued",
    usage: "unknown",
    msg_id: "resp_1",
  } as const;

  it.each([
    // The attack: a thread's evidence is moved to another thread.
    [
      "a parent",
      "UPDATE interceptions SET thread_parent_id = NULL WHERE thread_parent_id IS NOT NULL",
      "derived",
    ],
    ["a root", "UPDATE interceptions SET thread_root_id = id WHERE thread_root_id IS NOT NULL", "derived"],
    [
      "a parent that was none",
      `UPDATE interceptions SET thread_parent_id = id, thread_root_id = id WHERE id = '${idOf(1)}'`,
      "derived",
    ],
    ["the key of a tool call", "UPDATE tool_usages SET link_key = '[]'", "derived"],
    // The attack: a call that has not ended gets tokens, which every sum counts.
    [
      "the usage of a call without an end",
      `UPDATE interceptions SET input_tokens = 9 WHERE id = '${idOf(6)}'`,
      "derived",
    ],
    [
      "the outcome of a call without an end",
      `UPDATE interceptions SET outcome = 'completed' WHERE id = '${idOf(6)}'`,
      "derived",
    ],
    [
      "a sum of claimed usage",
      "UPDATE interceptions SET claimed_input_tokens = 0 WHERE claimed_usage IS NOT NULL",
      "derived",
    ],
    [
      "the state of claimed usage",
      "UPDATE interceptions SET claimed_usage = 'unknown' WHERE claimed_usage IS NOT NULL",
      "derived",
    ],
    [
      "a copy of retrieved usage",
      "UPDATE token_usages SET output_tokens = 0 WHERE id LIKE '%/resp_1'",
      "derived",
    ],
    ["a copy that is deleted", "DELETE FROM token_usages WHERE id LIKE '%/resp_1'", "derived"],
    ["a total of an hour", "UPDATE rollup_hours SET input_tokens = input_tokens - 1", "totals"],
    ["a total that is deleted", "DELETE FROM rollup_hours", "totals"],
    [
      "a total of a day",
      "UPDATE rollup_days SET output_tokens = output_tokens + 1 WHERE dimension = 1",
      "totals",
    ],
    [
      "how far the days are summed up",
      "UPDATE upkeep_cursors SET cursor = '2026-11-01' WHERE job = 'days'",
      "totals",
    ],
    [
      "how far the journal is folded",
      "UPDATE upkeep_cursors SET cursor = '0' WHERE job = 'folded'",
      "totals",
    ],
    // The attack: the costs of one person move to another.
    [
      "a person of a total",
      "UPDATE rollup_dimensions SET initiator_id = 'mallory' WHERE coarseness = 0",
      "totals",
    ],
    [
      "a person of the totals of days",
      "UPDATE rollup_dimensions SET initiator_id = 'mallory' WHERE coarseness = 1",
      "totals",
    ],
    ["a key of a total", "UPDATE rollup_dimensions SET key = 'x' WHERE coarseness = 0", "totals"],
    [
      "a name of a total",
      "UPDATE rollup_dimensions SET initiator_name = 'mallory' WHERE coarseness = 0",
      "totals",
    ],
  ])("is named: %s", async (_, sql, kind) => {
    await storeSealed(database, eventsOf({ n: 4, toolCalls: ["call-b"] }));
    await storeSealed(database, eventsOf({ n: 5, resultOf: "call-b" }));
    await storeSealed(database, eventsOf({ n: 6 }).slice(0, 1));
    await storeSealed(database, [{ ...START, interception_id: idOf(7), initiator_name: "seven" }]);
    await storeSealed(database, [{ ...QUEUED, interception_id: idOf(7) }, CLAIMED]);
    await foldJournal(database);
    await closeDays(database, T0 + 86_400_000);
    await seal(database);
    expect(await verify(database)).toMatchObject({ isIntact: true, findings: [] });
    await run(sql);
    expect((await verify(database)).counts).toHaveProperty(`${kind}_altered`);
  });
});

type TileRow = { readonly hashes: string; readonly ids: string };

/** Changes the leaves in the database's tile, as who can write the database would. */
async function withLeaves(change: (leaves: { hash: string; id: string }[]) => void): Promise<void> {
  const row = await database
    .prepare("SELECT hex(hashes) AS hashes, hex(event_ids) AS ids FROM seal_tiles WHERE id = 0")
    .first<TileRow>();
  if (!row) throw new Error("no tile");
  const leaves = (row.hashes.match(/.{64}/g) ?? []).map((hash, at) => ({
    hash,
    id: row.ids.slice(32 * at, 32 * at + 32),
  }));
  change(leaves);
  await run(
    "UPDATE seal_tiles SET hashes = unhex(?1), event_ids = unhex(?2) WHERE id = 0",
    leaves.map(({ hash }) => hash).join(""),
    leaves.map(({ id }) => id).join(""),
  );
  await run("UPDATE seal_state SET tree_size = ?1", leaves.length);
}

const hexId = (id: string): string => id.replaceAll("-", "").toUpperCase();

describe("a changed log", () => {
  it("names two leaves that changed places", async () => {
    await withLeaves((leaves) => {
      const [a, b] = [
        leaves.findIndex(({ id }) => id === hexId(start(0))),
        leaves.findIndex(({ id }) => id === hexId(end(0))),
      ];
      [leaves[a], leaves[b]] = [leaves[b] ?? { hash: "", id: "" }, leaves[a] ?? { hash: "", id: "" }];
    });
    const report = await verify(database);
    expect(idsOf(report, "reordered").toSorted()).toEqual([start(0), end(0)].toSorted());
    expect(report.counts).toMatchObject({ forked: 1 });
  });

  it("names an event whose leaf and row were removed together", async () => {
    await withLeaves(
      (leaves) =>
        void leaves.splice(
          leaves.findIndex(({ id }) => id === hexId(tool(1))),
          1,
        ),
    );
    await run("DELETE FROM tool_usages WHERE id = ?1", tool(1));
    const report = await verify(database);
    expect(idsOf(report, "removed")).toContain(tool(1));
    expect(report.counts).toMatchObject({ truncated: 1, forked: 1 });
  });

  it("names a leaf that was inserted with its row", async () => {
    const at = 5;
    await withLeaves((leaves) => {
      leaves.splice(at, 0, {
        hash: toHex(leafHash(new TextEncoder().encode("x"))).toUpperCase(),
        id: hexId(start(88)),
      });
    });
    const report = await verify(database);
    expect(idsOf(report, "missing")).toEqual([start(88)]);
    expect(report.counts).toMatchObject({ forked: 1 });
  });

  it("names the leaves that were cut off, by the checkpoint and by the journal", async () => {
    const cut: string[] = [];
    await withLeaves((leaves) => void cut.push(...leaves.splice(-4).map(({ id }) => id)));
    const report = await verify(database);
    expect(report.counts).toMatchObject({ truncated: 1, inserted: 4, removed: 4 });
    expect(
      idsOf(report, "inserted")
        .map((id) => hexId(id ?? ""))
        .toSorted(),
    ).toEqual(cut.toSorted());
  });

  // The attack: the last checkpoint is removed too, so that the database agrees with itself.
  it("finds a tree that is smaller than a checkpoint that the auditor kept", async () => {
    const { results } = await database
      .prepare("SELECT note FROM seal_checkpoints ORDER BY tree_size DESC LIMIT 1")
      .all<{ readonly note: string }>();
    const kept = results[0]?.note ?? "";
    await database.batch([
      database.prepare(
        "DELETE FROM seal_checkpoints WHERE tree_size = (SELECT MAX(tree_size) FROM seal_checkpoints)",
      ),
      database.prepare("DELETE FROM journal WHERE seq = (SELECT MAX(seq) FROM journal)"),
    ]);
    const rows = await queryOf(database)("SELECT tree_size FROM seal_checkpoints");
    await withLeaves((leaves) => void leaves.splice(Number(rows[0]?.["tree_size"])));
    expect((await verify(database, { checkpoints: [kept] })).counts).toMatchObject({ truncated: 1 });
  });

  // The attack: who holds the key and the database writes another history.
  it("finds another history that the log's key signed, by a checkpoint that the auditor kept", async () => {
    const kept = await signNote(
      formatCheckpoint({ origin: ORIGIN, size: 20, root: leafHash(new Uint8Array(1)) }),
      [SIGNER],
    );
    const report = await verify(database, { checkpoints: [kept] });
    expect(report.counts).toEqual({ forked: 1, unsigned_leaves: 1 });
  });

  it("rejects a wrong signature of the right name, and one of another log", async () => {
    const thief = await signerOf();
    const forged = await signNote(
      formatCheckpoint({ origin: ORIGIN, size: 20, root: leafHash(new Uint8Array(1)) }),
      [{ ...SIGNER, sign: thief.sign }],
    );
    expect((await verify(database, { checkpoints: [forged] })).counts).toMatchObject({ wrong_signature: 1 });
    const other = await signNote(
      formatCheckpoint({ origin: "other", size: 20, root: leafHash(new Uint8Array(1)) }),
      [thief],
    );
    expect((await verify(database, { checkpoints: [other] })).counts).toMatchObject({
      wrong_origin: 1,
      unsigned: 1,
    });
    expect((await verify(database, { checkpoints: ["no note"] })).counts).toEqual({ unsigned: 1 });
  });

  it("names an entry of the log's own that was changed", async () => {
    await run(
      "UPDATE seal_entries SET entry = REPLACE(entry, 'ai.example', 'my.example') WHERE leaf_index = 0",
    );
    expect((await verify(database)).counts).toMatchObject({ entry_altered: 1 });
  });

  it("names a tile of a higher level that was changed", async () => {
    const more = Array.from({ length: 130 }, (_, at) => eventsOf({ n: 10 + at })).flat();
    await storeSealed(database, more);
    await seal(database);
    expect(await verify(database)).toMatchObject({ isIntact: true });
    await run("UPDATE seal_tiles SET hashes = zeroblob(32) WHERE id = 1099511627776");
    expect((await verify(database)).counts).toEqual({ tile_altered: 1 });
  });
});

/** Erases fields of an event, as `npm run erase` will. */
async function erase(
  id: string,
  fields: readonly string[],
  columns: Readonly<Record<string, unknown>>,
): Promise<void> {
  const event = (await loadEvents(queryOf(database), [id])).get(id);
  if (typeof event !== "object") throw new Error("no event");
  const { table } = RECORDS[event.type];
  const column = sealColumn(event.type);
  const key = column === "seal" ? id : String(event.values["interception_id"]);
  const text = formatErased(eraseFields(event, fields, T0, SCHEMA_VERSION));
  const names = Object.keys(columns);
  const set = [...names, column].map((name, at) => `${name} = ?${at + 2}`).join(", ");
  await run(`UPDATE ${table} SET ${set} WHERE id = ?1`, key, ...Object.values(columns), text);
}

describe("an erased field", () => {
  beforeEach(async () => {
    await storeSealed(database, [
      { ...ACCESS, action: "erase", target: "erased-1", interception_id: idOf(70) },
    ]);
    await seal(database);
  });

  it("leaves the ledger intact, and is counted", async () => {
    await erase(start(1), ["end_user", "prompt_hashes"], { end_user: null, prompt_hashes: "[]" });
    await erase(tool(1), ["input", "initiator_id"], { input: null, initiator_id: "erased-1" });
    expect(await verify(database)).toMatchObject({ isIntact: true, findings: [], erasedEvents: 2 });
  });

  it("takes its salt with it, and no other field's", async () => {
    await erase(start(1), ["end_user"], { end_user: null });
    const [row] = await queryOf(database)("SELECT start_seal AS s FROM interceptions WHERE id = ?1", idOf(1));
    const seals = JSON.parse(String(row?.["s"])) as { readonly salts: object; readonly erased: object };
    expect(Object.keys(seals.erased)).toEqual(["end_user"]);
    expect(Object.keys(seals.salts)).not.toContain("end_user");
    expect(Object.keys(seals.salts)).toContain("actor_id");
  });

  it("does not hide a change of another field", async () => {
    await erase(start(1), ["end_user"], { end_user: null });
    await run("UPDATE interceptions SET initiator_name = 'other' WHERE id = ?1", idOf(1));
    expect(idsOf(await verify(database), "altered")).toEqual([start(1)]);
  });
});

describe("a call without an end", () => {
  // The attack: what an end would say is written into a call whose end never arrived, in part.
  it.each([
    "usage = 'unknown'",
    "outcome = 'orphaned'",
    "outcome = 'orphaned', usage = 'final'",
    "status = 200",
  ])("has no values of an end but all that the cron gives: %s", async (values) => {
    await storeSealed(database, eventsOf({ n: 30, resultOf: "call-a" }).slice(0, 1));
    expect(await verify(database)).toMatchObject({ isIntact: true });
    await run(`UPDATE interceptions SET ${values} WHERE id = ?1`, idOf(30));
    const { isIntact, findings } = await verify(database);
    expect(isIntact).toBe(false);
    expect(findings.map(({ detail }) => detail).join()).toContain("a value of the end, which is not there");
    expect(JSON.stringify(findings)).toContain(idOf(30));
  });
});

describe("what may happen to a ledger", () => {
  it("leaves it intact: delivery again, orphans, threads, a later run", async () => {
    await storeSealed(database, EVENTS);
    await storeSealed(database, eventsOf({ n: 30, resultOf: "call-a" }).slice(0, 1));
    await seal(database);
    await run("UPDATE interceptions SET outcome = 'orphaned', usage = 'unknown' WHERE id = ?1", idOf(30));
    await storeSealed(database, eventsOf({ n: 30, resultOf: "call-a" }));
    expect(await verify(database)).toMatchObject({ isIntact: true, pendingEvents: 1 });
    await seal(database);
    expect(await verify(database)).toMatchObject({ isIntact: true, findings: [], pendingEvents: 0 });
  });
});
