/**
 * A database of the schema before a migration: the SQLite database of a Durable Object, because the D1 database that the tests
 * share has all migrations already.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { inject } from "vitest";

export type FormerSchema = {
  readonly sql: SqlStorage;
  /** Applies the migration alone. */
  readonly migrate: () => void;
  /** Applies the migration and all later ones. */
  readonly migrateToLast: () => void;
};

/** `migration`: the file's name. */
export async function withSchemaBefore(
  migration: string,
  use: (database: FormerSchema) => void,
): Promise<void> {
  const { NONCES } = env as unknown as { readonly NONCES: DurableObjectNamespace };
  const migrations = inject("migrations");
  const at = migrations.findIndex(({ name }) => name === migration);
  if (at < 0) throw new Error(`there is no migration ${migration}`);
  await runInDurableObject(NONCES.get(NONCES.newUniqueId()), async (_, { storage: { sql } }) => {
    const apply = (from: number, to?: number): void => {
      for (const { queries } of migrations.slice(from, to)) for (const query of queries) sql.exec(query);
    };
    apply(0, at);
    use({ sql, migrate: () => apply(at, at + 1), migrateToLast: () => apply(at) });
  });
}
