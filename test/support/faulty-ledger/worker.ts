/** The interceptor, with a database that is down for every third batch of its queue. */
import interceptor from "../../../src/index.ts";

let batches = 0;

export default {
  ...interceptor,
  async queue(batch, env) {
    batches += 1;
    const failing = batches % 3 === 0;
    await interceptor.queue(batch, failing ? { ...env, LEDGER: broken(env["LEDGER"] as D1Database) } : env);
  },
} satisfies ExportedHandler<Readonly<Record<string, unknown>>>;

/** Prepares as ever, stores nothing. */
function broken(database: D1Database): Partial<D1Database> {
  return {
    prepare: (query) => database.prepare(query),
    batch: () => Promise.reject(new Error("D1_ERROR: the database is down")),
  };
}
