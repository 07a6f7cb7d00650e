import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { toMessages } from "../../support/messages.ts";
import { sendMessages } from "../../../src/gateway/sinks/queue.ts";
import { emptyLedger, rowsOf, type Row } from "../../support/in-workerd/ledger-database.ts";
import { eventsOf } from "../../support/in-workerd/ledger-events.ts";

/** The messages of one full batch, so that the queue delivers without waiting for its timeout. */
const BATCH = 100;
/** Turns a hang into a failure; not a measure of speed. */
const DEADLINE_MS = 20_000;

/** Polls until `count` interceptions are completed, and returns them. */
async function completed(database: D1Database, count: number): Promise<readonly Row[]> {
  const deadline = Date.now() + DEADLINE_MS;
  while (Date.now() < deadline) {
    const rows = await rowsOf(database, "interceptions");
    if (rows.filter(({ outcome }) => outcome === "completed").length === count) return rows;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${count} interceptions did not arrive in the ledger`);
}

it(
  "stores the events that the real queue delivers to the Worker's consumer",
  { timeout: 2 * DEADLINE_MS },
  async () => {
    const database = await emptyLedger();
    const { EVENTS: queue } = env as unknown as { readonly EVENTS: Queue };
    const specs = Array.from({ length: BATCH }, (_, n) =>
      eventsOf({ n, toolCalls: [`c${n}`], resultOf: `c${n - 1}` }),
    );
    for (const events of specs) await sendMessages(queue, toMessages(events));
    const [first, ...others] = await completed(database, BATCH);
    expect(new Set(others.map(({ thread_root_id }) => thread_root_id))).toEqual(new Set([first?.["id"]]));
    for (const row of [first, ...others])
      expect(row).toMatchObject({ input_tokens: 11, output_tokens: 12, raw_usage: '{"prompt_tokens":38}' });
    expect(await rowsOf(database, "token_usages")).toEqual([]);
    expect(await rowsOf(database, "tool_usages")).toHaveLength(BATCH);
  },
);
