/** Usage that was read later reaches the interception that created the response or the batch, in any order of arrival. */
import { totalOf } from "../../../src/records/rollups/contribution-sql.ts";
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { BATCH_FILE, END, RETRIEVED, START } from "../../support/in-workerd/events.ts";
import { allRows, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { deliveries, idOf } from "../../support/in-workerd/ledger-events.ts";
import { forSeedsAsync, seededRandom } from "../../support/rechunk.ts";

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const { provider } = END;
const created = (n: number, values: Partial<typeof END>): InterceptorEvent[] => [
  { ...START, interception_id: idOf(n) },
  { ...END, interception_id: idOf(n), ...values },
];
const read = (n: number, created_id: string, customId?: string): InterceptorEvent => ({
  ...RETRIEVED,
  interception_id: idOf(n),
  provider,
  msg_id: created_id,
  usage_of: [provider, created_id, ...(customId === undefined ? [] : [customId])].join("/"),
});
const file = (n: number, batchId: string, fileId: string): InterceptorEvent => ({
  ...BATCH_FILE,
  interception_id: idOf(n),
  provider,
  msg_id: batchId,
  file_id: fileId,
});
const UNKNOWN = {
  usage: "unknown",
  input_tokens: null,
  output_tokens: null,
  cache_read_input_tokens: null,
  cache_write_input_tokens: null,
} as const;
const QUEUED = { ...UNKNOWN, outcome: "queued" } as const;

/** The interception of each row of `token_usages`, and each interception's state and tokens. */
async function counted(): Promise<unknown> {
  const { token_usages: usages = [], interceptions = [] } = await allRows(database);
  const states = await database
    .prepare(
      `SELECT usage_state, ${totalOf("input_tokens", "interceptions")} AS total_input_tokens FROM interceptions ORDER BY id`,
    )
    .all();
  const numbers = new Map([1, 2, 3, 4].map((n) => [idOf(n), n]));
  return {
    usages: usages.map(({ id, interception_id: of }) => [id, numbers.get(String(of))]),
    states: states.results.map(({ usage_state }) => usage_state),
    tokens: states.results.map(({ total_input_tokens }) => total_input_tokens),
    // The end's own word, regardless of usage that was read later.
    own: interceptions.map(({ usage }) => usage),
  };
}

describe("usage that was read later", () => {
  it("is counted once and at its creator for random orders and repetitions of all events", async () => {
    const events = [
      ...created(1, { ...QUEUED, msg_id: "batch_1" }),
      ...created(2, { ...QUEUED, msg_id: "resp_2" }),
      // Its client disconnected while it was streamed.
      ...created(3, { ...UNKNOWN, outcome: "cancelled", msg_id: "resp_3" }),
      // Its own response had the usage.
      ...created(4, { outcome: "completed", usage: "final", input_tokens: 5, msg_id: "resp_4" }),
      file(10, "batch_1", "file-1"),
      file(11, "batch_other", "file-2"),
      read(12, "file-1", "a"),
      read(13, "file-1", "b"),
      read(14, "file-2", "a"),
      read(15, "file-uploaded", "a"),
      read(16, "resp_2"),
      read(17, "resp_3"),
      read(18, "resp_4"),
    ];
    await forSeedsAsync(60, async (seed) => {
      await emptyLedger();
      for (const call of deliveries(events, seededRandom(seed))) await storeEvents(database, call);
      expect(await counted()).toEqual({
        usages: [
          [`${provider}/file-1/a`, 1],
          [`${provider}/file-1/b`, 1],
          [`${provider}/resp_2`, 2],
          [`${provider}/resp_3`, 3],
        ],
        states: ["partial", "final", "final", "final"],
        tokens: [22, 11, 11, 5],
        own: ["unknown", "unknown", "unknown", "final"],
      });
    });
  });

  it("of another provider with the same id is not counted", async () => {
    await storeEvents(database, [
      ...created(1, { ...QUEUED, msg_id: "resp_1" }),
      { ...RETRIEVED, provider: "other", msg_id: "resp_1", usage_of: "other/resp_1" },
    ]);
    expect(await counted()).toEqual({ usages: [], states: ["unknown"], tokens: [0], own: ["unknown"] });
  });
});
