/** GET /budgets/events: the events of budgets and rate limits, newest first. */
import { codeInId } from "../../../events/event-id.ts";
import { RECORDS, type RecordType } from "../../../events/fields.ts";
import { meanings } from "../../../events/vocabulary.ts";
import { BUDGET_EVENT } from "../fields.ts";
import { PRINCIPAL_FILTERS, SESSION_RULES, TIME_FILTERS } from "../filters.ts";
import { listEndpoint } from "../kit/list-endpoint.ts";
import { equals, equalsId, filter, oneOf, uuid } from "../kit/parameter.ts";
import { text } from "../kit/row-mapper.ts";
import { column, sql } from "../kit/sql.ts";
import { RULES } from "./budgets.ts";

const TYPES = (Object.keys(RECORDS) as RecordType[]).filter(
  (type) => RECORDS[type].table === "budget_events",
);

/** The table has no column for the type: the id has its code. */
const TYPE_BY_CODE = new Map<number, RecordType>(TYPES.map((type) => [RECORDS[type].code, type]));

const whenOf = Object.fromEntries(TYPES.map((type) => [type, RECORDS[type].when]));

export const budgetEvents = listEndpoint({
  path: "/budgets/events",
  summary: "Events of budgets and rate limits, newest first",
  description:
    "Thresholds that were reached, the first refusal of an account in its period, calls that cost more than their reservation, changes of limits, and charges that an account did not take at once. `/refusals` lists every refused request.",
  filters: {
    type: filter(
      oneOf(TYPES, null, `The type of the event. ${meanings(whenOf)}`),
      // From code 15 on, the id has 1111 and then four bits that count from there.
      (alias, type) =>
        sql`substr(${column(alias, "id")}, 16, 2) = ${`f${(RECORDS[type].code - 15).toString(16)}`}`,
    ),
    rule: equals("rule", "The rule: `budget:` or `rate:` and its name."),
    subject_source: {
      ...equals("subject_source", "The source of the id of the account's principal."),
      rule: RULES.subject_source,
    },
    subject_id: { ...equalsId("subject_id", "The id of the account's subject."), rule: RULES.subject_id },
    initiator: PRINCIPAL_FILTERS.initiator,
    actor: {
      ...equalsId("actor_id", "The id of the actor that sent the request."),
      rule: SESSION_RULES.actor,
    },
    interception_id: filter(
      uuid("The id of the request."),
      (alias, value) => sql`${column(alias, "interception_id")} = ${value}`,
    ),
    ...TIME_FILTERS,
  },
  table: "budget_events",
  alias: "b",
  fields: BUDGET_EVENT,
  extra: {
    schemas: { type: { type: "string", enum: TYPES, description: "The type of the event." } },
    read: ({ id }) => ({ type: TYPE_BY_CODE.get(codeInId(text(id))) }),
  },
});
