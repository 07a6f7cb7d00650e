/**
 * Events as the statements that store them: each a fixed SQL text and one parameter, a JSON text of under a megabyte.
 * Run in their order and all or none, any number of times: the rows are the same.
 */
import type { InterceptorEvent } from "../../../events/event.ts";
import { eventId } from "../../../events/event-id.ts";
import { INSERT_ENDS, INSERT_STARTS, insertInto } from "./insert-sql.ts";
import { toStoredJson } from "./stored-json.ts";
import { LINK_PARENTS, LINK_ROOTS, type Link } from "./thread-sql.ts";

export type Statement = { readonly sql: string; readonly json: string };

/** A character takes at most three bytes, and D1 a text of a million: https://developers.cloudflare.com/d1/platform/limits/ */
const MAX_CHARACTERS = 300_000;

/** The SQL for what each event is stored with; null: it has no table. */
const INSERT_SQL: Readonly<Record<InterceptorEvent["record_type"], string | null>> = {
  interception_start: INSERT_STARTS,
  interception_end: INSERT_ENDS,
  token_usage: insertInto("token_usages"),
  prompt_usage: insertInto("user_prompts"),
  tool_usage: insertInto("tool_usages"),
  model_thought: insertInto("model_thoughts"),
  initiator_override: insertInto("initiator_overrides"),
  initiator_override_rejected: insertInto("initiator_overrides"),
  refusal: null,
  passthrough: null,
};

export const hasTable = ({ record_type }: InterceptorEvent): boolean => INSERT_SQL[record_type] !== null;

/** `maxCharacters`: of one statement's JSON; one event alone may be longer. */
export function statementsFor(
  events: readonly InterceptorEvent[],
  maxCharacters = MAX_CHARACTERS,
): readonly Statement[] {
  const rows = new Map<string, string[]>();
  // An answer may ask for the same tool's id a hundred times; linked is once.
  const links = new Set<string>();
  for (const event of events) {
    const sql = INSERT_SQL[event.record_type];
    if (sql === null) continue;
    const of = rows.get(sql) ?? [];
    rows.set(sql, of);
    of.push(rowOf(event));
    const link = linkOf(event);
    if (link) links.add(toStoredJson(link));
  }
  const inserts = [...rows].flatMap(([sql, of]) => chunks(of, maxCharacters).map((json) => ({ sql, json })));
  const linked = chunks([...links], maxCharacters);
  return [
    ...inserts,
    ...linked.map((json) => ({ sql: LINK_PARENTS, json })),
    ...linked.map((json) => ({ sql: LINK_ROOTS, json })),
  ];
}

/** The event itself, and what its row has beside it. */
function rowOf(event: InterceptorEvent): string {
  const accepted = event.record_type === "initiator_override";
  return toStoredJson({ ...event, id: eventId(event), accepted });
}

/** What the event means to threads: somebody looks for a parent, or a tool for its children. */
function linkOf(event: InterceptorEvent): Link | null {
  if (event.record_type === "interception_start") {
    const { interception_id, initiator_id, correlating_tool_call_id } = event;
    return correlating_tool_call_id === null ? null : { interception_id, tool_call_id: null, initiator_id };
  }
  if (event.record_type !== "tool_usage" || event.tool_call_id === null) return null;
  const { interception_id, tool_call_id, initiator_id } = event;
  return { interception_id, tool_call_id, initiator_id };
}

/** JSON arrays of these values, in their order. */
function chunks(values: readonly string[], maxCharacters: number): string[] {
  const found: string[] = [];
  let open: string[] = [];
  let characters = 0;
  for (const value of values) {
    if (open.length > 0 && characters + value.length >= maxCharacters) {
      found.push(`[${open.join(",")}]`);
      open = [];
      characters = 0;
    }
    open.push(value);
    characters += value.length + 1;
  }
  if (open.length > 0) found.push(`[${open.join(",")}]`);
  return found;
}
