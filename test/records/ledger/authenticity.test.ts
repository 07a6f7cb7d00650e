/** Events that are not the gateway's, at the consumer: finding H9. None may become a row of the ledger. */
import { beforeEach, describe, expect, it } from "vitest";
import type { InterceptorEvent } from "../../../src/events/event.ts";
import { eventText } from "../../../src/events/event-text.ts";
import { eventId } from "../../../src/events/event-id.ts";
import { macKeyId } from "../../../src/events/event-mac.ts";
import { readMessage } from "../../../src/events/queue-message.ts";
import { toMessages } from "../../support/messages.ts";
import { runMaintenance } from "../../../src/records/ledger/maintain/cron.ts";
import { parseSeal } from "../../../src/records/ledger/stored-facts.ts";
import { consumeBatch, LOG_ALWAYS_FROM_ATTEMPT } from "../../../src/records/ledger/write/consume.ts";
import { consumeDeadLetters } from "../../../src/records/ledger/write/dead-letter.ts";
import { ACCESS, END, sentEvents, PROMPT, START } from "../../support/in-workerd/events.ts";
import { allRows, emptyLedger, type Row } from "../../support/in-workerd/ledger-database.ts";
import {
  failingDatabase,
  ledgerDeps,
  memoryBucket,
  type TestLedgerDeps,
} from "../../support/in-workerd/ledger-deps.ts";
import {
  authenticateBy,
  FOREIGN_KEY,
  KEY,
  NEXT_KEY,
  signedMessage,
} from "../../support/in-workerd/mac-keys.ts";
import { toMessageBatch } from "../../support/in-workerd/message-batch.ts";

let database: D1Database;
beforeEach(async () => {
  database = await emptyLedger();
});

const depsWith = (over: Partial<TestLedgerDeps> = {}): TestLedgerDeps =>
  ledgerDeps({ database, authenticate: authenticateBy([KEY]), ...over });

/** Delivers the messages in one batch; returns what was done with each. */
async function deliver(
  bodies: readonly string[],
  deps: TestLedgerDeps,
  { attempts = 1, consume = consumeBatch } = {},
): Promise<unknown[]> {
  const messages = bodies.map((body, at) => ({ id: `m${at}`, timestamp: 0, attempts, body }));
  const { batch, calls } = toMessageBatch({ queue: "ai-events", messages });
  await consume(batch, deps);
  return messages.map(({ id }) => calls[id]);
}

const ledgerRows = async (): Promise<Row[]> => Object.values(await allRows(database)).flat();

async function unauthenticated(): Promise<Row[]> {
  const sql = "SELECT * FROM unauthenticated_events ORDER BY event_id";
  return (await database.prepare(sql).all<Row>()).results;
}

/** A start that claims the strongest evidence, for another person. */
const MADE_UP: InterceptorEvent = {
  ...START,
  initiator_id: "0e0e0e0e-0000-4000-8000-00000000000e",
  attribution: "signed",
};

const PURGE: InterceptorEvent = {
  ...ACCESS,
  action: "purge",
  by: "cron",
  target: "interceptions",
  before: "2099-01-01T00:00:00.000Z",
  cause: "age",
};

const replaced = (message: string, from: string, to: string): string => {
  expect(message).toContain(from);
  return message.replace(from, to);
};

const unsigned = (events: readonly InterceptorEvent[]): string => toMessages(events)[0] ?? "";
const parts = (message: string): { mac: string; events: string } => {
  const [, mac = "", events = ""] = /^\{"version":1,"mac":"([^"]*)","events":(.*)\}$/s.exec(message) ?? [];
  return { mac, events };
};

type Attack = () => Promise<string> | string;

const ATTACKS: readonly (readonly [attack: string, reason: string, message: Attack])[] = [
  // Another Worker of the account has a producer binding to the queue, and sends what it likes.
  ["a message of another producer, without a MAC", "missing", () => unsigned([MADE_UP])],
  ["a plain array, the form before version 0.1.0", "missing", () => JSON.stringify([MADE_UP])],
  // A message is read from a log or the archive, one field is edited, and it is sent again.
  [
    "a valid message with one edited field",
    "wrong",
    async () => replaced(await signedMessage([START]), '"attribution":"asserted"', '"attribution":"signed"'),
  ],
  // The attacker has a key, but not the gateway's.
  ["a message with a MAC of another key", "unknown_key", () => signedMessage([MADE_UP], FOREIGN_KEY)],
  [
    "the same under the key id of the gateway's key",
    "wrong",
    async () =>
      replaced(await signedMessage([MADE_UP], FOREIGN_KEY), await macKeyId(FOREIGN_KEY), await macKeyId(KEY)),
  ],
  // The MAC of one message is put beside the events of another.
  [
    "a valid MAC moved to other events",
    "wrong",
    async () =>
      `{"version":1,"mac":"${parts(await signedMessage([END])).mac}","events":${JSON.stringify([MADE_UP])}}`,
  ],
  [
    "a truncated MAC",
    "wrong",
    async () => {
      const { mac, events } = parts(await signedMessage([MADE_UP]));
      return `{"version":1,"mac":"${mac.slice(0, 20)}","events":${events}}`;
    },
  ],
  ["an empty MAC", "wrong", () => `{"version":1,"mac":"","events":${JSON.stringify([MADE_UP])}}`],
  ["a MAC that is not text", "wrong", () => JSON.stringify({ version: 1, mac: null, events: [MADE_UP] })],
  // JSON.parse takes the last of two members, another parser the first: a MAC may cover one, the ledger store the other.
  [
    "a second member events behind the one that the MAC covers",
    "wrong",
    async () => `${(await signedMessage([END])).slice(0, -1)},"events":${JSON.stringify([MADE_UP])}}`,
  ],
  [
    "a second member events before it",
    "wrong",
    async () => {
      const { mac, events } = parts(await signedMessage([END]));
      return `{"version":1,"events":${events},"mac":"${mac}","events":${JSON.stringify([MADE_UP])}}`;
    },
  ],
  [
    "an escaped second member events",
    "wrong",
    async () =>
      String.raw`${(await signedMessage([END])).slice(0, -1)},"event\u0073":${JSON.stringify([MADE_UP])}}`,
  ],
  [
    "two members mac, of which the second is valid for other events",
    "wrong",
    async () => {
      const { mac } = parts(await signedMessage([END]));
      return `{"version":1,"mac":"x","mac":"${mac}","events":${JSON.stringify([MADE_UP])}}`;
    },
  ],
  [
    "the MAC behind the events",
    "wrong",
    async () => {
      const { mac, events } = parts(await signedMessage([MADE_UP]));
      return `{"version":1,"events":${events},"mac":"${mac}"}`;
    },
  ],
  [
    "a space that a JSON parser ignores",
    "wrong",
    async () => replaced(await signedMessage([MADE_UP]), '"events":[', '"events": ['),
  ],
];

describe("Finding H9 with a key, the consumer", () => {
  it("stores the events of a message with a valid MAC in the ledger", async () => {
    const deps = depsWith();
    expect(await deliver([await signedMessage(sentEvents)], deps)).toEqual(["ack"]);
    expect((await ledgerRows()).length).toBeGreaterThan(0);
    expect(await unauthenticated()).toEqual([]);
    expect(deps.operatorErrors).toEqual([]);
  });

  // The attack: a row is removed from the database, and a made-up event says that the cron deleted it. Anyone who can write
  // to the queue can send one where no key is configured, and a compromised gateway even with a valid MAC.
  it.each([
    ["of a gateway, with a valid MAC", [KEY], "q", () => signedMessage([START, PURGE]), consumeBatch],
    ["without a MAC, and no key configured", [], "q", () => unsigned([START, PURGE]), consumeBatch],
    ["in the dead-letter queue", [], "d", () => unsigned([START, PURGE]), consumeDeadLetters],
  ] as const)("keeps a deletion event %s apart from the ledger", async (_, keys, via, message, consume) => {
    const { bucket, objects } = memoryBucket();
    const deps = { ...(keys.length > 0 ? depsWith() : ledgerDeps({ database })), archive: bucket };
    expect(await deliver([await message()], deps, { consume })).toEqual(["ack"]);
    expect(await allRows(database)).toMatchObject({ interceptions: [{ id: START.interception_id }] });
    expect((await allRows(database))["ledger_accesses"]).toEqual([]);
    expect(await unauthenticated()).toMatchObject([
      { event_id: eventId(PURGE), record_type: "ledger_access", reason: "reserved_type", via },
    ]);
    expect(deps.operatorErrors).toContainEqual({
      event: "events_unauthenticated",
      events: 1,
      messages: 1,
      reasons: ["reserved_type"],
      mac_key_ids: keys.length > 0 ? [await macKeyId(KEY)] : [],
    });
    // The start as an event, and the whole message.
    expect([...objects.keys()].map((key) => key.split("/")[0]).toSorted()).toEqual([
      expect.stringMatching(/^dt=/),
      "unauthenticated",
    ]);
  });

  // The facts travel with the row: a ledger that is exported shows which rows a MAC proved.
  it.each([
    ["a valid MAC", [KEY], "q", () => signedMessage([START, END]), consumeBatch],
    [
      "a valid MAC in the dead-letter queue",
      [KEY],
      "d",
      () => signedMessage([START, END]),
      consumeDeadLetters,
    ],
    ["no MAC, and no key configured", [], "q", () => unsigned([START, END]), consumeBatch],
  ] as const)("marks the rows of a message with %s", async (_, keys, via, message, consume) => {
    const deps = keys.length > 0 ? depsWith() : ledgerDeps({ database });
    await deliver([await message()], deps, { consume });
    const sql = "SELECT start_seal, end_seal FROM interceptions";
    const row = await database.prepare(sql).first<Record<string, string>>();
    const expected = { via, macKeyId: keys.length > 0 ? await macKeyId(KEY) : null, storedAt: deps.now() };
    for (const seal of Object.values(row ?? {})) expect(parseSeal(seal)).toMatchObject(expected);
    expect(Object.keys(row ?? {})).toEqual(["start_seal", "end_seal"]);
  });

  it.each(ATTACKS)("stores apart, and counts: %s", async (_, reason, message) => {
    const deps = depsWith();
    const body = await message();
    expect(await deliver([body], deps)).toEqual(["ack"]);
    expect(await ledgerRows()).toEqual([]);
    const { events } = readMessage(body);
    expect(events).toHaveLength(1);
    expect(
      (await unauthenticated()).map((row) => ({
        ...row,
        event: JSON.parse(String(row["event"])) as unknown,
      })),
    ).toEqual(
      events.map((event) => ({
        id: expect.any(String) as string,
        event_id: eventId(event),
        record_type: event.record_type,
        interception_id: event.interception_id,
        event,
        reason,
        mac_key_id: readMessage(body).mac?.mac.match(/^[0-9a-f]{8}(?=\.[\w-]{43}$)/)?.[0] ?? null,
        via: "q",
        stored_at: deps.now(),
      })),
    );
    expect(deps.operatorErrors).toMatchObject([
      { event: "events_unauthenticated", events: 1, messages: 1, reasons: [reason] },
    ]);
  });

  it.each(ATTACKS)("stores the other messages of the batch: %s", async (_, __, message) => {
    const bodies = [await signedMessage([START]), await message(), await signedMessage([END])];
    expect(await deliver(bodies, depsWith())).toEqual(["ack", "ack", "ack"]);
    expect(await ledgerRows()).toMatchObject([
      { attribution: START.attribution, initiator_id: START.initiator_id, outcome: END.outcome },
    ]);
    expect(await unauthenticated()).toHaveLength(1);
  });

  // The attack: the made-up event comes first, so that the first row would stay.
  it("stores the gateway's event although a made-up one with its id came before", async () => {
    const deps = depsWith();
    await deliver([unsigned([MADE_UP])], deps);
    await deliver([await signedMessage([START])], deps);
    expect(await ledgerRows()).toMatchObject([{ attribution: START.attribution }]);
  });

  it("keeps the first of two unauthenticated events with one id, however often they come", async () => {
    const deps = depsWith();
    await deliver([unsigned([MADE_UP]), unsigned([START]), unsigned([MADE_UP])], deps);
    await deliver([unsigned([START])], deps);
    expect(await unauthenticated()).toMatchObject([{ event: eventText(MADE_UP) }]);
  });

  it("archives the whole message apart from the ledger's events", async () => {
    const { bucket, objects } = memoryBucket();
    const body = unsigned([MADE_UP]);
    const deps = depsWith({ archive: bucket });
    expect(await deliver([body, body], deps)).toEqual(["ack", "ack"]);
    const [[key, object] = [], ...others] = objects;
    expect(others).toEqual([]);
    expect(key).toMatch(/^unauthenticated\/dt=1970-01-01\/hour=00\/[0-9a-f]{32}\.json$/);
    expect(new TextDecoder().decode(object?.bytes)).toBe(body);
  });

  it("retries the message while the database or the archive is down", async () => {
    const down = depsWith({ database: failingDatabase(database, Infinity) });
    expect(await deliver([unsigned([MADE_UP])], down)).toEqual([{ retry: 5 }]);
    const { bucket } = memoryBucket({ times: Infinity });
    expect(await deliver([unsigned([MADE_UP])], depsWith({ archive: bucket }))).toEqual([{ retry: 5 }]);
  });

  it("stores those of the dead-letter queue apart, too", async () => {
    await deliver([unsigned([MADE_UP])], depsWith(), { consume: consumeDeadLetters });
    expect(await unauthenticated()).toMatchObject([{ via: "d", reason: "missing" }]);
    expect(await ledgerRows()).toEqual([]);
  });

  // Its lines in the log must not get a MAC there: replay would then take them for the gateway's.
  it.each([
    ["a made-up message", () => unsigned([MADE_UP]), false],
    ["a message with a valid MAC", () => signedMessage([START]), true],
  ])("prints %s that it gives up, with a MAC only if it had one", async (_, message, expected) => {
    const printed: boolean[] = [];
    const deps = depsWith({
      database: failingDatabase(database, Infinity),
      fallback: (_events, hasMac) => {
        printed.push(hasMac);
        return Promise.resolve();
      },
    });
    const attempts = LOG_ALWAYS_FROM_ATTEMPT;
    expect(await deliver([await message()], deps, { attempts })).toEqual(["ack"]);
    expect(printed).toEqual([expected]);
  });
});

describe("a row of unauthenticated_events", () => {
  // The attack: a producer fills the database with large events.
  it.each([
    ["content", { ...PROMPT, prompt: "p".repeat(60_000) }],
    ["a field that holds no content", { ...START, model: "m".repeat(60_000) }],
    ["an unknown field", { ...START, more: { nested: ["x".repeat(60_000)] } }],
  ])("is bounded, regardless of the field that is large: %s", async (_, event) => {
    await deliver([unsigned([event as InterceptorEvent])], depsWith());
    const [row] = await unauthenticated();
    expect(String(row?.["event"]).length).toBeLessThanOrEqual(8192);
    expect(JSON.parse(String(row?.["event"]))).toMatchObject({ interception_id: event.interception_id });
  });

  // The attack: values that JSON.parse accepts, and JSON.stringify or SQLite does not.
  it.each([
    ["deep nesting", `{"a":`.repeat(20_000) + "1" + "}".repeat(20_000)],
    ["nesting that is too deep for SQLite only", "[".repeat(1500) + "]".repeat(1500)],
    ["NUL and half a surrogate pair", String.raw`"\u0000\ud800"`],
  ])("takes any JSON: %s", async (_, value) => {
    const body = replaced(unsigned([START]), '"model":"gpt-4o"', `"model":${value}`);
    expect(await deliver([body, await signedMessage([END])], depsWith())).toEqual(["ack", "ack"]);
    expect(await unauthenticated()).toHaveLength(1);
  });

  // The attack: an event whose id is of the far future, so that a retention by the event's time never reaches it.
  it("is deleted after the retention, by the time of storing", async () => {
    const interception_id = `ffffffff-ffff-7${START.interception_id.slice(15)}`;
    const deps = depsWith();
    await deliver([unsigned([{ ...START, interception_id }])], deps);
    const days = (count: number): number => deps.now() + count * 86_400_000;
    await runMaintenance(deps, days(59));
    expect(await unauthenticated()).toHaveLength(1);
    await runMaintenance(deps, days(61));
    expect(await unauthenticated()).toEqual([]);
  });
});

describe("during a change of keys", () => {
  it("takes messages of both keys while both are configured, and of the remaining one afterwards", async () => {
    const both = depsWith({ authenticate: authenticateBy([NEXT_KEY, KEY]) });
    await deliver([await signedMessage([START]), await signedMessage([END], NEXT_KEY)], both);
    expect(await unauthenticated()).toEqual([]);
    const next = depsWith({ authenticate: authenticateBy([NEXT_KEY]) });
    await deliver([await signedMessage([PROMPT])], next);
    expect(await unauthenticated()).toMatchObject([
      { reason: "unknown_key", mac_key_id: await macKeyId(KEY) },
    ]);
  });

  it("takes a message without a MAC where EVENT_MAC accepts it, but none with a MAC that is not valid", async () => {
    const accepting = depsWith({ authenticate: authenticateBy([KEY], true) });
    const edited = replaced(await signedMessage([PROMPT]), '"prompt":"', '"prompt":"x');
    await deliver([unsigned([START]), await signedMessage([END]), edited], accepting);
    expect(await ledgerRows()).toMatchObject([{ outcome: END.outcome, api_key_id: START.api_key_id }]);
    expect(await unauthenticated()).toMatchObject([{ record_type: "prompt_usage", reason: "wrong" }]);
  });
});

describe("without a key, the consumer", () => {
  it.each([
    ["without a MAC", () => unsigned([START])],
    ["with a MAC, which it cannot verify", () => signedMessage([START])],
  ])("stores the events of a message %s in the ledger", async (_, message) => {
    const deps = ledgerDeps({ database });
    expect(await deliver([await message()], deps)).toEqual(["ack"]);
    expect(await ledgerRows()).toHaveLength(1);
    expect(await unauthenticated()).toEqual([]);
  });
});
