/** Stores events as the consumer of the queue does. */
import type { InterceptorEvent } from "../../../src/events/event.ts";
import type { StoredFacts } from "../../../src/records/ledger/stored-facts.ts";
import { statementsFor, type Statement } from "../../../src/records/ledger/write/statements.ts";
import { seal } from "../../../src/records/ledger/write/seal-events.ts";
import { storeEvents as store } from "../../../src/records/ledger/write/store.ts";

export const STORED: StoredFacts = { via: "q", macKeyId: null, storedAt: Date.UTC(2026, 10, 23, 13) };

export const storeEvents = (
  database: D1Database,
  events: readonly InterceptorEvent[],
  facts: StoredFacts = STORED,
): Promise<number> =>
  store(
    database,
    events.map((event) => ({ event, ...facts })),
  );

/** The statements that store events; `maxCharacters` as for `statementsFor`. */
export const statementsOf = (
  events: readonly InterceptorEvent[],
  maxCharacters?: number,
): readonly Statement[] =>
  statementsFor(seal(events.map((event) => ({ event, ...STORED }))), STORED.storedAt, maxCharacters);
