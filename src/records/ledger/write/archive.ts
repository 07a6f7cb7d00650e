/**
 * Writes events into object storage as gzipped NDJSON, one event per line with its `event_id`. An object holds events of
 * one hour (UTC): `dt=2026-11-23/hour=12/<hash>.ndjson.gz`, the layout that query engines read as partitions.
 *
 * The object name is a hash of the lines, so redelivery of the same events finds the same object. A message that is
 * redelivered in another batch leaves its events in two objects: readers must deduplicate by `event_id`.
 *
 * Objects are only created, never overwritten, and deleted by an erasure alone (erase/): a bucket lock would reject that, and the messages would never be
 * acknowledged.
 */
import { errorText } from "../error-text.ts";
import type { LedgerDeps } from "../ledger.ts";
import { sha256Hex } from "../../../shared/digest.ts";
import { uuidTime } from "../../../shared/uuid.ts";
import type { InterceptorEvent } from "../../../events/event.ts";
import { eventId } from "../../../events/event-id.ts";
import { messageText } from "./message-text.ts";
import { toStoredJson } from "./stored-json.ts";

/** Resolves when every object is written. Rejects with the first failure of the bucket. */
export async function archiveEvents(archive: R2Bucket, events: readonly InterceptorEvent[]): Promise<void> {
  const hours = new Map<string, Map<string, string>>();
  for (const event of events) {
    const hour = hourOf(event);
    const lines = hours.get(hour) ?? new Map<string, string>();
    hours.set(hour, lines);
    const id = eventId(event);
    lines.set(id, toStoredJson({ event_id: id, ...event }));
  }
  for (const [hour, lines] of hours) await writeHour(archive, hour, lines);
}

async function writeHour(archive: R2Bucket, hour: string, lines: ReadonlyMap<string, string>): Promise<void> {
  // Sorted by id, so that the order of delivery does not change the hash.
  const sorted = [...lines].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = sorted.map(([, line]) => `${line}\n`).join("");
  const name = await nameOf(text);
  // Content-Type, not Content-Encoding: HTTP clients would decompress an encoding in transit, and a reader that goes by
  // the file name would then try to decompress plain text.
  await createObject(archive, `${hour}/${name}.ndjson.gz`, await gzip(text), "application/gzip");
}

/** Messages that could not be read or stored; messages without a valid MAC. */
type MessageFolder = "unread" | "unauthenticated";

/**
 * Writes a queue message unmodified: `unread/dt=2026-11-23/hour=12/<hash>.json`, in the partition of its arrival.
 * @returns the object's key.
 */
export async function archiveMessage(
  archive: R2Bucket,
  folder: MessageFolder,
  { body, timestamp }: Message,
): Promise<string> {
  const text = messageText(body);
  const key = `${folder}/${partitionOf(timestamp)}/${await nameOf(text)}.json`;
  await createObject(archive, key, text, "application/json");
  return key;
}

/** Archives a message that could not be read or stored, and logs where it is. @returns whether it is in the archive. */
export async function archiveUnmodified(
  archive: R2Bucket,
  message: Message,
  logError: LedgerDeps["logError"],
): Promise<boolean> {
  try {
    const key = await archiveMessage(archive, "unread", message);
    logError({ event: "message_archived", message_id: message.id, key });
    return true;
  } catch (error) {
    logError({ event: "message_not_archived", message_id: message.id, error: errorText(error) });
    return false;
  }
}

/** The name of an object with this text, without its folder and ending. */
export const nameOf = async (text: string): Promise<string> => (await sha256Hex(text)).slice(0, 32);

/** Every key is a hash of its content, so an object that exists already has this content. */
export async function createObject(
  archive: R2Bucket,
  key: string,
  content: ArrayBuffer | string,
  contentType: string,
): Promise<void> {
  try {
    // As headers: `onlyIf.etagDoesNotMatch` takes an ETag, and "*" was read as one. If the object exists, `put` returns null.
    const onlyIf = new Headers({ "if-none-match": "*" });
    await archive.put(key, content, { onlyIf, httpMetadata: { contentType } });
  } catch (error) {
    // Under a bucket lock R2 rejects an overwrite (10069) before it evaluates the condition, and a second write of a key
    // within a second too (10058): https://developers.cloudflare.com/r2/api/error-codes/
    if ((await archive.head(key)) === null) throw error;
  }
}

/** The partition of the event's own time. An unreadable time falls back to the time in the interception id. */
function hourOf(event: InterceptorEvent): string {
  const parsed = Date.parse(timeOf(event));
  return partitionOf(new Date(Number.isNaN(parsed) ? uuidTime(event.interception_id) : parsed));
}

function partitionOf(date: Date): string {
  const time = date.toISOString();
  return `dt=${time.slice(0, 10)}/hour=${time.slice(11, 13)}`;
}

function timeOf(event: InterceptorEvent): string {
  if (event.record_type === "interception_end") return event.ended_at;
  return "created_at" in event ? event.created_at : event.started_at;
}

export async function gzip(text: string): Promise<ArrayBuffer> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(packed).arrayBuffer();
}
