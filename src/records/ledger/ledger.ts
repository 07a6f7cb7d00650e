/** The dependencies of the queue consumer and the cron. */
import type { InterceptorEvent } from "../../events/event.ts";
import type { Retention } from "./maintain/retention.ts";
import type { LogOperatorEvent } from "../../shared/operator-log.ts";

export type LedgerDeps = {
  readonly database: D1Database | null;
  readonly archive: R2Bucket | null;
  readonly retention: Retention;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly logError: LogOperatorEvent;
  /** Writes events that could not be stored into the log, complete. */
  readonly fallback: (events: readonly InterceptorEvent[]) => void;
  /** Writes one line into the log. */
  readonly print: (line: string) => void;
};
