/** The texts of events, against `JSON.stringify`, and the generated Analytics Engine rows against the table's. */
import { describe, expect, it } from "vitest";
import type { InitiatorOverride, InterceptionEnd, InterceptorEvent } from "../../src/events/event.ts";
import { eventText } from "../../src/events/event-text.ts";
import type { Field } from "../../src/events/field.ts";
import { CALL, CALLER, RECORDS, type RecordDefinition, type RecordType } from "../../src/events/fields.ts";
import { ANALYTICS_COLUMNS } from "../../src/events/record-facts.ts";
import { interceptionRow, overrideRow, toRow } from "../../src/gateway/sinks/analytics-row.ts";
import { readFallbackLine, toFallbackLine } from "../../src/events/fallback-log.ts";
import { toJsonWithin } from "../../src/events/json-within.ts";
import { escapeUnsafe } from "../../src/shared/log-line.ts";
import { everyEvent, END } from "../support/in-workerd/events.ts";
import { seededRandom } from "../support/rechunk.ts";

type Random = () => number;

const SEED = Math.trunc(Math.random() * 2 ** 31);
const ROUNDS = 200;

/** Each can end a text, hide one, or be half of a character. */
const PIECES = [
  ...'ab "\\/{}[],:\u0000\n\r\t\u001b\u007f\u0085\u00ad\u2028\u202e\ufeff\ud800\udc00é東',
  "\u{1f5fc}",
  "\u{e0041}",
  "\\u0022",
  '","record_type":"refusal',
];

const pick = <T>(random: Random, among: readonly T[]): T => among[Math.trunc(random() * among.length)] as T;
const hostile = (random: Random): string =>
  Array.from({ length: Math.trunc(random() * 12) }, () => pick(random, PIECES)).join("");

/** A value of the field's type. */
function valueFor(random: Random, field: Field): unknown {
  if (field.nullable && random() < 0.3) return null;
  switch (field.kind) {
    case "text":
    case "uuid":
    case "time":
      return hostile(random);
    case "count":
      return Math.trunc(random() * 10 ** Math.trunc(random() * 15));
    case "integer":
      return Math.trunc((random() - 0.5) * 10 ** Math.trunc(random() * 15));
    case "flag":
      return random() < 0.5;
    case "texts":
      return Array.from({ length: Math.trunc(random() * 3) }, () => hostile(random));
    case "object":
      return random() < 0.3 ? {} : { [hostile(random)]: hostile(random), n: 1 };
  }
}

function eventOf(random: Random, type: RecordType): InterceptorEvent {
  const { fields, ledgerFields = {} }: RecordDefinition = RECORDS[type];
  const shared = Object.keys("actor_id" in fields ? CALLER : {}).concat(
    Object.keys("started_at" in fields ? CALL : {}),
  );
  const own = Object.keys(fields).filter((name) => !shared.includes(name));
  const later = random() < 0.5 ? Object.keys(ledgerFields) : [];
  const event: Record<string, unknown> = {};
  for (const name of ["record_type", ...shared, ...own, ...later]) {
    const field = fields[name] ?? ledgerFields[name];
    event[name] = field ? valueFor(random, field) : type;
  }
  return event as InterceptorEvent;
}

describe("the text of an event", () => {
  it.each(Object.keys(RECORDS) as RecordType[])("is that of JSON.stringify: %s", (type) => {
    const random = seededRandom(SEED);
    for (let round = 0; round < ROUNDS; round += 1) {
      const event = eventOf(random, type);
      expect(eventText(event), `seed ${SEED}`).toBe(escapeUnsafe(JSON.stringify(event)));
    }
  });

  it("has every field of each record", () => {
    for (const event of everyEvent) {
      const { fields }: RecordDefinition = RECORDS[event.record_type];
      const names = Object.keys(JSON.parse(eventText(event)) as object);
      expect(names.toSorted()).toEqual([...Object.keys(fields), "record_type"].toSorted());
    }
  });

  // The attack: texts of the caller are written once for the events of a request. Those of another caller must not be taken.
  it("has its own caller, after the event of another one", () => {
    for (const name of Object.keys(CALLER)) {
      const other = { ...END, [name]: name === "claimed_ids" ? { chat_id: "other" } : "other" };
      const texts = [END, other, END].map((event) => JSON.parse(eventText({ ...event })) as unknown);
      expect(texts).toEqual([END, other, END]);
    }
  });
});

describe("the row of an event", () => {
  it("is that of the table", () => {
    const random = seededRandom(SEED);
    for (let round = 0; round < ROUNDS; round += 1) {
      const end = eventOf(random, "interception_end") as InterceptionEnd;
      expect(interceptionRow(end), `seed ${SEED}`).toEqual(toRow(ANALYTICS_COLUMNS.interceptions, end));
      const override = eventOf(random, "initiator_override") as InitiatorOverride;
      expect(overrideRow(override), `seed ${SEED}`).toEqual(toRow(ANALYTICS_COLUMNS.overrides, override));
    }
  });
});

// The text of an event of another version is not written here: its further fields would be lost.
it("a fallback line and a stored event keep fields that this version does not know", () => {
  const later = { ...END, of_a_later_version: "kept" };
  expect(readFallbackLine(toFallbackLine(later))?.event).toEqual(later);
  expect(JSON.parse(toJsonWithin(later, 100_000))).toEqual(later);
});
