/** The dependencies of the queue consumer and the cron. */
import type { InterceptorEvent } from "../../events/event.ts";
import type { Retention } from "./maintain/retention.ts";
import type { LogOperatorEvent } from "../../shared/operator-log.ts";
import type { Authenticate } from "./write/authenticate.ts";

export type LedgerDeps = {
  readonly database: D1Database | null;
  readonly archive: R2Bucket | null;
  readonly retention: Retention;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logError: LogOperatorEvent;
  /** Whether the ledger takes the events of a message. */
  readonly authenticate: Authenticate;
  /** A new UUIDv7 of this time. */
  readonly newId: (now: number) => string;
  /** Writes events that could not be stored into the log, complete. Never rejects. */
  readonly fallback: (events: readonly InterceptorEvent[], hasMac: boolean) => Promise<void>;
  /** Passes on charges of budgets that the gateway could not deliver. Rejects where they must be delivered again. */
  readonly deliverCharges: (events: readonly InterceptorEvent[]) => Promise<void>;
  /** Writes one line into the log. */
  readonly print: (line: string) => void;
};
