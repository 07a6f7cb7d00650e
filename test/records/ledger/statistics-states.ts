/** States of the database in which query plans must hold: without and with statistics for SQLite's query planner. */
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { scanForAnomalies } from "../../../src/records/ledger/maintain/anomaly-scan.ts";
import { storeEvents } from "../../support/in-workerd/store-events.ts";
import { collectStatistics, emptyLedger } from "../../support/in-workerd/ledger-database.ts";
import { allEventsOf, eventsOf, T0 } from "../../support/in-workerd/ledger-events.ts";

const CHAT = "0a0a0a0a-0000-4000-8000-00000000000a";
const ROWS = 3000;
const DAY_MS = 86_400_000;

const inChat = (events: readonly InterceptorEvent[], chat_id: string): InterceptorEvent[] =>
  events.map((event) => ("chat_id" in event ? { ...event, chat_id } : event));

/** Stores many interceptions, scans them, and collects the statistics of all tables. */
async function fill(eventsFor: (n: number) => readonly InterceptorEvent[]): Promise<D1Database> {
  const database = await emptyLedger();
  await storeEvents(database, Array.from({ length: ROWS }, (_, n) => eventsFor(n)).flat());
  await scanForAnomalies(database, T0 + DAY_MS, () => undefined);
  await collectStatistics(database);
  return database;
}

/** Name → brings the database into that state. */
export const STATISTICS_STATES: readonly (readonly [string, () => Promise<D1Database>])[] = [
  ["without statistics", emptyLedger],
  [
    // After `PRAGMA optimize` with the migrations: every partial index counts as empty.
    "with statistics of an empty ledger",
    async () => {
      const database = await emptyLedger();
      await collectStatistics(database);
      return database;
    },
  ],
  [
    // The partial indexes on chats, tool calls and parents stay empty.
    "with statistics of interceptions without tools",
    () => fill((n) => eventsOf({ n })),
  ],
  [
    "with statistics of interceptions in many chats",
    () =>
      fill((n) =>
        inChat(
          allEventsOf({ n, toolCalls: [`c${n}`], resultOf: `c${n - 1}` }),
          CHAT.replace(/..$/, String(10 + (n % 90))),
        ),
      ),
  ],
  [
    // The indexes on chats, tool calls and parents select nothing.
    "with statistics of interceptions in one chat with one tool call id",
    () => fill((n) => inChat(eventsOf({ n, toolCalls: n === 0 ? ["c"] : [], resultOf: "c" }), CHAT)),
  ],
];
