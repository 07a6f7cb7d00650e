/** Gives each event a seal of its own, as the column `seal` stores it. */
import { toLedgerEvents } from "../../../events/ledger-events.ts";
import { newSeal, type LedgerEntry } from "../stored-facts.ts";
import type { SealedEvent } from "./statements.ts";

const fillRandom = (bytes: Uint8Array<ArrayBuffer>): void => void crypto.getRandomValues(bytes);

/** The events in the ledger's form, each with a seal of its own. Entries with the same facts are of one message. */
export function seal(entries: readonly LedgerEntry[], random = fillRandom): SealedEvent[] {
  const messages = Map.groupBy(entries, ({ via, macKeyId, storedAt }) => `${via} ${macKeyId} ${storedAt}`);
  return [...messages.values()].flatMap((message) => {
    const facts = message[0] as LedgerEntry;
    const events = toLedgerEvents(message.map(({ event }) => event));
    return events.map((event) => ({ event, seal: newSeal(facts, random) }));
  });
}
