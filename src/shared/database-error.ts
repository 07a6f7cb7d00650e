/**
 * Failures of a D1 database that have nothing to do with the statement: the same statements succeed later.
 * https://developers.cloudflare.com/d1/observability/debug-d1/#error-list
 */

/** `overloaded`: the database is to get fewer statements, or smaller ones, before it can take more. */
export type DatabaseFailure = "transient" | "overloaded";

const OVERLOADED =
  /overloaded|operation exceeded timeout|exceeded its memory limit|exceeded its CPU time limit/i;

/** `internal error; reference = …` is the runtime's own, when the connection to the database fails. */
const TRANSIENT =
  /network connection lost|reset because its code was updated|caused object to be reset|transient issue|client disconnected|disconnected from primary|^(?:D1_ERROR: )?internal error(?:$|;)/i;

/** Wrangler before 3.1.1 and wrappers put D1's message into `cause`. */
const MAX_CAUSES = 3;

/** Which of them the error is; null for every other error, such as a rejected value. */
export function databaseFailure(error: unknown): DatabaseFailure | null {
  let cause = error;
  for (let depth = 0; depth < MAX_CAUSES && cause instanceof Error; depth += 1) {
    // In this order: a write that takes too long also "caused object to be reset".
    if (OVERLOADED.test(cause.message)) return "overloaded";
    if (TRANSIENT.test(cause.message)) return "transient";
    cause = cause.cause;
  }
  return null;
}
