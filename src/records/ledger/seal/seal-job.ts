/** The cron's job of every minute: seals what is new, says so in the log, and publishes it. */
import type { LogOperatorEvent } from "../../../shared/operator-log.ts";
import { toOperatorLine } from "../../../shared/operator-log.ts";
import { errorText } from "../error-text.ts";
import { createSigner, type Signer } from "./note-keys.ts";
import { lastCheckpoint } from "./proof.ts";
import { checkPublished, publishLog } from "./publish.ts";
import { queryOf } from "./seal-state.ts";
import { runSealer, type SealRun } from "./sealer.ts";

/** The cron expression of this job (wrangler.records.toml). Every other one runs the maintenance. */
export const SEAL_CRON = "* * * * *";

export type SealJobDeps = {
  readonly database: D1Database | null;
  /** null: nothing is published. */
  readonly archive: R2Bucket | null;
  /** null: there is no key, and nothing is sealed. */
  readonly signers: (() => Promise<readonly [Signer, ...Signer[]]>) | null;
  readonly now: () => number;
  readonly logError: LogOperatorEvent;
  /** Writes one line into the log. */
  readonly print: (line: string) => void;
};

/** The signers of the keys, made once. A key that cannot be used fails each run. */
export function signersOf(
  keys: readonly [string, ...string[]],
): () => Promise<readonly [Signer, ...Signer[]]> {
  let signers: Promise<readonly [Signer, ...Signer[]]> | null = null;
  const [first, ...others] = keys;
  return () => (signers ??= Promise.all([createSigner(first), ...others.map(createSigner)]));
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const LISTED_ABSENT = 20;

/** @throws the failure, after it is logged: Cloudflare then shows the cron run as failed. */
export async function sealLedger(deps: SealJobDeps, scheduledAt: number): Promise<void> {
  const { database, signers, logError, now } = deps;
  if (!database) return;
  if (!signers) {
    if (scheduledAt % HOUR_MS < MINUTE_MS) logError({ event: "seals_off" });
    return;
  }
  try {
    // Before anything is signed: a log that was changed must not get a new signature.
    if (deps.archive) await checkPublished({ database, archive: deps.archive });
    report(await runSealer({ database, signers: await signers(), now }), deps);
    await publish(database, deps.archive);
  } catch (error) {
    logError({ event: "seals_failed", error: errorText(error) });
    throw error;
  }
}

function report(
  { events, absent, checkpoint, isUnfinished }: SealRun,
  { logError, print }: SealJobDeps,
): void {
  if (absent.length > 0)
    logError({ event: "events_absent", events: absent.length, event_ids: absent.slice(0, LISTED_ABSENT) });
  // A line of its own in the stream of events: an archive of the log lines then has every checkpoint.
  if (checkpoint)
    print(
      toOperatorLine({
        event: "ledger_sealed",
        tree_size: checkpoint.size,
        events,
        checkpoint: checkpoint.note,
      }),
    );
  if (isUnfinished) logError({ event: "maintenance_unfinished", task: "sealing the ledger" });
}

/** Also where this run sealed nothing: the one before may have ended before it published. */
async function publish(database: D1Database, archive: R2Bucket | null): Promise<void> {
  const checkpoint = archive && (await lastCheckpoint(queryOf(database)));
  if (archive && checkpoint) await publishLog({ database, archive }, checkpoint);
}
