/** Entries: each stored value of an event is in its entry, and none that may be personal can be read there. */
import { beforeEach, describe, expect, it } from "vitest";
import { eventId } from "../../../../src/events/event-id.ts";
import type { InterceptorEvent } from "../../../../src/events/event.ts";
import { RECORDS, type RecordType } from "../../../../src/events/fields.ts";
import { toBase64Url } from "../../../../src/records/ledger/seal/bytes.ts";
import { canonicalJson } from "../../../../src/records/ledger/seal/canonical.ts";
import {
  eraseFields,
  eventEntry,
  eventIdBytes,
  saltOf,
  type StoredEvent,
} from "../../../../src/records/ledger/seal/entry.ts";
import { loadEvents, sealColumn } from "../../../../src/records/ledger/seal/rebuild.ts";
import {
  committedFields,
  isSealedType,
  SCHEMA_VERSION,
  STORED_FIELDS,
  typeOfEvent,
} from "../../../../src/records/ledger/seal/schema.ts";
import { formatErased, parseSealText } from "../../../../src/records/ledger/seal/sealed-facts.ts";
import { queryOf } from "../../../../src/records/ledger/seal/seal-state.ts";
import { toStoredJson } from "../../../../src/records/ledger/write/stored-json.ts";
import { sha256Hex } from "../../../../src/shared/digest.ts";
import { everyEvent, HOSTILE_TEXTS, withTexts } from "../../../support/in-workerd/events.ts";
import { emptySealedLedger, storeSealed } from "../../../support/in-workerd/sealed-ledger.ts";

const SEALED = everyEvent.filter(({ record_type }) => isSealedType(record_type));
const PLACE = { index: 7, schema: SCHEMA_VERSION };

let database: D1Database;
beforeEach(async () => {
  database = await emptySealedLedger();
});

/** One at a time: the ledger puts usage that comes with its end into the end. */
async function storeEach(events: readonly InterceptorEvent[]): Promise<void> {
  for (const event of events) await storeSealed(database, [event]);
}

async function load(event: InterceptorEvent): Promise<StoredEvent> {
  const id = eventId(event);
  const found = (await loadEvents(queryOf(database), [id])).get(id);
  if (typeof found !== "object") throw new Error(`${event.record_type}: ${found ?? "no row"}`);
  return found;
}

/** The event's stored fields, as its JSON is stored. */
function expectedValues(event: InterceptorEvent): Record<string, unknown> {
  const stored = JSON.parse(toStoredJson(event)) as Record<string, unknown>;
  return Object.fromEntries(
    STORED_FIELDS[event.record_type].map(({ name }) => {
      const value = stored[name] ?? null;
      const text = JSON.stringify(value);
      // A name with half a surrogate is in no canonical JSON: the text itself is sealed.
      return [name, typeof value === "object" && /\\ud[89a-f]/.test(text) ? text : value];
    }),
  );
}

describe("an event rebuilt from its row", () => {
  it.each(SEALED.map((event) => [event.record_type, event] as const))(
    "is the event: %s",
    async (_, event) => {
      await storeSealed(database, [event]);
      const { values, type } = await load(event);
      expect(type).toBe(event.record_type);
      expect(values).toEqual(expectedValues(event));
    },
  );

  // By its number: the report of the tests cannot hold half a surrogate.
  it.each(HOSTILE_TEXTS.map((_, at) => at))(
    "is the event with every text replaced by a hostile one (%i)",
    async (number) => {
      const text = HOSTILE_TEXTS[number] ?? "";
      const events = SEALED.map((event) => {
        const { interception_id } = event;
        return { ...withTexts(event, text), interception_id } as InterceptorEvent;
      });
      // One at a time: start and end of one call share columns.
      for (const event of events) {
        database = await emptySealedLedger();
        await storeSealed(database, [event]);
        const loaded = await load(event);
        const isEqual = JSON.stringify(loaded.values) === JSON.stringify(expectedValues(event));
        expect([event.record_type, isEqual]).toEqual([event.record_type, true]);
        expect(() => eventEntry(loaded, PLACE)).not.toThrow();
      }
    },
  );

  it("has another entry after a change of any column", async () => {
    await storeEach(SEALED);
    const unchanged: string[] = [];
    for (const event of SEALED) {
      const before = eventEntry(await load(event), PLACE);
      const { table } = RECORDS[event.record_type];
      const key = sealColumn(event.record_type) === "seal" ? eventId(event) : event.interception_id;
      for (const { name, column } of STORED_FIELDS[event.record_type]) {
        if (name === "interception_id") continue;
        const update = `UPDATE ${table} SET ${column} = ?1 WHERE id = ?2`;
        const value = await database
          .prepare(`SELECT ${column} AS v FROM ${table} WHERE id = ?1`)
          .bind(key)
          .first<string | number | null>("v");
        const other = typeof value === "number" ? value + 2 : `${value ?? ""}~`;
        await database.prepare(update).bind(other, key).run();
        if (eventEntry(await load(event), PLACE) === before) unchanged.push(`${event.record_type}.${name}`);
        await database.prepare(update).bind(value, key).run();
      }
      expect(eventEntry(await load(event), PLACE)).toBe(before);
    }
    expect(unchanged).toEqual([]);
  });

  it("is none where two rows could be it", async () => {
    const start = SEALED.find(({ record_type }) => record_type === "passthrough_start");
    if (!start) throw new Error("no passthrough");
    await storeSealed(database, [start]);
    // The event's id replaces twelve bits of the call's.
    const twin = `${start.interception_id.slice(0, 15)}fff${start.interception_id.slice(18)}`;
    await database
      .prepare(
        `INSERT INTO passthroughs (id, actor_id, actor_kind, initiator_id, attribution, identity_source, client, method,
           provider, provider_type, route, started_at, api_key_id, start_seal)
         SELECT ?2, actor_id, actor_kind, initiator_id, attribution, identity_source, client, method,
           provider, provider_type, route, started_at, api_key_id, start_seal FROM passthroughs WHERE id = ?1`,
      )
      .bind(start.interception_id, twin)
      .run();
    const id = eventId(start);
    expect((await loadEvents(queryOf(database), [id])).get(id)).toBe("unreadable");
  });
});

describe("an entry", () => {
  it("shows no value of a field that may be personal, and no null of one either", async () => {
    await storeEach(SEALED);
    for (const event of SEALED) {
      const { values, ...rest } = await load(event);
      const marked = Object.fromEntries(
        STORED_FIELDS[event.record_type].map(({ name, field }) => [
          name,
          field.erasable ? `secret-${name}` : values[name],
        ]),
      );
      const entry = eventEntry({ ...rest, values: marked }, PLACE);
      expect(entry).not.toContain("secret-");
      const none = Object.fromEntries(Object.keys(values).map((name) => [name, null]));
      const { commitments } = JSON.parse(eventEntry({ ...rest, values: none }, PLACE)) as {
        readonly commitments: Readonly<Record<string, string>>;
      };
      const texts = Object.values(commitments);
      expect(new Set(texts).size).toBe(texts.length);
      // A type without commitments is not named.
      const committed = committedFields(SCHEMA_VERSION)[event.record_type] ?? [];
      expect(Object.keys(commitments)).toEqual(committed.toSorted());
    }
  });

  it("has commitments that a reader with seed and value can compute", async () => {
    const [event = everyEvent[0]] = SEALED;
    if (!event) throw new Error("no event");
    await storeSealed(database, [event]);
    const stored = await load(event);
    const { commitments } = JSON.parse(eventEntry(stored, PLACE)) as {
      readonly commitments: Readonly<Record<string, string>>;
    };
    const salt = saltOf(stored.facts.seed ?? new Uint8Array(), eventIdBytes(stored.id), "actor_id");
    const value = new TextEncoder().encode(canonicalJson(stored.values["actor_id"]));
    const hex = await sha256Hex(Uint8Array.of(...salt, ...value));
    const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    expect(commitments["actor_id"]).toBe(toBase64Url(bytes));
  });

  it("stays the same after any fields are erased, one after the other", async () => {
    await storeEach(SEALED);
    for (const event of SEALED) {
      const stored = await load(event);
      const entry = eventEntry(stored, PLACE);
      let current = stored;
      for (const name of committedFields(SCHEMA_VERSION)[event.record_type] ?? []) {
        const facts = parseSealText(formatErased(eraseFields(current, [name], 1, SCHEMA_VERSION)));
        if (!facts) throw new Error("not readable");
        current = Object.assign({}, current, { facts });
        (current.values as Record<string, unknown>)[name] = "erased";
        expect(eventEntry(current, PLACE)).toBe(entry);
        expect(facts.seed).toBeNull();
        expect(Object.keys(facts.salts)).not.toContain(name);
      }
      expect(current.facts.salts).toEqual({});
    }
  });
});

/** Texts that are words of this project or of a provider, ids of an interception, and versions. No person chose them. */
const NOT_PERSONAL = new Set(
  (
    "interception_id attribution actor_kind identity_source client initiator_source provider provider_type credential_kind " +
    "started_at worker_version provider_request_id provider_ray response_encoding outcome finish_reason error usage " +
    "observation service_tier speed inference_geo reported_cost ended_at usage_opt_in metadata created_at server_url " +
    "flags client_kind request_encoding reason rule signature directory retrieval_id usage_metadata msg_id action before config_version cost_source price_version " +
    "subject_kind subject_source measure resets_at change charges price_terms corrects former_cost_source former_price_version key_hint sent_model " +
    "ai_gateway_log_id ai_gateway_cache"
  ).split(" "),
);

describe("the schema of the log", () => {
  it("has decided for each text whether it may be personal", () => {
    const types = (Object.keys(RECORDS) as RecordType[]).filter(isSealedType);
    const undecided = types.flatMap((type) =>
      STORED_FIELDS[type]
        .filter(({ name, field }) => {
          const isText = !["count", "integer", "flag"].includes(field.kind);
          return isText && field.erasable === undefined && !NOT_PERSONAL.has(name);
        })
        .map(({ name }) => `${type}.${name}`),
    );
    expect(undecided).toEqual([]);
  });

  // Entries of this version could no longer be rebuilt. After a release: `sealedSince` and the next version (schema.ts).
  it("has the commitments of version 1 that were released", async () => {
    expect(await sha256Hex(canonicalJson(committedFields(1)))).toMatchInlineSnapshot(
      `"8f58836a10a35a8b31cbfa2bf5a4173f9ca3a2c4f0cbf7aba7fa809627d6e874"`,
    );
  });

  it("finds the type of an event in its id", () => {
    for (const event of everyEvent) expect(typeOfEvent(eventId(event))).toBe(event.record_type);
    expect(typeOfEvent("01a20846-fe00-8ff0-8def-0123456789ab")).toBeNull();
  });
});
