/** The deletions on record: rows that the log has and the database no longer has. */
import type { Query } from "../../src/records/ledger/seal/rebuild.ts";

export type Deletion = {
  readonly table: string;
  /** `age` or `size`. */
  readonly cause: string;
  readonly runs: number;
  readonly rows: number;
  /** RFC 3339: of the first and the last run. */
  readonly from: string;
  readonly to: string;
  /** RFC 3339: only rows from before were deleted. */
  readonly before: string;
};

const SQL = `SELECT target, COALESCE(cause, '') AS cause, COUNT(*) AS runs, SUM(rows) AS deleted, MIN(created_at) AS since,
  MAX(created_at) AS until, MAX(before) AS boundary
FROM ledger_accesses WHERE action = 'purge' GROUP BY 1, 2 ORDER BY 1, 2`;

export async function readDeletions(query: Query): Promise<readonly Deletion[]> {
  return (await query(SQL)).map((row) => ({
    table: String(row["target"]),
    cause: String(row["cause"]),
    runs: Number(row["runs"]),
    rows: Number(row["deleted"]),
    from: String(row["since"]),
    to: String(row["until"]),
    before: String(row["boundary"]),
  }));
}
