import { DatabaseSync } from "node:sqlite";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { addSql, readArguments, releaseSql } from "../../tools/hold.ts";
import { ROOT } from "../../tools/root.ts";

const NOW = Date.UTC(2026, 10, 29);
const HOLD = "019a0000-0000-7000-8000-000000000001";

function ledger(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  for (const file of readdirSync(join(ROOT, "migrations")).toSorted())
    database.exec(readFileSync(join(ROOT, "migrations", file), "utf8"));
  return database;
}

const place = { remote: false, environment: null, persistTo: undefined };

describe("npm run hold reads", () => {
  it.each([
    [["list"], { verb: "list", place }],
    [["release", HOLD, "--remote"], { verb: "release", id: HOLD, place: { ...place, remote: true } }],
    [
      ["add", "--principal", "alice", "--reason", "case 7"],
      { verb: "add", principal: "alice", session: null, reason: "case 7", place },
    ],
    [
      ["add", "--session", "s", "--reason", "case 7"],
      { verb: "add", principal: null, session: "s", reason: "case 7", place },
    ],
  ])("%j", (args, expected) => {
    expect(readArguments(args)).toEqual(expected);
  });

  it.each([
    [["add", "--principal", "a", "--session", "s", "--reason", "r"], "either --principal or --session"],
    [["add", "--principal", "a"], "requires --reason"],
    [["add", "--principal", "a", "--reason", " "], "requires --reason"],
    [["release"], "requires the id"],
    [["remove"], "must be add, release or list"],
    [["list", "--remote", "--local"], "--remote excludes"],
  ])("no %j", (args, issue) => {
    expect(readArguments(args)).toContain(issue);
  });
});

describe("the statements of npm run hold", () => {
  it("store a hold and its event, and remove it with another event", () => {
    const database = ledger();
    const hold = { verb: "add", principal: "O'Brien", session: null, reason: "case '7'" } as const;
    database.exec(addSql(HOLD, hold, NOW));
    expect(database.prepare("SELECT * FROM legal_holds").all()).toEqual([
      {
        id: HOLD,
        principal_id: "O'Brien",
        session_id: null,
        reason: "case '7'",
        created_at: "2026-11-29T00:00:00.000Z",
      },
    ]);
    database.exec(releaseSql(HOLD, NOW + 1));
    expect(database.prepare("SELECT * FROM legal_holds").all()).toEqual([]);
    const events = database
      .prepare('SELECT action, "by", target, cause FROM ledger_accesses ORDER BY id')
      .all();
    expect(events).toEqual([
      { action: "hold", by: "tool", target: "O'Brien", cause: "case '7'" },
      { action: "release", by: "tool", target: HOLD, cause: null },
    ]);
    // They are sealed like every other event.
    const [journaled] = database
      .prepare("SELECT SUM(json_array_length(event_ids)) AS events FROM journal")
      .all();
    expect(journaled).toEqual({ events: 2 });
  });
});
