/** GET /anomalies: patterns across many requests that the cron detected. Each is a reason to look, not proof. */
import { ANOMALY_KINDS } from "../../../events/anomaly-kinds.ts";
import { meanings, wordsOf } from "../../../events/vocabulary.ts";
import { listEndpoint } from "../kit/list-endpoint.ts";
import { equalsId, filter, instant, oneOf } from "../kit/parameter.ts";
import { COUNT, withDescription, ID, JSON_OBJECT, TEXT, TIME } from "../kit/row-mapper.ts";
import { column, sql } from "../kit/sql.ts";
import { atOrAfter } from "../kit/time.ts";

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

export const anomalies = listEndpoint({
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
  table: "anomalies",
  alias: "a",
  fields: ANOMALY,
});
