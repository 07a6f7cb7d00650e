/**
 * The records Worker's entry in a local run: src/records/index.ts with a count of the events that its consumer is done with.
 * The sealer also runs after each batch, so that a request can be verified without waiting for the cron (tools/local/crons.ts).
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import RecordsWorker, { BudgetObject } from "../../../src/records/index.ts";
import type { Env } from "../../../src/shared/config/environment.ts";
import { SEAL_CRON } from "../../../src/records/ledger/seal/seal-job.ts";
import { eventsIn } from "./count.ts";

export { BudgetObject };

let stored = 0;

export default class extends RecordsWorker {
  override async queue(batch: MessageBatch): Promise<void> {
    const retried = new Set<string>();
    await super.queue(watched(batch, retried));
    for (const { id, body } of batch.messages) if (!retried.has(id)) stored += eventsIn(body);
    // The Worker logs a failure itself; the batch is stored regardless.
    this.ctx.waitUntil(super.scheduled(scheduledNow(SEAL_CRON)).catch(() => undefined));
  }
}

const scheduledNow = (cron: string): ScheduledController => ({
  cron,
  scheduledTime: Date.now(),
  noRetry: () => undefined,
});

/** The gateway's local entry calls it over RPC. */
export class LocalDelivery extends WorkerEntrypoint<Env> {
  /** The events of all messages that were acknowledged since the start. */
  stored(): number {
    return stored;
  }

  /** @throws where the run failed, which the Worker has logged. */
  async runCron(cron: string): Promise<void> {
    await new RecordsWorker(this.ctx, this.env).scheduled(scheduledNow(cron));
  }
}

/** The same batch, which adds the ids of messages that are retried. */
function watched(batch: MessageBatch, retried: Set<string>): MessageBatch {
  return {
    queue: batch.queue,
    metadata: batch.metadata,
    messages: batch.messages.map((message) => ({
      id: message.id,
      timestamp: message.timestamp,
      attempts: message.attempts,
      body: message.body,
      ack: () => message.ack(),
      retry: (options) => {
        retried.add(message.id);
        message.retry(options);
      },
    })),
    ackAll: () => batch.ackAll(),
    retryAll: (options) => {
      for (const { id } of batch.messages) retried.add(id);
      batch.retryAll(options);
    },
  };
}
