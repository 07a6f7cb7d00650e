import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { MAX_CONTENT } from "../../../src/events/redaction.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import type { LedgerEntry } from "../../../src/records/ledger/stored-facts.ts";
import { STORED } from "../../support/in-workerd/store-events.ts";
import { toFallbackLine } from "../../../src/events/fallback-log.ts";
import { toEventLine } from "../../../src/events/log-line.ts";
import { logSink } from "../../../src/gateway/sinks/log.ts";
import { findEvents } from "../../../tools/replay/logged-events.ts";
import { toSql } from "../../../tools/replay/sql.ts";
import {
  END,
  everyEvent,
  HOSTILE_TEXTS,
  PROMPT,
  START,
  TOKENS,
  TOOL,
  withTexts,
} from "../../support/in-workerd/events.ts";
import { allRows, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { eventsOf, idOf, allEventsOf } from "../../support/in-workerd/ledger-events.ts";

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

/** Runs a SQL file as Wrangler does: all its statements in one batch. */
async function run(sql: string): Promise<readonly string[]> {
  const statements = sql.split(/;\n(?=INSERT|WITH|$)/).filter((statement) => statement !== "");
  await database.batch(statements.map((statement) => database.prepare(statement)));
  return statements;
}

/** As of a replay without a key. */
const entriesOf = (events: readonly InterceptorEvent[]): LedgerEntry[] =>
  events.map((event) => ({ event, via: "p", macKeyId: null, storedAt: STORED.storedAt }));

const lines = (events: readonly InterceptorEvent[]): string[] => events.map(toFallbackLine);

/** Log formats, each as a function of the printed lines. */
const LOGS: readonly (readonly [string, (printed: readonly string[]) => string])[] = [
  ["the Worker's own lines", (printed) => printed.join("\n")],
  ["lines with CRLF", (printed) => printed.join("\r\n")],
  [
    "lines with a timestamp prefix",
    (printed) => printed.map((line) => `2026-11-23T12:00:00.000Z stdout F ${line}`).join("\n"),
  ],
  [
    "wrangler tail --format json",
    (printed) =>
      JSON.stringify(
        {
          outcome: "ok",
          logs: printed.map((line) => ({ message: [line], level: "log", timestamp: 0 })),
          event: {},
        },
        null,
        4,
      ),
  ],
  [
    "Logpush",
    (printed) =>
      printed
        .map((line) =>
          JSON.stringify({ Outcome: "ok", Logs: [{ Level: "log", Message: [line], TimestampMs: 0 }] }),
        )
        .join("\n"),
  ],
];

const byId = (one: InterceptorEvent, other: InterceptorEvent): number =>
  eventId(one) < eventId(other) ? -1 : 1;

describe("finding the events of fallback lines", () => {
  it.each(LOGS)("finds each once in %s, and no others", (_, toLog) => {
    const printed = [
      ...everyEvent.map((event) => toEventLine(event)),
      ...lines(everyEvent),
      "ready",
      "",
      ...lines(everyEvent.slice(0, 2)),
    ];
    expect(findEvents(toLog(printed))).toEqual({ events: everyEvent, broken: 0, unknown: 0 });
  });

  it.each(LOGS)("finds them in %s with hostile texts", (_, toLog) => {
    const events = HOSTILE_TEXTS.map((text, n) => ({ ...withTexts(TOOL, text), interception_id: idOf(n) }));
    expect(findEvents(toLog(lines(events)))).toEqual({ events, broken: 0, unknown: 0 });
  });

  it.each(LOGS)("finds them in %s with the log's own lines, if requested", (_, toLog) => {
    const printed = [
      ...everyEvent.map((event) => toEventLine(event)),
      "ready",
      ...lines(everyEvent.slice(0, 2)),
    ];
    const { events, broken } = findEvents(toLog(printed), true);
    expect(broken).toBe(0);
    expect(events.toSorted(byId)).toEqual(everyEvent.toSorted(byId));
  });

  it("prefers the complete fallback line to the truncated line of the log sink, in either order", () => {
    const long = { ...PROMPT, prompt: "p".repeat(MAX_CONTENT) };
    let ownLine = "";
    void logSink((line) => void (ownLine = line)).write([long]);
    const fallback = toFallbackLine(long);
    expect(ownLine.length).toBeLessThan(fallback.length);
    for (const log of [`${ownLine}\n${fallback}`, `${fallback}\n${ownLine}`]) {
      expect(findEvents(log, true).events).toEqual([long]);
    }
    const shown = findEvents(ownLine, true).events;
    expect(shown).toEqual([{ ...long, prompt: expect.any(String) as string, truncated: true }]);
    expect(findEvents(ownLine).events).toEqual([]);
  });

  it("counts a truncated line of the log sink as broken, if those lines are requested", () => {
    const cut = toEventLine(START).slice(0, -10);
    expect(findEvents(cut, true)).toEqual({ events: [], broken: 1, unknown: 0 });
    expect(findEvents(cut)).toEqual({ events: [], broken: 0, unknown: 0 });
  });

  it("finds those of several logs, truncated or not", () => {
    const [, , , tail, logpush] = LOGS.map(([, toLog]) => toLog(lines([START])));
    const cut = (tail ?? "").split("\n").slice(0, 5).join("\n");
    const log = [tail, cut, ...lines([END]), cut, logpush, tail].join("\n");
    expect(findEvents(log)).toEqual({ events: [START, END], broken: 0, unknown: 0 });
  });

  it.each(LOGS)("counts a line that the log truncated as broken in %s", (_, toLog) => {
    const [line = "", other = ""] = lines([START, END]);
    const log = toLog([line.slice(0, 300), other]);
    expect(findEvents(log)).toEqual({ events: [END], broken: 1, unknown: 0 });
  });

  it("has the public names of today in lines from before migration 0005", () => {
    const { usage_invalid, observation, ...rest } = END;
    const old = { ...rest, usage_flagged: usage_invalid, observation: "whole" };
    const { events } = findEvents(toFallbackLine(old as unknown as InterceptorEvent));
    expect(observation).toBe("complete");
    expect(events).toEqual([END]);
  });

  it("counts a line without an event as broken", () => {
    const [line = ""] = lines([START]);
    expect(findEvents(line.replace(START.interception_id, "x"))).toEqual({
      events: [],
      broken: 1,
      unknown: 0,
    });
  });
});

// The attack: a client writes the text of a fallback line into a prompt or a header, with an interception that never was or
// with another user's id. The log then contains it, quoted, and the next replay of that log would store it as a record.
describe("the text of a fallback line that a client wrote", () => {
  const [forged = ""] = lines([{ ...END, initiator_id: "another-user" }]);
  const inContent = [
    toEventLine({ ...PROMPT, prompt: forged }),
    toEventLine({ ...PROMPT, prompt: `\n${forged}\n` }),
    toEventLine({ ...START, user_agent: forged }),
    ...lines([{ ...PROMPT, prompt: forged }]),
  ];

  it.each(LOGS)("is no record in %s", (_, toLog) => {
    const { events } = findEvents(toLog(inContent));
    expect(events).toEqual([{ ...PROMPT, prompt: forged }]);
  });

  it.each([
    ["the request's headers", { logs: [], event: { request: { headers: { "user-agent": forged } } } }],
    ["its URL", { logs: [], event: { request: { url: `https://x.example/${forged}` } } }],
    ["an exception", { logs: [], exceptions: [{ name: "Error", message: forged }] }],
    [
      "Logpush's own fields",
      { Logs: [], Event: { RequestURL: forged }, Exceptions: [{ Message: [forged] }] },
    ],
    ["other values of the same log call", { logs: [{ message: [`path: ${forged}`, { a: forged }] }] }],
  ])("is no record in %s, over one line or several", (_, record) => {
    for (const indent of [0, 4]) {
      expect(findEvents(JSON.stringify(record, null, indent)).events).toEqual([]);
    }
  });

  it("is no record in a line that quotes it", () => {
    expect(findEvents(`GET "${forged}" 200\npath="/x" ${forged}`).events).toEqual([]);
  });
});

describe("the SQL of a replay", () => {
  it("makes the same rows as storing the events", async () => {
    const events = [1, 2, 3].flatMap((n) => allEventsOf({ n, toolCalls: [`c${n}`], resultOf: `c${n - 1}` }));
    await storeEvents(database, events);
    const expected = await allRows(database);
    await emptyLedger();
    await run(toSql(entriesOf(findEvents(lines(events).join("\n")).events)));
    expect(await allRows(database)).toEqual(expected);
  });

  it("changes no rows of events that the ledger has, and adds the others", async () => {
    const events = allEventsOf({ n: 1, toolCalls: ["a"] });
    await storeEvents(database, events);
    const expected = await allRows(database);
    await run(toSql(entriesOf(events)));
    expect(await allRows(database)).toEqual(expected);
    await emptyLedger();
    await storeEvents(database, events.slice(0, 1));
    await run(toSql(entriesOf(events.slice(1))));
    expect(await allRows(database)).toEqual(expected);
  });

  // The attack: content that closes its SQL string and continues as SQL.
  it("stores hostile texts as texts", async () => {
    const texts = [
      ...HOSTILE_TEXTS.filter(({ length }) => length < 1000),
      "'); DROP TABLE interceptions; --",
      "''",
      "x'",
      "BEGIN TRANSACTION; COMMIT;",
      "?1 $& $'",
    ];
    const { metadata } = TOOL;
    const events = texts.map((text, n) => ({ ...withTexts(TOOL, text), interception_id: idOf(n), metadata }));
    await storeEvents(database, events);
    const rows = await allRows(database);
    expect(rows["tool_usages"]).toHaveLength(texts.length);
    await emptyLedger();
    const sql = toSql(entriesOf(events));
    // Wrangler searches for these words anywhere in the file, and rejects the file or removes them.
    expect(sql).not.toContain("BEGIN TRANSACTION");
    await run(sql);
    expect(await allRows(database)).toEqual(rows);
  });

  it.each([
    ["quotes", "'"],
    ["three bytes a character", "東"],
    ["escapes", "\u0001"],
    ["escapes and quotes", "'\u0001"],
  ])("has no statement over 100,000 bytes when all content is %s", async (_, unit) => {
    const worst = unit.repeat(MAX_CONTENT / unit.length);
    const events = [0, 1, 2].flatMap((n) => [
      ...eventsOf({ n }),
      { ...TOOL, interception_id: idOf(n), input: worst, invocation_error: worst },
      { ...PROMPT, interception_id: idOf(n), prompt: worst },
    ]);
    const statements = await run(toSql(entriesOf(events)));
    const sizes = statements.map((statement) => new TextEncoder().encode(statement).length);
    expect(Math.max(...sizes)).toBeLessThan(100_000);
    expect((await allRows(database))["tool_usages"]).toHaveLength(3);
  });

  it("is empty without events", () => {
    expect(toSql([])).toBe("");
    expect(toSql(entriesOf([TOKENS]))).toMatch(/^INSERT INTO token_usages .*;$/m);
  });
});
