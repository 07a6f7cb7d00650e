/** `npm run verify`, run as a command, over a local state; and the copy of a database through the real wrangler. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { getPlatformProxy } from "wrangler";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Signer } from "../../src/records/ledger/seal/note-keys.ts";
import type { Row } from "../../src/records/ledger/seal/rebuild.ts";
import { verifyLedger } from "../../src/records/ledger/seal/verify.ts";
import { toOperatorLine } from "../../src/shared/operator-log.ts";
import { queryLedger } from "../../tools/local/ledger-sql.ts";
import { migrateLedger } from "../../tools/local/wrangler.ts";
import { ROOT } from "../../tools/root.ts";
import { copyLedger } from "../../tools/verify/copy/copy-ledger.ts";
import { copyTable, type Source } from "../../tools/verify/copy/copy-table.ts";
import { applyMigrations } from "../../tools/local/migrations.ts";
import { ledgerFileIn } from "../../tools/local/ledger-file.ts";
import { newSigner, seal } from "../support/sealed-file.ts";
import { storeSealedTraffic } from "../support/sealed-traffic.ts";
import { d1Over } from "../support/sqlite-d1.ts";

const state = mkdtempSync(join(tmpdir(), "verify-test-"));
let sqlite: DatabaseSync;
let signer: Signer;
let checkpoint: string;

/** A text that neither a dump nor a command's output line by line keeps. */
const FRAGILE = "a\nb\\nc\u2028d";

beforeAll(async () => {
  await migrateLedger({ persistTo: state }, console.error);
  // The file that wrangler made, as `npm start` uses it.
  sqlite = new DatabaseSync(ledgerFileIn(state));
  signer = await newSigner();
  const database = d1Over(sqlite);
  await storeSealedTraffic(database, { from: 0, to: 120, all: 400 });
  sqlite.prepare("UPDATE tool_usages SET input = ?").run(FRAGILE);
  checkpoint = await seal(database, signer);
});
afterAll(() => {
  sqlite.close();
  rmSync(state, { recursive: true, force: true });
});

type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

function verify(...args: readonly string[]): Promise<Run> {
  const command = [join(ROOT, "tools/run.mjs"), "verify", ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: ROOT }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });
}

describe("npm run verify", () => {
  it("verifies the local state while it is open, with a checkpoint from a log, and names a changed event", async () => {
    const log = join(state, "records.log");
    const line = toOperatorLine({ event: "ledger_sealed", tree_size: 1, events: 1, checkpoint });
    writeFileSync(log, `ready\n${line}\n`);
    const args = ["--persist-to", state, "--key", signer.verifierKey, "--checkpoint", log];
    const intact = await verify(...args);
    expect([intact.code, intact.stderr]).toEqual([0, ""]);
    expect(intact.stdout).toMatch(/^INTACT: /);
    sqlite.exec("BEGIN; UPDATE tool_usages SET input = 'other' WHERE id = (SELECT MAX(id) FROM tool_usages)");
    expect((await verify(...args)).code).toBe(0);
    sqlite.exec("COMMIT");
    const changed = await verify(...args);
    expect(changed.code).toBe(1);
    expect(changed.stdout).toMatch(/altered \(1\): .*\n {2}event [0-9a-f-]{36} {2}leaf \d+\n/);
    sqlite.prepare("UPDATE tool_usages SET input = ?").run(FRAGILE);
  });

  it("prints its usage, and one sentence for invalid arguments", async () => {
    expect(await verify("--help")).toMatchObject({ code: 0, stderr: "" });
    const { code, stdout, stderr } = await verify("--key", "nonsense");
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^--key must be a verifier key.*\n$/);
  });
});

describe("the copy", () => {
  it("of a table through wrangler keeps every text", async () => {
    const place = { remote: false, environment: null, persistTo: state };
    const target = new DatabaseSync(":memory:");
    applyMigrations(target);
    const rows = await copyTable((sql) => queryLedger(sql, place), target, { table: "tool_usages" });
    expect(rows).toBe(60);
    expect(target.prepare("SELECT DISTINCT input FROM tool_usages").all()).toMatchObject([
      { input: FRAGILE },
    ]);
    target.close();
  });

  it("reads and compares with the limits of D1, without a finding", async () => {
    const { env, dispose } = await getPlatformProxy<{ LEDGER: D1Database }>({
      configPath: join(ROOT, "wrangler.records.toml"),
      persist: { path: join(state, "v3") },
      remoteBindings: false,
    });
    const source: Source = async (sql) => (await env.LEDGER.prepare(sql).all<Row>()).results;
    const tables: string[] = [];
    const copy = await copyLedger(source, { now: Date.now, onProgress: (line) => tables.push(line) });
    const report = await verifyLedger({
      query: copy.query,
      verifierKeys: [signer.verifierKey],
      checkpoints: [checkpoint],
      now: copy.at,
    });
    copy.close();
    await dispose();
    expect(report.findings).toEqual([]);
    expect(report.events).toBeGreaterThan(300);
    expect(tables).toContain("interceptions: 120 rows copied");
  });
});
