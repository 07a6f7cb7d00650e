/**
 * Attacks of who can write the database and has no key: each is named by a verification, or stops the sealer before it signs.
 * The comments say what the attacker gains where a check is missing.
 */
import { SCHEMA_SQL, type SchemaObject } from "../../../../src/records/ledger/seal/verify-schema.ts";
import { beforeEach, describe, expect, it } from "vitest";
import { eventId } from "../../../../src/events/event-id.ts";
import { RECORDS } from "../../../../src/events/fields.ts";
import { checkpointIn, formatCheckpoint } from "../../../../src/records/ledger/seal/checkpoint.ts";
import { signNote } from "../../../../src/records/ledger/seal/note.ts";
import { eraseFields, eventEntry } from "../../../../src/records/ledger/seal/entry.ts";
import { leafHash } from "../../../../src/records/ledger/seal/merkle.ts";
import { loadEvents } from "../../../../src/records/ledger/seal/rebuild.ts";
import { SCHEMA_VERSION } from "../../../../src/records/ledger/seal/schema.ts";
import { formatErased } from "../../../../src/records/ledger/seal/sealed-facts.ts";
import { queryOf } from "../../../../src/records/ledger/seal/seal-state.ts";
import { toHex } from "../../../../src/shared/hex.ts";
import { ACCESS, END, START } from "../../../support/in-workerd/events.ts";
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

const EVENTS = [0, 1, 2].flatMap((n) => allEventsOf({ n, toolCalls: ["call-a"] }));
const DAY_MS = 86_400_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptySealedLedger();
  await storeSealed(database, EVENTS.slice(0, 20));
  await seal(database);
  await storeSealed(database, EVENTS.slice(20));
  await seal(database);
});

const run = (sql: string, ...values: readonly unknown[]): Promise<void> => tamper(database, sql, ...values);

const start = (n: number): string => eventId({ ...START, interception_id: idOf(n) });
const end = (n: number): string => eventId({ ...END, interception_id: idOf(n) });

async function load(id: string): Promise<Parameters<typeof eventEntry>[0]> {
  const event = (await loadEvents(queryOf(database), [id])).get(id);
  if (typeof event !== "object") throw new Error(`no event ${id}`);
  return event;
}

type Leaf = { hash: string; id: string };

async function leaves(): Promise<Leaf[]> {
  const row = await database
    .prepare("SELECT hex(hashes) AS hashes, hex(event_ids) AS ids FROM seal_tiles WHERE id = 0")
    .first<{ readonly hashes: string; readonly ids: string }>();
  return (row?.hashes.match(/.{64}/g) ?? []).map((hash, at) => ({
    hash,
    id: row?.ids.slice(32 * at, 32 * at + 32) ?? "",
  }));
}

const storeLeaves = (list: readonly Leaf[]): Promise<void> =>
  run(
    "UPDATE seal_tiles SET hashes = unhex(?1), event_ids = unhex(?2) WHERE id = 0",
    list.map(({ hash }) => hash).join(""),
    list.map(({ id }) => id).join(""),
  );

const uuid = (hex: string): string =>
  hex.toLowerCase().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

/** Makes every leaf that of its row as it is now. */
async function recomputeLeaves(): Promise<void> {
  const list = await leaves();
  for (const [index, leaf] of list.entries()) {
    if (/^0+$/.test(leaf.id)) continue;
    const entry = eventEntry(await load(uuid(leaf.id)), { index, schema: SCHEMA_VERSION });
    leaf.hash = toHex(leafHash(new TextEncoder().encode(entry))).toUpperCase();
  }
  await storeLeaves(list);
}

describe("a tree that was computed again", () => {
  beforeEach(async () => {
    await run("UPDATE interceptions SET initiator_name = 'someone else' WHERE id = ?1", idOf(1));
    await recomputeLeaves();
  });

  // Without a checkpoint nothing contradicts the tree, and the next run would sign it with the real key.
  it("is found without its checkpoints, and never signed", async () => {
    await run("DELETE FROM seal_checkpoints");
    expect((await verify(database)).counts).toHaveProperty("unsigned_leaves");
    await storeSealed(database, eventsOf({ n: 9 }));
    await expect(seal(database)).rejects.toThrow("last checkpoint is gone");
  });

  it("is never signed with its checkpoints", async () => {
    await storeSealed(database, eventsOf({ n: 9 }));
    await expect(seal(database)).rejects.toThrow("not that of its last checkpoint");
  });

  it("is never signed with a checkpoint of another key", async () => {
    const thief = await signerOf();
    await run("DELETE FROM seal_checkpoints WHERE tree_size = (SELECT MAX(tree_size) FROM seal_checkpoints)");
    await run("UPDATE seal_checkpoints SET note = REPLACE(note, ?1, ?2)", ORIGIN, thief.name);
    await storeSealed(database, eventsOf({ n: 9 }));
    await expect(seal(database)).rejects.toThrow("the log's");
  });
});

describe("a mark of erasure", () => {
  // The mark keeps the commitment, so any value beside it would pass.
  it("does not excuse another value, nor a value that no erasure on record leaves", async () => {
    for (const [id, column] of [
      [start(1), "start_seal"],
      [end(1), "end_seal"],
    ] as const) {
      const facts = eraseFields(await load(id), ["initiator_id", "actor_id"], T0, SCHEMA_VERSION);
      await run(`UPDATE interceptions SET ${column} = ?2 WHERE id = ?1`, idOf(1), formatErased(facts));
    }
    await run(
      "UPDATE interceptions SET initiator_id = 'innocent', actor_id = 'innocent' WHERE id = ?1",
      idOf(1),
    );
    const { findings } = await verify(database);
    const named = findings.filter(({ kind }) => kind === "erased_unrecorded").map(({ eventId: id }) => id);
    expect(named.toSorted()).toEqual([start(1), end(1)].toSorted());
  });
});

describe("a forged row", () => {
  const columns =
    "actor_id, actor_kind, initiator_id, attribution, identity_source, client, provider, provider_type, route, streaming, credential_kind, started_at, api_key_id";

  it.each([
    // A row without any seal was of no source, so no pass visited it.
    [
      "without a seal",
      `INSERT INTO interceptions (id, ${columns}) SELECT '${idOf(77)}', ${columns} FROM interceptions LIMIT 1`,
    ],
    // An id of another form is not that of an event.
    [
      "with an id of another form",
      "UPDATE user_prompts SET id = 'forged' WHERE id = (SELECT MIN(id) FROM user_prompts)",
    ],
    [
      "with an id in capitals",
      "UPDATE user_prompts SET id = UPPER(id) WHERE id = (SELECT MIN(id) FROM user_prompts)",
    ],
    [
      "with bytes as its seal",
      "UPDATE user_prompts SET seal = x'00' WHERE id = (SELECT MIN(id) FROM user_prompts)",
    ],
    // A record of a deletion excuses what is gone.
    [
      "of a deletion",
      "INSERT INTO ledger_accesses (id, interception_id, action, by, target, parameters, rows, before, cause, created_at, seal) VALUES ('x', 'x', 'purge', 'cron', 'interceptions', '{}', 1, '2099-01-01T00:00:00.000Z', 'age', '2026', 'x')",
    ],
  ])("is named: %s", async (_, sql) => {
    await run(sql);
    expect(await verify(database)).toMatchObject({ isIntact: false });
    expect((await verify(database)).counts).toHaveProperty("inserted");
  });

  // The attack: the journal takes a record of a deletion, which the sealer seals like any other event.
  it("is named where a sealed record deletes what was not there yet, or more rows than it says", async () => {
    const record = {
      ...ACCESS,
      action: "purge",
      target: "interceptions",
      by: "cron",
      rows: 1,
      cause: "age",
    } as const;
    await storeSealed(database, [
      { ...record, interception_id: idOf(60), before: new Date(T0 + 100 * DAY_MS).toISOString() },
    ]);
    await seal(database);
    for (const n of [0, 1]) await run("DELETE FROM interceptions WHERE id = ?1", idOf(n));
    const { counts } = await verify(database);
    expect(counts).toHaveProperty("derived_altered");
    expect(counts).toHaveProperty("overdeleted");
  });

  it("is named where it was stored long before it was sealed, or after", async () => {
    await seal(database, T0 + 3_600_000);
    await storeSealed(database, eventsOf({ n: 5, at: T0 - 90 * DAY_MS }), T0 - 90 * DAY_MS);
    await storeSealed(database, eventsOf({ n: 6 }), T0 + 90 * DAY_MS);
    await seal(database, T0 + 3_600_000);
    const { findings } = await verify(database, { now: T0 + 3_700_000 });
    const named = findings.filter(({ kind }) => kind === "misdated").map(({ eventId: id }) => id);
    expect(named).toContain(eventId({ ...START, interception_id: idOf(5, T0 - 90 * DAY_MS) }));
    expect(named.length).toBeGreaterThan(2);
  });
});

describe("an entry of the log's own", () => {
  // The attack: an event's entry becomes one of the log's own, which needs no row.
  it("is never an event's", async () => {
    const list = await leaves();
    const id = start(1).replaceAll("-", "").toUpperCase();
    const index = list.findIndex((leaf) => leaf.id === id);
    const entry = eventEntry(await load(start(1)), { index, schema: SCHEMA_VERSION });
    await run("INSERT INTO seal_entries (leaf_index, entry) VALUES (?1, ?2)", index, entry);
    await storeLeaves(list.map((leaf) => (leaf.id === id ? { ...leaf, id: "0".repeat(32) } : leaf)));
    await run(`DELETE FROM ${RECORDS.interception_start.table} WHERE id = ?1`, idOf(1));
    expect((await verify(database)).counts).toHaveProperty("entry_altered");
  });

  // The attack: a second beginning declares that any number of rows is older than the log.
  it("is a leaf of the tree", async () => {
    const begin = {
      at: 8e15,
      index: -1,
      kind: "begin",
      origin: ORIGIN,
      unsealed: { "interceptions.start_seal": 1e9 },
    };
    await run("INSERT INTO seal_entries (leaf_index, entry) VALUES (-1, ?1)", JSON.stringify(begin));
    expect((await verify(database)).counts).toHaveProperty("entry_altered");
  });
});

describe("a key", () => {
  // The attack: a key that was stolen after it was replaced signs the whole tree.
  it("does not count for a tree in which another one took its place", async () => {
    const next = await signerOf();
    await storeSealed(database, eventsOf({ n: 9 }));
    await seal(database, T0, [next, SIGNER]);
    expect(await verify(database)).toMatchObject({ isIntact: true });
    const [row] = await queryOf(database)(
      "SELECT note FROM seal_checkpoints ORDER BY tree_size DESC LIMIT 1",
    );
    const tree = checkpointIn(String(row?.["note"]));
    if (!tree) throw new Error("no checkpoint");
    const note = await signNote(formatCheckpoint(tree), [SIGNER]);
    await run("UPDATE seal_checkpoints SET note = ?1 WHERE tree_size = ?2", note, tree.size);
    expect((await verify(database)).counts).toMatchObject({ unsigned: 1 });
  });

  it("of the auditor that cannot be read is an error, not one key less", async () => {
    await expect(verify(database, { verifierKeys: ["mistyped"] })).rejects.toThrow("not a verifier key");
  });
});

describe("the schema", () => {
  // The attack: a trigger with a name like those of D1 falsifies each row that is stored from then on.
  it("names a trigger of any name", async () => {
    const schema = await queryOf(database)(SCHEMA_SQL);
    const expectedSchema = schema as readonly unknown[] as SchemaObject[];
    expect(await verify(database, { expectedSchema })).toMatchObject({ isIntact: true });
    await database
      .prepare(
        "CREATE TRIGGER d1_hide AFTER INSERT ON interceptions BEGIN UPDATE interceptions SET initiator_id = 'bob'; END",
      )
      .run();
    try {
      expect((await verify(database, { expectedSchema })).counts).toEqual({ schema_altered: 1 });
    } finally {
      await database.prepare("DROP TRIGGER d1_hide").run();
    }
  });
});

describe("what cannot be read", () => {
  it.each([
    ["a tile that was cut", "UPDATE seal_tiles SET hashes = SUBSTR(hashes, 1, 40) WHERE id = 0"],
    ["a journal that is not JSON", "UPDATE journal SET event_ids = 'x'"],
    [
      "a time beyond all time",
      "INSERT INTO journal (stored_at, event_ids, deltas, delta_count) VALUES (-9e15, '[]', '[]', 0)",
    ],
    [
      "an invalid id",
      "UPDATE user_prompts SET id = 'zzzzzzzz-zzzz-8300-zzzz-zzzzzzzzzzzz' WHERE id = (SELECT MIN(id) FROM user_prompts)",
    ],
    ["an invalid checkpoint", "INSERT INTO seal_checkpoints VALUES (9007199254740991, 'x', 1)"],
    [
      "the boundary of deletion",
      "INSERT INTO upkeep_cursors (job, cursor) VALUES ('purge of interceptions', 'g')",
    ],
  ])("is a finding, and the verification goes on: %s", async (_, sql) => {
    await run(sql);
    expect(await verify(database)).toMatchObject({ isIntact: false });
  });
});
