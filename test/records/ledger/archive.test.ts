import { describe, expect, it } from "vitest";
import { seededRandom } from "../../support/rechunk.ts";
import { archiveEvents } from "../../../src/records/ledger/write/archive.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { END, everyEvent, HOSTILE_TEXTS, PROMPT, START, TOOL } from "../../support/in-workerd/events.ts";
import { eventsOf, idOf, shuffled, T0 } from "../../support/in-workerd/ledger-events.ts";
import { keptBucket, linesOf } from "../../support/in-workerd/ledger-places.ts";

const HOUR = 3_600_000;

describe("the archive", () => {
  it("holds every event as one line with its id, of every kind", async () => {
    const { bucket, objects } = keptBucket();
    await archiveEvents(bucket, everyEvent);
    expect(objects.size).toBe(1);
    const [[key, object] = ["", null]] = objects;
    expect(key).toMatch(/^dt=2026-11-23\/hour=12\/[0-9a-f]{32}\.ndjson\.gz$/);
    expect(object?.contentType).toBe("application/gzip");
    const lines = object ? await linesOf(object) : [];
    expect(lines).toEqual(everyEvent.map((event) => ({ event_id: eventId(event), ...event })));
  });

  it("has an object for each hour, by each event's own time in UTC", async () => {
    const { bucket, objects } = keptBucket();
    const start = { ...START, started_at: "2026-11-23T23:59:59.999Z" };
    const end = { ...END, started_at: start.started_at, ended_at: "2026-11-24T00:00:00.000Z" };
    const tool = { ...TOOL, created_at: "2026-11-24T00:59:00.000Z" };
    await archiveEvents(bucket, [start, end, tool]);
    const found = await Promise.all(
      Array.from(objects, async ([key, object]) => [
        key.slice(0, 21),
        (await linesOf(object)).map((line) => (line as { record_type: string }).record_type),
      ]),
    );
    expect(found).toEqual([
      ["dt=2026-11-23/hour=23", ["interception_start"]],
      ["dt=2026-11-24/hour=00", ["interception_end", "tool_usage"]],
    ]);
  });

  it("H8 holds the same objects after the same events again, in any order and however often", async () => {
    const { bucket, objects } = keptBucket();
    const events = [0, 1, 2].flatMap((n) => eventsOf({ n, asks: ["a", "b"], at: T0 + n * HOUR }));
    await archiveEvents(bucket, events);
    const keys = [...objects.keys()];
    expect(keys).toHaveLength(3);
    await archiveEvents(bucket, shuffled([...events, ...events], seededRandom(7)));
    expect([...objects.keys()]).toEqual(keys);
    await archiveEvents(bucket, events.slice(1));
    expect(objects.size).toBe(4);
  });

  // The attack: a queue that others can write to. A time that is a path would put the object wherever they like.
  it.each(["../../../../x", "2026-11-23T12", "yesterday", ""])(
    "puts an event whose time is %j under a real hour",
    async (created_at) => {
      const { bucket, objects } = keptBucket();
      await archiveEvents(bucket, [{ ...TOOL, created_at }]);
      expect([...objects.keys()][0]).toMatch(/^dt=\d{4}-\d{2}-\d{2}\/hour=\d{2}\/[0-9a-f]{32}\.ndjson\.gz$/);
    },
  );

  it("holds hostile texts, each in one line, with nothing in it that a strict reader refuses", async () => {
    const { bucket, objects } = keptBucket();
    const events = HOSTILE_TEXTS.map((prompt, n) => ({ ...PROMPT, interception_id: idOf(n), prompt }));
    await archiveEvents(bucket, events);
    const lines = await Promise.all(Array.from(objects.values(), linesOf));
    expect(HOSTILE_TEXTS.some((text) => !text.isWellFormed())).toBe(true);
    expect(lines.flat().map((line) => (line as typeof PROMPT).prompt)).toEqual(
      HOSTILE_TEXTS.map((text) => text.toWellFormed().replaceAll("\0", "\ufffd")),
    );
  });

  it("with nothing to hold writes nothing, and rejects where the bucket does", async () => {
    const { bucket, objects } = keptBucket({ times: 1 });
    await archiveEvents(bucket, []);
    await expect(archiveEvents(bucket, [START])).rejects.toThrow("internal error");
    expect(objects.size).toBe(0);
  });
});
