/**
 * Writes events into object storage as gzipped NDJSON, one event a line with its `event_id`, under the hour they are of
 * (UTC): `dt=2026-11-23/hour=12/<hash>.ndjson.gz`, the layout that engines read as partitions.
 *
 * The name is a hash of the lines, so the same events of an hour, delivered again, take the place of themselves. A
 * message that is delivered again with others than before leaves its events in two objects: count by `event_id`.
 */
import { sha256Hex } from "../../../shared/digest.ts";
import type { InterceptorEvent } from "../../../events/event.ts";
import { eventId } from "../../../events/event-id.ts";
import { toStoredJson } from "./stored-json.ts";

/** Resolves when every object is written. */
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
  // In the order of ids: the same events make the same text in whatever order they came.
  const sorted = [...lines].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = sorted.map(([, line]) => `${line}\n`).join("");
  const name = (await sha256Hex(text)).slice(0, 32);
  // Said to be what it is, a gzip file, and not text in a content-encoding: clients would undo that on the way, and a
  // reader that goes by the name would then unpack what is no longer packed.
  const httpMetadata = { contentType: "application/gzip" };
  await archive.put(`${hour}/${name}.ndjson.gz`, await gzip(text), { httpMetadata });
}

/** The event's own time, or where that cannot be read the time in its id. */
function hourOf(event: InterceptorEvent): string {
  const told = Date.parse(timeOf(event));
  const time = new Date(Number.isNaN(told) ? idTime(event.interception_id) : told).toISOString();
  return `dt=${time.slice(0, 10)}/hour=${time.slice(11, 13)}`;
}

function timeOf(event: InterceptorEvent): string {
  if (event.record_type === "interception_end") return event.ended_at;
  return event.record_type === "interception_start" ? event.started_at : event.created_at;
}

/** The first 48 bits of a UUIDv7: milliseconds since 1970. */
function idTime(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

async function gzip(text: string): Promise<ArrayBuffer> {
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(packed).arrayBuffer();
}
