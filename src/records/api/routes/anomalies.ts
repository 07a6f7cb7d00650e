/** GET /anomalies: patterns across many requests that the cron detected. Each is a reason to look, not proof. */
import { ANOMALY_KINDS, meanings, wordsOf } from "../../../events/vocabulary.ts";
import { Refusal } from "../../../shared/refusal.ts";
import { endpoint } from "../kit/endpoint.ts";
import {
  AFTER_ID,
  checkCursors,
  COUNT_FIELDS,
  countFields,
  countSql,
  cutPage,
  LIMIT,
  OFFSET,
  AFTER_EVERY_ID,
} from "../kit/page.ts";
import { equalsId, filter, instant, oneOf } from "../kit/parameter.ts";
import {
  COUNT,
  withDescription,
  ID,
  JSON_OBJECT,
  schemasOf,
  selected,
  text,
  TEXT,
  TIME,
  toRecord,
} from "../kit/row-mapper.ts";
import * as schema from "../../../shared/json-schema.ts";
import { column, sql } from "../kit/sql.ts";
import { atOrAfter } from "../kit/time.ts";

const COUNT_CAP = 10_000;

const ANOMALY = {
  id: withDescription(ID, "Derived from kind, subject and day."),
  kind: withDescription(TEXT, meanings(ANOMALY_KINDS)),
  subject: TEXT,
  first_interception_id: withDescription(ID, "The interception that the anomaly begins with."),
  last_interception_id: withDescription(
    ID,
    "The last interception of the anomaly that the cron has read so far.",
  ),
  count: withDescription(COUNT, "For initiators and actors, 10 means 10 or more."),
  details: withDescription(JSON_OBJECT, "Ids and figures; the fields depend on the kind."),
  first_seen: withDescription(TIME, "When the first interception started."),
  last_seen: withDescription(TIME, "When the last interception started."),
};

const iso = (ms: number): string => new Date(ms).toISOString();

export const anomalies = endpoint({
  path: "/anomalies",
  summary: "Anomalies across many requests, newest day first",
  description:
    "One anomaly per kind, subject and day (UTC), detected by the cron some time after the requests. An anomaly is a reason to look, not proof.",
  filters: {
    kind: filter(
      oneOf(wordsOf(ANOMALY_KINDS), null, "The kind of anomaly."),
      (alias, value) => sql`${column(alias, "kind")} = ${value}`,
    ),
    subject: equalsId("subject", "The chat, owner or actor that the anomaly is about."),
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
  handle: async ({ limit, offset, after_id }, matches, { query }) => {
    const refusal = checkCursors({ after_id, offset });
    if (refusal) return refusal;
    const result = await query([
      sql`SELECT ${selected("a", ANOMALY)} FROM anomalies a
        WHERE a.id < ${after_id ?? AFTER_EVERY_ID} AND ${matches("a")}
        ORDER BY a.id DESC LIMIT ${limit + 1} OFFSET ${offset}`,
      countSql(COUNT_CAP, sql`SELECT 1 FROM anomalies a WHERE a.id < ${AFTER_EVERY_ID} AND ${matches("a")}`),
    ]);
    if (result instanceof Refusal) return result;
    const count = countFields(COUNT_CAP, result[1]);
    const { rows, page } = cutPage(result[0], limit, count, ({ id }) => ({ after_id: text(id) }));
    return { body: { ...count, results: rows.map((row) => toRecord(row, ANOMALY)) }, page };
  },
});
