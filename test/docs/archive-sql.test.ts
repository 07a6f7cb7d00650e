/** docs/records.md: the SQL over the archive gives the sums of the ledger, to the token. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NOW } from "../../bench/ledger/traffic.ts";
import { createSign, createVerify } from "../../src/events/event-mac.ts";
import type { InterceptorEvent } from "../../src/events/event.ts";
import { toMessages, toSignedMessages } from "../support/messages.ts";
import type { LedgerDeps } from "../../src/records/ledger/ledger.ts";
import { closeDays, foldJournal } from "../../src/records/ledger/rollups/fold.ts";
import { createAuthenticate } from "../../src/records/ledger/write/authenticate.ts";
import { uuidV7 } from "../../src/shared/uuid.ts";
import { ROOT } from "../../tools/root.ts";
import { deliver, shuffled } from "../support/archive/deliver.ts";
import { folderBucket } from "../support/archive/folder-bucket.ts";
import { ledgerUsage } from "../support/archive/ledger-usage.ts";
import { variedTraffic } from "../support/archive/varied-traffic.ts";
import { between, seededRandom } from "../support/rechunk.ts";
import { sqliteD1 } from "../support/sqlite-d1.ts";

const INTERCEPTIONS = 800;
const SEED = 20_261_129;
const MAC_KEY = "0123456789abcdef0123456789abcdef";
const PLACE = "s3://ai-archive";

/** The views, and the query by initiator. */
const STATEMENTS = (() => {
  const text = readFileSync(join(ROOT, "docs/records.md"), "utf8");
  const [, section = ""] = text.split("### Query the archive\n");
  const [, sql = ""] = /^```sql\n([\s\S]*?)^```$/m.exec(section) ?? [];
  return sql.split(/;\n/).filter((statement) => statement.trim() !== "");
})();
const QUERY = STATEMENTS.at(-1) ?? "";
const KEY = "initiator_source, initiator_id";

const folder = mkdtempSync(join(tmpdir(), "archive-"));
const database = sqliteD1();
let duckdb: DuckDBConnection;
const problems: unknown[] = [];

const random = seededRandom(SEED);

/** As the gateway sends them: one to twelve events in a message, and those of one interception in several messages. */
async function messagesOf(events: readonly InterceptorEvent[]): Promise<string[]> {
  const sign = createSign(MAC_KEY);
  const messages: string[] = [];
  for (let at = 0; at < events.length;) {
    const group = events.slice(at, at + between(random, 1, 12));
    messages.push(...(await toSignedMessages(group, sign)));
    at += group.length;
  }
  return messages;
}

const deps: LedgerDeps = {
  database,
  archive: folderBucket(folder, () => between(random, 1, 40) === 1),
  retention: { days: {} as LedgerDeps["retention"]["days"], maxBytes: 0 },
  now: () => NOW,
  logError: (event) => void problems.push(event),
  authenticate: createAuthenticate(createVerify([MAC_KEY]), false),
  newId: (now) => uuidV7(now, crypto.randomUUID()),
  fallback: (events) => Promise.reject(new Error(`${events.length} events given up`)),
  deliverCharges: () => Promise.resolve(),
  print: (line) => void problems.push(line),
};

beforeAll(async () => {
  const events = variedTraffic(INTERCEPTIONS);
  // Half of the traffic as it comes, half with all events apart.
  const half = Math.floor(events.length / 2);
  const messages = await messagesOf([...events.slice(0, half), ...shuffled(events.slice(half), random)]);
  // Another Worker's messages, without a MAC: neither the ledger nor the query counts them.
  const forged = toMessages(variedTraffic(3 * INTERCEPTIONS).slice(-100));
  await deliver([...messages, ...forged], deps, random);
  duckdb = await (await DuckDBInstance.create(":memory:", { threads: "2" })).connect();
  for (const statement of STATEMENTS.slice(0, -1)) await duckdb.run(statement.replace(PLACE, folder));
});

afterAll(() => {
  duckdb.closeSync();
  rmSync(folder, { recursive: true });
});

const MEASURES = [
  "requests",
  "unknown_usage",
  "input_tokens",
  "output_tokens",
  "cache_read_input_tokens",
  "cache_write_input_tokens",
] as const;
type Row = Readonly<Record<string, unknown>>;

/** One text per group, so that a difference names it. */
const lines = (rows: readonly Row[], keys: readonly string[]): string[] =>
  rows
    .map((row) => [...keys, ...MEASURES].map((name) => `${name}=${String(row[name])}`).join(" "))
    .toSorted((a, b) => (a < b ? -1 : 1));

async function archiveSums(key: string): Promise<readonly Row[]> {
  const query = QUERY.replaceAll(KEY, key);
  return (await duckdb.runAndReadAll(query)).getRowObjects();
}

const GROUPS = [
  { groupBy: "day", columns: ["day"], least: 25 },
  { groupBy: "initiator", columns: ["initiator_source", "initiator_id"], least: 200 },
  { groupBy: "model", columns: ["model"], least: 8 },
] as const;

/** The ledger's sums under the names of the archive's columns. */
async function ledgerSums(groupBy: string, columns: readonly string[]): Promise<readonly Row[]> {
  const groups = await ledgerUsage(database, `group_by=${groupBy}&started_after=2026-10-01T00:00:00Z`, NOW);
  return groups.map(({ key, source, ...group }) => {
    const keys = columns.map((name) => [name, name === "initiator_source" ? source : key] as const);
    return { ...group, ...Object.fromEntries(keys) };
  });
}

describe("the SQL over the archive", () => {
  it("reads events that were archived twice, of calls without a start or an end, and of later usage", async () => {
    const [lineCount] = (
      await duckdb.runAndReadAll(
        `SELECT count(*) AS lines, count(DISTINCT event_id) AS events FROM read_json('${folder}/dt=*/hour=*/*.ndjson.gz')`,
      )
    ).getRowObjects();
    const [parts] = (
      await duckdb.runAndReadAll(
        `SELECT count(*) AS events, count(*) FILTER (record_type = 'retrieved_usage') AS later,
          count(*) FILTER (record_type = 'token_usage') AS apart FROM events`,
      )
    ).getRowObjects();
    expect(Number(lineCount?.["lines"])).toBeGreaterThan(1.05 * Number(parts?.["events"]));
    expect(lineCount?.["events"]).toBe(parts?.["events"]);
    expect(Number(parts?.["later"])).toBeGreaterThan(100);
    expect(Number(parts?.["apart"])).toBeGreaterThan(50);
    // Failed writes of the bucket and forged messages are logged, and nothing else.
    const codes = problems.map((problem) => (problem as { readonly event?: string }).event);
    expect(new Set(codes)).toEqual(new Set(["messages_not_stored", "events_unauthenticated"]));
  });

  it.each(GROUPS)(
    "sums requests, tokens and unknown usage by $groupBy as /usage does",
    async ({ groupBy, columns, least }) => {
      const archived = await archiveSums(columns.join(", "));
      expect(archived.length).toBeGreaterThanOrEqual(least);
      expect(lines(archived, columns)).toEqual(lines(await ledgerSums(groupBy, columns), columns));
    },
  );

  it.each(GROUPS)(
    "agrees with the totals by $groupBy when they are folded and their days closed",
    async ({ groupBy, columns }) => {
      await foldJournal(database);
      await closeDays(database, NOW);
      const archived = await archiveSums(columns.join(", "));
      expect(lines(archived, columns)).toEqual(lines(await ledgerSums(groupBy, columns), columns));
    },
  );

  it("keeps counts up to 2^53 - 1 exact", async () => {
    const [row] = (
      await duckdb.runAndReadAll("SELECT max(input_tokens) AS most FROM usages")
    ).getRowObjects();
    expect(Number(row?.["most"])).toBe(Number.MAX_SAFE_INTEGER - 10 ** 12);
  });
});
