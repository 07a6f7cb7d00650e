import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { MAX_CONTENT } from "../../../src/events/redaction.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { storeEvents, storesEvent } from "../../../src/records/ledger/write/store.ts";
import { toFallbackLine } from "../../../src/events/fallback-log.ts";
import { logSink, toLine } from "../../../src/gateway/sinks/log.ts";
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
import { eventsOf, idOf, wholeEventsOf } from "../../support/in-workerd/ledger-events.ts";

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

/** Runs a file of SQL as wrangler does: all its statements as one batch. */
async function run(sql: string): Promise<readonly string[]> {
  const statements = sql.split(/;\n(?=INSERT|WITH|$)/).filter((statement) => statement !== "");
  await database.batch(statements.map((statement) => database.prepare(statement)));
  return statements;
}

const lines = (events: readonly InterceptorEvent[]): string[] => events.map(toFallbackLine);

/** The same lines as each kind of log has them, among others. */
const LOGS: readonly (readonly [string, (printed: readonly string[]) => string])[] = [
  ["the Worker's own lines", (printed) => printed.join("\n")],
  ["lines with CRLF", (printed) => printed.join("\r\n")],
  [
    "lines with the time before them",
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

describe("the events of fallback lines", () => {
  it.each(LOGS)("are found in %s, each once and no others", (_, toLog) => {
    const printed = [
      ...everyEvent.map(toLine),
      ...lines(everyEvent),
      "ready",
      "",
      ...lines(everyEvent.slice(0, 2)),
    ];
    expect(findEvents(toLog(printed))).toEqual({ events: everyEvent, broken: 0 });
  });

  it.each(LOGS)("are found in %s whatever their texts hold", (_, toLog) => {
    const events = HOSTILE_TEXTS.map((text, n) => ({ ...withTexts(TOOL, text), interception_id: idOf(n) }));
    expect(findEvents(toLog(lines(events)))).toEqual({ events, broken: 0 });
  });

  it.each(LOGS)("are found in %s, and where asked the log's own lines too", (_, toLog) => {
    const printed = [...everyEvent.map(toLine), "ready", ...lines(everyEvent.slice(0, 2))];
    const { events, broken } = findEvents(toLog(printed), true);
    expect(broken).toBe(0);
    expect(events.toSorted(byId)).toEqual(everyEvent.toSorted(byId));
  });

  it("are whole where a fallback line tells them, before or behind the cut line of the log's own", () => {
    const long = { ...PROMPT, prompt: "p".repeat(MAX_CONTENT) };
    let own = "";
    void logSink((line) => void (own = line)).write([long]);
    const fallback = toFallbackLine(long);
    expect(own.length).toBeLessThan(fallback.length);
    for (const log of [`${own}\n${fallback}`, `${fallback}\n${own}`]) {
      expect(findEvents(log, true).events).toEqual([long]);
    }
    const shown = findEvents(own, true).events;
    expect(shown).toEqual([{ ...long, prompt: expect.any(String) as string, truncated: true }]);
    expect(findEvents(own).events).toEqual([]);
  });

  it("are counted as broken where the log's own line was cut off, if those are asked for", () => {
    const cut = toLine(START).slice(0, -10);
    expect(findEvents(cut, true)).toEqual({ events: [], broken: 1 });
    expect(findEvents(cut)).toEqual({ events: [], broken: 0 });
  });

  it("are those of every log that is given, cut off or not", () => {
    const [, , , tail, logpush] = LOGS.map(([, toLog]) => toLog(lines([START])));
    const cut = (tail ?? "").split("\n").slice(0, 5).join("\n");
    const log = [tail, cut, ...lines([END]), cut, logpush, tail].join("\n");
    expect(findEvents(log)).toEqual({ events: [START, END], broken: 0 });
  });

  it.each(LOGS)("are counted as broken in %s where the log cut a line off", (_, toLog) => {
    const [whole = "", other = ""] = lines([START, END]);
    const log = toLog([whole.slice(0, 300), other]);
    expect(findEvents(log)).toEqual({ events: [END], broken: 1 });
  });

  it("are none where the line holds no event", () => {
    const [line = ""] = lines([START]);
    expect(findEvents(line.replace(START.interception_id, "x"))).toEqual({ events: [], broken: 1 });
  });
});

// The attack: whoever may write a prompt, or only a header, writes the text of a fallback line into it, with an
// interception that never was or in another user's name. It stands in the log then, quoted, and the next replay of that
// log would make a record of it.
describe("the text of a fallback line that a client wrote", () => {
  const [forged = ""] = lines([{ ...END, initiator_id: "somebody-else" }]);
  const inContent = [
    toLine({ ...PROMPT, prompt: forged }),
    toLine({ ...PROMPT, prompt: `\n${forged}\n` }),
    toLine({ ...START, user_agent: forged }),
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
    ["what was printed beside it", { logs: [{ message: [`path: ${forged}`, { a: forged }] }] }],
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
  it("makes the rows that the events make by themselves", async () => {
    const events = [1, 2, 3].flatMap((n) => wholeEventsOf({ n, asks: [`c${n}`], brings: `c${n - 1}` }));
    await storeEvents(database, events);
    const wanted = await allRows(database);
    await emptyLedger();
    await run(toSql(findEvents(lines(events).join("\n")).events));
    expect(await allRows(database)).toEqual(wanted);
  });

  it("changes nothing where the ledger has the events already, and completes what it has not", async () => {
    const events = wholeEventsOf({ n: 1, asks: ["a"] });
    await storeEvents(database, events);
    const wanted = await allRows(database);
    await run(toSql(events));
    expect(await allRows(database)).toEqual(wanted);
    await emptyLedger();
    await storeEvents(database, events.slice(0, 1));
    await run(toSql(events.slice(1)));
    expect(await allRows(database)).toEqual(wanted);
  });

  // The attack: content that ends the text it stands in and goes on as SQL.
  it("holds hostile texts as texts", async () => {
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
    const sql = toSql(events);
    // Wrangler looks for these words, wherever they stand, and refuses the file or takes them out.
    expect(sql).not.toContain("BEGIN TRANSACTION");
    await run(sql);
    expect(await allRows(database)).toEqual(rows);
  });

  it.each([
    ["quotes", "'"],
    ["three bytes a character", "東"],
    ["escapes", "\u0001"],
    ["escapes and quotes", "'\u0001"],
  ])("has no statement over 100,000 bytes, with content of nothing but %s", async (_, unit) => {
    const worst = unit.repeat(MAX_CONTENT / unit.length);
    const events = [0, 1, 2].flatMap((n) => [
      ...eventsOf({ n }),
      { ...TOOL, interception_id: idOf(n), input: worst, invocation_error: worst },
      { ...PROMPT, interception_id: idOf(n), prompt: worst },
    ]);
    const statements = await run(toSql(events));
    const sizes = statements.map((statement) => new TextEncoder().encode(statement).length);
    expect(Math.max(...sizes)).toBeLessThan(100_000);
    expect((await allRows(database))["tool_usages"]).toHaveLength(3);
  });

  it("of nothing, or of events without a table, is nothing", () => {
    expect(toSql([])).toBe("");
    expect(toSql(everyEvent.filter((event) => !storesEvent(event)))).toBe("");
    expect(toSql([TOKENS])).toMatch(/^INSERT INTO token_usages .*;\n$/);
  });
});
