/** Finds a session by the path's id. */
import { ATTRIBUTIONS, wordsOf } from "../../events/vocabulary.ts";
import { parseJson } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import { canonicalId } from "../../shared/uuid.ts";
import { INITIATOR_RULE, SESSION_RULES } from "./filters.ts";
import { invalidFilter } from "./kit/invalid-filter.ts";
import { anyText, oneOf } from "./kit/parameter.ts";
import type { QueryLedger } from "./kit/query-ledger.ts";
import { text } from "./kit/row-mapper.ts";
import { allOf, column, sql, type Condition, type Sql } from "./kit/sql.ts";

/**
 * A session is one initiator's, from one actor and with one attribution, because the client chooses its id and may name
 * any owner. `linkKey`: the column `link_key`, a JSON list of these.
 */
export type SessionKey = { readonly session: string; readonly linkKey: string };

/** The session's interceptions. */
export const inSession = (alias: string, { session, linkKey }: SessionKey): Sql =>
  sql`${column(alias, "session_id")} = ${session} AND ${column(alias, "link_key")} = ${linkKey}`;

/** The members of a `link_key`, in their order. */
export type LinkParts = readonly [
  initiator: string,
  initiatorSource: string,
  attribution: string,
  actor: string,
  identitySource: string,
];

export function linkParts(linkKey: string): LinkParts {
  const parts = parseJson(linkKey);
  const at = (index: number): string => (Array.isArray(parts) ? String(parts[index] ?? "") : "");
  return [at(0), at(1), at(2), at(3), at(4)];
}

/** The parameters of the endpoints below `/sessions/{session_id}`, in the order of `LinkParts`. */
export const SESSION_PARAMETERS = {
  initiator: { ...anyText("The id of the session's initiator."), rule: INITIATOR_RULE },
  initiator_source: {
    ...anyText("The source of the initiator's id."),
    rule: SESSION_RULES.initiator_source,
  },
  attribution: {
    ...oneOf(wordsOf(ATTRIBUTIONS), null, "The session's attribution."),
    rule: SESSION_RULES.attribution,
  },
  actor: { ...anyText("The id of the session's actor."), rule: SESSION_RULES.actor },
  identity_source: {
    ...anyText("The identity source of the session's actor."),
    rule: SESSION_RULES.identity_source,
  },
};

const NAMES = Object.keys(SESSION_PARAMETERS);

export type SessionChoice = { readonly [Name in keyof typeof SESSION_PARAMETERS]: string | null };

/** The session with this id; else the session of the interception with this id. */
export async function findKey(
  id: string,
  choice: SessionChoice,
  query: QueryLedger,
): Promise<SessionKey | Refusal> {
  const matches = conditionOf(choice)("i");
  const keys = sql`FROM interceptions i WHERE i.session_id = ${id} AND ${matches}`;
  const rows = await query([
    // The minimum and maximum of an indexed column are the ends of the index: two lookups, regardless of the session's size.
    sql`SELECT (SELECT MIN(i.link_key) ${keys}) AS first, (SELECT MAX(i.link_key) ${keys}) AS last`,
    sql`SELECT i.session_id, i.link_key FROM interceptions i WHERE i.id = ${canonicalId(id)} AND ${matches}`,
  ]);
  if (rows instanceof Refusal) return rows;
  const [[found], [member]] = rows;
  const [first, last] = [text(found?.["first"]), text(found?.["last"])];
  if (first !== "") return first === last ? { session: id, linkKey: first } : ambiguous(first, last);
  if (!member) return new Refusal("not_found", { detail: "no session has this id" });
  return { session: text(member["session_id"]), linkKey: text(member["link_key"]) };
}

/** An initiator's keys are a range of the index: they begin with its id, as JSON, and a comma. */
function conditionOf({ initiator, actor, ...words }: SessionChoice): Condition {
  const equal = Object.entries({ ...words, actor_id: actor === null ? null : canonicalId(actor) });
  return allOf([
    ...(initiator === null ? [] : [ofInitiator(canonicalId(initiator))]),
    ...equal.flatMap(([name, value]) =>
      value === null ? [] : [(alias: string): Sql => sql`${column(alias, name)} = ${value}`],
    ),
  ]);
}

const ofInitiator =
  (id: string): Condition =>
  (alias) => {
    const [key, begin] = [column(alias, "link_key"), sql`RTRIM(json_array(${id}), ']')`];
    return sql`${key} > ${begin} || ',' AND ${key} < ${begin} || '-'`;
  };

/** Names the first parameter in which the sessions differ. */
function ambiguous(first: string, last: string): Refusal {
  const [parts, others] = [linkParts(first), linkParts(last)];
  const name = NAMES.find((_, at) => parts[at] !== others[at]) ?? "initiator";
  return invalidFilter(name, "is required: sessions that differ in it have this id");
}
