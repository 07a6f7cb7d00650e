import { beforeEach, describe, expect, it } from "vitest";
import { forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { toLedgerEvents } from "../../../src/events/ledger-events.ts";
import { statementsOf, storeEvents } from "../../support/in-workerd/store-events.ts";
import {
  END,
  everyEvent,
  HOSTILE_TEXTS,
  OVERRIDE,
  PASSED,
  PASSTHROUGH_START,
  REJECTED,
  START,
  THOUGHT,
  TOKENS,
  TOOL,
  withTexts,
} from "../../support/in-workerd/events.ts";
import { fetchOk, items, part } from "../../support/in-workerd/api-client.ts";
import { allRows, emptyLedger, rowsOf } from "../../support/in-workerd/ledger-database.ts";
import { deliveries, allEventsOf } from "../../support/in-workerd/ledger-events.ts";

/** For hundreds of orders per test: turns a hang into a failure; not a measure of speed. */
const GENEROUS_MS = 60_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const ID = START.interception_id;

/** The event's fields as SQLite stores them: booleans as numbers, objects as texts. */
function asStored(event: InterceptorEvent): Record<string, unknown> {
  const { record_type: _, ...fields } = event;
  const entries = Object.entries(fields).map(([name, value]: [string, unknown]) => {
    if (typeof value === "boolean") return [name, Number(value)];
    return [name, typeof value === "object" && value !== null ? JSON.stringify(value) : value];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/** Of the rows that `START` may be linked with. */
const LINK_KEY = JSON.stringify([
  START.initiator_id,
  START.initiator_source,
  START.attribution,
  START.actor_id,
  START.identity_source,
]);

/** Derived from usage that was retrieved later. */
const NOTHING_CLAIMED = {
  claimed_usage: null,
  claimed_input_tokens: null,
  claimed_output_tokens: null,
  claimed_cache_read_input_tokens: null,
  claimed_cache_write_input_tokens: null,
  claimed_cost_micros: null,
};

const withoutNulls = (
  row: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(row ?? {}).filter(([, value]) => value !== null));

describe("storing events", () => {
  it("makes one row with every field, under the ledger's column names", async () => {
    await storeEvents(database, everyEvent);
    const rows = await allRows(database);
    const { msg_id: responseId, tool_call_id, ...tool } = asStored(TOOL);
    expect(rows["tool_usages"]).toEqual([
      {
        ...tool,
        id: eventId(TOOL),
        provider_response_id: responseId,
        provider_tool_call_id: tool_call_id,
        link_key: LINK_KEY,
      },
    ]);
    const { msg_id, ...thought } = asStored(THOUGHT);
    expect(rows["model_thoughts"]).toEqual([
      { ...thought, id: eventId(THOUGHT), provider_response_id: msg_id },
    ]);
    expect(rows["initiator_overrides"]?.map(withoutNulls)).toEqual([
      { ...withoutNulls(asStored(OVERRIDE)), id: eventId(OVERRIDE), accepted: 1 },
      { ...withoutNulls(asStored(REJECTED)), id: eventId(REJECTED), accepted: 0 },
    ]);
    const { metadata, raw_usage, input_tokens, output_tokens } = asStored(TOKENS);
    expect(rows["interceptions"]).toMatchObject([
      { input_tokens, output_tokens, usage_metadata: metadata, raw_usage },
    ]);
    expect(rows["token_usages"]).toEqual([]);
    expect(rows["user_prompts"]).toHaveLength(1);
  });

  it("fills one interception row from its start and its end", async () => {
    await storeEvents(database, [START, END]);
    const { thread_parent_id: _, thread_root_id: _root, interception_id: _id, ...start } = asStored(START);
    const { msg_id, interception_id, ...end } = asStored(END);
    expect(await rowsOf(database, "interceptions")).toEqual([
      {
        ...start,
        ...end,
        // Those of the usage event, which the end carries in the ledger's form.
        usage_metadata: null,
        raw_usage: null,
        ...NOTHING_CLAIMED,
        id: interception_id,
        provider_response_id: msg_id,
        thread_parent_id: null,
        thread_root_id: null,
        session_id: "session-1",
        span: ID.slice(0, 7),
        link_key: LINK_KEY,
        actor_principal: `${START.identity_source}:${START.actor_id}`,
        initiator_principal: `${START.initiator_source}:${START.initiator_id}`,
      },
    ]);
  });

  it("fills one passthrough row from its start and its end", async () => {
    await storeEvents(database, [PASSTHROUGH_START, PASSED]);
    const { interception_id: _, ...start } = asStored(PASSTHROUGH_START);
    const {
      interception_id,
      created_at,
      input_tokens: _input,
      output_tokens: _output,
      cache_read_input_tokens: _read,
      cache_write_input_tokens: _write,
      ...end
    } = asStored(PASSED);
    expect(await rowsOf(database, "passthroughs")).toEqual([
      { ...start, ...end, id: interception_id, ended_at: created_at },
    ]);
  });

  it("shows a passthrough without an end as open, and one without a start by its end", async () => {
    await storeEvents(database, [PASSTHROUGH_START]);
    expect(await rowsOf(database, "passthroughs")).toMatchObject([
      { id: ID, outcome: null, ended_at: null, api_key_id: PASSTHROUGH_START.api_key_id },
    ]);
    await emptyLedger();
    await storeEvents(database, [PASSED]);
    expect(await rowsOf(database, "passthroughs")).toMatchObject([
      {
        id: ID,
        outcome: "completed",
        started_at: PASSED.started_at,
        api_key_id: PASSED.api_key_id,
        metadata: null,
      },
    ]);
  });

  it("fills the row of an interception without a start from its end", async () => {
    await storeEvents(database, [END]);
    const [row] = await rowsOf(database, "interceptions");
    expect(row).toMatchObject({ id: ID, initiator_id: END.initiator_id, outcome: "completed" });
    expect(row).toMatchObject({ api_key_id: END.api_key_id, metadata: null, prompt_count: null });
  });

  it("leaves an interception without an end open", async () => {
    await storeEvents(database, [START]);
    const [row] = await rowsOf(database, "interceptions");
    expect(row).toMatchObject({ id: ID, outcome: null, ended_at: null, usage: null, prompt_count: 1 });
  });
});

describe("a usage event of an earlier gateway, delivered without its end,", () => {
  const usageRow = { id: eventId(TOKENS), interception_id: ID, input_tokens: TOKENS.input_tokens };
  /** The events in two deliveries, in any order. */
  const ORDERS: readonly (readonly InterceptorEvent[])[] = [
    [TOKENS, START, END],
    [START, TOKENS, END],
    [START, END, TOKENS],
    [START, END, TOKENS, TOKENS, END],
  ];

  it.each(ORDERS)("has a row of its own, and the end's figures are counted", async (...events) => {
    for (const event of events) await storeEvents(database, [event]);
    expect(await rowsOf(database, "token_usages")).toMatchObject([usageRow]);
    const { input_tokens, output_tokens } = END;
    const counted = { key: START.initiator_id, requests: 1, input_tokens, output_tokens, unknown_usage: 0 };
    expect(items(await fetchOk("/usage"), "results")).toMatchObject([counted]);
    const [session] = items(await fetchOk("/sessions"), "sessions");
    expect(part(session, "token_usage_summary")).toMatchObject({ input_tokens, output_tokens });
    const [one] = items(await fetchOk("/interceptions"), "results");
    expect(items(one, "token_usages")).toMatchObject([{ ...usageRow, raw_usage: TOKENS.raw_usage }]);
  });

  it("is shown before its end arrives, and counted nowhere", async () => {
    await storeEvents(database, [START, TOKENS]);
    const [one] = items(await fetchOk("/interceptions"), "results");
    expect(items(one, "token_usages")).toMatchObject([usageRow]);
    expect(items(await fetchOk("/usage"), "results")).toMatchObject([
      { requests: 1, input_tokens: 0, unknown_usage: 1 },
    ]);
  });

  it("is not shown twice where it is delivered again with its end", async () => {
    await storeEvents(database, [TOKENS]);
    await storeEvents(database, [START, TOKENS, END]);
    const [one] = items(await fetchOk("/interceptions"), "results");
    expect(items(one, "token_usages")).toMatchObject([usageRow]);
    expect(items(await fetchOk("/usage"), "results")).toMatchObject([{ input_tokens: END.input_tokens }]);
  });
});

describe("the first end of an interception", () => {
  it("stays when a second end or another start arrives", async () => {
    await storeEvents(database, [START, END]);
    const before = await allRows(database);
    await storeEvents(database, [{ ...END, outcome: "cancelled", duration_ms: 1 }]);
    await storeEvents(database, [{ ...START, api_key_id: "other", prompt_count: 0 }]);
    expect(await allRows(database)).toEqual(before);
  });

  it("replaces the outcome that the cron set", async () => {
    await storeEvents(database, [START]);
    await database.prepare("UPDATE interceptions SET outcome = 'orphaned', usage = 'unknown'").run();
    await storeEvents(database, [END]);
    const [row] = await rowsOf(database, "interceptions");
    expect(row).toMatchObject({ outcome: "completed", usage: "final", ended_at: END.ended_at });
  });
});

describe("the first end of a passthrough", () => {
  it("stays when a second end or another start arrives", async () => {
    await storeEvents(database, [PASSED, PASSTHROUGH_START]);
    const before = await allRows(database);
    await storeEvents(database, [{ ...PASSED, outcome: "cancelled", status: 499 }]);
    await storeEvents(database, [{ ...PASSTHROUGH_START, api_key_id: "other" }]);
    expect(await allRows(database)).toEqual(before);
  });

  it("replaces the outcome that the cron set", async () => {
    await storeEvents(database, [PASSTHROUGH_START]);
    await database.prepare("UPDATE passthroughs SET outcome = 'orphaned'").run();
    await storeEvents(database, [PASSED]);
    const [row] = await rowsOf(database, "passthroughs");
    expect(row).toMatchObject({ outcome: "completed", status: 200, ended_at: PASSED.created_at });
  });
});

describe("H8 the rows of events", { timeout: GENEROUS_MS }, () => {
  it("are the same for any order, repetition and grouping of their events", async () => {
    const events = [1, 2, 3].flatMap((n) =>
      toLedgerEvents(allEventsOf({ n, toolCalls: ["call_a", null], resultOf: n === 1 ? null : "call_a" })),
    );
    await storeEvents(database, events);
    const expected = await allRows(database);
    expect(expected["interceptions"]).toHaveLength(3);
    expect(expected["tool_usages"]).toHaveLength(6);
    expect(expected["passthroughs"]).toHaveLength(3);
    await forSeedsAsync(60, async (seed) => {
      await emptyLedger();
      for (const call of deliveries(events, seededRandom(seed))) await storeEvents(database, call);
      expect(await allRows(database)).toEqual(expected);
    });
  });

  it("are the same for any number of statements", async () => {
    const events = [1, 2, 3, 4].flatMap((n) => allEventsOf({ n, toolCalls: ["call_a"], resultOf: "call_a" }));
    await storeEvents(database, events);
    const expected = await allRows(database);
    for (const maxCharacters of [1, 500, 2000]) {
      await emptyLedger();
      const statements = statementsOf(events, maxCharacters);
      expect(statements.length).toBeGreaterThan(statementsOf(events).length);
      await database.batch(statements.map(({ sql, json }) => database.prepare(sql).bind(json)));
      expect(await allRows(database)).toEqual(expected);
    }
  });

  it("contain hostile texts unchanged, except lone surrogates and NUL", async () => {
    for (const [n, text] of HOSTILE_TEXTS.entries()) {
      await emptyLedger();
      const hostile = { ...withTexts(TOOL, text), interception_id: ID };
      await storeEvents(database, [hostile]);
      const [row] = await rowsOf(database, "tool_usages");
      // SQLite cannot store a lone surrogate as UTF-8 text, and a NUL would hide the rest of the text.
      const stored = text.toWellFormed().replaceAll("\0", "\ufffd");
      expect(row, `text ${n}`).toMatchObject({ tool: stored, input: stored, provider_tool_call_id: stored });
      expect(Object.values(JSON.parse(String(row?.["metadata"])) as object)).toEqual([stored]);
    }
  });
});

describe("the statements of one call", () => {
  it("are one per table with one parameter, for any number of events", () => {
    const events = Array.from({ length: 100 }, (_, n) =>
      allEventsOf({ n, toolCalls: ["a"], resultOf: "b" }),
    ).flat();
    const statements = statementsOf(events);
    expect(new Set(statements.map(({ sql }) => sql)).size).toBe(statements.length);
    // Two tables of calls, six of events; link keys, parents, roots; spans of sessions and actors. Of the journal: what the totals were before, new
    // dimensions, the difference. The late open calls of two tables.
    expect(statements).toHaveLength(18);
    for (const { sql } of statements) expect(sql.match(/\?\d*/g)).toEqual(["?1"]);
  });

  it("keep every parameter below the 1 MB that D1 accepts", () => {
    const text = "東".repeat(16_384);
    const events = Array.from({ length: 100 }, (_, n) => ({
      ...TOOL,
      interception_id: ID,
      position: n,
      input: text,
    }));
    const statements = statementsOf(events);
    const sizes = statements.map(({ json }) => new TextEncoder().encode(json).length);
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
    const rows = statements.filter(({ sql }) => sql.includes("INTO tool_usages"));
    expect(rows.flatMap(({ json }) => JSON.parse(json) as unknown[])).toHaveLength(100);
  });

  it("store all events or not one of them", async () => {
    const broken = { ...TOOL, tool: null as unknown as string };
    await expect(storeEvents(database, [START, END, broken])).rejects.toThrow(/NOT NULL/);
    expect(Object.values(await allRows(database)).flat()).toEqual([]);
  });

  it("do not touch the database when there is nothing to store", async () => {
    const untouched = new Proxy(database, {
      get: () => {
        throw new Error("the database was used");
      },
    });
    await expect(storeEvents(untouched, [])).resolves.toBe(0);
  });
});
