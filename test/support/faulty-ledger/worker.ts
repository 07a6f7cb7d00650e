/** The records Worker with a database that is down for every third batch of its queue. */
import { retain } from "../in-workerd/retain.ts";
import RecordsWorker, { BudgetObject } from "../../../src/records/index.ts";
import { createRecords } from "../../../src/records/wiring.ts";
import { consoleOff } from "../console-settings.ts";

let batches = 0;

export { BudgetObject };

export default class extends RecordsWorker {
  override async queue(batch: MessageBatch): Promise<void> {
    batches += 1;
    const database = this.env["LEDGER"] as D1Database;
    const records = createRecords({
      database: batches % 3 === 0 ? (broken(database) as D1Database) : database,
      archive: null,
      budgetObjects: null,
      retention: retain(0),
      ...consoleOff(),
      deadLetterQueue: null,
      eventMac: { keys: [String(this.env["EVENT_MAC_KEY"])], acceptsMissing: false },
      seals: null,
    });
    await records.consume({
      queue: batch.queue,
      metadata: batch.metadata,
      messages: batch.messages.map(impatient),
      ackAll: () => batch.ackAll(),
      retryAll: (options) => batch.retryAll(options),
    });
  }
}

/** A message may be in every third batch many times in a row; the test does not wait minutes for it. */
const MAX_DELAY_S = 5;

function impatient(message: Message): Message {
  const { id, timestamp, attempts, body } = message;
  return {
    id,
    timestamp,
    attempts,
    body,
    ack: () => message.ack(),
    retry: ({ delaySeconds = 0 } = {}) =>
      message.retry({ delaySeconds: Math.min(delaySeconds, MAX_DELAY_S) }),
  };
}

/** Prepares statements and stores nothing. */
function broken(database: D1Database): Partial<D1Database> {
  return {
    prepare: (query) => database.prepare(query),
    batch: () => Promise.reject(new Error("D1_ERROR: the database is down")),
  };
}
