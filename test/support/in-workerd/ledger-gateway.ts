/**
 * A gateway with a ledger: the records sink writes its events into the test's D1 database, whose rows can then be read.
 */
import { expect } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { storeEvents } from "./store-events.ts";
import { recordsSink } from "../../../src/gateway/sinks/records.ts";
import { openGateway, type Gateway, type Setup } from "./gateway-harness.ts";
import { allRows, emptyLedger, type Row, type Rows } from "./ledger-database.ts";

/** `RECORDING` with all content on. */
export const RECORD_ALL = { prompts: true, tool_inputs: true, thoughts: true, error_messages: true };

export type GatewayWithLedger = Gateway & {
  /**
   * All rows, without the hashes of prompts, of bodies and of the configuration, which prompt-history.test.ts and incident.test.ts
   * test. Fails where an event could not be stored.
   */
  readonly rows: () => Promise<Rows>;
};

const HASHES = new Set(["prompt_hashes", "earlier_prompt_hashes", "request_sha256", "config_version"]);

const withoutHashes = (row: Row): Row =>
  Object.fromEntries(Object.entries(row).filter(([name]) => !HASHES.has(name)));

/** Empties the ledger first. */
export async function openGatewayWithLedger(setup: Setup): Promise<GatewayWithLedger> {
  const database = await emptyLedger();
  const fallbackEvents: InterceptorEvent[] = [];
  const sink = recordsSink({
    required: false,
    wants: () => true,
    deliver: (events) => storeEvents(database, events),
    fallback: (events) => (fallbackEvents.push(...events), []),
  });
  const gateway = await openGateway({ ...setup, sinks: [sink] });
  const rows = async (): Promise<Rows> => {
    expect([fallbackEvents, gateway.operatorErrors], "the ledger stored every event").toEqual([[], []]);
    const { interceptions = [], passthroughs = [], ...others } = await allRows(database);
    return {
      interceptions: interceptions.map(withoutHashes),
      passthroughs: passthroughs.map(withoutHashes),
      ...others,
    };
  };
  return { ...gateway, rows };
}
