/**
 * Erases rows of `interceptions` together with what is derived from them: the totals move from the old dimension to one with the
 * pseudonym, by the journal, so that every sum is the same at any moment; and tool calls get the new key of their call.
 */
import { ADD_DIMENSIONS, movesOf } from "../rollups/journal-sql.ts";
import type { Statement } from "./erase-row.ts";

const ERASED_CALLS =
  "erased_calls (id) AS MATERIALIZED (SELECT value FROM json_each((SELECT json FROM batch), '$.interceptions'))";
const MOVES = movesOf(ERASED_CALLS, "SELECT id FROM erased_calls");

/** Parameter: the ids as JSON, as of the other statements. */
const KEY_TOOLS = `UPDATE tool_usages SET link_key = (SELECT i.link_key FROM interceptions AS i WHERE i.id = interception_id)
WHERE interception_id IN (SELECT value FROM json_each(?1, '$.interceptions')) AND link_key IS NOT NULL`;

/** In one transaction. `at`: milliseconds since 1970. */
export function eraseCalls(ids: readonly string[], updates: readonly Statement[], at: number): Statement[] {
  const values = [JSON.stringify({ part: "erase", at, interceptions: ids })];
  return [
    { sql: MOVES.open, values },
    ...updates,
    { sql: ADD_DIMENSIONS, values },
    { sql: MOVES.close, values },
    { sql: KEY_TOOLS, values },
  ];
}

/**
 * Usage that was retrieved later has the same name in the event that read it and in its copy for the call that created it: else
 * it would be copied again. Parameter: a JSON list of [before, after].
 */
export const RENAME_CLAIMS = `UPDATE token_usages SET id = renamed.value ->> 1 FROM json_each(?1) AS renamed
WHERE token_usages.id = renamed.value ->> 0`;
