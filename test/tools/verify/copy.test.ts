/** The copy of a database that changes while it is copied: no change of the ledger's own is a finding, and a tampered row is. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TABLE_KEYS } from "../../../src/records/ledger/tables.ts";
import { runMaintenance } from "../../../src/records/ledger/maintain/cron.ts";
import { closeDays, foldJournal } from "../../../src/records/ledger/rollups/fold.ts";
import { verifyLedger, type VerifyReport } from "../../../src/records/ledger/seal/verify.ts";
import { copyLedger } from "../../../tools/verify/copy/copy-ledger.ts";
import { copyTable, type Source } from "../../../tools/verify/copy/copy-table.ts";
import { literal } from "../../../tools/local/sql-literal.ts";
import { readRow, rowSql } from "../../../tools/verify/copy/row-encoding.ts";
import { storeSealedTraffic } from "../../support/sealed-traffic.ts";
import { newSigner, purge, seal } from "../../support/sealed-file.ts";
import { d1Over } from "../../support/sqlite-d1.ts";
import { applyMigrations } from "../../../tools/local/migrations.ts";

const SIGNER = await newSigner();

const LOG_TABLES = 4;

const NO_RETENTION = Object.fromEntries(
  ["prompts", "thoughts", "tools", "overrides", "passthroughs", "refusals", "interceptions"]
    .concat(["anomalies", "accesses", "totals", "unauthenticated"])
    .map((group) => [group, 0]),
);
const MAINTENANCE = {
  database: null,
  archive: null,
  retention: { days: NO_RETENTION, maxBytes: 0 },
  logError: () => undefined,
  print: () => undefined,
} as unknown as Parameters<typeof runMaintenance>[0];

let sqlite: DatabaseSync;
let database: D1Database;
let stored: number;

/** Stores so many further interceptions. */
async function store(interceptions: number): Promise<void> {
  await storeSealedTraffic(database, { from: stored, to: stored + interceptions, all: 2_000 });
  stored += interceptions;
}

beforeEach(async () => {
  sqlite = new DatabaseSync(":memory:");
  applyMigrations(sqlite);
  database = d1Over(sqlite);
  stored = 0;
  await store(100);
  await seal(database, SIGNER);
  await store(10);
});
afterEach(() => sqlite.close());

/** As wrangler prints it: through JSON. */
const read: Source = async (sql) => {
  const statement = sqlite.prepare(sql);
  return JSON.parse(JSON.stringify(statement.all())) as Record<string, unknown>[];
};

type Copied = { readonly report: VerifyReport; readonly storedMeanwhile: number };

/** `change`: called before each statement, with its number and its text. */
async function verifyCopy(change: (n: number, sql: string) => Promise<void>): Promise<Copied> {
  let statements = 0;
  const source: Source = async (sql) => {
    await change(statements++, sql);
    return read(sql);
  };
  const copy = await copyLedger(source, { now: Date.now, onProgress: () => undefined });
  try {
    const report = await verifyLedger({
      query: copy.query,
      verifierKeys: [SIGNER.verifierKey],
      checkpoints: [],
      now: copy.at,
    });
    return { report, storedMeanwhile: copy.storedMeanwhile };
  } finally {
    copy.close();
  }
}

/** The ledger's own changes, all at once. */
async function live(): Promise<void> {
  await store(3);
  await seal(database, SIGNER);
  await foldJournal(database);
  await closeDays(database, Date.now());
  await runMaintenance({ ...MAINTENANCE, database }, Date.now());
  // And these wait to be sealed.
  await store(3);
}
const deletion = (): Promise<void> => purge(database, "tool_usages", Date.now());

describe("a copy is intact", () => {
  it("of a database without changes", async () => {
    const { report, storedMeanwhile } = await verifyCopy(async () => undefined);
    expect([report.findings, storedMeanwhile]).toEqual([[], 0]);
    expect([report.events > 256, report.pendingEvents > 10]).toEqual([true, true]);
  });

  // Between any two statements of the copy; and later, while the totals are compared.
  const ofCopy = 4 + LOG_TABLES + Object.keys(TABLE_KEYS).length;
  const moments = Array.from({ length: ofCopy }, (_, at) => at + 1);
  it.each([
    ["events are stored, sealed and folded", live, [...moments, ofCopy + 8, ofCopy + 16]],
    ["rows are deleted", deletion, moments],
  ])("while %s, at any moment of it", async (_, change, at) => {
    for (const moment of at) {
      let isReached = false;
      const { report } = await verifyCopy(async (n) => {
        if (n !== moment) return;
        isReached = true;
        await change();
      });
      expect([moment, isReached, report.findings]).toEqual([moment, true, []]);
    }
  });

  it("while all of it happens all the time", async () => {
    const { report, storedMeanwhile } = await verifyCopy(async (n) => {
      await live();
      if (n === 5) await deletion();
    });
    expect(report.findings).toEqual([]);
    expect(storedMeanwhile).toBeGreaterThan(300);
    expect(report.pendingEvents).toBeGreaterThanOrEqual(storedMeanwhile);
  });
});

describe("a copy has a finding", () => {
  it.each([
    ["altered", "UPDATE interceptions SET model = 'other' WHERE id = (SELECT MIN(id) FROM interceptions)"],
    [
      "inserted",
      `UPDATE tool_usages SET id = SUBSTR(id, 1, 35) || IIF(SUBSTR(id, 36) = '0', '1', '0')
       WHERE id = (SELECT MAX(id) FROM tool_usages)`,
    ],
    ["missing", "DELETE FROM tool_usages WHERE id = (SELECT MIN(id) FROM tool_usages)"],
    [
      "unsealed_added",
      `CREATE TEMP TABLE made_up AS SELECT * FROM tool_usages LIMIT 1;
       UPDATE made_up SET id = SUBSTR(id, 1, 35) || IIF(SUBSTR(id, 36) = '0', '1', '0');
       INSERT INTO tool_usages SELECT * FROM made_up`,
    ],
    ["tile_altered", "UPDATE seal_tiles SET hashes = zeroblob(LENGTH(hashes)) WHERE id > 1099511627775"],
    ["forked", "UPDATE seal_tiles SET hashes = zeroblob(LENGTH(hashes)) WHERE id = 0"],
    ["totals_altered", "UPDATE rollup_hours SET requests = requests + 1"],
    [
      "derived_altered",
      "UPDATE interceptions SET thread_parent_id = 'x' WHERE id = (SELECT MIN(id) FROM interceptions)",
    ],
    ["truncated", "UPDATE seal_state SET tree_size = 100"],
    ["truncated", "DELETE FROM seal_state"],
  ])("%s: %s", async (kind, sql) => {
    await foldJournal(database);
    sqlite.exec(sql);
    const { report } = await verifyCopy(async (n) => (n === 4 ? store(3) : undefined));
    expect(Object.keys(report.counts)).toContain(kind);
  });
});

it("leaves no file behind, also where the database fails", async () => {
  const folder = mkdtempSync(join(tmpdir(), "copies-"));
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  try {
    await expect(
      copyLedger(() => Promise.reject(new Error("down")), { now: Date.now, onProgress: () => undefined }),
    ).rejects.toThrow("down");
    const copy = await copyLedger(read, { now: Date.now, onProgress: () => undefined });
    // Not even while it is used, on systems that allow it.
    const open = process.platform === "win32" ? [] : readdirSync(folder);
    expect(open).toEqual([]);
    expect(await copy.query("SELECT COUNT(*) AS n FROM interceptions")).toMatchObject([{ n: 110 }]);
    copy.close();
    expect(readdirSync(folder)).toEqual([]);
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    rmSync(folder, { recursive: true });
    expect(existsSync(folder)).toBe(false);
  }
});

describe("a copied row", () => {
  const VALUES = [
    ["a text", 'it\'s\n"東京" \\n 🎉'],
    ["an empty text", ""],
    ["a text with a NUL", "a\0b"],
    ["a text with line separators", "a\u2028b\u2029"],
    ["no value", null],
    ["a count", 7n],
    ["a count above 2^53", 9_007_199_254_740_993n],
    ["the smallest integer", -(2n ** 63n)],
    ["a fraction", 0.1],
    ["a large number", 1.7976931348623157e308],
    ["infinity", Infinity],
    ["bytes", Uint8Array.of(0, 255)],
  ] as const;

  it.each(VALUES)("has the same value: %s", (_, value) => {
    const memory = new DatabaseSync(":memory:");
    memory.exec("CREATE TABLE t (v)");
    memory.prepare("INSERT INTO t VALUES (?)").run(value);
    const row = memory.prepare(`SELECT ${rowSql(["v"])} AS row FROM t`).get();
    const [copied = null] = readRow(String(row?.["row"]));
    memory.prepare("INSERT INTO t VALUES (?)").run(copied);
    const distinct =
      "SELECT COUNT(*) AS n, COUNT(DISTINCT TYPEOF(v) || COALESCE(HEX(v), '')) AS differ FROM t";
    expect(memory.prepare(distinct).get()).toMatchObject({ n: 2, differ: 1 });
    // The next page is found by the last key.
    expect(memory.prepare(`${distinct} WHERE v IS ${literal(copied)}`).get()).toMatchObject({ n: 2 });
    memory.close();
  });

  it("is on one page only, with keys of any text", async () => {
    const create =
      "CREATE TABLE t (a TEXT NOT NULL, b INTEGER NOT NULL, v, PRIMARY KEY (a, b)) WITHOUT ROWID";
    const [from, to] = [new DatabaseSync(":memory:"), new DatabaseSync(":memory:")];
    for (const one of [from, to]) one.exec(create);
    const insert = from.prepare("INSERT INTO t VALUES (?, ?, ?)");
    const names = ["", "it's", "東京", "a\0b", "\u2028", "plain-1"];
    for (let n = 0; n < 6_000; n += 1) insert.run(names[n % names.length] ?? "", n, "v".repeat(n % 900));
    const pages: number[] = [];
    const source: Source = async (sql) => {
      const rows = from.prepare(sql).all() as Record<string, unknown>[];
      pages.push(rows.length);
      return rows;
    };
    expect(await copyTable(source, to, { table: "t" })).toBe(6_000);
    expect(pages.slice(0, 3)).toEqual([250, 1_000, 4_000]);
    const dump = "SELECT a, b, v FROM t ORDER BY a, b";
    expect(to.prepare(dump).all()).toEqual(from.prepare(dump).all());
  });
});
