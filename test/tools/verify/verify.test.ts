/** `npm run verify` over a sealed database in a file: exit codes and the printed report. */
import { copyFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { FINDINGS } from "../../../src/records/ledger/seal/finding.ts";
import { main } from "../../../tools/verify.ts";
import { openSnapshot } from "../../../tools/local/snapshot.ts";
import { newSigner, purge, sealedFile, type SealedFile } from "../../support/sealed-file.ts";
import { d1Over, sqliteD1 } from "../../support/sqlite-d1.ts";

let folder: string;
let ledger: SealedFile;
let kept: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "verify-"));
  ledger = await sealedFile(folder);
  kept = join(folder, "checkpoint");
  writeFileSync(kept, ledger.checkpoint);
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

async function run(...args: readonly string[]): Promise<Run> {
  const out: string[] = [];
  const err: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => out.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => err.push(String(text)) > 0);
  const code = await main(args);
  vi.restoreAllMocks();
  return { code, stdout: out.join(""), stderr: err.join("") };
}

/** A copy of the database after these statements. */
function changed(...statements: readonly string[]): string {
  const path = join(folder, `changed-${crypto.randomUUID()}.sqlite`);
  copyFileSync(ledger.path, path);
  const sqlite = new DatabaseSync(path);
  for (const sql of statements) sqlite.exec(sql);
  sqlite.close();
  return path;
}

/** An interception in the middle, and the id of its end's event. */
function oneEnd(): { readonly id: string; readonly eventId: string } {
  const sqlite = new DatabaseSync(ledger.path, { readOnly: true });
  const row = sqlite
    .prepare("SELECT id FROM interceptions WHERE outcome = 'completed' ORDER BY id LIMIT 1 OFFSET 20")
    .get();
  sqlite.close();
  const id = String(row?.["id"]);
  return {
    id,
    eventId: ledger.ids.find((one) => one.startsWith(id.slice(0, 14)) && one.charAt(15) === "1") ?? "",
  };
}

const anchored = (): string[] => ["--key", ledger.signer.verifierKey, "--checkpoint", kept];

it("says that an unchanged ledger is intact, with its counts and its last checkpoint", async () => {
  const { code, stdout, stderr } = await run("--database", ledger.path, ...anchored());
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^INTACT: /);
  expect(stdout).toContain(`database     ${ledger.path}\n`);
  expect(stdout).toContain("log          ai.example.com/records\n");
  expect(stdout).toContain(`events       ${ledger.ids.length.toLocaleString("en-US")}  in the log\n`);
  expect(stdout).toContain("checkpoints  3  verified\n");
  for (const line of ledger.checkpoint.trimEnd().split("\n")) expect(stdout).toContain(`  ${line}\n`);
  expect(stdout).toMatch(/Not shown:\n {2}- That an event was true/);
  expect(stdout).not.toMatch(/not anchored|without --key/);
});

it("says that nothing was anchored without a checkpoint, and that the log names its own key without a key", async () => {
  const { code, stdout } = await run("--database", ledger.path);
  expect(code).toBe(0);
  expect(stdout).toContain("not anchored");
  expect(stdout).toContain("without --key, verify trusts the first key that the log itself names");
});

it("says from which leaf on the kept checkpoints are older than the log", async () => {
  const sqlite = new DatabaseSync(ledger.path, { readOnly: true });
  const first = sqlite
    .prepare("SELECT note, tree_size FROM seal_checkpoints ORDER BY tree_size LIMIT 1")
    .get();
  sqlite.close();
  const path = join(folder, "first");
  writeFileSync(path, String(first?.["note"]));
  const { code, stdout } = await run("--database", ledger.path, "--checkpoint", path);
  expect(code).toBe(0);
  expect(stdout).toContain(`the leaves from ${String(first?.["tree_size"])} on`);
});

it("names an edited event, with the meaning of the finding", async () => {
  const { id, eventId } = oneEnd();
  const path = changed(`UPDATE interceptions SET output_tokens = output_tokens - 1 WHERE id = '${id}'`);
  const { code, stdout } = await run("--database", path, ...anchored());
  expect(code).toBe(1);
  expect(stdout).toMatch(/^NOT INTACT: \d+ findings\./);
  expect(stdout).toContain(`altered (1): ${FINDINGS.altered.replace(/\.$/, "")}:\n  event ${eventId}  leaf `);
});

it("lists the first findings of a kind, and counts the others", async () => {
  const path = changed("DELETE FROM tool_usages");
  const { code, stdout } = await run("--database", path);
  expect(code).toBe(1);
  expect(stdout).toContain("missing (150): ");
  expect(stdout.match(/^ {2}event .*leaf \d+$/gm)).toHaveLength(20);
  expect(stdout).toContain("\n  and 130 more\n");
});

it("finds by a kept checkpoint that the end of the log was removed", async () => {
  // The attack: who can write to the database removes the end of the log, with its rows and its checkpoints.
  const first = "(SELECT MIN(tree_size) FROM seal_checkpoints)";
  const path = changed(
    `DELETE FROM seal_checkpoints WHERE tree_size > ${first}`,
    `UPDATE seal_state SET tree_size = ${first}`,
  );
  expect((await run("--database", path, ...anchored())).stdout).toContain("a checkpoint (kept) has");
  expect((await run("--database", path)).stdout).not.toContain("(kept)");
});

it("finds that the log has another key than the auditor knows", async () => {
  const { verifierKey } = await newSigner();
  const { code, stdout } = await run("--database", ledger.path, "--key", verifierKey);
  expect(code).toBe(1);
  expect(stdout).toContain("key_unknown (1)");
});

it("lists the deletions on record by table", async () => {
  const path = changed();
  await purge(d1Over(new DatabaseSync(path)), "tool_usages", Date.now());
  const { code, stdout } = await run("--database", path, ...anchored());
  expect(stdout).toMatch(
    /Deletions on record:\n {2}tool_usages: 150 rows from before 20.+Z, by age, at 20.+Z\n/,
  );
  expect(stdout).toContain("deleted      150  events whose rows a deletion on record deleted");
  expect(stdout).toContain("pending      1  ");
  expect(code).toBe(0);
});

it("prints the report as one line of JSON", async () => {
  const { code, stdout } = await run("--database", ledger.path, "--json", ...anchored());
  expect(code).toBe(0);
  expect(stdout.trimEnd()).not.toContain("\n");
  expect(JSON.parse(stdout)).toMatchObject({
    isIntact: true,
    events: ledger.ids.length,
    findings: [],
    keys: 1,
    anchoredSize: Number(ledger.checkpoint.split("\n")[1]),
    checkpoint: { note: ledger.checkpoint },
    notShown: [expect.stringContaining("was true"), expect.stringContaining("no MAC")],
  });
});

it("reads counts above 2^53 as the Worker does", async () => {
  const { id, eventId } = oneEnd();
  const path = changed(`UPDATE interceptions SET output_tokens = 9007199254740993 WHERE id = '${id}'`);
  const { stdout } = await run("--database", path);
  expect(stdout).toContain(`event ${eventId}`);
  expect(stdout).not.toMatch(/entry_altered|tile_altered/);
});

it("prints no escape sequence of a changed row", async () => {
  const id = "\u001B[2J\u202Ehidden";
  const path = changed(`UPDATE tool_usages SET id = '${id}' WHERE id = (SELECT MAX(id) FROM tool_usages)`);
  const { code, stdout } = await run("--database", path);
  expect(code).toBe(1);
  for (const character of ["\u001B", "\u202E"]) expect(stdout).not.toContain(character);
});

it("reads only: the file stays as it is", async () => {
  const before = statSync(ledger.path);
  await run("--database", ledger.path);
  expect(statSync(ledger.path)).toMatchObject({ size: before.size, mtimeMs: before.mtimeMs });
});

it("reads one state while another process writes", async () => {
  const path = changed("PRAGMA journal_mode = WAL");
  const { query, close } = openSnapshot(path);
  const writer = new DatabaseSync(path);
  writer.exec("DELETE FROM interceptions");
  expect(await query("SELECT COUNT(*) AS rows FROM interceptions")).toMatchObject([{ rows: 300 }]);
  close();
  writer.close();
});

it("does not claim anything about a ledger without a log", async () => {
  const path = join(folder, "empty.sqlite");
  sqliteD1(path);
  const { code, stdout } = await run("--database", path);
  expect(code).toBe(2);
  expect(stdout).toMatch(/^NOT VERIFIED: the ledger has no log/);
});

it.each([
  ["a file without a checkpoint", ["--checkpoint", import.meta.filename], /--checkpoint ".*" has neither/],
  [
    "a checkpoint file that does not exist",
    ["--checkpoint", "nothing"],
    /--checkpoint "nothing" cannot be read/,
  ],
  ["an unknown option", ["--fast"], /--fast/],
  [
    "a file that does not exist",
    ["--database", "nothing.sqlite"],
    /Not verified: nothing\.sqlite is not the database/,
  ],
  [
    "a file that is no database",
    ["--database", import.meta.filename],
    /Not verified: .* is not the database of a ledger/,
  ],
  [
    "a folder without a local state",
    ["--persist-to", import.meta.dirname],
    /Not verified: There is no ledger in/,
  ],
])("exits with 2 for %s", async (_, args, message) => {
  const { code, stdout, stderr } = await run(...args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(message);
  expect(stderr.trimEnd()).not.toContain("\n");
  expect(readdirSync(".")).not.toContain("nothing.sqlite");
});
