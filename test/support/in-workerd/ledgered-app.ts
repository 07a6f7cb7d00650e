/**
 * The app with a ledger behind it: what it records goes through the ledger's own sink into the real database of the test,
 * whose tables are then read whole. Receives a house's setup, hands on the house; stores nothing by itself.
 */
import { expect } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { storeEvents, storesEvent } from "../../../src/records/ledger/write/store.ts";
import { recordsSink } from "../../../src/gateway/sinks/records.ts";
import { openGateway, type Gateway, type Setup } from "./gateway-harness.ts";
import { allRows, emptyLedger, type Rows } from "./ledger-database.ts";

/** `RECORDING` with all content on. */
export const EVERYTHING = { prompts: true, tool_inputs: true, thoughts: true, error_messages: true };

export type GatewayWithLedger = Gateway & {
  /** All that is stored, once what was to be stored is. */
  readonly rows: () => Promise<Rows>;
};

/** Begins with an empty ledger. */
export async function openGatewayWithLedger(setup: Setup): Promise<GatewayWithLedger> {
  const database = await emptyLedger();
  const fallen: InterceptorEvent[] = [];
  const sink = recordsSink({
    required: false,
    wants: storesEvent,
    deliver: (events) => storeEvents(database, events),
    fallback: (events) => (fallen.push(...events), []),
  });
  const house = await openGateway({ ...setup, sinks: [sink] });
  const rows = async (): Promise<Rows> => {
    expect([fallen, house.operatorErrors], "the ledger took everything").toEqual([[], []]);
    return allRows(database);
  };
  return { ...house, rows };
}
