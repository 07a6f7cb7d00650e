/** The queues of wrangler.records.toml in wrangler's own broker: what exhausts its retries reaches the dead-letter consumer. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { toMessages } from "../support/messages.ts";
import { findEvents } from "../../tools/replay/logged-events.ts";
import { SHIPPED_FILES } from "../../tools/deploy/files.ts";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";
import { PROJECT } from "../support/bundle.ts";
import { startLocalWorkers } from "../support/local-workers.ts";
import { until } from "../support/deadline.ts";
import { allEventsOf, idOf } from "../support/in-workerd/ledger-events.ts";

const WITHIN_MS = 240_000;

it(
  "stores the other messages of the batch and prints the one that fails every run",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "dead-letter-"));
    // The names and relations of the real configuration, with fewer retries and no waiting.
    const { consumers } = unstable_readConfig(
      { config: join(PROJECT, SHIPPED_FILES.records) },
      { hideWarnings: true },
    ).queues;
    const quick = consumers?.map((consumer: { readonly dead_letter_queue?: string }) => ({
      ...consumer,
      max_batch_timeout: 1,
      retry_delay: 0,
      max_retries: consumer.dead_letter_queue === undefined ? 20 : 10,
    }));
    const main = join(PROJECT, "test/support/faulty-ledger/failing-run-worker.ts");
    const producers = [{ binding: "EVENTS", queue: "ai-events" }];
    const config = writeRecordsConfig(
      folder,
      {},
      { main, triggers: {}, queues: { producers, consumers: quick } },
    );
    const { url, notices: printed, close } = await startLocalWorkers(folder, [config]);
    try {
      const poison = allEventsOf({ n: 9 }).map((event) =>
        event.record_type === "prompt_usage" ? { ...event, prompt: "POISON" } : event,
      );
      const messages = [...[0, 1, 2, 3].map((n) => allEventsOf({ n })), poison].map(
        (events) => toMessages(events)[0],
      );
      for (const body of messages) await fetch(url, { method: "POST", body: body ?? "" });

      const describe = (): string => printed.slice(-20).join("\n");
      await until(
        () => printed.some((line) => line.includes('"event":"message_printed"')) || undefined,
        describe,
        WITHIN_MS,
      );
      const stored = (): Promise<unknown> => fetch(url).then((response) => response.json());
      expect(await stored()).toEqual([0, 1, 2, 3].map((n) => idOf(n)));
      expect(findEvents(printed.join("\n"))).toEqual({ events: poison, broken: 0, unknown: 0 });
    } finally {
      await close();
    }
  },
  2 * WITHIN_MS,
);
