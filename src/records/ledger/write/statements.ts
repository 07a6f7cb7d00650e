/**
 * Builds the statements that store events. Each has a fixed SQL text and one parameter: a JSON text under 1 MB. Run them in
 * their order and in one transaction; repeating them does not change the rows.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { eventId } from "../../../events/event-id.ts";
import { RECORDS, type LedgerTable, type RecordType } from "../../../events/fields.ts";
import { isCallTable } from "../tables.ts";
import { endsInto, insertInto, startsInto } from "./insert-sql.ts";
import { toStoredJson } from "./stored-json.ts";
import { claimOf, CLAIM_USAGES, MARK_CLAIMED } from "./retrieved-sql.ts";
import { LINK_PARENTS, LINK_ROOTS, type Link } from "./thread-sql.ts";

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

/** `maxCharacters`: bound of one statement's JSON. A single event may exceed it. */
export function statementsFor(
  events: readonly InterceptorEvent[],
  maxCharacters = MAX_CHARACTERS,
): readonly Statement[] {
  const rows = new Map<string, string[]>();
  // A response may repeat one tool call id a hundred times; one link covers them all.
  const links = new Set<string>();
  const claims = new Set<string>();
  for (const event of events) {
    const sql = INSERT_SQL.get(event.record_type);
    if (sql === undefined) continue;
    const inserted = rows.get(sql) ?? [];
    rows.set(sql, inserted);
    inserted.push(rowOf(event));
    const link = linkOf(event);
    if (link) links.add(toStoredJson(link));
    const claim = claimOf(event);
    if (claim) claims.add(toStoredJson(claim));
  }
  const inserts = [...rows].flatMap(([sql, inserted]) =>
    chunks(inserted, maxCharacters).map((json) => ({ sql, json })),
  );
  const linkChunks = chunks([...links], maxCharacters);
  const claimChunks = chunks([...claims], maxCharacters);
  return [
    ...inserts,
    ...linkChunks.map((json) => ({ sql: LINK_PARENTS, json })),
    ...linkChunks.map((json) => ({ sql: LINK_ROOTS, json })),
    ...claimChunks.map((json) => ({ sql: CLAIM_USAGES, json })),
    ...claimChunks.map((json) => ({ sql: MARK_CLAIMED, json })),
  ];
}

/** The event and the two computed fields of its row: `id` and `accepted`. */
function rowOf(event: InterceptorEvent): string {
  const accepted = event.record_type === "initiator_override";
  return toStoredJson({ ...event, id: eventId(event), accepted });
}

/** The event's part in a thread: an interception that needs its parent, or a tool call that may have children. */
function linkOf(event: InterceptorEvent): Link | null {
  if (event.record_type === "interception_start") {
    const { interception_id, initiator_id, correlating_tool_call_id } = event;
    return correlating_tool_call_id === null ? null : { interception_id, tool_call_id: null, initiator_id };
  }
  if (event.record_type !== "tool_usage" || event.tool_call_id === null) return null;
  const { interception_id, tool_call_id, initiator_id } = event;
  return { interception_id, tool_call_id, initiator_id };
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
