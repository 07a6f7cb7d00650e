/** Records an access as an event: a read through the API, or a sign-in to the console. */
import type { LedgerAccess } from "../../../events/event.ts";
import type { LedgerAction } from "../../../events/vocabulary.ts";
import { toEventLine } from "../../../events/log-line.ts";
import { eraseIn, openErasures } from "../erase/erasures.ts";
import { errorText } from "../error-text.ts";
import type { LedgerDeps } from "../ledger.ts";
import { queryOf } from "../seal/seal-state.ts";
import { storeEvents } from "./store.ts";

/** A response of the API with records of the ledger, or a sign-in. */
export type LedgerRead = {
  /** The `x-interception-id` of the response. */
  readonly id: string;
  readonly action: Extract<LedgerAction, "read" | "read_content" | `sign_${string}`>;
  readonly by: string;
  /** The endpoint's path, with the id that the request names; of a sign-in `/console`. */
  readonly target: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly rows: number;
  /** Milliseconds since 1970. */
  readonly at: number;
};

/** Never rejects: a failure is logged, and the log line has the event. While an erasure is open, the ledger has it without the person. */
export async function recordRead(
  { database, print, logError }: Pick<LedgerDeps, "database" | "print" | "logError">,
  { id, at, ...facts }: LedgerRead,
): Promise<void> {
  const read: LedgerAccess = {
    record_type: "ledger_access",
    interception_id: id,
    ...facts,
    before: null,
    cause: null,
    created_at: new Date(at).toISOString(),
  };
  print(toEventLine(read));
  if (!database) return;
  try {
    const event = eraseIn(read, await openErasures(queryOf(database)));
    await storeEvents(database, [{ event, via: "m", macKeyId: null, storedAt: at }]);
  } catch (error) {
    logError({ event: "access_not_stored", error: errorText(error) });
  }
}
