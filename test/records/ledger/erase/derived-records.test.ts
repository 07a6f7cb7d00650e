/** Records that the ledger derives from events name people too: anomalies, aggregates, totals, retrieved usage, threads. */
import { totalOf } from "../../../../src/records/rollups/contribution-sql.ts";
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../../src/events/event.ts";
import { eraseLedger } from "../../../../src/records/ledger/erase/erase-ledger.ts";
import { personOf } from "../../../../src/records/ledger/erase/person.ts";
import { foldJournal } from "../../../../src/records/ledger/rollups/fold.ts";
import { DIMENSION_COLUMNS } from "../../../../src/records/rollups/contribution-sql.ts";
import { runMaintenance } from "../../../../src/records/ledger/maintain/cron.ts";
import { queryOf } from "../../../../src/records/ledger/seal/seal-state.ts";
import { storeUnauthenticated } from "../../../../src/records/ledger/write/unauthenticated.ts";
import {
  ALICE,
  ALICES_ALIAS,
  ALICES_KEY,
  BOB,
  cellsWith,
  dump,
  eraseAlice,
  recordErasure,
  eventOf,
  ledgerOf,
  PSEUDONYM,
  TEXTS,
} from "../../../support/in-workerd/erased-person.ts";
import {
  BATCH_FILE,
  END,
  PASSED,
  PROMPT,
  RETRIEVED,
  START,
  TOOL,
  NO_TOKENS,
} from "../../../support/in-workerd/events.ts";
import { ledgerDeps } from "../../../support/in-workerd/ledger-deps.ts";
import { eventsOf, idOf, T0 } from "../../../support/in-workerd/ledger-events.ts";
import { between, seededRandom } from "../../../support/rechunk.ts";
import { emptySealedLedger, seal, storeSealed, verify } from "../../../support/in-workerd/sealed-ledger.ts";

const LOOKED_FOR = [ALICE, ALICES_ALIAS, ALICES_KEY, "liddell"];

let database: D1Database;
beforeEach(async () => {
  database = await emptySealedLedger();
  await seal(database);
});

const query = (sql: string, ...values: string[]) => queryOf(database)(sql, ...values);
const insert = async (table: string, row: Readonly<Record<string, string | number>>): Promise<void> => {
  const names = Object.keys(row);
  const marks = names.map((_, at) => `?${at + 1}`).join(", ");
  const sql = `INSERT INTO ${table} (${names.join(", ")}) VALUES (${marks})`;
  await database
    .prepare(sql)
    .bind(...Object.values(row))
    .run();
};

describe("the aggregates of the anomaly scan", () => {
  it("are added up where several ids of the person become one", async () => {
    const range = { first_id: idOf(1), last_id: idOf(2) };
    for (const [at, id] of [ALICE, ALICES_ALIAS].entries()) {
      await insert("actor_owners", {
        hour: "h",
        actor: `keys:${id}`,
        owner: `keys:${BOB}`,
        first_id: idOf(at),
        last_id: idOf(5 + at),
      });
      await insert("actor_hours", {
        hour: "h",
        actor: `keys:${id}`,
        owners: 2 + at,
        served: 3,
        unknown: 1,
        last_id: idOf(at),
      });
    }
    await insert("actor_owners", { hour: "h", actor: `keys:${BOB}`, owner: `coder:${ALICE}`, ...range });
    await insert("actor_owners", { hour: "h", actor: `keys:${BOB}`, owner: `coder:${BOB}`, ...range });
    await insert("key_refusals", { hour: "h", api_key_id: ALICES_KEY, refusals: 7, last_id: idOf(1) });
    await insert("key_refusals", { hour: "h", api_key_id: PSEUDONYM, refusals: 2, last_id: idOf(3) });
    await eraseAlice(database);
    expect(await query("SELECT actor, owner, first_id, last_id FROM actor_owners ORDER BY 1, 2")).toEqual([
      { actor: `keys:${BOB}`, owner: `coder:${BOB}`, ...range },
      { actor: `keys:${BOB}`, owner: `coder:${PSEUDONYM}`, ...range },
      { actor: `keys:${PSEUDONYM}`, owner: `keys:${BOB}`, first_id: idOf(0), last_id: idOf(6) },
    ]);
    expect(await query("SELECT actor, owners, served, unknown, last_id FROM actor_hours")).toEqual([
      { actor: `keys:${PSEUDONYM}`, owners: 3, served: 6, unknown: 2, last_id: idOf(1) },
    ]);
    expect(await query("SELECT api_key_id, refusals, last_id FROM key_refusals")).toEqual([
      { api_key_id: PSEUDONYM, refusals: 9, last_id: idOf(3) },
    ]);
  });

  // The attack: an anomaly's id is a hash of its subject, so that a guess of the person's id finds it again.
  it("give an anomaly another id of its day", async () => {
    const id = "01a20846-fe00-8abc-8def-0123456789ab";
    const row = {
      kind: "actor_many_owners",
      subject: ALICE,
      first_interception_id: idOf(1),
      last_interception_id: idOf(1),
      count: 4,
      first_seen: "a",
      last_seen: "b",
    };
    await insert("anomalies", {
      id,
      ...row,
      details: JSON.stringify({ actor: `keys:${ALICE}`, hour: "h", initiators: [`coder:${BOB}`] }),
    });
    await insert("anomalies", {
      id: id.replace("8def", "8aaa"),
      ...row,
      subject: BOB,
      details: JSON.stringify({ actor: `keys:${BOB}` }),
    });
    await eraseAlice(database);
    const anomalies = await query("SELECT id, subject, details FROM anomalies ORDER BY subject");
    expect(anomalies.map(({ subject }) => subject)).toEqual([BOB, PSEUDONYM]);
    expect(anomalies[1]?.["details"]).toBe(
      JSON.stringify({ actor: `keys:${PSEUDONYM}`, hour: "h", initiators: [`coder:${BOB}`] }),
    );
    expect(anomalies[1]?.["id"]).not.toBe(id);
    expect(anomalies[1]?.["id"]).toMatch(/^01a20846-fe00-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(anomalies[0]?.["id"]).toBe(id.replace("8def", "8aaa"));
  });
});

it("erases events without a valid MAC", async () => {
  const events = [PROMPT, { ...PROMPT, interception_id: idOf(2), initiator_id: BOB }].map((event, at) => ({
    event: at === 0 ? eventOf(event, { initiator: ALICE, actor: ALICE }, true) : (event as InterceptorEvent),
    via: "q" as const,
    macKeyId: null,
    storedAt: T0,
    reason: "missing" as const,
  }));
  await storeUnauthenticated(database, events, () => crypto.randomUUID());
  await eraseAlice(database);
  const rows = await query("SELECT event FROM unauthenticated_events ORDER BY interception_id DESC");
  const [bobs, hers] = rows.map(({ event }) => JSON.parse(String(event)) as Record<string, unknown>);
  expect(bobs?.["prompt"]).toBe(PROMPT.prompt);
  expect(hers).toMatchObject({ initiator_id: PSEUDONYM, prompt: "erased" });
});

describe("usage that was retrieved later", () => {
  it("counts once when its events are delivered again after the erasure", async () => {
    const queued = {
      ...END,
      outcome: "queued",
      usage: "unknown",
      msg_id: "batch_1",
      input_tokens: null,
      output_tokens: null,
      cache_read_input_tokens: null,
      cache_write_input_tokens: null,
    } as const;
    const hers = { initiator: ALICE, actor: ALICE };
    const events = [
      { ...START, interception_id: idOf(1) },
      { ...queued, interception_id: idOf(1) },
      { ...RETRIEVED, interception_id: idOf(2), usage_of: `openai-prod/file-1/${ALICE}`, msg_id: "file-1" },
      { ...BATCH_FILE, interception_id: idOf(3), msg_id: "batch_1", file_id: "file-1" },
      { ...PASSED, interception_id: idOf(4), usage_of: `openai-prod/file-1/${ALICE}` },
    ].map((event) => eventOf(event as InterceptorEvent, hers, false));
    await storeSealed(database, events);
    const claimed = `SELECT claimed_usage, claimed_input_tokens AS input, ${totalOf("input_tokens", "interceptions")} AS total FROM interceptions`;
    const before = await query(claimed);
    expect(before).toEqual([{ claimed_usage: "partial", input: 11, total: 11 }]);
    await eraseAlice(database);
    expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
    expect(await query(claimed)).toEqual(before);
    await storeSealed(database, events);
    expect(await query(claimed)).toEqual(before);
    expect(
      await query("SELECT t.id = r.usage_of AS same FROM token_usages AS t CROSS JOIN retrieved_usages AS r"),
    ).toEqual([{ same: 1 }]);
  });
});

const thread = (initiator: string, actor: string): InterceptorEvent[] =>
  [...eventsOf({ n: 1, toolCalls: ["call-a"] }), ...eventsOf({ n: 2, resultOf: "call-a" })].map((event) => ({
    ...event,
    ...("actor_id" in event ? { actor_id: actor } : {}),
    initiator_id: initiator,
  })) as InterceptorEvent[];
const links = (): Promise<readonly object[]> =>
  query(
    "SELECT COUNT(thread_parent_id) AS linked, COUNT(correlating_tool_call_id) AS calls FROM interceptions",
  );
const keys = (): Promise<readonly object[]> =>
  query(
    "SELECT COUNT(*) AS different FROM tool_usages AS t JOIN interceptions AS i ON i.id = t.interception_id WHERE t.link_key IS NOT i.link_key",
  );

describe("the usage of a response that was read later", () => {
  it("stays final, also where the response's end is delivered again", async () => {
    const hers = { initiator: ALICE, actor: ALICE };
    const own = (event: InterceptorEvent): InterceptorEvent => eventOf(event, hers, false);
    const usage_of = `${RETRIEVED.provider}/${RETRIEVED.msg_id}`;
    const end = own({
      ...END,
      ...NO_TOKENS,
      interception_id: idOf(1),
      provider: RETRIEVED.provider,
      outcome: "queued",
      usage: "unknown",
      msg_id: RETRIEVED.msg_id,
    });
    await storeSealed(database, [own({ ...START, interception_id: idOf(1) }), end]);
    await storeSealed(database, [own({ ...RETRIEVED, interception_id: idOf(2), usage_of })]);
    const state = "SELECT claimed_usage, usage_state FROM interceptions";
    const before = await query(state);
    expect(before).toEqual([{ claimed_usage: "final", usage_state: "final" }]);
    await eraseAlice(database);
    await storeSealed(database, [end]);
    expect(await query(state)).toEqual(before);
    await seal(database);
    await recordErasure(database);
    expect((await verify(database)).findings).toEqual([]);
  });
});

describe("threads", () => {
  it("of the person have no links, like the ids that they were made of", async () => {
    await storeSealed(database, thread(ALICE, ALICE));
    expect(await links()).toEqual([{ linked: 1, calls: 1 }]);
    await eraseAlice(database);
    expect(await links()).toEqual([{ linked: 0, calls: 0 }]);
    expect(await keys()).toEqual([{ different: 0 }]);
  });

  it("of another initiator, for whom the person acted, keep theirs under the new key", async () => {
    await storeSealed(database, thread(BOB, ALICE));
    await eraseAlice(database);
    expect(await links()).toEqual([{ linked: 1, calls: 1 }]);
    expect(await keys()).toEqual([{ different: 0 }]);
    // A later request of the thread finds its parent.
    await storeSealed(database, [
      { ...TOOL, interception_id: idOf(1), initiator_id: BOB, tool_call_id: "call-a" },
    ]);
    expect(await keys()).toEqual([{ different: 0 }]);
  });

  it("lose the key of a tool call whose interception is gone", async () => {
    await storeSealed(database, thread(BOB, ALICE));
    await database.prepare("DELETE FROM interceptions").run();
    await eraseAlice(database);
    expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
  });
});

it("erases technical fields only on request, and never the model of the totals", async () => {
  const hers = { initiator: ALICE, actor: ALICE };
  await storeSealed(
    database,
    [START, END, TOOL].map((event) => eventOf({ ...event, interception_id: idOf(1) }, hers, false)),
  );
  const fields =
    "SELECT i.route, i.model, i.provider_response_id, t.tool FROM interceptions AS i JOIN tool_usages AS t ON t.interception_id = i.id";
  await eraseAlice(database);
  expect(await query(fields)).toEqual([
    { route: START.route, model: START.model, provider_response_id: END.msg_id, tool: TOOL.tool },
  ]);
  await eraseAlice(database, true);
  expect(await query(fields)).toEqual([
    { route: "erased", model: START.model, provider_response_id: null, tool: "erased" },
  ]);
  await seal(database);
  await recordErasure(database);
  expect(await verify(database)).toMatchObject({ isIntact: true });
});

const sumsByKey = async (): Promise<readonly [unknown, unknown, unknown]> => {
  await foldJournal(database);
  const key =
    "json_array(d.initiator_id, d.initiator_source, d.attribution, d.actor_id, d.identity_source, d.client, d.model, d.workspace_id)";
  const rows = await query(
    `SELECT ${key.replace("d.initiator_source", "(d.link_key ->> 1)")} AS k, COUNT(*) AS requests, SUM(${totalOf("input_tokens", "d")}) AS input FROM interceptions AS d GROUP BY 1 ORDER BY 1`,
  );
  const sum = (table: string, where: string): Promise<readonly object[]> =>
    query(
      `SELECT ${key} AS k, CAST(SUM(h.requests) AS INTEGER) AS requests, CAST(SUM(h.input_tokens) AS INTEGER) AS input
FROM ${table} AS h JOIN rollup_dimensions AS d ON d.id = h.dimension WHERE ${where} GROUP BY 1 HAVING SUM(h.requests) <> 0 ORDER BY 1`,
    );
  return [rows, await sum("rollup_hours", "true"), await sum("rollup_days", "d.coarseness = 0")];
};
const coarse = (): Promise<readonly object[]> =>
  query(`SELECT d.coarseness, CAST(SUM(r.requests) AS INTEGER) AS requests, CAST(SUM(r.output_tokens) AS INTEGER) AS output
FROM rollup_days AS r JOIN rollup_dimensions AS d ON d.id = r.dimension GROUP BY 1 ORDER BY 1`);

/** Dimensions that differ in nothing, and should be one. */
const equalDimensions = (): Promise<readonly object[]> =>
  query(
    `SELECT COUNT(*) AS dimensions FROM rollup_dimensions
GROUP BY ${[...DIMENSION_COLUMNS, "coarseness"].join(", ")} HAVING COUNT(*) > 1`,
  );

describe("random ledgers", () => {
  it.each([1, 2, 3, 4])(
    "have totals equal to their rows afterwards, and intact seals (seed %i)",
    async (seed) => {
      const random = seededRandom(seed);
      const pick = <T>(values: readonly T[]): T => values[between(random, 0, values.length - 1)] as T;
      const people = [ALICE, ALICES_ALIAS, BOB, "ci-bot"];
      const events = Array.from({ length: 40 }, (_, n) => {
        const evidence = {
          actor_id: pick(people),
          initiator_id: pick(people),
          model: pick(["a", "b", null]),
          workspace_id: pick([null, "7f3c2a10-1234-4abc-9def-00000000aaaa"]),
        };
        return eventsOf({ n, at: T0 + between(random, 0, 3) * 86_400_000 }).map((event) => ({
          ...event,
          ...("actor_id" in event ? evidence : { initiator_id: evidence.initiator_id }),
        })) as InterceptorEvent[];
      });
      for (const group of events)
        await storeSealed(database, group.slice(0, between(random, 1, group.length)));
      // Days are summed up, with their coarse dimensions.
      await runMaintenance({ ...ledgerDeps({ retentionDays: 0 }), database }, T0 + 10 * 86_400_000);
      await seal(database);
      const before = await coarse();
      await eraseAlice(database);
      const [rows, hours, days] = await sumsByKey();
      expect(hours).toEqual(rows);
      expect(days).toEqual(rows);
      expect(await coarse()).toEqual(before);
      expect(await equalDimensions()).toEqual([]);
      expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
      // Late events move the totals of the pseudonym.
      for (const group of events) await storeSealed(database, group);
      await eraseAlice(database);
      const [lateRows, lateHours, lateDays] = await sumsByKey();
      expect(lateHours).toEqual(lateRows);
      expect(lateDays).toEqual(lateRows);
      await seal(database);
      await recordErasure(database);
      expect((await verify(database, { now: T0 + 60_000 })).findings).toEqual([]);
    },
  );
});

// The attack on the totals: a row of the person is stored between the last pass and the totals.
it("begins another pass where a row arrives before the totals are erased", async () => {
  const late = eventOf({ ...START, interception_id: idOf(9) }, { initiator: ALICE, actor: ALICE }, false);
  await storeSealed(database, [
    eventOf({ ...START, interception_id: idOf(1) }, { initiator: ALICE, actor: ALICE }, false),
  ]);
  const ledger = ledgerOf(database);
  let isLate = true;
  await eraseLedger(
    {
      ...ledger,
      run: async (statements) => {
        if (isLate && statements.some(({ sql }) => sql.includes("INTO erasures"))) {
          isLate = false;
          await storeSealed(database, [late]);
        }
        await ledger.run(statements);
      },
    },
    {
      rules: { person: personOf(PSEUDONYM, TEXTS), technical: false },
      texts: TEXTS,
      at: T0,
      newId: () => crypto.randomUUID(),
    },
  );
  expect(isLate).toBe(false);
  expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
  await foldJournal(database);
  expect(await query("SELECT CAST(SUM(requests) AS INTEGER) AS requests FROM rollup_hours")).toEqual([
    { requests: 2 },
  ]);
});
