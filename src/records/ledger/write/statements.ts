/**
 * Builds the statements that store events. Each has a SQL text that follows from the kinds of its events, and one parameter:
 * a JSON text under 1 MB. Run them in their order and in one transaction; repeating them does not change the rows.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { eventId } from "../../../events/event-id.ts";
import { EARLIER_OWNER_SOURCE, OWNER_ATTRIBUTIONS } from "../../../events/vocabulary.ts";
import { RECORDS, type LedgerTable } from "../../../events/fields.ts";
import {
  ADD_DIMENSIONS,
  closeBatch,
  OPEN_BATCH,
  type Batch,
  type BatchEvent,
} from "../rollups/journal-sql.ts";
import { isCallTable, TABLE_KEYS, type CallTable } from "../tables.ts";
import { chunks, MAX_CHARACTERS } from "./chunks.ts";
import { callsInto, endsInto, insertInto, startsInto } from "./insert-sql.ts";
import { NOTE_OPEN_CALLS } from "../open-calls-sql.ts";
import { toStoredJson } from "./stored-json.ts";
import { claimOf, CLAIM_STATEMENTS } from "./retrieved-sql.ts";
import { actorSpanOf, NOTE_ACTORS, NOTE_SESSIONS } from "./span-sql.ts";
import { KEY_CALLS, LINK_PARENTS, LINK_ROOTS } from "./thread-sql.ts";

export type Statement = { readonly sql: string; readonly json: string };

/** An event with the text of its column `seal` (stored-facts.ts). */
export type SealedEvent = { readonly event: InterceptorEvent; readonly seal: string };

/** `maxCharacters`: bound of one statement's JSON. A single event may exceed it. `at`: milliseconds since 1970. */
export function statementsFor(
  events: readonly SealedEvent[],
  at: number,
  maxCharacters = MAX_CHARACTERS,
): readonly Statement[] {
  // A batch can have an event twice; the first one counts, as in the tables.
  const known = new Map(events.map((each) => [eventId(each.event), each] as const).toReversed());
  const distinct = events.filter((each) => known.get(eventId(each.event)) === each);
  const batches = toBatches(distinct, at, maxCharacters);
  return [
    ...batches.map(({ json }) => ({ sql: OPEN_BATCH, json })),
    ...insertsFor(distinct, maxCharacters),
    ...linksFor(distinct, maxCharacters),
    ...actorSpansFor(distinct, maxCharacters),
    ...batches.flatMap(({ json, tables }) => [
      { sql: ADD_DIMENSIONS, json },
      ...tables.filter(isCallTable).map((table) => ({ sql: NOTE_OPEN_CALLS[table], json })),
      { sql: closeBatch(tables), json },
    ]),
    ...claimsFor(distinct, at, maxCharacters),
  ];
}

function insertsFor(events: readonly SealedEvent[], maxCharacters: number): Statement[] {
  const calls = new Map<string, CallRow>();
  const rows = new Map<string, string[]>();
  const add = (sql: string, row: object): void => {
    const inserted = rows.get(sql) ?? [];
    rows.set(sql, inserted);
    inserted.push(toStoredJson(row));
  };
  for (const { event, seal } of events) {
    const { table } = RECORDS[event.record_type];
    if (isCallTable(table)) addPart(calls, table, { event, seal });
    else add(insertInto(table), { ...rowOf(event), seal });
  }
  for (const { table, start, end } of calls.values())
    add((start ? (end ? callsInto : startsInto) : endsInto)(table), { ...start, ...end });
  return [...rows].flatMap(([sql, inserted]) =>
    chunks(inserted, maxCharacters).map((json) => ({ sql, json })),
  );
}

type CallRow = { readonly table: CallTable; start?: object; end?: object };

function addPart(calls: Map<string, CallRow>, table: CallTable, { event, seal }: SealedEvent): void {
  const key = `${table} ${event.interception_id}`;
  const call = calls.get(key) ?? { table };
  calls.set(key, call);
  const row = rowOf(event);
  if (isStart(event)) call.start = { ...row, start_seal: seal };
  else call.end = { ...row, end_seal: seal };
}

const isStart = ({ record_type: type }: InterceptorEvent): boolean =>
  type === "interception_start" || type === "passthrough_start";

/** The interceptions that can change a thread: start and end make the row, whichever comes first. */
function linksFor(events: readonly SealedEvent[], maxCharacters: number): Statement[] {
  const linked = events.filter(
    ({ event: { record_type: type } }) =>
      type === "interception_start" || type === "interception_end" || type === "tool_usage",
  );
  const ids = new Set(linked.map(({ event }) => toStoredJson(event.interception_id)));
  const lists = chunks([...ids], maxCharacters);
  return [KEY_CALLS, LINK_PARENTS, LINK_ROOTS, NOTE_SESSIONS].flatMap((sql) =>
    lists.map((json) => ({ sql, json })),
  );
}

function actorSpansFor(events: readonly SealedEvent[], maxCharacters: number): Statement[] {
  const spans = events.flatMap(({ event }) => {
    const span = actorSpanOf(event);
    return span ? [toStoredJson(span)] : [];
  });
  return chunks([...new Set(spans)], maxCharacters).map((json) => ({ sql: NOTE_ACTORS, json }));
}

function claimsFor(events: readonly SealedEvent[], at: number, maxCharacters: number): Statement[] {
  const claims = new Set(
    events.flatMap(({ event }) => {
      const claim = claimOf(event);
      return claim ? [toStoredJson(claim)] : [];
    }),
  );
  return chunks([...claims], maxCharacters).flatMap((list, index) => {
    const json = `{"part":"claims ${index}","at":${at},"claims":${list}}`;
    return CLAIM_STATEMENTS.map((sql) => ({ sql, json }));
  });
}

/** The tables whose rows decide what an interception adds to the totals. */
const MOVING_TABLES: ReadonlySet<LedgerTable> = new Set(["interceptions", "cost_corrections"]);

/** The journal's view of the events: their ids, tables and seals. */
function toBatches(
  events: readonly SealedEvent[],
  at: number,
  maxCharacters: number,
): readonly { readonly json: string; readonly tables: readonly LedgerTable[] }[] {
  const listed = events.map(({ event, seal }) => {
    const { table } = RECORDS[event.record_type];
    const id = eventId(event);
    const key = isCallTable(table) || TABLE_KEYS[table].length > 1 ? event.interception_id : id;
    return { id, table, key, seal };
  });
  // An entry has some 200 characters.
  const size = Math.max(1, Math.floor(maxCharacters / 250));
  const parts: BatchEvent[][] = [];
  for (let from = 0; from < listed.length; from += size) parts.push(listed.slice(from, from + size));
  const seen = new Set<string>();
  return parts.map((part, index) => {
    const interceptions = part.flatMap(({ table, key }) =>
      MOVING_TABLES.has(table) && !seen.has(key) ? [key] : [],
    );
    interceptions.forEach((key) => seen.add(key));
    const batch: Batch = {
      part: String(index),
      at,
      interceptions: [...new Set(interceptions)],
      events: part,
    };
    return { json: toStoredJson(batch), tables: [...new Set(part.map(({ table }) => table))] };
  });
}

/** The event and the computed fields of its row: `id`, `accepted` and, for an earlier gateway, `initiator_source`. */
function rowOf(event: InterceptorEvent): object {
  const accepted = event.record_type === "initiator_override";
  return { ...withSource(event), id: eventId(event), accepted };
}

/** Before migration 0008 events did not name the source of the initiator. An owner's was Coder's. */
function withSource(event: InterceptorEvent): InterceptorEvent {
  if (!("attribution" in event) || typeof event.initiator_source === "string") return event;
  const isOwner = OWNER_ATTRIBUTIONS.has(event.attribution);
  return { ...event, initiator_source: isOwner ? EARLIER_OWNER_SOURCE : event.identity_source };
}
