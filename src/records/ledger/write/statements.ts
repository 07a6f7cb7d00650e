/**
 * Builds the statements that store events. Each has a fixed SQL text and one parameter: a JSON text under 1 MB. Run them in
 * their order and in one transaction; repeating them does not change the rows.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { eventId } from "../../../events/event-id.ts";
import { EARLIER_OWNER_SOURCE, OWNER_ATTRIBUTIONS } from "../../../events/vocabulary.ts";
import { RECORDS, type LedgerTable, type RecordType } from "../../../events/fields.ts";
import { isCallTable } from "../tables.ts";
import { endsInto, insertInto, startsInto } from "./insert-sql.ts";
import { toStoredJson } from "./stored-json.ts";
import { claimOf, CLAIM_USAGES, MARK_CLAIMED } from "./retrieved-sql.ts";
import { KEY_CALLS, LINK_PARENTS, LINK_ROOTS } from "./thread-sql.ts";

export type Statement = { readonly sql: string; readonly json: string };

/** A character takes at most three bytes; D1 accepts a text of 1,000,000 bytes: https://developers.cloudflare.com/d1/platform/limits/ */
const MAX_CHARACTERS = 300_000;

/** The INSERT statement of each record type. */
const INSERT_SQL: ReadonlyMap<RecordType, string> = new Map(
  (Object.keys(RECORDS) as RecordType[]).map((type) => [type, insertSqlOf(type, RECORDS[type].table)]),
);

function insertSqlOf(type: RecordType, table: LedgerTable): string {
  if (!isCallTable(table)) return insertInto(table);
  const isStart = type === "interception_start" || type === "passthrough_start";
  return isStart ? startsInto(table) : endsInto(table);
}

/** The events that can change a thread: start and end make the interception's row, whichever comes first. */
const LINKED: ReadonlySet<RecordType> = new Set(["interception_start", "interception_end", "tool_usage"]);

/** `maxCharacters`: bound of one statement's JSON. A single event may exceed it. */
export function statementsFor(
  events: readonly InterceptorEvent[],
  maxCharacters = MAX_CHARACTERS,
): readonly Statement[] {
  const rows = new Map<string, string[]>();
  const linked = new Set<string>();
  const claims = new Set<string>();
  for (const event of events) {
    const sql = INSERT_SQL.get(event.record_type);
    if (sql === undefined) continue;
    const inserted = rows.get(sql) ?? [];
    rows.set(sql, inserted);
    inserted.push(rowOf(event));
    if (LINKED.has(event.record_type)) linked.add(toStoredJson(event.interception_id));
    const claim = claimOf(event);
    if (claim) claims.add(toStoredJson(claim));
  }
  const inserts = [...rows].flatMap(([sql, inserted]) =>
    chunks(inserted, maxCharacters).map((json) => ({ sql, json })),
  );
  const linkChunks = chunks([...linked], maxCharacters);
  const claimChunks = chunks([...claims], maxCharacters);
  return [
    ...inserts,
    ...linkChunks.map((json) => ({ sql: KEY_CALLS, json })),
    ...linkChunks.map((json) => ({ sql: LINK_PARENTS, json })),
    ...linkChunks.map((json) => ({ sql: LINK_ROOTS, json })),
    ...claimChunks.map((json) => ({ sql: CLAIM_USAGES, json })),
    ...claimChunks.map((json) => ({ sql: MARK_CLAIMED, json })),
  ];
}

/** The event and the computed fields of its row: `id`, `accepted` and, for an earlier gateway, `initiator_source`. */
function rowOf(event: InterceptorEvent): string {
  const accepted = event.record_type === "initiator_override";
  return toStoredJson({ ...withSource(event), id: eventId(event), accepted });
}

/** Before migration 0008 events did not name the source of the initiator. An owner's was Coder's. */
function withSource(event: InterceptorEvent): InterceptorEvent {
  if (!("attribution" in event) || typeof event.initiator_source === "string") return event;
  const isOwner = OWNER_ATTRIBUTIONS.has(event.attribution);
  return { ...event, initiator_source: isOwner ? EARLIER_OWNER_SOURCE : event.identity_source };
}

/** The JSON values joined into JSON arrays, in their order. */
function chunks(values: readonly string[], maxCharacters: number): string[] {
  const arrays: string[] = [];
  let open: string[] = [];
  let characters = 0;
  for (const value of values) {
    if (open.length > 0 && characters + value.length >= maxCharacters) {
      arrays.push(`[${open.join(",")}]`);
      open = [];
      characters = 0;
    }
    open.push(value);
    characters += value.length + 1;
  }
  if (open.length > 0) arrays.push(`[${open.join(",")}]`);
  return arrays;
}
