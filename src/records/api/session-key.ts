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

/** Found by the index of initiators in the session's spans. One interception alone may have its own id. */
export const isMember = (alias: string, session: Sql, linkKey: Sql): Sql =>
  sql`${column(alias, "initiator_id")} = ${linkKey} ->> 0 AND ${column(alias, "span")} IN (
      SELECT noted.span FROM session_spans noted WHERE noted.session_id = ${session} AND noted.link_key = ${linkKey}
      UNION ALL SELECT SUBSTR(${session}, 1, 7))
    AND ${column(alias, "session_id")} = ${session} AND ${column(alias, "actor_id")} = ${linkKey} ->> 3
    AND ${column(alias, "attribution")} = ${linkKey} ->> 2 AND ${column(alias, "link_key")} = ${linkKey}`;

/** The session's interceptions. */
export const inSession = (alias: string, { session, linkKey }: SessionKey): Sql =>
  isMember(alias, sql`${session}`, sql`${linkKey}`);

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
  const matches = conditionOf(choice);
  const keys = sql`FROM session_spans s WHERE s.session_id = ${id} AND ${matches("s")} AND EXISTS (
    SELECT 1 FROM interceptions i INDEXED BY interceptions_by_initiator
    WHERE i.initiator_id = s.link_key ->> 0 AND i.span = s.span AND i.session_id = s.session_id
      AND i.actor_id = s.link_key ->> 3 AND i.attribution = s.link_key ->> 2 AND i.link_key = s.link_key)`;
  const rows = await query([
    // The minimum and maximum are the ends of the key: two lookups, regardless of the session's size.
    sql`SELECT (SELECT MIN(s.link_key) ${keys}) AS first, (SELECT MAX(s.link_key) ${keys}) AS last`,
    sql`SELECT i.session_id, i.link_key FROM interceptions i WHERE i.id = ${canonicalId(id)} AND ${matches("i")}`,
  ]);
  if (rows instanceof Refusal) return rows;
  const [[found], [member]] = rows;
  const own = text(member?.["session_id"]) === id ? [text(member?.["link_key"])] : [];
  const all = [text(found?.["first"]), text(found?.["last"]), ...own].filter((key) => key !== "").toSorted();
  const [first = "", last = ""] = [all[0], all.at(-1)];
  if (first !== "") return first === last ? { session: id, linkKey: first } : ambiguous(first, last);
  if (!member) return new Refusal("not_found", { detail: "no session has this id" });
  return { session: text(member["session_id"]), linkKey: text(member["link_key"]) };
}

/** As a literal: D1 binds a number as a floating-point one, which is no position. */
const position = (at: number): Sql => ({ text: String(at), values: [] });

/** An initiator's keys are a range of the index: they begin with its id, as JSON, and a comma. */
function conditionOf({ initiator, actor, ...words }: SessionChoice): Condition {
  const parts: Readonly<Record<string, string | null>> = {
    ...words,
    actor: actor === null ? null : canonicalId(actor),
  };
  return allOf([
    ...(initiator === null ? [] : [ofInitiator(canonicalId(initiator))]),
    ...NAMES.flatMap((name, at) => {
      const value = parts[name] ?? null;
      return value === null
        ? []
        : [(alias: string): Sql => sql`${column(alias, "link_key")} ->> ${position(at)} = ${value}`];
    }),
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
