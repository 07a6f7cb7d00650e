import { beforeEach, describe, expect, it } from "vitest";
import { forSeedsAsync, seededRandom } from "../../support/rechunk.ts";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { statementsFor } from "../../../src/records/ledger/write/statements.ts";
import { storeEvents, storesEvent } from "../../../src/records/ledger/write/store.ts";
import {
  END,
  everyEvent,
  HOSTILE_TEXTS,
  OVERRIDE,
  REJECTED,
  START,
  THOUGHT,
  TOOL,
  withTexts,
} from "../../support/in-workerd/events.ts";
import { allRows, emptyLedger, rowsOf, type Row } from "../../support/in-workerd/ledger-database.ts";
import { deliveries, wholeEventsOf } from "../../support/in-workerd/ledger-events.ts";

/** Hundreds of orders each: a bound for a hang, not for speed. */
const GENEROUS_MS = 60_000;

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const ID = START.interception_id;

/** What an event's row holds of it: booleans are numbers, objects texts. */
function asStored(event: InterceptorEvent): Record<string, unknown> {
  const { record_type: _, ...fields } = event;
  const entries = Object.entries(fields).map(([name, value]: [string, unknown]) => {
    if (typeof value === "boolean") return [name, Number(value)];
    return [name, typeof value === "object" && value !== null ? JSON.stringify(value) : value];
  });
  return Object.fromEntries(entries) as Record<string, unknown>;
}

const withoutNulls = (row: Row | undefined): Row =>
  Object.fromEntries(Object.entries(row ?? {}).filter(([, value]) => value !== null));

describe("a stored event", () => {
  it("is one row that holds every field of it, under the ledger's names", async () => {
    await storeEvents(database, everyEvent);
    const rows = await allRows(database);
    const { msg_id: answered, tool_call_id, ...tool } = asStored(TOOL);
    expect(rows["tool_usages"]).toEqual([
      { ...tool, id: eventId(TOOL), provider_response_id: answered, provider_tool_call_id: tool_call_id },
    ]);
    const { msg_id, ...thought } = asStored(THOUGHT);
    expect(rows["model_thoughts"]).toEqual([
      { ...thought, id: eventId(THOUGHT), provider_response_id: msg_id },
    ]);
    expect(rows["initiator_overrides"]?.map(withoutNulls)).toEqual([
      { ...asStored(OVERRIDE), id: eventId(OVERRIDE), accepted: 1 },
      { ...asStored(REJECTED), id: eventId(REJECTED), accepted: 0 },
    ]);
    expect(rows["token_usages"]).toHaveLength(1);
    expect(rows["user_prompts"]).toHaveLength(1);
  });

  it("is one row of an interception with both its start and its end", async () => {
    await storeEvents(database, [START, END]);
    const { thread_parent_id: _, thread_root_id: _root, interception_id: _id, ...start } = asStored(START);
    const {
      msg_id,
      interception_id,
      input_tokens: _input,
      output_tokens: _output,
      cache_read_input_tokens: _read,
      cache_write_input_tokens: _write,
      ...end
    } = asStored(END);
    expect(await rowsOf(database, "interceptions")).toEqual([
      {
        ...start,
        ...end,
        id: interception_id,
        provider_response_id: msg_id,
        thread_parent_id: null,
        thread_root_id: null,
        session_id: "session-1",
      },
    ]);
  });

  it("is not there for refusals and passthroughs, which have no table", async () => {
    const without = everyEvent.filter((event) => !storesEvent(event));
    expect(without.map((event) => event.record_type)).toEqual(["refusal", "passthrough"]);
    await storeEvents(database, without);
    expect(Object.values(await allRows(database)).flat()).toEqual([]);
  });

  it("of an interception without a start says what the end knows", async () => {
    await storeEvents(database, [END]);
    const [row] = await rowsOf(database, "interceptions");
    expect(row).toMatchObject({ id: ID, initiator_id: END.initiator_id, outcome: "completed" });
    expect(row).toMatchObject({ api_key_id: null, metadata: null, prompt_count: null });
  });

  it("of an interception without an end is open", async () => {
    await storeEvents(database, [START]);
    const [row] = await rowsOf(database, "interceptions");
    expect(row).toMatchObject({ id: ID, outcome: null, ended_at: null, usage: null, prompt_count: 1 });
  });
});

describe("the first end counts", () => {
  it("and a second changes nothing, nor does a start that comes again", async () => {
    await storeEvents(database, [START, END]);
    const before = await allRows(database);
    await storeEvents(database, [{ ...END, outcome: "cancelled", duration_ms: 1 }]);
    await storeEvents(database, [{ ...START, api_key_id: "other", prompt_count: 0 }]);
    expect(await allRows(database)).toEqual(before);
  });

  it("but takes the place of the cron's", async () => {
    await storeEvents(database, [START]);
    await database.prepare("UPDATE interceptions SET outcome = 'orphaned', usage = 'unknown'").run();
    await storeEvents(database, [END]);
    const [row] = await rowsOf(database, "interceptions");
    expect(row).toMatchObject({ outcome: "completed", usage: "final", ended_at: END.ended_at });
  });
});

describe("H8 the rows", { timeout: GENEROUS_MS }, () => {
  it("are the same in whatever order, how often and with what others their events come", async () => {
    const events = [1, 2, 3].flatMap((n) =>
      wholeEventsOf({ n, asks: ["call_a", null], brings: n === 1 ? null : "call_a" }),
    );
    await storeEvents(database, events);
    const wanted = await allRows(database);
    expect(wanted["interceptions"]).toHaveLength(3);
    expect(wanted["tool_usages"]).toHaveLength(6);
    await forSeedsAsync(60, async (seed) => {
      await emptyLedger();
      for (const call of deliveries(events, seededRandom(seed))) await storeEvents(database, call);
      expect(await allRows(database)).toEqual(wanted);
    });
  });

  it("are the same however many statements the events are cut into", async () => {
    const events = [1, 2, 3, 4].flatMap((n) => wholeEventsOf({ n, asks: ["call_a"], brings: "call_a" }));
    await storeEvents(database, events);
    const wanted = await allRows(database);
    for (const most of [1, 500, 2000]) {
      await emptyLedger();
      const statements = statementsFor(events, most);
      expect(statements.length).toBeGreaterThan(statementsFor(events).length);
      await database.batch(statements.map(({ sql, json }) => database.prepare(sql).bind(json)));
      expect(await allRows(database)).toEqual(wanted);
    }
  });

  it("of hostile texts are those texts", async () => {
    for (const [n, text] of HOSTILE_TEXTS.entries()) {
      await emptyLedger();
      const hostile = { ...withTexts(TOOL, text), interception_id: ID };
      await storeEvents(database, [hostile]);
      const [row] = await rowsOf(database, "tool_usages");
      // What is no character cannot be stored as text, and nothing hides behind a NUL; everything else is as it was.
      const stored = text.toWellFormed().replaceAll("\0", "\ufffd");
      expect(row, `text ${n}`).toMatchObject({ tool: stored, input: stored, provider_tool_call_id: stored });
      expect(Object.values(JSON.parse(String(row?.["metadata"])) as object)).toEqual([stored]);
    }
  });
});

describe("one call", () => {
  it("is one statement for each table, with one parameter, whatever the number of events", () => {
    const events = Array.from({ length: 100 }, (_, n) =>
      wholeEventsOf({ n, asks: ["a"], brings: "b" }),
    ).flat();
    const statements = statementsFor(events);
    expect(new Set(statements.map(({ sql }) => sql)).size).toBe(statements.length);
    // Starts, ends, five tables, parents, roots.
    expect(statements).toHaveLength(9);
    for (const { sql } of statements) expect(sql.match(/\?\d*/g)).toEqual(["?1"]);
  });

  it("keeps every parameter under the megabyte that a text may have", () => {
    const text = "東".repeat(16_384);
    const events = Array.from({ length: 100 }, (_, n) => ({
      ...TOOL,
      interception_id: ID,
      position: n,
      input: text,
    }));
    const statements = statementsFor(events);
    const sizes = statements.map(({ json }) => new TextEncoder().encode(json).length);
    expect(Math.max(...sizes)).toBeLessThan(1_000_000);
    const rows = statements.filter(({ sql }) => sql.includes("INTO tool_usages"));
    expect(rows.flatMap(({ json }) => JSON.parse(json) as unknown[])).toHaveLength(100);
  });

  it("stores all or nothing", async () => {
    const broken = { ...TOOL, tool: null as unknown as string };
    await expect(storeEvents(database, [START, END, broken])).rejects.toThrow(/NOT NULL/);
    expect(Object.values(await allRows(database)).flat()).toEqual([]);
  });

  it("with nothing to store asks the database nothing", async () => {
    const untouched = new Proxy(database, {
      get: () => {
        throw new Error("asked");
      },
    });
    await expect(storeEvents(untouched, [])).resolves.toBeUndefined();
  });
});
