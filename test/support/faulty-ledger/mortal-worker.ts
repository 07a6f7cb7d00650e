/**
 * The consumer of the records Worker behind HTTP: a test plays the queue, delivers batches with `POST /`, and says where the
 * process ends. `GET /` returns the ledger's rows.
 */
import { retain } from "../in-workerd/retain.ts";
import * as runtime from "cloudflare:workers";
import { createRecords } from "../../../src/records/wiring.ts";
import { toMessageBatch } from "../in-workerd/message-batch.ts";
import type { QueuedBatch } from "../queue-broker.ts";
import { consoleOff } from "../console-settings.ts";

/** Ends workerd's process at once, without any cleanup. The package of types does not have it yet. */
const { abortIsolate } = runtime as unknown as { readonly abortIsolate: (reason: string) => void };

/** Where the process ends: at the database's nth batch, before or after it is committed; or at a batch with this text. */
export type End =
  { readonly batch: number; readonly when: "before" | "after" } | { readonly holds: string } | null;

export type Delivery = QueuedBatch & { readonly end: End };

type TestEnv = { readonly LEDGER: D1Database };

export { BudgetObject } from "../../../src/records/objects/budget-object.ts";

export default {
  async fetch(request, { LEDGER }) {
    if (request.method === "GET") return Response.json(await readRows(LEDGER));
    const { end, ...delivered } = (await request.json()) as Delivery;
    const { batch, calls } = toMessageBatch(delivered);
    const records = createRecords({
      database: mortal(LEDGER, end),
      archive: null,
      budgetObjects: null,
      retention: retain(0),
      ...consoleOff(),
      deadLetterQueue: null,
      eventMac: { keys: [], acceptsMissing: false },
      seals: null,
    });
    await records.consume(batch);
    return Response.json(calls);
  },
} satisfies ExportedHandler<TestEnv>;

/** The database; ends the process where `end` says. */
function mortal(database: D1Database, end: End): D1Database {
  const parameters = new WeakMap<object, string>();
  let batches = 0;
  const prepare = (sql: string): object => {
    const unbound = database.prepare(sql);
    const bind = (...values: readonly unknown[]): D1PreparedStatement => {
      const statement = unbound.bind(...values);
      if (typeof values[0] === "string") parameters.set(statement, values[0]);
      return statement;
    };
    return Object.assign(Object.create(unbound) as D1PreparedStatement, { bind });
  };
  const batch = async (statements: D1PreparedStatement[]): Promise<unknown> => {
    batches += 1;
    const isEnd =
      end !== null &&
      ("holds" in end
        ? statements.some((statement) => parameters.get(statement)?.includes(end.holds))
        : end.batch === batches);
    if (isEnd && ("holds" in end || end.when === "before")) abortIsolate("the test ends the process");
    const results = await database.batch(statements);
    if (isEnd) abortIsolate("the test ends the process");
    return results;
  };
  return { prepare, batch } as unknown as D1Database;
}

const TABLES = [
  "interceptions",
  "token_usages",
  "user_prompts",
  "tool_usages",
  "model_thoughts",
  "initiator_overrides",
];

async function readRows(database: D1Database): Promise<Record<string, readonly unknown[]>> {
  const results = await database.batch(TABLES.map((table) => database.prepare(`SELECT * FROM ${table}`)));
  return Object.fromEntries(TABLES.map((table, at) => [table, results[at]?.results ?? []]));
}
