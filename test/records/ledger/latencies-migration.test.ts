/** The migration 0019_latencies.sql adds measures to totals that exist. It runs here on rows of the schema before it. */
import { expect, it } from "vitest";
import { contribution, MEASURES, USE_MEASURES } from "../../../src/records/rollups/contribution-sql.ts";
import { LATENCY_MEASURES } from "../../../src/records/rollups/latency-sql.ts";
import { deltasOf, UNFOLDED } from "../../../src/records/rollups/unfolded.ts";
import { withSchemaBefore } from "../../support/in-workerd/former-schema.ts";

const MIGRATION = "0019_latencies.sql";
const AT = "2026-11-23T12:00:00.000Z";
const COLUMNS =
  "id, actor_id, actor_kind, initiator_id, attribution, identity_source, client, provider, provider_type, route, streaming, credential_kind, started_at, first_byte_ms, duration_ms, outcome, status";
const call = (id: string): string =>
  `INSERT INTO interceptions (${COLUMNS}) VALUES ('${id}', 'a', 'service', 'a', 'authenticated', 'keys', 'Unknown', 'openai', 'openai', '/chat/completions', 1, 'byok', '${AT}', 300, 2000, 'upstream_error', 429)`;

/** The measures of a row that are not zero. */
const namesOf = (row: Record<string, number>): string[] =>
  Object.entries(row).flatMap(([name, value]) => (value === 0 ? [] : [`${name} ${value}`]));

it("keeps the totals that exist, and counts latencies of later calls only", async () => {
  await withSchemaBefore(MIGRATION, ({ sql, migrateToLast }) => {
    sql.exec(call("00000000-0000-7000-8000-000000000001"));
    const use = USE_MEASURES.map((__, n) => n + 1);
    sql.exec(
      `INSERT INTO rollup_hours (dimension, hour, ${USE_MEASURES.join(", ")}) VALUES (1, '2026-11-23T12', ${use.join(", ")})`,
    );
    sql.exec(
      "INSERT INTO journal (stored_at, event_ids, deltas, delta_count) VALUES (0, '[]', ?, 1)",
      JSON.stringify([[1, "2026-11-23T12", ...use]]),
    );
    migrateToLast();
    sql.exec(call("00000000-0000-7000-8000-000000000002"));

    const expected = Object.fromEntries([
      ...USE_MEASURES.map((name, n) => [name, n + 1]),
      ...LATENCY_MEASURES.map((name) => [name, 0]),
    ]) as Record<string, number>;
    expect(sql.exec(`SELECT ${MEASURES.join(", ")} FROM rollup_hours`).toArray()).toEqual([expected]);
    const journal = sql.exec(`SELECT ${MEASURES.join(", ")} FROM (${deltasOf(UNFOLDED)})`).toArray();
    expect(journal).toEqual([expected]);

    const counted = LATENCY_MEASURES.map((name) => `${contribution(name, "i")} AS ${name}`).join(", ");
    const rows = sql
      .exec<Record<string, number>>(`SELECT ${counted} FROM interceptions i ORDER BY id`)
      .toArray();
    expect(rows.map(namesOf)).toEqual([[], ["first_byte_500 1", "duration_3000 1", "failed_rate_limited 1"]]);
  });
});
