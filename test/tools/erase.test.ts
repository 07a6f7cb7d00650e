/** `npm run erase` over a database in memory, whose statements have their parameters inlined as for wrangler. */
import { DatabaseSync } from "node:sqlite";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../src/events/event.ts";
import type { ErasableLedger } from "../../src/records/ledger/erase/erase-ledger.ts";
import { uuidV7 } from "../../src/shared/uuid.ts";
import { erasePerson, type EraseRequest, type EraseResult } from "../../tools/erase/erase-person.ts";
import { OUT_OF_REACH, reportText, statusText } from "../../tools/erase/print.ts";
import { commandsOf, statementText } from "../../tools/erase/wrangler-ledger.ts";
import { readArguments } from "../../tools/erase.ts";
import { addSql } from "../../tools/hold.ts";
import { toSql } from "../../tools/replay/sql.ts";
import { ROOT } from "../../tools/root.ts";
import { END, OVERRIDE, PROMPT, REFUSED, REJECTED, START, TOKENS } from "../support/in-workerd/events.ts";
import { OWNER } from "../support/in-workerd/values.ts";

const NOW = Date.UTC(2026, 10, 29);
const HOLD = "019a0000-0000-7000-8000-000000000001";
const place = { remote: false, environment: null, persistTo: undefined };
const request: EraseRequest = {
  ids: ["alice"],
  names: [],
  pseudonym: null,
  technical: false,
  isDryRun: false,
};

describe("npm run erase reads", () => {
  it.each([
    [["--status"], { verb: "status", place }],
    [["--principal", "alice"], { verb: "erase", place, request }],
    [
      [
        "--principal",
        OWNER.toUpperCase(),
        "--alias",
        "a@x.example",
        "--alias",
        "b",
        "--name",
        "Alice L",
        "--remote",
      ],
      {
        verb: "erase",
        place: { ...place, remote: true },
        request: { ...request, ids: [OWNER, "a@x.example", "b"], names: ["Alice L"] },
      },
    ],
    [
      ["--principal", "alice", "--technical", "--dry-run", "--pseudonym", "erased-0123456789ab"],
      {
        verb: "erase",
        place,
        request: { ...request, technical: true, isDryRun: true, pseudonym: "erased-0123456789ab" },
      },
    ],
  ])("%j", (args, expected) => {
    expect(readArguments(args)).toEqual(expected);
  });

  it.each([
    [["--name", "Alice"], "--principal is required"],
    [["--principal", ""], "--principal is required"],
    [["--principal", "alice", "--name", ""], "must not be empty"],
    [["--principal", "alice", "--pseudonym", "bob"], "--pseudonym must be"],
    // Erasing a pseudonym would break the groups of its totals.
    [["--principal", "erased-0123456789ab"], "a pseudonym already"],
    [["--principal", "alice", "--status"], "--status excludes"],
    [["--principal", "alice", "--remote", "--local"], "--remote excludes"],
    [["alice"], "Unexpected argument"],
  ])("no %j", (args, issue) => {
    expect(readArguments(args)).toContain(issue);
  });
});

describe("a parameter in a statement's text", () => {
  const sqlite = new DatabaseSync(":memory:");
  it.each([
    "it's",
    "a\nb;--",
    "BEGIN TRANSACTION;",
    "x'BEGIN TRANSACTION'y BEGIN TRANSACTION",
    "$& $1 ?2",
    "",
  ])("is the same text: %j", (text) => {
    const sql = statementText({ sql: "SELECT ?1 AS a, ?2 AS b, ?1 AS c, ?3 AS d", values: [text, 7, null] });
    expect(sql).not.toContain("BEGIN TRANSACTION");
    expect(sqlite.prepare(sql).get()).toEqual({ a: text, b: 7, c: text, d: null });
  });
});

it("joins queries into commands that an operating system takes, in their order", () => {
  expect(commandsOf(["aaaa", "bb", "cccc", "dddddddddd"], 9)).toEqual(["aaaa;\nbb", "cccc", "dddddddddd"]);
  expect(commandsOf([])).toEqual([]);
});

let database: DatabaseSync;
let ledger: ErasableLedger;
/** The transactions after which the process ends. */
let endsAfter: number;

beforeEach(() => {
  database = new DatabaseSync(":memory:");
  for (const file of readdirSync(join(ROOT, "migrations")).toSorted())
    database.exec(readFileSync(join(ROOT, "migrations", file), "utf8"));
  endsAfter = Infinity;
  ledger = {
    query: (sql, ...values) => Promise.resolve(database.prepare(statementText({ sql, values })).all()),
    queryAll: (statements) =>
      Promise.all(statements.map((statement) => database.prepare(statementText(statement)).all())),
    run: (statements) => {
      if (endsAfter-- <= 0) return Promise.reject(new Error("interrupted"));
      const text = statements.map((statement) => `${statementText(statement)};\n`).join("");
      database.exec(`BEGIN;\n${text}COMMIT;`);
      return Promise.resolve();
    },
  };
});

let random = 0;
const newId = (): string => `00000000-0000-4000-8000-${(++random).toString(16).padStart(12, "0")}`;
const erase = (over: Partial<EraseRequest> = {}): Promise<EraseResult> =>
  erasePerson(ledger, { ...request, ids: [OWNER], ...over }, { now: () => NOW, newId });

const store = (events: readonly InterceptorEvent[]): void =>
  database.exec(toSql(events.map((event) => ({ event, via: "q", macKeyId: null, storedAt: NOW - 1000 }))));

const idAt = (n: number): string =>
  uuidV7(NOW - 60_000 + n, `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`);
const calls = (count: number): InterceptorEvent[] =>
  Array.from({ length: count }, (_, n) =>
    [START, END, TOKENS, PROMPT, OVERRIDE].map((event) => ({ ...event, interception_id: idAt(n) })),
  ).flat();

/** All rows of the database, as one text. */
function dump(): string {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  return tables
    .map(({ name }) => JSON.stringify(database.prepare(`SELECT * FROM ${String(name)}`).all()))
    .join("\n");
}

describe("npm run erase", () => {
  it("leaves no id of the person, and an event that names the pseudonym only", async () => {
    store(calls(3));
    const { pseudonym, rows } = await erase();
    expect(pseudonym).toMatch(/^erased-[0-9a-f]{12}$/);
    expect(rows).toMatchObject({ interceptions: 3, user_prompts: 3, initiator_overrides: 3 });
    expect(dump()).not.toContain(OWNER);
    const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
    expect(
      database.prepare('SELECT action, "by", target, parameters, rows, before FROM ledger_accesses').all(),
    ).toEqual([
      {
        action: "erase",
        by: "tool",
        target: pseudonym,
        parameters: '{"ids":"1","technical":"false"}',
        rows: total,
        before: new Date(NOW).toISOString(),
      },
    ]);
  });

  it("changes nothing in a dry run, and says how many rows it would change", async () => {
    store(calls(2));
    const before = dump();
    const result = await erase({ isDryRun: true });
    expect(result.rows).toMatchObject({ interceptions: 2, user_prompts: 2 });
    expect(dump()).toBe(before);
    expect(reportText(result, { ...request, isDryRun: true })).toMatch(/^\d+ rows would change:\n/);
  });

  it.each([1, 2, 3, 4, 5])(
    "finishes with the same pseudonym after an interruption (%i)",
    async (transactions) => {
      store(calls(300));
      endsAfter = transactions;
      await expect(erase()).rejects.toThrow("interrupted");
      endsAfter = Infinity;
      const { pseudonym } = await erase();
      expect(dump()).not.toContain(OWNER);
      const named = database.prepare("SELECT DISTINCT initiator_id AS id FROM interceptions").all();
      expect(named).toEqual([{ id: pseudonym }]);
      expect(database.prepare("SELECT COUNT(*) AS n FROM erasures").all()).toEqual([{ n: 1 }]);
      // One dimension: the old one is merged into that of the pseudonym.
      expect(database.prepare("SELECT requests FROM rollup_hours").all()).toEqual([{ requests: 300 }]);
    },
  );

  it("continues under a pseudonym that is given, after the erasure was complete", async () => {
    store(calls(1));
    const { pseudonym } = await erase();
    database.exec(`UPDATE erasures SET person = NULL, finished_at = ${NOW}`);
    store(calls(2));
    expect((await erase({ pseudonym })).pseudonym).toBe(pseudonym);
    expect(dump()).not.toContain(OWNER);
    expect(database.prepare("SELECT COUNT(*) AS n, finished_at FROM erasures").all()).toEqual([
      { n: 1, finished_at: null },
    ]);
  });

  it.each([
    ["the person", { principal: OWNER, session: null }],
    ["a session of the person", { principal: null, session: START.client_session_id ?? "" }],
  ])("erases nothing under a legal hold on %s, and names the hold", async (_, held) => {
    store(calls(1));
    database.exec(addSql(HOLD, { verb: "add", ...held, reason: "case 7" }, NOW));
    const before = dump();
    await expect(erase()).rejects.toThrow(`legal hold: ${HOLD} ("case 7")`);
    expect(dump()).toBe(before);
  });

  it("ignores a hold on a session of others", async () => {
    store(calls(1));
    database.exec(addSql(HOLD, { verb: "add", principal: null, session: "another", reason: "case 7" }, NOW));
    await expect(erase()).resolves.toMatchObject({ rows: { interceptions: 1 } });
  });

  // The traces of a person who never made a call: a rejected owner header, a key that is refused.
  it("finds hashes of the id in rejected owner headers, and the person's keys in refusals", async () => {
    store([
      { ...START, interception_id: idAt(1), actor_id: OWNER, api_key_id: "aaaaaaaaaaaaaaaa" },
      { ...REFUSED, interception_id: idAt(2), api_key_id: "aaaaaaaaaaaaaaaa", actor_verified: true },
      // printf %s alice | sha256sum
      { ...REJECTED, interception_id: idAt(3), value_sha256: "2bd806c97f0e00af" },
    ]);
    const { pseudonym } = await erase({ names: ["alice"] });
    expect(database.prepare("SELECT api_key_id FROM refusals").all()).toEqual([{ api_key_id: pseudonym }]);
    expect(database.prepare("SELECT value_sha256 FROM initiator_overrides").all()).toEqual([
      { value_sha256: pseudonym },
    ]);
  });
});

describe("the report", () => {
  it("names each place out of reach with its expiry, and the end of the erasure", async () => {
    store(calls(1));
    const text = reportText(await erase(), request);
    for (const [where, until] of OUT_OF_REACH) expect(text).toContain(`  ${where}: ${until}\n`);
    expect(text).toContain("until 2026-12-14 00:00 (UTC)");
    expect(text).not.toContain(OWNER);
    expect(statusText(database.prepare("SELECT * FROM erasures").all())).toContain(
      "open  archive: 0 of 2 passes",
    );
  });
});
