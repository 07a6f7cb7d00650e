/**
 * The log of seals, verified by software that has nothing of ours: Go's packages for the checksum database, as Debian has
 * them. Requires `apt-get install golang-go golang-golang-x-mod-dev`.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatCheckpoint } from "../../src/records/ledger/seal/checkpoint.ts";
import { createSigner, newPrivateKey, type Signer } from "../../src/records/ledger/seal/note-keys.ts";
import { signNote } from "../../src/records/ledger/seal/note.ts";
import { proveCheckpoint, proveEvent } from "../../src/records/ledger/seal/proof.ts";
import { publishLog } from "../../src/records/ledger/seal/publish.ts";
import type { Query } from "../../src/records/ledger/seal/rebuild.ts";
import { queryOf } from "../../src/records/ledger/seal/seal-state.ts";
import { runSealer } from "../../src/records/ledger/seal/sealer.ts";
import { collect } from "../../tools/export/collect.ts";
import { ROOT } from "../../tools/root.ts";
import { NOW } from "../../bench/ledger/traffic.ts";
import { storeSealedTraffic } from "../support/sealed-traffic.ts";
import { sqliteD1 } from "../support/sqlite-d1.ts";

const MODULES = "/usr/share/gocode";
const PROGRAM = join(ROOT, "test/support/sumdb/main.go");
/** The auditor's program that docs/verify.md describes. */
const AUDIT = join(ROOT, "docs/audit.go");
const ORIGIN = "ai.example.com/records";

let folder: string;
let binary: string;
let audit: string;
let signer: Signer;
let cases: string;
let heads: string[];
/** Of the bundle of a person. */
let evidence: string;

type Case = {
  readonly entry?: string | null;
  readonly index?: number;
  readonly checkpoint: string;
  readonly earlier?: string;
  readonly proof: readonly string[] | null;
};

/** Object storage in a folder. */
const folderBucket = (root: string): R2Bucket =>
  ({
    put: async (key: string, content: ArrayBuffer | string) => {
      const path = join(root, key);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, typeof content === "string" ? content : new Uint8Array(content));
      return { key };
    },
    get: async (key: string) => {
      const path = join(root, key);
      return existsSync(path) ? { etag: "e", text: async () => readFileSync(path, "utf8") } : null;
    },
    head: async () => null,
  }) as unknown as R2Bucket;

beforeAll(async () => {
  requireGo();
  folder = mkdtempSync(join(tmpdir(), "sumdb-"));
  binary = join(folder, "verify");
  const env = {
    ...process.env,
    GO111MODULE: "off",
    GOPATH: MODULES,
    GOCACHE: join(folder, "cache"),
    GOFLAGS: "",
  };
  execFileSync("go", ["build", "-o", binary, PROGRAM], { env });
  audit = join(folder, "audit");
  execFileSync("go", ["build", "-o", audit, AUDIT], { env });

  signer = await createSigner(await newPrivateKey(ORIGIN, crypto.getRandomValues(new Uint8Array(32))));
  const database = sqliteD1();
  const query = queryOf(database);
  const archive = folderBucket(folder);
  const list: Case[] = [];
  heads = [];
  const ids: string[] = [];
  const sizes = [0, 1, 41, 82, 84, 87, 177, 400];
  for (const [at, to] of sizes.slice(1).entries()) {
    ids.push(...(await storeSealedTraffic(database, { from: sizes[at] ?? 0, to, all: 400 })));
    const { checkpoint } = await runSealer({ database, signers: [signer], now: Date.now });
    if (!checkpoint) throw new Error("nothing was sealed");
    await publishLog({ database, archive }, checkpoint);
    heads.push(checkpoint.note);
  }
  for (const id of ids) {
    const proof = await proveEvent(query, id);
    if (typeof proof === "string") throw new Error(`${id}: ${proof}`);
    writeFileSync(join(folder, "proof.json"), JSON.stringify(proof));
    list.push({
      entry: proof.entry,
      index: proof.leaf_index,
      checkpoint: proof.checkpoint,
      proof: proof.inclusion_proof,
    });
  }
  for (const earlier of heads) {
    const size = Number(earlier.split("\n")[1]);
    const proof = await proveCheckpoint(query, size);
    list.push({ earlier, checkpoint: proof?.checkpoint ?? "", proof: proof?.consistency_proof ?? null });
  }
  cases = join(folder, "cases.ndjson");
  writeFileSync(cases, list.map((one) => `${JSON.stringify(one)}\n`).join(""));
  evidence = join(folder, "evidence.ndjson");
  writeFileSync(evidence, (await bundleCases(query)).map((one) => `${JSON.stringify(one)}\n`).join(""));
});

/** The lines of an evidence bundle that have a proof, each with the bundle's checkpoint. */
async function bundleCases(query: Query): Promise<Case[]> {
  const month = { from: NOW - 31 * 86_400_000, to: NOW };
  const { checkpoint, events, log, earlier } = await collect(query, { initiator: "service-1", ...month });
  const head = { checkpoint: checkpoint?.note ?? "" };
  return [
    ...events.map(({ entry, index, proof }) => ({ entry, index: index ?? -1, proof, ...head })),
    ...log.map((line) => ({ ...line, ...head })),
    ...earlier.map((line) => ({ ...line, ...head })),
  ];
}
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function requireGo(): void {
  const hasGo = spawnSync("go", ["version"]).status === 0;
  const hasPackages = existsSync(join(MODULES, "src/golang.org/x/mod/sumdb/tlog"));
  if (!hasGo || !hasPackages)
    throw new Error(
      "This test needs Go and its module packages: apt-get install golang-go golang-golang-x-mod-dev",
    );
}

/** The last line of the program's output, and whether it accepted everything. */
function verify(path: string, key: string): string {
  const { stdout, status } = spawnSync(binary, [join(folder, "seals"), key, path], { encoding: "utf8" });
  return `${status} ${stdout.trim()}`;
}

it("accepts every checkpoint, tile, inclusion proof and consistency proof", () => {
  expect(verify(cases, signer.verifierKey)).toMatch(/^0 verified: \d{4} leaves, \d{3,} records, 7 trees$/);
});

it("accepts every event of an evidence bundle, the log's own entries, and its earlier checkpoints", () => {
  expect(verify(evidence, signer.verifierKey)).toMatch(/^0 verified: \d{4} leaves, \d\d records, 1 trees$/);
});

it.each([
  ["an entry", (one: Case) => ({ ...one, ...(one.entry && { entry: `${one.entry} ` }) })],
  ["an index", (one: Case) => ({ ...one, ...(one.index !== undefined && { index: one.index + 1 }) })],
  ["a proof", (one: Case) => ({ ...one, proof: one.proof?.toReversed() ?? null })],
  ["a checkpoint", (one: Case) => ({ ...one, checkpoint: one.checkpoint.replace(/\n\d+\n/, "\n7\n") })],
])("rejects a change of %s", (_, change) => {
  const [first = ""] = readFileSync(cases, "utf8").split("\n");
  const path = join(folder, "changed.ndjson");
  writeFileSync(path, `${JSON.stringify(change(JSON.parse(first) as Case))}\n`);
  expect(verify(path, signer.verifierKey)).toMatch(/^1 FAILED/);
});

it("rejects the checkpoint with another key of the same name", async () => {
  const other = await createSigner(await newPrivateKey(ORIGIN, new Uint8Array(32)));
  expect(verify(cases, other.verifierKey)).toMatch(/^1 FAILED/);
});

function runAudit(key: string, ...files: readonly string[]): string {
  const { stdout, status } = spawnSync(audit, [join(folder, "seals"), key, ...files], { encoding: "utf8" });
  return `${status} ${stdout.trim()}`;
}

function fileWith(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

describe("the auditor's program", () => {
  it("verifies the published files, kept checkpoints and a proof", () => {
    const kept = heads.map((head, at) => fileWith(`kept-${at}`, head));
    const output = runAudit(signer.verifierKey, ...kept, join(folder, "proof.json"));
    expect(output).toMatch(/^0 ai\.example\.com\/records: (\d{4}) leaves, \1 published entries\n/);
    expect(output.match(/an earlier state of the log, of \d+ leaves$/gm)).toHaveLength(heads.length);
    expect(output).toMatch(/leaf \d+ is \{"commitments":/);
  });

  it("rejects a checkpoint of another tree, a changed proof and another key", async () => {
    const root = new Uint8Array(32).fill(7);
    const other = await signNote(formatCheckpoint({ origin: ORIGIN, size: 41, root }), [signer]);
    expect(runAudit(signer.verifierKey, fileWith("other", other))).toMatch(/^1 .*\nFAILED/s);
    const proof = readFileSync(join(folder, "proof.json"), "utf8").replace('index\\":', 'index\\": ');
    expect(runAudit(signer.verifierKey, fileWith("changed.json", proof))).toMatch(/^1 .*\nFAILED/s);
    const key = await createSigner(await newPrivateKey(ORIGIN, new Uint8Array(32)));
    expect(runAudit(key.verifierKey)).toMatch(/^1 FAILED/);
  });

  it("rejects a changed bundle of entries", () => {
    const path = join(folder, "seals/tile/entries/000");
    const bytes = readFileSync(path);
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(100) ^ 1, 100);
    writeFileSync(path, changed);
    expect(runAudit(signer.verifierKey)).toMatch(/^1 FAILED: the published entry \d+ is not the leaf$/);
    writeFileSync(path, bytes);
  });
});

it("rejects a changed tile", () => {
  const tile = join(folder, "seals/tile/0/000");
  const bytes = readFileSync(tile);
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
  writeFileSync(tile, bytes);
  expect(verify(cases, signer.verifierKey)).toMatch(/^1 FAILED/);
});
