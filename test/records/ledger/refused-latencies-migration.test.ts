/** The migration 0024_refused_latencies.sql, on rows of the schema before it. */
import { expect, it } from "vitest";
import { contribution } from "../../../src/records/rollups/contribution-sql.ts";
import { firstUuidAt } from "../../../src/shared/uuid.ts";
import { withSchemaBefore } from "../../support/in-workerd/former-schema.ts";

const MIGRATION = "0024_refused_latencies.sql";
const COLUMNS =
  "id, actor_id, actor_kind, initiator_id, attribution, identity_source, client, provider, provider_type, route, streaming, credential_kind, started_at, duration_ms, outcome";
const MINUTE = 60_000;

/** A refused call, minutes after now. */
function refused(minutes: number): string {
  const at = Date.now() + minutes * MINUTE;
  return `INSERT INTO interceptions (${COLUMNS}) VALUES ('${firstUuidAt(at)}', 'a', 'service', 'a', 'authenticated', 'keys', 'Unknown', 'openai', 'openai', '/chat/completions', 1, 'byok', '${new Date(at).toISOString()}', 2000, 'refused')`;
}

// The Worker that is deployed after the migration recounts the rows that the one before it has counted until then.
it("counts refused calls until the next Worker is deployed as the one before it does", async () => {
  await withSchemaBefore(MIGRATION, ({ sql, migrate }) => {
    sql.exec(refused(-5));
    migrate();
    sql.exec(refused(10));
    sql.exec(refused(70));
    const counted = sql
      .exec(`SELECT ${contribution("duration_3000", "i")} AS calls FROM interceptions i ORDER BY id`)
      .toArray();
    expect(counted).toEqual([{ calls: 1 }, { calls: 1 }, { calls: 0 }]);
  });
});
