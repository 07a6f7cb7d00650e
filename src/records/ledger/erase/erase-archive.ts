/**
 * The cron's part of an erasure: rewrites the objects of the archive, in the order of their keys, a bounded number per run. The
 * first pass covers all of them. The last one, when no queue can hold an event of before the request, covers those that can have
 * been written meanwhile; then the erasure is complete, and its digests are deleted.
 */
import type { LogOperatorEvent } from "../../../shared/operator-log.ts";
import { errorText } from "../error-text.ts";
import type { LedgerDeps } from "../ledger.ts";
import { queryOf } from "../seal/seal-state.ts";
import { eraseObject, type ObjectResult } from "./erase-object.ts";
import { OPEN_MS, readErasures, type OpenErasure } from "./erasures.ts";

/** The folders with events, in the order of their names. The seals' hold none (seal/publish.ts). */
const FOLDERS = ["dt=", "unauthenticated/", "unread/"] as const;
/** Objects per run. Each takes one operation of the bucket, and two or three more if it changes, of the 2,000 of an invocation. */
export const OBJECTS_PER_RUN = 250;

const PASSES = 2;

/** Erasures of one run; each is saved by one statement. */
const ERASURES_PER_RUN = 20;
export const ERASURE_STATEMENTS = 1 + ERASURES_PER_RUN;

export type EraseArchiveDeps = Pick<LedgerDeps, "database" | "archive" | "logError">;

export async function eraseArchived(deps: EraseArchiveDeps, now: number): Promise<void> {
  const { database, archive, logError } = deps;
  if (!database) return;
  let left = OBJECTS_PER_RUN;
  const { open, unreadable } = await readErasures(queryOf(database));
  for (const id of unreadable) logError({ event: "erasure_unreadable", erasure: id });
  const due = open.filter(({ passes, requestedAt }) => passes === 0 || now >= requestedAt + OPEN_MS);
  for (const erasure of due.slice(0, ERASURES_PER_RUN)) {
    if (left === 0) return;
    const step = archive ? await sweep(archive, erasure, { left, logError }) : NOTHING_TO_DO;
    left -= step.objects;
    const passes = erasure.passes + Number(step.isComplete);
    const isFinished = passes >= PASSES && now >= erasure.requestedAt + OPEN_MS;
    await save(database, erasure, { ...step, passes, finishedAt: isFinished ? now : null });
    const state = isFinished ? "complete" : "open";
    if (step.isComplete)
      logError({ event: "erasure_archive_pass", erasure: erasure.id, pass: passes, state });
  }
}

type Step = {
  readonly cursor: string;
  readonly isComplete: boolean;
  readonly objects: number;
  readonly erased: number;
  readonly left: number;
};

const NOTHING_TO_DO: Step = { cursor: "", isComplete: true, objects: 0, erased: 0, left: 0 };

type Budget = { readonly left: number; readonly logError: LogOperatorEvent };

async function sweep(archive: R2Bucket, erasure: OpenErasure, { left, logError }: Budget): Promise<Step> {
  let cursor = erasure.cursor === "" ? firstKey(erasure) : erasure.cursor;
  const counts = { unconcerned: 0, erased: 0, left: 0 };
  let objects = 0;
  for (const prefix of FOLDERS) {
    if (cursor > `${prefix}\u{10ffff}`) continue;
    const after = cursor.startsWith(prefix) ? { startAfter: cursor } : {};
    // One listing per folder: the next run continues behind the last key.
    const listed = await archive.list({ prefix, limit: Math.max(1, left - objects), ...after });
    for (const { key } of listed.objects) {
      if (objects >= left) break;
      counts[await resultOf(archive, key, { erasure, logError })] += 1;
      objects += 1;
      cursor = key;
    }
    if (listed.truncated || objects >= left) return { ...counts, cursor, isComplete: false, objects };
  }
  return { ...counts, cursor: "", isComplete: true, objects };
}

/** A key before those of the pass. Partitions are by the events' own times, which a queue can have kept for `OPEN_MS`. */
function firstKey({ passes, requestedAt }: OpenErasure): string {
  if (passes === 0) return "";
  return `dt=${new Date(requestedAt - OPEN_MS).toISOString().slice(0, 10)}`;
}

/** A bucket lock rejects the deletion of an object: it is named in the log, and the sweep goes on. */
async function resultOf(
  archive: R2Bucket,
  key: string,
  { erasure, logError }: { readonly erasure: OpenErasure; readonly logError: LogOperatorEvent },
): Promise<ObjectResult> {
  try {
    const result = await eraseObject(archive, key, [erasure]);
    if (result === "left") logError({ event: "erasure_object_left", key, error: "it cannot be read" });
    return result;
  } catch (error) {
    logError({ event: "erasure_object_left", key, error: errorText(error) });
    return "left";
  }
}

/** Written only if, meanwhile, no other run has moved the cursor and no request has been renewed. */
const SAVE = `UPDATE erasures SET archive_cursor = ?3, archive_passes = ?4, objects_erased = objects_erased + ?5,
  objects_left = objects_left + ?6, finished_at = ?7, person = IIF(?7 IS NULL, person, NULL)
WHERE id = ?1 AND archive_cursor = ?2 AND archive_passes = ?8 AND requested_at = ?9`;

async function save(
  database: D1Database,
  { id, cursor, passes, requestedAt }: OpenErasure,
  to: Step & { readonly passes: number; readonly finishedAt: number | null },
): Promise<void> {
  await database
    .prepare(SAVE)
    .bind(id, cursor, to.cursor, to.passes, to.erased, to.left, to.finishedAt, passes, requestedAt)
    .run();
}
