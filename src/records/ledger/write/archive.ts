/**
 * Writes events into object storage as gzipped NDJSON, one event per line with its `event_id`. An object holds events of
 * one hour (UTC): `dt=2026-11-23/hour=12/<hash>.ndjson.gz`, the layout that query engines read as partitions.
 *
 * The object name is a hash of the lines, so redelivery of the same events overwrites the same object. A message that is
 * redelivered in another batch leaves its events in two objects: readers must deduplicate by `event_id`.
 */
import { sha256Hex } from "../../../shared/digest.ts";
import { uuidTime } from "../../../shared/uuid.ts";
import type { InterceptorEvent } from "../../../events/event.ts";
import { eventId } from "../../../events/event-id.ts";
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
  const name = (await sha256Hex(text)).slice(0, 32);
  // Content-Type, not Content-Encoding: HTTP clients would decompress an encoding in transit, and a reader that goes by
  // the file name would then try to decompress plain text.
  const httpMetadata = { contentType: "application/gzip" };
  await archive.put(`${hour}/${name}.ndjson.gz`, await gzip(text), { httpMetadata });
}

/** The partition of the event's own time. An unreadable time falls back to the time in the interception id. */
function hourOf(event: InterceptorEvent): string {
  const parsed = Date.parse(timeOf(event));
  const time = new Date(Number.isNaN(parsed) ? uuidTime(event.interception_id) : parsed).toISOString();
  return `dt=${time.slice(0, 10)}/hour=${time.slice(11, 13)}`;
}

function timeOf(event: InterceptorEvent): string {
  if (event.record_type === "interception_end") return event.ended_at;
  return event.record_type === "interception_start" ? event.started_at : event.created_at;
}

async function gzip(text: string): Promise<ArrayBuffer> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(packed).arrayBuffer();
}
