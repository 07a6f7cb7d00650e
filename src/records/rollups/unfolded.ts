/** The journal's rows that are not folded into the totals yet. A total is the sum of both. */
import { MEASURES } from "./contribution-sql.ts";

/** The rows of a journal row's `deltas`; `sign` is put before each measure. */
export const deltasOf = (source: string, sign = ""): string =>
  `SELECT delta.value ->> 0 AS dimension, delta.value ->> 1 AS hour, ${MEASURES.map((name, at) => `${sign}(delta.value ->> ${at + 2}) AS ${name}`).join(", ")}
FROM ${source}, json_each(journal.deltas) AS delta`;

/** The last journal row that is folded. */
export const FOLDED =
  "COALESCE((SELECT CAST(cursor AS INTEGER) FROM upkeep_cursors WHERE job = 'folded'), 0)";
/** The journal rows that are not folded yet. */
export const UNFOLDED = `(SELECT deltas FROM journal WHERE seq > ${FOLDED}) AS journal`;

/** The first day that is not summed up in `rollup_days` yet; empty where none is. */
export const CLOSED_DAYS = "COALESCE((SELECT cursor FROM upkeep_cursors WHERE job = 'days'), '')";
