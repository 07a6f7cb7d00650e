/** An open erasure: in events that arrive, and in the objects of the archive. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { eventId } from "../../../../src/events/event-id.ts";
import { toMessages } from "../../../support/messages.ts";
import { digestsOf, formatDigests } from "../../../../src/records/ledger/erase/digests.ts";
import { eraseArchived, OBJECTS_PER_RUN } from "../../../../src/records/ledger/erase/erase-archive.ts";
import { OPEN_MS, withoutErased } from "../../../../src/records/ledger/erase/erasures.ts";
import { archiveEvents, archiveMessage } from "../../../../src/records/ledger/write/archive.ts";
import { storeAndArchive } from "../../../../src/records/ledger/write/consume.ts";
import { recordRead } from "../../../../src/records/ledger/write/record-read.ts";
import { queryOf } from "../../../../src/records/ledger/seal/seal-state.ts";
import { readMessage } from "../../../../src/events/queue-message.ts";
import {
  ALICE,
  ALICES_ALIAS,
  ALICES_KEY,
  allTypes,
  BOB,
  cellsWith,
  dump,
  eraseAlice,
  eventOf,
  NEEDLE,
  PSEUDONYM,
  TEXTS,
} from "../../../support/in-workerd/erased-person.ts";
import { START } from "../../../support/in-workerd/events.ts";
import { ledgerDeps } from "../../../support/in-workerd/ledger-deps.ts";
import { idOf, T0 } from "../../../support/in-workerd/ledger-events.ts";
import { emptySealedLedger } from "../../../support/in-workerd/sealed-ledger.ts";

const { ARCHIVE_OF_TEST: archive } = env as unknown as { readonly ARCHIVE_OF_TEST: R2Bucket };
const HERS = allTypes(1).map((event) =>
  eventOf(event, { initiator: ALICE, actor: ALICE, key: ALICES_KEY }, true),
);
const BOBS = allTypes(2).map((event) => eventOf(event, { initiator: BOB, actor: BOB }, false));
const LOOKED_FOR = [ALICE, ALICES_ALIAS, ALICES_KEY, NEEDLE, "liddell"];

let database: D1Database;
beforeEach(async () => {
  database = await emptySealedLedger();
  const { objects } = await archive.list();
  await archive.delete(objects.map(({ key }) => key));
  const salt = crypto.getRandomValues(new Uint8Array(16));
  await database
    .prepare("INSERT INTO erasures (id, pseudonym, person, requested_at) VALUES (?1, ?2, ?3, ?4)")
    .bind(idOf(1), PSEUDONYM, formatDigests(digestsOf(salt, TEXTS)), T0)
    .run();
});

async function objectsIn(): Promise<Readonly<Record<string, string>>> {
  const { objects } = await archive.list();
  const texts: Record<string, string> = {};
  for (const { key } of objects) {
    const object = await archive.get(key);
    if (!object) continue;
    const isPacked = key.endsWith(".gz");
    const body = isPacked ? object.body.pipeThrough(new DecompressionStream("gzip")) : object.body;
    texts[key] = await new Response(body).text();
  }
  return texts;
}

const run = (now = T0): Promise<void> => eraseArchived({ database, archive, logError: () => undefined }, now);

const message = (text: string, n: number): Message => ({
  id: `m${n}`,
  timestamp: new Date(T0),
  attempts: 1,
  body: text,
  ack: () => undefined,
  retry: () => undefined,
});

describe("an open erasure", () => {
  it("does not name the person itself", async () => {
    expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
  });

  it("covers events that arrive: in the database, in the archive, of all types", async () => {
    const incoming = [...HERS, ...BOBS].map((event) => ({
      content: { events: [event], unknown: 0, malformed: 0, mac: null },
      authenticity: { isAccepted: true, macKeyId: null } as const,
      via: "q" as const,
      message: message("", 0),
    }));
    expect(await storeAndArchive(incoming, { ...ledgerDeps(), database, archive })).toBeNull();
    expect(cellsWith(await dump(database), LOOKED_FOR)).toEqual([]);
    const texts = Object.values(await objectsIn()).join("");
    expect(LOOKED_FOR.filter((text) => texts.includes(text))).toEqual([]);
    expect(texts).toContain(BOB);
    // The rows are those that the command would have made of the events.
    const before = await dump(database);
    await eraseAlice(database);
    expect((await dump(database))["interceptions"]).toEqual(before["interceptions"]);
  });

  it("leaves events of others as they are, the same object", async () => {
    const groups = [{ content: { events: BOBS } }];
    const [group] = await withoutErased(queryOf(database), groups);
    expect(group?.content.events.every((event, at) => event === BOBS[at])).toBe(true);
  });

  it("covers a read that names the person", async () => {
    const deps = { database, print: () => undefined, logError: () => undefined };
    const parameters = { initiator: ALICE };
    await recordRead(deps, {
      id: idOf(5),
      action: "read",
      // A person can be signed in to the console, too.
      by: `console:${ALICE}`,
      target: "/interceptions",
      parameters,
      rows: 1,
      at: T0,
    });
    expect(await queryOf(database)('SELECT parameters, "by" FROM ledger_accesses')).toEqual([
      { parameters: JSON.stringify({ initiator: PSEUDONYM }), by: `console:${PSEUDONYM}` },
    ]);
  });
});

describe("the archive", () => {
  it("has nothing of the person after a pass, and everything of others", async () => {
    await archiveEvents(archive, [...HERS, ...BOBS]);
    await archiveMessage(archive, "unauthenticated", message(toMessages([HERS[0] ?? START])[0] ?? "", 1));
    await archiveMessage(
      archive,
      "unread",
      message(
        JSON.stringify({
          version: 99,
          events: [
            { record_type: "new", interception_id: idOf(1), initiator_id: ALICE, text: NEEDLE },
            BOBS[0],
          ],
        }),
        2,
      ),
    );
    const bobs = Object.values(await objectsIn())
      .flatMap((text) => text.split("\n"))
      .filter((line) => line.includes(BOB) && line.includes('"event_id"'));
    await run();
    const objects = await objectsIn();
    const all = Object.values(objects).join("\n");
    expect(LOOKED_FOR.filter((text) => all.includes(text))).toEqual([]);
    expect(bobs.every((line) => all.includes(line))).toBe(true);
    expect(Object.keys(objects).map((key) => key.split("/")[0])).toEqual([
      "dt=2026-11-23",
      "unauthenticated",
      "unread",
    ]);
    // Each event is where it was, under its id.
    const ids = HERS.map(eventId);
    expect(ids.filter((id) => !all.includes(id))).toEqual([]);
    const unread = Object.entries(objects).find(([key]) => key.startsWith("unread/"))?.[1] ?? "";
    expect(readMessage(unread).unknown).toBe(1);
    const [row] = await queryOf(database)(
      "SELECT archive_passes, objects_erased, objects_left FROM erasures",
    );
    expect(row).toEqual({ archive_passes: 1, objects_erased: 3, objects_left: 0 });
  });

  it("continues where a run stopped, and does not write a second time", async () => {
    const many = Array.from({ length: OBJECTS_PER_RUN + 3 }, (_, n) => ({
      ...START,
      interception_id: idOf(n),
      initiator_id: ALICE,
      started_at: new Date(T0 + n * 3_600_000).toISOString(),
    }));
    await archiveEvents(archive, many);
    await run();
    expect(
      await queryOf(database)("SELECT archive_passes AS passes, objects_erased AS erased FROM erasures"),
    ).toEqual([{ passes: 0, erased: OBJECTS_PER_RUN }]);
    await run();
    expect(Object.values(await objectsIn()).join("")).not.toContain(ALICE);
    expect(await queryOf(database)("SELECT archive_passes AS passes FROM erasures")).toEqual([{ passes: 1 }]);
    const keys = Object.keys(await objectsIn());
    await run();
    expect(Object.keys(await objectsIn())).toEqual(keys);
  });

  it("gets a last pass once no queue can hold an event of hers, which ends the erasure", async () => {
    await run();
    await archiveMessage(archive, "unread", message(JSON.stringify([{ ...START, initiator_id: ALICE }]), 3));
    await run(T0 + OPEN_MS - 1);
    expect(Object.values(await objectsIn()).join("")).toContain(ALICE);
    await run(T0 + OPEN_MS);
    expect(Object.values(await objectsIn()).join("")).not.toContain(ALICE);
    expect(await queryOf(database)("SELECT person, finished_at FROM erasures")).toEqual([
      { person: null, finished_at: T0 + OPEN_MS },
    ]);
  });

  // A bucket lock rejects the deletion. The object that stays is named, and the sweep goes on.
  it("names objects that could not be rewritten", async () => {
    await archiveEvents(archive, HERS);
    const locked = new Proxy(archive, {
      get: (target, name) => {
        if (name === "delete") return () => Promise.reject(new Error("delete: object is locked (10069)"));
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const codes: string[] = [];
    await eraseArchived({ database, archive: locked, logError: ({ event }) => void codes.push(event) }, T0);
    expect(codes).toEqual(["erasure_object_left", "erasure_archive_pass"]);
    expect(await queryOf(database)("SELECT objects_left FROM erasures")).toEqual([{ objects_left: 1 }]);
  });

  it("names a request that cannot be read, and goes on with the others", async () => {
    await archiveEvents(archive, HERS);
    await database
      .prepare("INSERT INTO erasures (id, pseudonym, person, requested_at) VALUES (?1, ?2, ?3, ?4)")
      .bind(idOf(0), "erased-000000000000", "{}", T0)
      .run();
    const logged: unknown[] = [];
    await eraseArchived({ database, archive, logError: (event) => void logged.push(event) }, T0);
    expect(logged[0]).toEqual({ event: "erasure_unreadable", erasure: idOf(0) });
    expect(Object.values(await objectsIn()).join("")).not.toContain(ALICE);
    const passes = await queryOf(database)("SELECT archive_passes AS n FROM erasures ORDER BY id");
    expect(passes).toEqual([{ n: 0 }, { n: 1 }]);
  });
});
