import type { DatabaseFailure } from "../../../src/shared/database-error.ts";

/** Every message of https://developers.cloudflare.com/d1/observability/debug-d1/#error-list, and of read replicas. */
export const D1_FAILURES: readonly (readonly [message: string, kind: DatabaseFailure])[] = [
  ["D1 DB reset because its code was updated.", "transient"],
  ["Internal error while starting up D1 DB storage caused object to be reset.", "transient"],
  ["Network connection lost.", "transient"],
  ["Internal error in D1 DB storage caused object to be reset.", "transient"],
  ["Cannot resolve D1 DB due to transient issue on remote node.", "transient"],
  ["Can't read from request stream because client disconnected.", "transient"],
  ["Replica disconnected from primary.", "transient"],
  ["D1 DB storage operation exceeded timeout which caused object to be reset.", "overloaded"],
  ["D1 DB is overloaded. Requests queued for too long.", "overloaded"],
  ["D1 DB is overloaded. Too many requests queued.", "overloaded"],
  ["D1 DB's isolate exceeded its memory limit and was reset.", "overloaded"],
  ["D1 DB exceeded its CPU time limit and was reset.", "overloaded"],
];
