/** The interceptor, with a database that is down for every third batch of its queue. */
import interceptor from "../../../src/gateway/index.ts";

let batches = 0;

export default {
  ...interceptor,
  async queue(batch, env) {
    batches += 1;
    const failing = batches % 3 === 0;
    const soon: MessageBatch = {
      queue: batch.queue,
      metadata: batch.metadata,
      messages: batch.messages.map(impatient),
      ackAll: () => batch.ackAll(),
      retryAll: (options) => batch.retryAll(options),
    };
    await interceptor.queue(soon, failing ? { ...env, LEDGER: broken(env["LEDGER"] as D1Database) } : env);
  },
} satisfies ExportedHandler<Readonly<Record<string, unknown>>>;

/** Some message is in every third batch many times over: it is not to wait for minutes then. */
const PATIENCE_S = 5;

function impatient(message: Message): Message {
  const { id, timestamp, attempts, body } = message;
  return {
    id,
    timestamp,
    attempts,
    body,
    ack: () => message.ack(),
    retry: ({ delaySeconds = 0 } = {}) => message.retry({ delaySeconds: Math.min(delaySeconds, PATIENCE_S) }),
  };
}

/** Prepares as ever, stores nothing. */
function broken(database: D1Database): Partial<D1Database> {
  return {
    prepare: (query) => database.prepare(query),
    batch: () => Promise.reject(new Error("D1_ERROR: the database is down")),
  };
}
