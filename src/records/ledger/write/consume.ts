/**
 * The queue consumer. This folder owns the ledger's write path: everything between a queue message and rows in D1 or
 * objects in the archive.
 *
 * - `consume.ts` decides what happens to each message: acknowledge, retry, archive unmodified, or fall back to the log.
 * - `incoming.ts` verifies each message's MAC (`authenticate.ts`) and stores its events in the ledger or, without a valid one,
 *   apart from it (`unauthenticated.ts`).
 * - `plan-batch.ts` decides which messages of a batch are processed together, so that one that ends the run is left alone.
 * - `dead-letter.ts` consumes the dead-letter queue: the messages that exhausted their retries.
 * - `store.ts` writes events into D1. Without a queue, the records Worker's RPC method calls it directly, and nothing is
 *   archived.
 * - `statements.ts` builds its statements from `insert-sql.ts` (event → row) and `thread-sql.ts` (row → thread).
 * - `archive.ts` writes the same events into R2, and unmodified messages.
 * - `previous-names.ts` renames the fields of events from before migration 0005.
 * - `stored-json.ts` is the JSON encoding that both use, `message-text.ts` a message's text.
 *
 * A group of messages goes into the database first and then into the archive. A message is acknowledged once both have
 * taken it, else it is retried with backoff. While the database or the bucket is not available, the run ends with the group
 * that met the failure. If the database rejects a group, each of its suspects is stored by itself, so that one bad message
 * does not block the others. A message that still fails at its last attempt goes into the log, complete, and only as much
 * per run as a log accepts.
 *
 * The order matters: after a failure, events come back in other batches, and every new batch is a new archive object. On a
 * message's last attempt it is archived even when the database fails.
 *
 * A message that this version cannot read completely is never acknowledged for the part that it can read: the message is
 * archived unmodified, or retried until a newer version consumes it, and at last reaches the dead-letter queue.
 */
import { isReadWhole } from "../../../events/queue-message.ts";
import { toPieceLine, toPieces } from "../../../events/message-pieces.ts";
import { databaseFailure, type DatabaseFailure } from "../../../shared/database-error.ts";
import { withoutErased } from "../erase/erasures.ts";
import { errorText } from "../error-text.ts";
import { toLedgerEvents } from "../../../events/ledger-events.ts";
import type { LedgerDeps } from "../ledger.ts";
import { FOLD_AT_DELTAS, foldJournal } from "../rollups/fold.ts";
import { queryOf } from "../seal/seal-state.ts";
import type { Via } from "../stored-facts.ts";
import { archiveEvents, archiveMessage, archiveUnmodified } from "./archive.ts";
import {
  acceptedEvents,
  isRejected,
  logRejected,
  readIncoming,
  storeIncoming,
  type Incoming,
} from "./incoming.ts";
import { messageText } from "./message-text.ts";
import { lengthOf, planBatch, SUSPECT_FROM_ATTEMPT } from "./plan-batch.ts";

/** More than seven hours after a message's first attempt. From then on it goes into the log as soon as that has room. */
export const LOG_IF_ROOM_FROM_ATTEMPT = 50;
/** From this attempt on it goes into the log in any case. Below the queue's `max_retries`. */
export const LOG_ALWAYS_FROM_ATTEMPT = 95;
/**
 * Bound of the characters that one run writes into the log; one message may exceed it. After a day without a database,
 * messages reach their last attempt by the hundred, and Logpush keeps 16,384 characters per run.
 * https://developers.cloudflare.com/workers/observability/logs/logpush/
 */
export const MAX_LOGGED_CHARACTERS = 15_000;
/** Until a suspect that this run does not process is delivered again. */
export const POSTPONED_S = 10;

export type Delivery = Incoming & { readonly message: Message };
/** `rejected`: by the statement's own values, as far as the error says. */
type Failure = { readonly kind: DatabaseFailure | "rejected"; readonly error: unknown };
/** Why a run ends: the database or the bucket is not available. `left`: the messages of the group without a result. */
type Stop = { readonly failure: Failure; readonly left: readonly Message[] };
/** One run of the consumer; `logged`: the characters that it has written into the log. */
type Run = { readonly deps: LedgerDeps; logged: number };

/** Never rejects: each message is acknowledged or retried. */
export async function consumeBatch(batch: MessageBatch, deps: LedgerDeps): Promise<void> {
  const run: Run = { deps, logged: 0 };
  const { groups, postponed } = planBatch(batch.messages);
  for (const [at, group] of groups.entries()) {
    const stop = await consumeGroup(group, run);
    if (stop === null) continue;
    const left = [...stop.left, ...groups.slice(at + 1).flat(), ...postponed];
    for (const message of left) await retryOrGiveUp(message, stop.failure, run);
    return;
  }
  postponed.forEach((message) => message.retry({ delaySeconds: POSTPONED_S }));
}

async function consumeGroup(messages: readonly Message[], run: Run): Promise<Stop | null> {
  const { deps } = run;
  const deliveries: Delivery[] = [];
  for (const message of messages) deliveries.push(await readDelivery(message, "q", deps));
  const failure = await storeAndArchive(deliveries, deps);
  if (failure === null) {
    for (const delivery of deliveries) await finish(delivery, run);
    return null;
  }
  const error = errorText(failure.error);
  deps.logError({ event: "messages_not_stored", messages: deliveries.length, error });
  if (failure.kind !== "rejected") return { failure, left: messages };
  for (const [at, delivery] of deliveries.entries()) {
    const unavailable = await storeAlone(delivery, failure, run);
    if (unavailable !== null) return { failure: unavailable, left: messages.slice(at) };
  }
  return null;
}

export async function readDelivery(
  message: Message,
  via: Via,
  deps: Pick<LedgerDeps, "authenticate" | "logError">,
): Promise<Delivery> {
  const incoming = await readIncoming(message.body, via, deps);
  const { unknown, malformed } = incoming.content;
  if (unknown > 0) deps.logError({ event: "events_unknown", message_id: message.id, events: unknown });
  if (malformed > 0) deps.logError({ event: "events_malformed", message_id: message.id, events: malformed });
  return { ...incoming, message };
}

/** Resolves to null when both have the events. After a failure either may have them; repeating is safe. */
export async function storeAndArchive(
  deliveries: readonly Delivery[],
  deps: Pick<LedgerDeps, "database" | "archive" | "deliverCharges" | "now" | "newId" | "logError">,
): Promise<Failure | null> {
  const { database, archive } = deps;
  let erased = deliveries;
  try {
    if (database) {
      erased = await withoutErased(queryOf(database), deliveries);
      if ((await storeIncoming(database, erased, deps)) >= FOLD_AT_DELTAS) await foldJournal(database);
    }
  } catch (error) {
    return { kind: databaseFailure(error) ?? "rejected", error };
  }
  try {
    if (archive) await archiveDeliveries(archive, erased);
    await deps.deliverCharges(acceptedEvents(deliveries));
  } catch (error) {
    // A bucket takes any bytes, and an object any charge: no other message would be accepted either.
    return { kind: "transient", error };
  }
  logRejected(deliveries, deps);
  return null;
}

/** Of unauthenticated events the whole message is kept: another key may verify it later. */
async function archiveDeliveries(archive: R2Bucket, deliveries: readonly Delivery[]): Promise<void> {
  await archiveEvents(archive, toLedgerEvents(acceptedEvents(deliveries)));
  for (const { message } of deliveries.filter(isRejected))
    await archiveMessage(archive, "unauthenticated", message);
}

/**
 * Stores a message of a group that the database rejected.
 * @returns the failure where the database or the bucket is not available: the message has no result then.
 */
async function storeAlone(delivery: Delivery, rejection: Failure, run: Run): Promise<Failure | null> {
  const { message } = delivery;
  if (message.attempts < SUSPECT_FROM_ATTEMPT) {
    retry(message, rejection);
    return null;
  }
  const failure = await storeAndArchive([delivery], run.deps);
  if (failure !== null && failure.kind !== "rejected") return failure;
  await (failure === null ? finish(delivery, run) : retryOrGiveUp(message, failure, run));
  return null;
}

/** Acknowledges a message whose events are stored, unless it holds more. */
async function finish(delivery: Delivery, run: Run): Promise<void> {
  const { message, content } = delivery;
  if (isReadWhole(content) || (await keepWhole(delivery, run))) message.ack();
  else message.retry({ delaySeconds: retryDelay(message.attempts, "transient") });
}

/** Whether the message is archived unmodified or, where no version could read it, printed. */
async function keepWhole({ message, content }: Delivery, run: Run): Promise<boolean> {
  const { archive, logError, print } = run.deps;
  if (archive) return archiveUnmodified(archive, message, logError);
  if (content.unknown > 0) return false;
  const lines = toPieces(message.id, messageText(message.body)).map(toPieceLine);
  const length = lines.reduce((sum, line) => sum + line.length, 0);
  if (run.logged + length > MAX_LOGGED_CHARACTERS) return false;
  run.logged += length;
  lines.forEach(print);
  logError({ event: "message_printed", message_id: message.id, pieces: lines.length });
  return true;
}

async function retryOrGiveUp(message: Message, failure: Failure, run: Run): Promise<void> {
  if (message.attempts < LOG_IF_ROOM_FROM_ATTEMPT) return retry(message, failure);
  const { fallback, logError } = run.deps;
  const incoming = await readIncoming(message.body, "q", run.deps);
  const { content, authenticity } = incoming;
  // The log's lines would not hold what this version cannot read.
  if (!isReadWhole(content) || !reserveLog(message, run)) return retry(message, failure);
  logError({ event: "message_given_up", message_id: message.id, error: errorText(failure.error) });
  await storeAndArchive([{ ...incoming, message }], { ...run.deps, database: null });
  await fallback(content.events, authenticity.isAccepted && authenticity.macKeyId !== null);
  message.ack();
}

/** Whether the log has room for the message in this run; if so, the room is taken. */
function reserveLog(message: Message, run: Run): boolean {
  const length = lengthOf(message);
  const fits =
    run.logged === 0 ||
    run.logged + length <= MAX_LOGGED_CHARACTERS ||
    message.attempts >= LOG_ALWAYS_FROM_ATTEMPT;
  if (fits) run.logged += length;
  return fits;
}

function retry(message: Message, { kind }: Failure): void {
  message.retry({ delaySeconds: retryDelay(message.attempts, kind) });
}

/** Exponential backoff in seconds: 5, 10, 20 … 600; for an overloaded database 30, 60, 120 … 900. */
function retryDelay(attempts: number, kind: Failure["kind"]): number {
  const [first, most] = kind === "overloaded" ? [30, 900] : [5, 600];
  return Math.min(first * 2 ** (attempts - 1), most);
}
