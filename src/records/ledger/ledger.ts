/** Where the exact record is kept, as the consumer and the cron need it. */
import type { InterceptorEvent } from "../../events/event.ts";

export type LedgerDeps = {
  readonly database: D1Database | null;
  readonly archive: R2Bucket | null;
  /** 0: for ever. */
  readonly retentionDays: number;
  /** One line on the console, about ourselves. */
  readonly logError: (line: string) => void;
  /** Puts events that nothing else has taken into the log, whole. */
  readonly fallback: (events: readonly InterceptorEvent[]) => void;
};
