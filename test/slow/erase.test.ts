/** Runs the erase command against a separate local database, through the real wrangler. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { executeSql, queryLedger } from "../../tools/local/ledger-sql.ts";
import { migrateLedger } from "../../tools/local/wrangler.ts";
import { toSql } from "../../tools/replay/sql.ts";
import { ROOT } from "../../tools/root.ts";
import { wranglerLedger } from "../../tools/erase/wrangler-ledger.ts";
import { isOvertaken } from "../../src/records/ledger/erase/totals.ts";
import { idOf, T0 } from "../support/in-workerd/ledger-events.ts";
import { END, PROMPT, START } from "../support/in-workerd/events.ts";
import { OWNER } from "../support/in-workerd/values.ts";

const run = promisify(execFile);
const state = mkdtempSync(join(tmpdir(), "erase-test-"));
const place = { remote: false, environment: null, persistTo: state };

beforeAll(async () => {
  await migrateLedger({ persistTo: state }, console.error);
  const events = Array.from({ length: 250 }, (_, n) =>
    [START, END, { ...PROMPT, prompt: `it's; 東京 BEGIN TRANSACTION ${n}` }].map((event) => ({
      ...event,
      interception_id: idOf(n),
      // Nothing but the last one is another person's.
      ...(n === 249 ? { initiator_id: "bob" } : {}),
    })),
  ).flat();
  await executeSql(toSql(events.map((event) => ({ event, via: "q", macKeyId: null, storedAt: T0 }))), place);
});
afterAll(() => rmSync(state, { recursive: true, force: true }));

const erase = (...args: readonly string[]): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, ["tools/run.mjs", "erase", ...args, "--persist-to", state], { cwd: ROOT });

describe("npm run erase", () => {
  it(
    "erases a person in the local database, and leaves the totals and the rows of others",
    { timeout: 900_000 },
    async () => {
      const { stdout } = await erase("--principal", OWNER);
      expect(stdout).toMatch(/The person is erased-[0-9a-f]{12} now\./);
      expect(stdout).not.toContain(OWNER);
      expect(
        await queryLedger(
          `SELECT COUNT(DISTINCT initiator_id) AS initiators, SUM(initiator_id = '${OWNER}') AS named FROM interceptions`,
          place,
        ),
      ).toEqual([{ initiators: 2, named: 0 }]);
      expect(await queryLedger("SELECT prompt FROM user_prompts WHERE prompt <> 'erased'", place)).toEqual([
        { prompt: "it's; 東京 BEGIN TRANSACTION 249" },
      ]);
      expect(
        await queryLedger("SELECT CAST(SUM(requests) AS INTEGER) AS requests FROM rollup_hours", place),
      ).toEqual([{ requests: 250 }]);
    },
  );

  it("lists the erasure, and finds no more rows", { timeout: 900_000 }, async () => {
    expect((await erase("--status")).stdout).toMatch(/^erased-[0-9a-f]{12} {2}requested .* open /);
    expect((await erase("--principal", OWNER)).stdout).toContain("0 rows were changed");
  });

  it("recognizes a transaction that another writer has overtaken, by wrangler's output", async () => {
    const statement = {
      sql: "INSERT INTO erasures (id, pseudonym, requested_at) SELECT NULL, '', 0",
      values: [],
    };
    const failure = await wranglerLedger(place)
      .run([statement])
      .catch((error: unknown) => error);
    expect(isOvertaken(failure)).toBe(true);
  });
});
