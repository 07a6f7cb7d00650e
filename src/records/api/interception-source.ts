/**
 * Where lists and sums read interceptions. An interception has one index entry, by initiator and span of time
 * (rollups/spans.ts); the spans in which an actor or a session has interceptions have tables of their own.
 */
import { canonicalId, firstUuidAt } from "../../shared/uuid.ts";
import { spanOf } from "../rollups/spans.ts";
import { sql, type Sql } from "./kit/sql.ts";
import { atOrAfter, readInstant } from "./kit/time.ts";

export type Source = {
  /** In place of the table. */
  readonly from: Sql;
  /** Narrows the search; the conditions of the filters are needed beside it. */
  readonly where: Sql;
  /** Newest first. With an index by spans, only the rows of one span are sorted at a time. */
  readonly order: Sql;
};

export type SourceOptions = {
  /** The texts of a request's parameters. */
  readonly sent: ReadonlyMap<string, string>;
  readonly alias: string;
  /** Ids that no row is below or above. */
  readonly from?: string;
  readonly to?: string;
};

const raw = (text: string): Sql => ({ text, values: [] });

export function interceptionsFor({ sent, alias, from = "", to = "~" }: SourceOptions): Source {
  const indexed = raw(`interceptions AS ${alias} INDEXED BY interceptions_by_initiator`);
  const [row, byId] = [raw(alias), raw(`${alias}.id DESC`)];
  const within = (name: string): Sql =>
    sql`${raw(name)}.span >= ${spanOf(from)} AND ${raw(name)}.span <= ${spanOf(to)}`;
  const session = sent.get("session_id");
  if (session !== undefined)
    return {
      from: sql`(${spansOfSession(session)}) AS spans CROSS JOIN ${indexed}`,
      where: sql`${row}.initiator_id = spans.link_key ->> 0 AND ${row}.span = spans.span
        AND ${row}.session_id = ${session} AND ${row}.actor_id = spans.link_key ->> 3
        AND ${row}.attribution = spans.link_key ->> 2 AND ${row}.link_key = spans.link_key`,
      order: byId,
    };
  const actor = sent.get("actor");
  if (actor !== undefined)
    return {
      from: sql`actor_spans AS noted CROSS JOIN ${indexed}`,
      where: sql`noted.actor_id = ${canonicalId(actor)} AND ${within("noted")}
        AND ${row}.initiator_id = noted.initiator_id AND ${row}.span = noted.span`,
      order: sql`noted.span DESC, ${byId}`,
    };
  if (sent.has("initiator"))
    return { from: indexed, where: within(alias), order: sql`${row}.span DESC, ${byId}` };
  return { from: raw(`interceptions AS ${alias}`), where: sql`1`, order: byId };
}

/**
 * Rejected owner assertions have indexes of their own: by time, and by actor. Those of an actor that were accepted are found by their
 * owner.
 */
export function overridesFor({ sent, alias, from = "", to = "~" }: SourceOptions): Source {
  const actor = sent.get("actor");
  const byId = raw(`${alias}.id DESC`);
  if (actor === undefined) {
    const isRejected = sent.get("accepted") === "false" || sent.has("reason");
    const index = isRejected ? " INDEXED BY initiator_overrides_rejected" : "";
    return {
      from: raw(`initiator_overrides AS ${alias}${index}`),
      where: isRejected ? raw(`${alias}.accepted = 0`) : sql`1`,
      order: byId,
    };
  }
  const inSpan = (name: string): Sql =>
    raw(`${name}.actor_id = noted.actor_id AND ${name}.id >= noted.span AND ${name}.id < noted.span || 'g'`);
  return {
    from: raw(`actor_spans AS noted CROSS JOIN initiator_overrides AS ${alias}`),
    where: sql`noted.actor_id = ${canonicalId(actor)} AND noted.span >= ${spanOf(from)} AND noted.span <= ${spanOf(to)}
      AND ${raw(alias)}.id IN (
        SELECT one.id FROM initiator_overrides AS one WHERE one.owner_id = noted.initiator_id AND ${inSpan("one")}
        UNION ALL SELECT one.id FROM initiator_overrides AS one INDEXED BY initiator_overrides_by_actor
          WHERE noted.initiator_id = '' AND one.accepted = 0 AND ${inSpan("one")})`,
    order: sql`noted.span DESC, ${byId}`,
  };
}

/** The ids between which a list's time filters and its cursor select, exactly: the first one, and the one after the last. */
export function idBounds(
  sent: ReadonlyMap<string, string>,
  before: string,
): { readonly from: string; readonly to: string } {
  const from = readInstant(sent.get("started_after") ?? "");
  const to = readInstant(sent.get("started_before") ?? "");
  const last = to ? firstUuidAt(to.ms + 1) : before;
  return { from: from ? firstUuidAt(atOrAfter(from)) : "", to: last < before ? last : before };
}

/** A session's spans, for each of the link keys under its id. One interception alone may have its own id. */
const spansOfSession = (session: string): Sql => sql`
  SELECT link_key, span FROM session_spans WHERE session_id = ${session}
  UNION SELECT link_key, span FROM interceptions WHERE id = ${session}`;
