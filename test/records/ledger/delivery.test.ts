import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { sendEvents } from "../../../src/events/queue-message.ts";
import { emptyLedger, rowsOf, type Row } from "../../support/in-workerd/ledger-database.ts";
import { eventsOf } from "../../support/in-workerd/ledger-events.ts";

/** As many messages as make a batch, so that none waits for its timeout. */
const BATCH = 100;
/** Bounds a hang; says nothing of speed. */
const PATIENCE_MS = 20_000;

/** The interceptions, once there are so many with an end. */
async function ended(database: D1Database, count: number): Promise<readonly Row[]> {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const rows = await rowsOf(database, "interceptions");
    if (rows.filter(({ outcome }) => outcome === "completed").length === count) return rows;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`never: ${count} interceptions in the ledger`);
}

it(
  "what is sent into the real queue, the Worker's own consumer stores",
  { timeout: 2 * PATIENCE_MS },
  async () => {
    const database = await emptyLedger();
    const { EVENTS: queue } = env as unknown as { readonly EVENTS: Queue };
    const stories = Array.from({ length: BATCH }, (_, n) =>
      eventsOf({ n, asks: [`c${n}`], brings: `c${n - 1}` }),
    );
    for (const events of stories) await sendEvents(queue, events);
    const [first, ...others] = await ended(database, BATCH);
    expect(new Set(others.map(({ thread_root_id }) => thread_root_id))).toEqual(new Set([first?.["id"]]));
    expect(await rowsOf(database, "token_usages")).toHaveLength(BATCH);
    expect(await rowsOf(database, "tool_usages")).toHaveLength(BATCH);
  },
);
