/** The migration 0005_public_names.sql renames a column and stored values. It runs here on rows of the schema before it. */
import { describe, expect, it } from "vitest";
import { ANOMALY_KINDS } from "../../src/events/anomaly-kinds.ts";
import { OBSERVATIONS } from "../../src/events/vocabulary.ts";
import { INTERCEPTION } from "../../src/records/api/fields.ts";
import { selected } from "../../src/records/api/kit/row-mapper.ts";
import { withSchemaBefore, type FormerSchema } from "../support/in-workerd/former-schema.ts";

const MIGRATION = "0005_public_names.sql";
type Database = Pick<FormerSchema, "sql">;
type SqlValue = string | number | null;
type Row = Record<string, SqlValue>;

const AT = "2026-11-23T12:00:00.000Z";

/** The columns of an interception that may not be null. */
const CALL: Row = {
  actor_id: "ci-bot",
  actor_kind: "service",
  initiator_id: "ci-bot",
  attribution: "authenticated",
  identity_source: "keys",
  client: "Unknown",
  provider: "openai",
  provider_type: "openai",
  route: "/chat/completions",
  streaming: 1,
  credential_kind: "byok",
  started_at: AT,
};

const OVERRIDE: Row = {
  interception_id: "i1",
  accepted: 0,
  actor_id: "ci-bot",
  actor_kind: "service",
  identity_source: "keys",
  initiator_id: "ci-bot",
  attribution: "authenticated",
  client: "Unknown",
  provider: "openai",
  created_at: AT,
};

const ANOMALY: Row = {
  subject: "s",
  first_interception_id: "i1",
  last_interception_id: "i2",
  count: 2,
  details: "{}",
  first_seen: AT,
  last_seen: AT,
};

const anomalies = (kinds: readonly string[]): Row[] =>
  kinds.map((kind, at) => ({ id: `a${at}`, kind, ...ANOMALY }));

function insert({ sql }: Database, table: string, row: Row): void {
  const marks = Object.keys(row).map(() => "?");
  const names = Object.keys(row).join(", ");
  sql.exec(`INSERT INTO ${table} (${names}) VALUES (${marks.join(", ")})`, ...Object.values(row));
}

/** Runs `check` on a database to which `before` has written after migration 0004. It then has every migration. */
async function migrated(
  before: (storage: Database) => void,
  check: (storage: Database) => void,
): Promise<void> {
  await withSchemaBefore(MIGRATION, ({ sql, migrateToLast }) => {
    before({ sql });
    migrateToLast();
    check({ sql });
  });
}

const rows = ({ sql }: Database, query: string): Row[] => sql.exec<Row>(query).toArray();

describe(`the migration ${MIGRATION}`, () => {
  it("keeps usage_flagged as usage_invalid, and renames the values of observation", async () => {
    await migrated(
      (storage) => {
        const add = (id: string, observation: SqlValue, usage_flagged: SqlValue): void =>
          insert(storage, "interceptions", { id, ...CALL, observation, usage_flagged });
        add("i1", "whole", 0);
        add("i2", "capped", 1);
        add("i3", null, null);
      },
      (storage) => {
        const read = rows(storage, "SELECT id, observation, usage_invalid FROM interceptions ORDER BY id");
        expect(read).toEqual([
          { id: "i1", observation: "complete", usage_invalid: 0 },
          { id: "i2", observation: "truncated", usage_invalid: 1 },
          { id: "i3", observation: null, usage_invalid: null },
        ]);
        for (const { observation } of read.slice(0, 2))
          expect(OBSERVATIONS).toHaveProperty(String(observation));
        // Every column that the API selects exists.
        const { text } = selected("i", INTERCEPTION, true);
        expect(rows(storage, `SELECT ${text} FROM interceptions i`)).toHaveLength(3);
      },
    );
  });

  it("renames why_lost in each candidate, and changes no value that contains that text", async () => {
    const hostile = 'x"why_lost":y';
    await migrated(
      (storage) => {
        const add = (id: string, candidates: object | null): void =>
          insert(storage, "initiator_overrides", {
            id,
            ...OVERRIDE,
            candidates: candidates && JSON.stringify(candidates),
          });
        add("o1", [
          { who: "owner", id: null, why_lost: "form" },
          { who: "actor", id: "ci-bot", why_lost: null },
        ]);
        add("o2", [{ who: "actor", id: hostile, why_lost: "overridden" }]);
        add("o3", []);
        add("o4", null);
      },
      (storage) => {
        const read = rows(storage, "SELECT candidates FROM initiator_overrides ORDER BY id");
        expect(read.map(({ candidates }) => JSON.parse(String(candidates)) as unknown)).toEqual([
          [
            { who: "owner", id: null, rejection_reason: "form" },
            { who: "actor", id: "ci-bot", rejection_reason: null },
          ],
          [{ who: "actor", id: hostile, rejection_reason: "overridden" }],
          [],
          null,
        ]);
      },
    );
  });

  it("renames the kinds of anomalies, and changes nothing else in their rows", async () => {
    const kinds = {
      chat_of_several: "chat_multiple_initiators",
      owner_switched: "actor_multiple_owners",
      owner_of_many_actors: "owner_many_actors",
      asserted_rising: "asserted_share_spike",
      coder_agents_without_headers: "coder_agents_without_headers",
    };
    await migrated(
      (storage) => {
        for (const row of anomalies(Object.keys(kinds))) insert(storage, "anomalies", row);
      },
      (storage) => {
        expect(rows(storage, "SELECT * FROM anomalies ORDER BY id")).toEqual(anomalies(Object.values(kinds)));
        // Further kinds were added since.
        expect(Object.keys(ANOMALY_KINDS)).toEqual(expect.arrayContaining(Object.values(kinds)));
      },
    );
  });

  it("runs on an empty database", async () => {
    await migrated(
      () => undefined,
      (storage) => expect(rows(storage, "SELECT usage_invalid FROM interceptions")).toEqual([]),
    );
  });
});
