/** The event of what a tool did with the records (`ledger_access`). */
import type { LedgerAccess } from "../../src/events/event.ts";
import type { LedgerEntry } from "../../src/records/ledger/stored-facts.ts";

type Facts = Pick<LedgerAccess, "action" | "target" | "parameters" | "cause"> &
  Partial<Pick<LedgerAccess, "rows" | "before">>;

/** `id`: a UUIDv7 of the time. `now`: milliseconds since 1970. */
export function toolAccess(facts: Facts, id: string, now: number): LedgerEntry {
  const event: LedgerAccess = {
    record_type: "ledger_access",
    interception_id: id,
    by: "tool",
    rows: 0,
    before: null,
    ...facts,
    created_at: new Date(now).toISOString(),
  };
  return { event, via: "m", macKeyId: null, storedAt: now };
}
