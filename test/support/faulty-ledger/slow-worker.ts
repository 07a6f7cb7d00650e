/** The records Worker with a database that takes its time; `GET /` returns the ids of the stored interceptions. */
import RecordsWorker, { BudgetObject } from "../../../src/records/index.ts";

/** Longer than the caller's context lives. */
const DELAY_MS = 500;

export { BudgetObject };

export default class extends RecordsWorker {
  constructor(context: ExecutionContext, env: Readonly<Record<string, unknown>>) {
    super(context, { ...env, LEDGER: slow(env["LEDGER"] as D1Database) });
  }

  override async fetch(): Promise<Response> {
    const database = this.env["LEDGER"] as D1Database;
    const { results } = await database
      .prepare("SELECT id FROM interceptions ORDER BY id")
      .all<{ id: string }>();
    return Response.json(results.map(({ id }) => id));
  }
}

function slow(database: D1Database): D1Database {
  const batch = async (statements: D1PreparedStatement[]): Promise<unknown> => {
    await scheduler.wait(DELAY_MS);
    return database.batch(statements);
  };
  return { prepare: (sql: string) => database.prepare(sql), batch } as unknown as D1Database;
}
