/** GET /accesses: who read, deleted, held or erased records, newest first. */
import { LEDGER_ACTIONS, meanings, wordsOf } from "../../../events/vocabulary.ts";
import { LEDGER_ACCESS } from "../fields.ts";
import { TIME_FILTERS } from "../filters.ts";
import { listEndpoint } from "../kit/list-endpoint.ts";
import { equals, filter, oneOf } from "../kit/parameter.ts";
import { column, sql } from "../kit/sql.ts";

export const accesses = listEndpoint({
  path: "/accesses",
  summary: "Reads, deletions, holds and erasures of records, and sign-ins to the console, newest first",
  description:
    "Each response of this API with records is an entry, this list's own included. So is each table that a run of the cron deleted rows of.",
  filters: {
    action: filter(
      oneOf(wordsOf(LEDGER_ACTIONS), null, `What was done. ${meanings(LEDGER_ACTIONS)}`),
      (alias, value) => sql`${column(alias, "action")} = ${value}`,
    ),
    by: equals(
      "by",
      "Who did it: `token:` and the id of the admin token, `console:` and the name of the session, `cron` or `tool`.",
    ),
    target: equals("target", "The endpoint, the table, or the principal or session."),
    ...TIME_FILTERS,
  },
  table: "ledger_accesses",
  alias: "l",
  fields: LEDGER_ACCESS,
});
