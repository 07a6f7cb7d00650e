/**
 * The boundary of deletion: interceptions with an older id have been deleted, or are kept by a hold. The totals of their
 * hours remain.
 */

/** The cron's job that deletes interceptions, as `upkeep_cursors` names it. */
export const PURGE_JOB = "purge of interceptions";

/** The boundary as an id; empty where nothing has been deleted yet. */
export const PURGED = `COALESCE((SELECT cursor FROM upkeep_cursors WHERE job = '${PURGE_JOB}'), '')`;
