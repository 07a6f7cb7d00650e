/** `npm start` over the local state of a version from before there were two Workers. */
import { totalOf } from "../../src/records/rollups/contribution-sql.ts";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { ROOT } from "../../tools/root.ts";
import { checkDevVars } from "../../tools/local/dev-vars.ts";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";
import { migrateLedger, runWrangler } from "../../tools/local/wrangler.ts";

/** The migrations of that version. */
const OLD_MIGRATIONS = ["0001_ledger.sql", "0002_indices.sql", "0003_owner.sql", "0004_anomalies.sql"];

const OLD_ROWS = `
  INSERT INTO interceptions (id, actor_id, actor_kind, initiator_id, attribution, identity_source, client, provider,
      provider_type, route, streaming, credential_kind, started_at, observation, usage_flagged)
    VALUES ('i1', 'a', 'service', 'a', 'authenticated', 'keys', 'Unknown', 'openai', 'openai', '/v1/chat/completions', 0,
      'central', '2026-11-01T00:00:00.000Z', 'whole', 1);
  INSERT INTO initiator_overrides (id, interception_id, accepted, actor_id, actor_kind, identity_source, initiator_id,
      attribution, client, provider, created_at, candidates)
    VALUES ('o1', 'i1', 0, 'a', 'service', 'keys', 'a', 'authenticated', 'Unknown', 'openai', '2026-11-01T00:00:00.000Z',
      '[{"who":"owner","id":null,"why_lost":"multiple"}]');`;

/** A response that reported its usage, and a background response whose usage was read later. */
const OLD_USAGES = [
  { id: "01a20846-fe00-7abc-8def-0123456789ab", outcome: "completed", usage: "final" },
  { id: "01a20847-01e8-7abc-8def-0123456789ab", outcome: "queued", usage: "final" },
];
const OLD_USAGE_ROWS = `
  ${OLD_USAGES.map(
    ({ id, outcome, usage }) => `
  INSERT INTO interceptions (id, actor_id, actor_kind, initiator_id, attribution, identity_source, client, provider,
      provider_type, route, streaming, credential_kind, started_at, observation, usage_flagged, outcome, usage, ended_at)
    VALUES ('${id}', 'a', 'service', 'a', 'authenticated', 'keys', 'Unknown', 'openai', 'openai', '/v1/responses', 0,
      'central', '2026-11-23T12:00:00.000Z', 'whole', 0, '${outcome}', '${usage}', '2026-11-23T12:00:01.000Z');`,
  ).join("")}
  INSERT INTO token_usages (id, interception_id, initiator_id, input_tokens, output_tokens, usage, metadata, created_at)
    VALUES ('01a20846-fe00-8200-8def-0123456789ab', '${OLD_USAGES[0]?.id}', 'a', 5, 7, 'final', '{}', '2026-11-23T12:00:01.000Z'),
      ('openai/resp_1', '${OLD_USAGES[1]?.id}', 'a', 11, 13, 'final', '{}', '2026-11-23T12:05:00.000Z');`;

const USAGE_COLUMNS = `SELECT input_tokens, claimed_input_tokens, claimed_usage, usage_state, ${totalOf("input_tokens", "interceptions")} AS total_input_tokens,
  ${totalOf("output_tokens", "interceptions")} AS total_output_tokens, start_seal, end_seal FROM interceptions WHERE id <> 'i1' ORDER BY id`;
const OLD_TOTALS = `SELECT hour, requests, unknown_usage, input_tokens, output_tokens FROM rollup_hours ORDER BY hour`;

const JOINED = `SELECT observation, usage_invalid, candidates
  FROM interceptions i JOIN initiator_overrides o ON o.interception_id = i.id`;

it.each([
  [
    { ADMIN_TOKEN: "0" },
    "sets ADMIN_TOKEN, which only the records Worker reads: move it to .dev.vars.records.",
  ],
  [
    { ADMIN_TOKEN: "0", RETENTION_DAYS: "5" },
    "sets ADMIN_TOKEN and RETENTION_DAYS, which only the records Worker reads: move them to .dev.vars.records.",
  ],
])("refuses a .dev.vars that sets %j", (gateway, sentence) => {
  expect(() => checkDevVars({ gateway, records: {} })).toThrow(sentence);
});

it("migrates the ledger in place: old rows have the public names of today", async () => {
  const folder = mkdtempSync(join(tmpdir(), "local-state-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const persistTo = join(folder, "state");
  for (const name of OLD_MIGRATIONS) cpSync(join(ROOT, "migrations", name), join(folder, "migrations", name));
  const database = {
    binding: "LEDGER",
    database_name: "ai-ledger",
    migrations_dir: join(folder, "migrations"),
  };
  const oldConfig = writeRecordsConfig(folder, {}, { d1_databases: [database] });
  await migrateLedger({ persistTo, config: oldConfig }, () => undefined);
  await execute(persistTo, OLD_ROWS + OLD_USAGE_ROWS);

  const notices: string[] = [];
  await migrateLedger({ persistTo }, (line) => void notices.push(line));

  expect(notices).toEqual([]);
  expect(await execute(persistTo, JOINED)).toEqual([
    {
      observation: "complete",
      usage_invalid: 1,
      candidates: '[{"who":"owner","id":null,"rejection_reason":"multiple"}]',
    },
  ]);
  // Stored before seals. Their usage is in their rows, and all of it is in the totals.
  const stored = { usage_state: "final", start_seal: null, end_seal: "" };
  const none = { claimed_input_tokens: null, claimed_usage: null };
  expect(await execute(persistTo, USAGE_COLUMNS)).toEqual([
    { ...stored, ...none, input_tokens: 5, total_input_tokens: 5, total_output_tokens: 7 },
    {
      ...stored,
      input_tokens: null,
      claimed_input_tokens: 11,
      claimed_usage: "final",
      total_input_tokens: 11,
      total_output_tokens: 13,
    },
  ]);
  expect(await execute(persistTo, OLD_TOTALS)).toEqual([
    { hour: "2026-11-01T00", requests: 1, unknown_usage: 1, input_tokens: 0, output_tokens: 0 },
    { hour: "2026-11-23T12", requests: 2, unknown_usage: 0, input_tokens: 16, output_tokens: 20 },
  ]);
});

async function execute(persistTo: string, sql: string): Promise<unknown> {
  const where = ["--local", "--persist-to", persistTo, "--config", join(ROOT, "wrangler.records.toml")];
  const { ok, stdout, lines } = await runWrangler([
    "d1",
    "execute",
    "LEDGER",
    "--command",
    sql,
    "--json",
    ...where,
  ]);
  if (!ok) throw new Error(lines.join("\n"));
  return (JSON.parse(stdout) as { readonly results: unknown }[]).at(-1)?.results;
}
