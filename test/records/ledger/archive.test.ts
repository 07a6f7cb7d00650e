import { describe, expect, it } from "vitest";
import { seededRandom } from "../../support/rechunk.ts";
import { env } from "cloudflare:workers";
import { toMessages } from "../../support/messages.ts";
import { archiveEvents, archiveMessage } from "../../../src/records/ledger/write/archive.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { END, everyEvent, HOSTILE_TEXTS, PROMPT, START, TOOL } from "../../support/in-workerd/events.ts";
import { eventsOf, idOf, shuffled, T0 } from "../../support/in-workerd/ledger-events.ts";
import { memoryBucket, readLines } from "../../support/in-workerd/ledger-deps.ts";

const HOUR = 3_600_000;

const MESSAGE = {
  id: "m",
  timestamp: new Date("2026-11-23T12:59:59.999Z"),
  attempts: 1,
  body: toMessages([START])[0] ?? "",
  ack: () => undefined,
  retry: () => undefined,
};

describe("the archive", () => {
  it("writes every type of event as one line with its id", async () => {
    const { bucket, objects } = memoryBucket();
    await archiveEvents(bucket, everyEvent);
    expect(objects.size).toBe(1);
    const [[key, object] = ["", null]] = objects;
    expect(key).toMatch(/^dt=2026-11-23\/hour=12\/[0-9a-f]{32}\.ndjson\.gz$/);
    expect(object?.contentType).toBe("application/gzip");
    const lines = object ? await readLines(object) : [];
    expect(lines).toEqual(everyEvent.map((event) => ({ event_id: eventId(event), ...event })));
  });

  it("writes one object per hour of the events' own times in UTC", async () => {
    const { bucket, objects } = memoryBucket();
    const start = { ...START, started_at: "2026-11-23T23:59:59.999Z" };
    const end = { ...END, started_at: start.started_at, ended_at: "2026-11-24T00:00:00.000Z" };
    const tool = { ...TOOL, created_at: "2026-11-24T00:59:00.000Z" };
    await archiveEvents(bucket, [start, end, tool]);
    const partitions = await Promise.all(
      Array.from(objects, async ([key, object]) => [
        key.slice(0, 21),
        (await readLines(object)).map((line) => (line as { record_type: string }).record_type),
      ]),
    );
    expect(partitions).toEqual([
      ["dt=2026-11-23/hour=23", ["interception_start"]],
      ["dt=2026-11-24/hour=00", ["interception_end", "tool_usage"]],
    ]);
  });

  it("H8 creates no other objects when the same events arrive again, in any order and number", async () => {
    const { bucket, objects } = memoryBucket();
    const events = [0, 1, 2].flatMap((n) => eventsOf({ n, toolCalls: ["a", "b"], at: T0 + n * HOUR }));
    await archiveEvents(bucket, events);
    const keys = [...objects.keys()];
    expect(keys).toHaveLength(3);
    await archiveEvents(bucket, shuffled([...events, ...events], seededRandom(7)));
    expect([...objects.keys()]).toEqual(keys);
    await archiveEvents(bucket, events.slice(1));
    expect(objects.size).toBe(4);
  });

  // The attack: another writer of the queue. A time that is a path would put the object under a key of the attacker's choice.
  it.each(["../../../../x", "2026-11-23T12", "yesterday", ""])(
    "writes an event whose time is %j under a valid hour",
    async (created_at) => {
      const { bucket, objects } = memoryBucket();
      await archiveEvents(bucket, [{ ...TOOL, created_at }]);
      expect([...objects.keys()][0]).toMatch(/^dt=\d{4}-\d{2}-\d{2}\/hour=\d{2}\/[0-9a-f]{32}\.ndjson\.gz$/);
    },
  );

  it("writes each hostile text in one line that a strict reader accepts", async () => {
    const { bucket, objects } = memoryBucket();
    const events = HOSTILE_TEXTS.map((prompt, n) => ({ ...PROMPT, interception_id: idOf(n), prompt }));
    await archiveEvents(bucket, events);
    const lines = await Promise.all(Array.from(objects.values(), readLines));
    expect(HOSTILE_TEXTS.some((text) => !text.isWellFormed())).toBe(true);
    expect(lines.flat().map((line) => (line as typeof PROMPT).prompt)).toEqual(
      HOSTILE_TEXTS.map((text) => text.toWellFormed().replaceAll("\0", "\ufffd")),
    );
  });

  // Under a bucket lock R2 rejects overwrites: the messages would be retried until they are given up.
  it.each([
    ["by a bucket lock", "put: The object is locked by the bucket policy. (10069)"],
    [
      "by the condition, as an error",
      "put: At least one of the pre-conditions you specified did not hold. (10031)",
    ],
    [
      "by a second write within a second",
      "put: Reduce your concurrent request rate for the same object. (10058)",
    ],
  ])("counts an object as written when its overwrite is rejected %s", async (_, message) => {
    const { bucket, objects } = memoryBucket();
    await archiveEvents(bucket, [START]);
    const put = (key: string, ...rest: unknown[]): Promise<unknown> =>
      objects.has(key)
        ? Promise.reject(new Error(message))
        : (bucket.put as (...all: unknown[]) => Promise<unknown>)(key, ...rest);
    const locked = { put, head: bucket.head.bind(bucket) } as unknown as R2Bucket;
    await archiveEvents(locked, [START]);
    await archiveEvents(locked, [END]);
    expect(objects.size).toBe(2);
    await archiveMessage(locked, "unread", MESSAGE);
    const key = await archiveMessage(locked, "unread", MESSAGE);
    expect([...objects.keys()]).toContain(key);
    const empty = { put: () => Promise.reject(new Error(message)), head: () => Promise.resolve(null) };
    await expect(archiveEvents(empty as unknown as R2Bucket, [START])).rejects.toThrow(message);
  });

  // https://developers.cloudflare.com/r2/api/workers/workers-api-reference/#conditional-operations
  it("does not overwrite an object of R2, and counts it as written", async () => {
    const { ARCHIVE_OF_TEST: bucket } = env as unknown as { readonly ARCHIVE_OF_TEST: R2Bucket };
    // All test files share the bucket.
    await bucket.delete((await bucket.list()).objects.map(({ key }) => key));
    const write = async (): Promise<R2Object[]> => {
      await archiveEvents(bucket, everyEvent);
      await archiveMessage(bucket, "unread", MESSAGE);
      return (await bucket.list()).objects.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    };
    const first = await write();
    expect(first.map(({ key }) => key)).toEqual([
      expect.stringMatching(/^dt=2026-11-23\/hour=12\/[0-9a-f]{32}\.ndjson\.gz$/),
      expect.stringMatching(/^unread\/dt=2026-11-23\/hour=12\/[0-9a-f]{32}\.json$/),
    ]);
    // Each write of an object gets a version of its own.
    expect((await write()).map(({ version }) => version)).toEqual(first.map(({ version }) => version));
    const [key = ""] = first.map((object) => object.key);
    const onlyIf = new Headers({ "if-none-match": "*" });
    expect(await bucket.put(key, "other", { onlyIf })).toBeNull();
    expect(await bucket.put("new", "other", { onlyIf })).toMatchObject({ key: "new" });
    const unread = await bucket.get(first[1]?.key ?? "");
    expect(await unread?.text()).toBe(MESSAGE.body);
    expect(unread?.httpMetadata?.contentType).toBe("application/json");
  });

  it("writes nothing without events, and rejects when the bucket fails", async () => {
    const { bucket, objects } = memoryBucket({ times: 1 });
    await archiveEvents(bucket, []);
    await expect(archiveEvents(bucket, [START])).rejects.toThrow("internal error");
    expect(objects.size).toBe(0);
  });
});
