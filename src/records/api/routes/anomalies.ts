/** GET /anomalies: what the cron found odd among many requests. Each is a reason to look, and proof of nothing. */
import type { AnomalyKind } from "../../ledger/maintain/anomalies.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { endpoint } from "../kit/endpoint.ts";
import {
  AFTER_ID,
  checkCursors,
  COUNT_FIELDS,
  countFields,
  countSql,
  LIMIT,
  OFFSET,
  PAST_ALL,
} from "../kit/page.ts";
import { equalsId, filter, instant, oneOf } from "../kit/parameter.ts";
import {
  COUNT,
  withDescription,
  ID,
  JSON_OBJECT,
  schemasOf,
  selected,
  TEXT,
  TIME,
  toRecord,
} from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { column, sql } from "../kit/sql.ts";
import { atOrAfter } from "../kit/time.ts";

const COUNT_CAP = 10_000;

/** Written out with its meaning, and checked to be all of them. */
const KINDS: Readonly<Record<AnomalyKind, string>> = {
  chat_multiple_initiators:
    "one chat's id on the account of several (`subject`: the chat; `count`: initiators)",
  actor_multiple_owners:
    "the same, where one actor speaks for several (`subject`: the chat; `count`: initiators)",
  owner_many_actors:
    "more than three actors assert one owner in a day (`subject`: the owner; `count`: actors)",
  coder_agents_without_headers:
    "Coder Agents, by its own word, named neither owner nor chat (`subject`: the actor; `count`: requests)",
  asserted_share_spike:
    "of an hour's requests far more are `asserted` than of the week's before (`subject`: `asserted`; `count`: requests)",
};

const ANOMALY = {
  id: withDescription(ID, "Made of kind, subject and day."),
  kind: withDescription(
    TEXT,
    Object.entries(KINDS)
      .map(([kind, meaning]) => `\`${kind}\`: ${meaning}`)
      .join(" · "),
  ),
  subject: TEXT,
  first_interception_id: withDescription(ID, "From which on it is odd."),
  last_interception_id: withDescription(ID, "The last that is part of it, as far as has been looked."),
  count: withDescription(COUNT, "Of initiators and actors, 10 stands for as many or more."),
  details: withDescription(JSON_OBJECT, "Ids and figures, by kind."),
  first_seen: withDescription(TIME, "When the first interception began."),
  last_seen: withDescription(TIME, "When the last one did."),
};

const kinds = Object.keys(KINDS) as AnomalyKind[];

const iso = (ms: number): string => new Date(ms).toISOString();

export const anomalies = endpoint({
  path: "/anomalies",
  summary: "What is odd among many requests, newest day first",
  description:
    "One for each kind, subject and day (UTC), found by the cron some while after the requests. A reason to look, and proof of nothing.",
  filters: {
    kind: filter(
      oneOf(kinds, null, "What is odd."),
      (alias, value) => sql`${column(alias, "kind")} = ${value}`,
    ),
    subject: equalsId("subject", "The chat, owner or actor that it is about."),
    seen_after: filter(
      instant("Seen at this time or later."),
      (alias, from) => sql`${column(alias, "last_seen")} >= ${iso(atOrAfter(from))}`,
    ),
    seen_before: filter(
      instant("Seen at this time or earlier."),
      (alias, to) => sql`${column(alias, "first_seen")} <= ${iso(to.ms)}`,
    ),
  },
  parameters: { limit: LIMIT, offset: OFFSET, after_id: AFTER_ID },
  response: schema.object({ ...COUNT_FIELDS, results: schema.list(schema.object(schemasOf(ANOMALY))) }),
  handle: async ({ limit, offset, after_id }, matches, { query: ask }) => {
    const refusal = checkCursors({ after_id, offset });
    if (refusal) return refusal;
    const found = await ask([
      sql`SELECT ${selected("a", ANOMALY)} FROM anomalies a
        WHERE a.id < ${after_id ?? PAST_ALL} AND ${matches("a")}
        ORDER BY a.id DESC LIMIT ${limit} OFFSET ${offset}`,
      countSql(COUNT_CAP, sql`SELECT 1 FROM anomalies a WHERE a.id < ${PAST_ALL} AND ${matches("a")}`),
    ]);
    if (found instanceof Refusal) return found;
    const [rows, count] = found;
    return {
      body: { ...countFields(COUNT_CAP, count), results: rows.map((row) => toRecord(row, ANOMALY)) },
    };
  },
});
