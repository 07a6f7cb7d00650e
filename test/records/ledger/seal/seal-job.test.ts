/** The cron's job: log lines, publication as tlog-tiles, and what an auditor makes of the published files. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { checkpointIn } from "../../../../src/records/ledger/seal/checkpoint.ts";
import { GrowingRoot, leafHash, type Hash } from "../../../../src/records/ledger/seal/merkle.ts";
import { newPrivateKey } from "../../../../src/records/ledger/seal/note-keys.ts";
import { sealLedger, signersOf, type SealJobDeps } from "../../../../src/records/ledger/seal/seal-job.ts";
import { subtreeRoot, tilePath } from "../../../../src/records/ledger/seal/tiles.ts";
import type { OperatorEvent } from "../../../../src/shared/operator-log.ts";
import { eventsOf, T0 } from "../../../support/in-workerd/ledger-events.ts";
import {
  emptySealedLedger,
  ORIGIN,
  SIGNER,
  storeSealed,
  verify,
} from "../../../support/in-workerd/sealed-ledger.ts";

const { ARCHIVE_OF_TEST: archive } = env as unknown as { readonly ARCHIVE_OF_TEST: R2Bucket };

let database: D1Database;
beforeEach(async () => {
  database = await emptySealedLedger();
  for (const { key } of (await archive.list()).objects) await archive.delete(key);
});

type Job = SealJobDeps & { readonly errors: OperatorEvent[]; readonly lines: string[] };

function jobOf(over: Partial<SealJobDeps> = {}): Job {
  const errors: OperatorEvent[] = [];
  const lines: string[] = [];
  return {
    database,
    archive,
    signers: async () => [SIGNER],
    now: () => T0,
    logError: (event) => void errors.push(event),
    print: (line) => void lines.push(line),
    ...over,
    errors,
    lines,
  };
}

const interceptions = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => eventsOf({ n: from + at })).flat();

const textOf = async (key: string): Promise<string> =>
  (await (await archive.get(`seals/${key}`))?.text()) ?? "";
const bytesOf = async (key: string): Promise<Uint8Array> =>
  new Uint8Array((await (await archive.get(`seals/${key}`))?.arrayBuffer()) ?? new ArrayBuffer(0));

/** The leaves of a bundle of entries: each behind its length in two bytes. */
function bundled(bundle: Uint8Array): Hash[] {
  const leaves: Hash[] = [];
  for (let at = 0; at < bundle.length;) {
    const length = ((bundle[at] ?? 0) << 8) | (bundle[at + 1] ?? 0);
    leaves.push(leafHash(bundle.subarray(at + 2, at + 2 + length)));
    at += 2 + length;
  }
  return leaves;
}

const split = (bytes: Uint8Array): Uint8Array[] =>
  Array.from({ length: bytes.length / 32 }, (_, at) => bytes.subarray(32 * at, 32 * at + 32));

/** Reads the published log as a client of tlog-tiles does, and checks it against its checkpoint. */
async function checkPublished(): Promise<number> {
  const tree = checkpointIn(await textOf("checkpoint"));
  if (!tree) throw new Error("no checkpoint");
  const root = new GrowingRoot();
  for (let index = 0; index * 256 < tree.size; index += 1) {
    const width = Math.min(256, tree.size - index * 256);
    const hashes = split(await bytesOf(tilePath(0, index, width)));
    expect(hashes).toHaveLength(width);
    expect(bundled(await bytesOf(tilePath("entries", index, width)))).toEqual(hashes);
    for (const hash of hashes) root.append(hash);
  }
  expect(root.root).toEqual(tree.root);
  const full = Math.floor(tree.size / 256);
  const parents = full > 0 ? split(await bytesOf(tilePath(1, 0, full))) : [];
  for (const [index, parent] of parents.entries())
    expect(subtreeRoot(split(await bytesOf(tilePath(0, index))))).toEqual(parent);
  return tree.size;
}

describe("the job of seals", () => {
  it("prints each checkpoint as a line of its own", async () => {
    await storeSealed(database, interceptions(0, 2));
    const job = jobOf({ archive: null });
    await sealLedger(job, T0);
    await sealLedger(job, T0);
    expect(job.lines).toHaveLength(1);
    const line = JSON.parse(job.lines[0] ?? "") as { readonly checkpoint: string };
    expect(line).toMatchObject({ event: "ledger_sealed", tree_size: 7, events: 4 });
    expect(checkpointIn(line.checkpoint)?.origin).toBe(ORIGIN);
    expect((await archive.list()).objects).toEqual([]);
  });

  it("publishes the log, which a client of tlog-tiles can verify, as it grows", async () => {
    const job = jobOf();
    for (const count of [3, 60, 40, 1, 120]) {
      await storeSealed(database, interceptions(count * 1000, count));
      await sealLedger(job, T0);
      await checkPublished();
    }
    expect(await checkPublished()).toBeGreaterThan(400);
    expect(job.errors).toEqual([]);
  });

  it("publishes what an earlier run left, and overwrites nothing", async () => {
    await storeSealed(database, interceptions(0, 130));
    const failing = new Proxy(archive, {
      get: (target, name) => {
        if (name === "put") return () => Promise.reject(new Error("put: internal error (10001)"));
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const job = jobOf({ archive: failing });
    await expect(sealLedger(job, T0)).rejects.toThrow("10001");
    expect(job.errors).toMatchObject([{ event: "seals_failed" }]);
    await sealLedger(jobOf(), T0);
    expect(await checkPublished()).toBe(263);
    const before = await archive.head("seals/tile/0/000");
    await storeSealed(database, interceptions(500, 1));
    await sealLedger(jobOf(), T0);
    expect((await archive.head("seals/tile/0/000"))?.uploaded).toEqual(before?.uploaded);
  });

  // The attack: the database is rolled back to a time before some events, which object storage has sealed.
  it("fails where the published tree is larger than any of the database's", async () => {
    await storeSealed(database, interceptions(0, 10));
    await sealLedger(jobOf(), T0);
    database = await emptySealedLedger();
    await storeSealed(database, interceptions(0, 2));
    await expect(sealLedger(jobOf(), T0)).rejects.toThrow("rolled back");
    expect(checkpointIn(await textOf("checkpoint"))?.size).toBe(23);
  });

  it("publishes no bundle with an entry that is not what was sealed", async () => {
    await storeSealed(database, interceptions(0, 5));
    await sealLedger(jobOf({ archive: null }), T0);
    await database.prepare("UPDATE interceptions SET outcome = 'cancelled'").run();
    await sealLedger(jobOf(), T0);
    expect((await bytesOf(tilePath(0, 0, 13))).length).toBe(13 * 32);
    expect(await archive.head(`seals/${tilePath("entries", 0, 13)}`)).toBeNull();
  });

  it("says once an hour that nothing is sealed where there is no key", async () => {
    await storeSealed(database, interceptions(0, 1));
    const job = jobOf({ signers: null });
    for (let minute = 0; minute < 120; minute += 1) await sealLedger(job, T0 + minute * 60_000);
    expect(job.errors).toEqual([{ event: "seals_off" }, { event: "seals_off" }]);
    expect((await verify(database, { verifierKeys: [] })).pendingEvents).toBe(2);
  });

  it("fails each run where the key cannot be used", async () => {
    const key = await newPrivateKey(ORIGIN, new Uint8Array(32));
    const signers = signersOf([key.replace(/\+[0-9a-f]{8}\+/, "+00000000+")]);
    const job = jobOf({ signers });
    await expect(sealLedger(job, T0)).rejects.toThrow("key id");
    await expect(sealLedger(job, T0)).rejects.toThrow("key id");
    expect(job.errors).toHaveLength(2);
    expect(JSON.stringify(job.errors)).not.toContain("PRIVATE");
  });

  it("names events whose rows were gone before they were sealed", async () => {
    await storeSealed(database, interceptions(0, 1));
    await database.prepare("DELETE FROM interceptions").run();
    const job = jobOf({ archive: null });
    await sealLedger(job, T0);
    expect(job.errors).toMatchObject([{ event: "events_absent", events: 2 }]);
  });
});
