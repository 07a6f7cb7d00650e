/** `npm start` over the local state of a version from before there were two Workers. */
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
  await execute(persistTo, OLD_ROWS);

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
