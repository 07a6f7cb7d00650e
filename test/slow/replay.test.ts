/** Runs the replay command against a separate local database. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSign, macKeyId } from "../../src/events/event-mac.ts";
import { parseSeal } from "../../src/records/ledger/stored-facts.ts";
import { KEY } from "../support/in-workerd/mac-keys.ts";
import { toFallbackLine, toSignedFallbackLine } from "../../src/events/fallback-log.ts";
import { ROOT } from "../../tools/root.ts";
import { migrateLedger } from "../../tools/local/wrangler.ts";
import { toPieceLine, toPieces } from "../../src/events/message-pieces.ts";
import { toMessages } from "../support/messages.ts";
import { idOf } from "../support/in-workerd/ledger-events.ts";
import { END, OVERRIDE, PROMPT, START, TOKENS, TOOL } from "../support/in-workerd/events.ts";

const run = promisify(execFile);
const state = mkdtempSync(join(tmpdir(), "replay-test-"));

beforeAll(() => migrateLedger({ persistTo: state }, console.error));
afterAll(() => rmSync(state, { recursive: true, force: true }));

async function replay(...args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  return replayWith({}, args);
}

async function replayWith(
  variables: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<{ stdout: string; stderr: string }> {
  const env = { ...process.env, ...variables };
  return run(process.execPath, ["tools/run.mjs", "replay", ...args], { cwd: ROOT, env });
}

async function select(sql: string): Promise<unknown> {
  const wrangler = join(ROOT, "node_modules", "wrangler", "bin", "wrangler.js");
  const args = [
    "d1",
    "execute",
    "LEDGER",
    "--local",
    "-c",
    "wrangler.records.toml",
    "--persist-to",
    state,
    "--json",
    "--command",
    sql,
  ];
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false" };
  const { stdout } = await run(process.execPath, [wrangler, ...args], { cwd: ROOT, env });
  const [statement] = JSON.parse(stdout) as { results: unknown }[];
  return statement?.results;
}

const idStart = (n: number): typeof START => ({ ...START, interception_id: idOf(n) });

const COUNTS = `SELECT (SELECT COUNT(*) FROM interceptions) AS interceptions, (SELECT COUNT(*) FROM tool_usages) AS tools,
  (SELECT COUNT(*) FROM token_usages) AS usages, (SELECT COUNT(raw_usage) FROM interceptions) AS tokens, (SELECT COUNT(*) FROM initiator_overrides) AS overrides`;

describe("npm run replay", () => {
  const log = join(state, "worker.log");

  it("stores the events of a log's fallback lines, and is idempotent", async () => {
    const prompt = { ...PROMPT, prompt: "it's; -- BEGIN TRANSACTION;\n'東京' \u0000" };
    writeFileSync(
      log,
      ["ready", ...[START, END, TOKENS, TOOL, OVERRIDE, prompt].map(toFallbackLine)].join("\n"),
    );
    for (const _ of [1, 2]) {
      expect((await replay("--persist-to", state, log)).stdout).toBe(
        "6 events replayed, without a check of their MACs.\n",
      );
      expect(await select(COUNTS)).toEqual([
        { interceptions: 1, tools: 1, usages: 0, tokens: 1, overrides: 1 },
      ]);
    }
    expect(await select("SELECT outcome, session_id FROM interceptions")).toEqual([
      { outcome: END.outcome, session_id: START.client_session_id },
    ]);
    const stored = prompt.prompt.replace("\0", "\ufffd");
    expect(await select("SELECT prompt FROM user_prompts")).toEqual([{ prompt: stored }]);
  });

  // The attack of finding H9: a text file with made-up events is replayed with the real log.
  it("Finding H9: with the key, stores events without a valid MAC apart", async () => {
    const real = await toSignedFallbackLine(idStart(7), createSign(KEY));
    const file = join(state, "made-up.log");
    writeFileSync(file, [real, toFallbackLine(idStart(8))].join("\n"));
    const args = ["--persist-to", state, file];
    expect(await replayWith({ EVENT_MAC_KEY: KEY }, args)).toEqual({
      stdout: "1 events replayed.\n",
      stderr: "1 events have no valid MAC and are in unauthenticated_events.\n",
    });
    const rows = await select(
      `SELECT interceptions.id, start_seal FROM interceptions WHERE id IN ('${idOf(7)}', '${idOf(8)}')`,
    );
    expect(rows).toMatchObject([{ id: idOf(7) }]);
    const [row] = rows as { start_seal: string }[];
    expect(parseSeal(row?.start_seal ?? "")).toMatchObject({ via: "p", macKeyId: await macKeyId(KEY) });
    const apart = await select("SELECT interception_id, reason, via FROM unauthenticated_events");
    expect(apart).toEqual([{ interception_id: idOf(8), reason: "missing", via: "p" }]);
    await expect(replayWith({ EVENT_MAC_KEY: "short" }, args)).rejects.toThrow(
      "EVENT_MAC_KEY must have at least 32 bytes in each key.",
    );
  });

  it("stores the events of messages as they were archived, and of messages in pieces", async () => {
    const later = { record_type: "cost_settled", interception_id: START.interception_id };
    const archived = ["a.json", "b.json"].map((name) => join(state, name));
    writeFileSync(archived[0] ?? "", JSON.stringify({ version: 1, events: [idStart(1), later] }));
    writeFileSync(archived[1] ?? "", toMessages([idStart(2)])[0] ?? "");
    expect(await replay("--persist-to", state, "--messages", ...archived)).toEqual({
      stdout: "2 events replayed, without a check of their MACs.\n",
      stderr: "1 entries are not events of this version and are skipped.\n",
    });
    const pieces = toPieces("m", toMessages([idStart(3)])[0] ?? "", 100).map(toPieceLine);
    writeFileSync(log, pieces.join("\n"));
    expect((await replay("--persist-to", state, log)).stdout).toBe(
      "1 events replayed, without a check of their MACs.\n",
    );
    expect(
      await select(`SELECT id FROM interceptions WHERE id IN ('${idOf(1)}', '${idOf(2)}', '${idOf(3)}')`),
    ).toEqual([1, 2, 3].map((n) => ({ id: idOf(n) })));
  });

  it("reports a log without events, unreadable lines and invalid options", async () => {
    writeFileSync(log, toFallbackLine(START).slice(0, 200));
    expect(await replay("--persist-to", state, log)).toEqual({
      stdout: "0 events replayed, without a check of their MACs.\n",
      stderr: "1 lines or messages hold no complete event and are skipped.\n",
    });
    await expect(replay("--remote", "--local", log)).rejects.toMatchObject({
      code: 2,
      stderr: "--remote excludes --local and --persist-to. (See --help.)\n",
    });
    await expect(replay("--plain", "--messages", log)).rejects.toMatchObject({
      code: 2,
      stderr: "--messages excludes --plain. (See --help.)\n",
    });
    await expect(replay(join(state, "nothing.log"))).rejects.toMatchObject({ code: 1 });
  });

  it("fails when wrangler fails, with wrangler's error message", async () => {
    writeFileSync(log, toFallbackLine(START));
    const empty = join(state, "empty");
    await expect(replay("--persist-to", empty, log)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no such table[^]*did not run the statements/) as string,
    });
  });
});
