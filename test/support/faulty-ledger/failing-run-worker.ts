/**
 * The records Worker, whose run fails as a whole when it stores a text that holds `POISON`. `POST /` sends a message to the
 * queue, `GET /` returns the ids of the stored interceptions.
 */
import { retain } from "../in-workerd/retain.ts";
import RecordsWorker, { BudgetObject } from "../../../src/records/index.ts";
import { createRecords } from "../../../src/records/wiring.ts";
import { consoleOff } from "../console-settings.ts";

export { BudgetObject };

export default class extends RecordsWorker {
  override async fetch(request: Request): Promise<Response> {
    const { EVENTS, LEDGER } = this.env as { readonly EVENTS: Queue; readonly LEDGER: D1Database };
    if (request.method === "POST") {
      await EVENTS.send(await request.text(), { contentType: "text" });
      return new Response(null, { status: 202 });
    }
    const { results } = await LEDGER.prepare("SELECT id FROM interceptions ORDER BY id").all<{
      id: string;
    }>();
    return Response.json(results.map(({ id }) => id));
  }

  override async queue(batch: MessageBatch): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const database = poisoned(this.env["LEDGER"] as D1Database, () => reject(new Error("the run is over")));
    const records = createRecords({
      database,
      archive: null,
      budgetObjects: null,
      retention: retain(0),
      ...consoleOff(),
      deadLetterQueue: null,
      eventMac: { keys: [], acceptsMissing: false },
      seals: null,
    });
    await Promise.race([promise, records.consume(batch)]);
  }
}

/** A batch with the text never settles and calls `end`. */
function poisoned(database: D1Database, end: () => void): D1Database {
  let holdsPoison = false;
  const prepare = (sql: string): object => {
    const unbound = database.prepare(sql);
    const bind = (...values: readonly unknown[]): D1PreparedStatement => {
      holdsPoison ||= values.some((value) => typeof value === "string" && value.includes("POISON"));
      return unbound.bind(...values);
    };
    return Object.assign(Object.create(unbound) as D1PreparedStatement, { bind });
  };
  const batch = (statements: D1PreparedStatement[]): Promise<unknown> => {
    if (!holdsPoison) return database.batch(statements);
    end();
    return new Promise(() => undefined);
  };
  return { prepare, batch } as unknown as D1Database;
}
