/** Random changes of a sealed ledger, as who can write its database could make them. Each says which finding must name it. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { leafHash } from "../../../src/records/ledger/seal/merkle.ts";
import { between } from "../rechunk.ts";

export type Mutation = {
  /** The change in words, for the test's message. */
  readonly done: string;
  /** The event that must be named; null where the change is not about one event. */
  readonly eventId: string | null;
};

type Values = Readonly<Record<string, SQLInputValue>>;

/** `code`: of the event ids (events/event-id.ts). */
const CALLS = { interceptions: ["0", "1"], passthroughs: ["c", "9"] } as const;
const EVENT_TABLES = [
  "token_usages",
  "user_prompts",
  "tool_usages",
  "model_thoughts",
  "retrieved_usages",
  "batch_files",
  "cost_corrections",
  "initiator_overrides",
  "refusals",
] as const;
const TOTALS = ["rollup_hours", "rollup_days", "rollup_dimensions"] as const;
const LOG = ["seal_tiles", "seal_entries", "seal_checkpoints"] as const;
const MUTABLE = [...Object.keys(CALLS), ...EVENT_TABLES, ...TOTALS, ...LOG];

/** Columns that a verification does not use: an index of times, a time that the note has not, names without a row of their own. */
const UNPROVEN: Readonly<Record<string, readonly string[]>> = {
  seal_tiles: ["stored_from", "stored_to"],
  seal_checkpoints: ["signed_at"],
  rollup_dimensions: ["named_by", "principals", "software"],
};

/** The names of coarse dimensions are copies, without a row that they come from. */
const isUnproven = (table: string, row: Values, name: string): boolean =>
  (UNPROVEN[table] ?? []).includes(name) ||
  // Only leaves have events.
  (table === "seal_tiles" && name === "event_ids" && row[name] === null) ||
  (table === "rollup_dimensions" && row["coarseness"] !== 0 && name.endsWith("_name"));

const pick = <T>(values: readonly T[], random: () => number): T =>
  values[between(random, 0, values.length - 1)] as T;

/** The columns that are stored, with those of the primary key first. */
function columnsOf(sqlite: DatabaseSync, table: string): readonly { name: string; isKey: boolean }[] {
  return sqlite
    .prepare(`SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0`)
    .all(table)
    .map(({ name, pk }) => ({ name: String(name), isKey: Number(pk) > 0 }));
}

function randomRow(sqlite: DatabaseSync, table: string, random: () => number): Values | null {
  const count = Number(sqlite.prepare(`SELECT COUNT(*) AS n FROM ${table}`).get()?.["n"]);
  if (count === 0) return null;
  const row = sqlite.prepare(`SELECT * FROM ${table} LIMIT 1 OFFSET ?`).get(between(random, 0, count - 1));
  return (row as Values | undefined) ?? null;
}

/** The event of a row, or one of its two. */
function eventOf(table: string, row: Values): string | null {
  const id = String(row["id"]);
  if (table in CALLS) {
    const [start, end] = CALLS[table as keyof typeof CALLS];
    return `${id.slice(0, 14)}8${row["start_seal"] === null ? end : start}00${id.slice(18)}`;
  }
  const isEvent = (EVENT_TABLES as readonly string[]).includes(table) && /^[0-9a-f]{8}-/.test(id);
  return isEvent ? id : null;
}

function whereKey(
  sqlite: DatabaseSync,
  table: string,
  row: Values,
): { sql: string; values: SQLInputValue[] } {
  const keys = columnsOf(sqlite, table).filter(({ isKey }) => isKey);
  return {
    sql: keys.map(({ name }) => `${name} = ?`).join(" AND "),
    values: keys.map(({ name }) => row[name] ?? null),
  };
}

const OTHERS: readonly SQLInputValue[] = [
  null,
  "",
  "x",
  0,
  1,
  -1,
  2 ** 40,
  "[]",
  "{}",
  "mallory",
  new Uint8Array(16),
];

/** null where the change was not possible, or changed nothing. */
type Change = (sqlite: DatabaseSync, random: () => number) => Mutation | null;

const edit: Change = (sqlite, random) => {
  const table = pick(MUTABLE, random);
  const row = randomRow(sqlite, table, random);
  if (!row) return null;
  const { name } = pick(
    columnsOf(sqlite, table).filter((column) => !isUnproven(table, row, column.name)),
    random,
  );
  const value = pick(OTHERS, random);
  if (Object.is(row[name], value) || row[name] === value) return null;
  const { sql, values } = whereKey(sqlite, table, row);
  const column = sqlite.prepare(`UPDATE ${table} SET ${name} = ? WHERE ${sql} RETURNING ${name} AS now`);
  const after = column.get(value, ...values)?.["now"];
  // SQLite stores 1 as '1' in a column of text, and -0 as 0.
  if (after === row[name]) return null;
  return {
    done: `${table}.${name} of ${values.join(" ")}: ${String(row[name])} → ${String(after)}`,
    eventId: eventOf(table, row),
  };
};

const remove: Change = (sqlite, random) => {
  // A checkpoint that is gone takes nothing from the later ones. `fork` and `restart` remove them all.
  const table = pick(
    MUTABLE.filter((name) => name !== "seal_checkpoints"),
    random,
  );
  const row = randomRow(sqlite, table, random);
  if (!row) return null;
  // Without totals, a dimension says nothing.
  if (table === "rollup_dimensions" && !hasTotals(sqlite, row)) return null;
  const { sql, values } = whereKey(sqlite, table, row);
  sqlite.prepare(`DELETE FROM ${table} WHERE ${sql}`).run(...values);
  return { done: `delete from ${table} ${values.join(" ")}`, eventId: eventOf(table, row) };
};

function hasTotals(sqlite: DatabaseSync, { id }: Values): boolean {
  const sql =
    "SELECT 1 FROM rollup_hours WHERE dimension = ?1 AND requests <> 0 UNION SELECT 1 FROM rollup_days WHERE dimension = ?1 AND requests <> 0";
  return sqlite.prepare(sql).get(id ?? null) !== undefined;
}

const insert: Change = (sqlite, random) => {
  const table = pick([...Object.keys(CALLS), ...EVENT_TABLES], random);
  const row = randomRow(sqlite, table, random);
  if (!row) return null;
  const columns = columnsOf(sqlite, table).map(({ name }) => name);
  const tail = between(random, 0, 0xffffff).toString(16).padStart(6, "0");
  const id = String(row["id"]);
  const forged = random() < 0.1 ? "forged" : `${id.slice(0, -6)}${tail}`;
  if (forged === id) return null;
  const copy: Record<string, SQLInputValue> = { ...row, id: forged };
  if (random() < 0.3)
    for (const name of ["seal", "start_seal", "end_seal"]) if (name in copy) copy[name] = "";
  for (const name of ["usage_of", "file_id"]) if (name in copy) copy[name] = `other-${tail}`;
  sqlite
    .prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`)
    .run(...columns.map((name) => copy[name] ?? null));
  return { done: `insert ${forged} into ${table}`, eventId: eventOf(table, copy) };
};

const swap: Change = (sqlite, random) => {
  const table = pick([...Object.keys(CALLS), ...EVENT_TABLES], random);
  const [a, b] = [randomRow(sqlite, table, random), randomRow(sqlite, table, random)];
  const { name, isKey } = pick(columnsOf(sqlite, table), random);
  if (!a || !b || isKey || a[name] === b[name] || name === "usage_of" || name === "file_id") return null;
  for (const [row, value] of [
    [a, b[name]],
    [b, a[name]],
  ] as const) {
    const { sql, values } = whereKey(sqlite, table, row);
    sqlite.prepare(`UPDATE ${table} SET ${name} = ? WHERE ${sql}`).run(value ?? null, ...values);
  }
  return {
    done: `swap ${table}.${name} of ${String(a["id"])} and ${String(b["id"])}`,
    eventId: eventOf(table, a),
  };
};

type Leaf = { hash: Uint8Array; id: Uint8Array };

function leavesOf(sqlite: DatabaseSync, tile: number): Leaf[] {
  const row = sqlite.prepare("SELECT hashes, event_ids FROM seal_tiles WHERE id = ?").get(tile);
  const [hashes, ids] = [row?.["hashes"], row?.["event_ids"]] as [Uint8Array, Uint8Array];
  return Array.from({ length: hashes.length / 32 }, (_, at) => ({
    hash: hashes.slice(32 * at, 32 * at + 32),
    id: ids.slice(16 * at, 16 * at + 16),
  }));
}

function storeLeaves(sqlite: DatabaseSync, tile: number, leaves: readonly Leaf[]): void {
  const hashes = Buffer.concat(leaves.map(({ hash }) => hash));
  const ids = Buffer.concat(leaves.map(({ id }) => id));
  sqlite.prepare("UPDATE seal_tiles SET hashes = ?, event_ids = ? WHERE id = ?").run(hashes, ids, tile);
}

const lastTile = (sqlite: DatabaseSync): number =>
  Number(sqlite.prepare("SELECT MAX(id) AS id FROM seal_tiles WHERE event_ids IS NOT NULL").get()?.["id"]);

const textOf = (id: Uint8Array): string =>
  Buffer.from(id)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

const reorder: Change = (sqlite, random) => {
  const tile = between(random, 0, lastTile(sqlite));
  const leaves = leavesOf(sqlite, tile);
  const [a, b] = [between(random, 0, leaves.length - 1), between(random, 0, leaves.length - 1)];
  const [first, second] = [leaves[a], leaves[b]];
  if (!first || !second || a === b) return null;
  [leaves[a], leaves[b]] = [second, first];
  storeLeaves(sqlite, tile, leaves);
  const isEvent = first.id.some((byte) => byte !== 0);
  return {
    done: `leaves ${a} and ${b} of tile ${tile} change places`,
    eventId: isEvent ? textOf(first.id) : null,
  };
};

/** Cuts the end of the tree, sometimes with the checkpoints and the journal that tell of it. */
const truncate: Change = (sqlite, random) => {
  const tile = lastTile(sqlite);
  const leaves = leavesOf(sqlite, tile);
  const kept = between(random, 0, leaves.length - 1);
  storeLeaves(sqlite, tile, leaves.slice(0, kept));
  const size = tile * 256 + kept;
  const hidesState = random() < 0.7;
  if (hidesState) sqlite.prepare("UPDATE seal_state SET tree_size = ?").run(size);
  const hidesCheckpoints = random() < 0.5;
  if (hidesCheckpoints) sqlite.prepare("DELETE FROM seal_checkpoints WHERE tree_size > ?").run(size);
  if (random() < 0.5) sqlite.prepare("DELETE FROM seal_entries WHERE leaf_index >= ?").run(size);
  if (random() < 0.5) sqlite.exec("DELETE FROM journal WHERE seq < (SELECT MAX(seq) FROM journal)");
  return {
    done: `cut to ${size} leaves, state ${hidesState}, checkpoints ${hidesCheckpoints}`,
    eventId: null,
  };
};

/** Another history: a leaf has another hash, and the checkpoints are gone, or are those of another size. */
const fork: Change = (sqlite, random) => {
  const tile = between(random, 0, lastTile(sqlite));
  const leaves = leavesOf(sqlite, tile);
  const at = between(random, 0, leaves.length - 1);
  const leaf = leaves[at];
  if (!leaf) return null;
  leaf.hash = leafHash(Buffer.from(`forged ${between(random, 0, 1e9)}`));
  storeLeaves(sqlite, tile, leaves);
  const hides = random() < 0.5;
  if (hides) sqlite.exec("DELETE FROM seal_checkpoints");
  const isEvent = leaf.id.some((byte) => byte !== 0);
  return {
    done: `leaf ${at} of tile ${tile} has another hash, checkpoints ${hides}`,
    eventId: isEvent ? textOf(leaf.id) : null,
  };
};

const restart: Change = (sqlite) => {
  sqlite.exec(
    "DELETE FROM seal_tiles; DELETE FROM seal_entries; DELETE FROM seal_checkpoints; UPDATE seal_state SET tree_size = 0",
  );
  return { done: "the log is gone", eventId: null };
};

const addObject: Change = (sqlite, random) => {
  const sql = pick(
    [
      "CREATE TRIGGER t AFTER INSERT ON interceptions BEGIN UPDATE interceptions SET initiator_id = 'bob'; END",
      "CREATE VIEW v AS SELECT 1",
      "DROP INDEX interceptions_by_initiator",
      "ALTER TABLE interceptions ADD COLUMN forged TEXT",
    ],
    random,
  );
  sqlite.exec(sql);
  return { done: sql, eventId: null };
};

/** Each with its weight. */
export const MUTATIONS: Readonly<Record<string, readonly [number, Change]>> = {
  edit: [40, edit],
  delete: [15, remove],
  insert: [12, insert],
  swap: [12, swap],
  reorder: [8, reorder],
  truncate: [6, truncate],
  fork: [5, fork],
  restart: [1, restart],
  schema: [1, addObject],
};

export function randomMutation(random: () => number): readonly [string, Change] {
  const total = Object.values(MUTATIONS).reduce((sum, [weight]) => sum + weight, 0);
  let draw = between(random, 0, total - 1);
  for (const [kind, [weight, change]] of Object.entries(MUTATIONS)) {
    if (draw < weight) return [kind, change];
    draw -= weight;
  }
  throw new Error("no mutation was drawn");
}
