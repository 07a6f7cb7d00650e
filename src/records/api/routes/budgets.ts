/**
 * GET /budgets, POST /budgets/changes and GET /me/spend: documented here with the rest of the API, and served by the gateway, which
 * has the rules.
 */
import { OWN_ROUTE_SCOPES } from "../../../shared/api-routes.ts";
import * as schema from "../../../shared/json-schema.ts";
import { endpoint } from "../kit/endpoint.ts";
import { anyText } from "../kit/parameter.ts";
import { LIMIT, OFFSET } from "../kit/page.ts";

const ACCOUNT = schema.object({
  budget: schema.withDescription(schema.TEXT, "The rule's name in `BUDGETS`."),
  per: schema.TEXT,
  measure: schema.withDescription(
    schema.TEXT,
    "`dollars`, `tokens` or `requests`. Dollars are in millionths.",
  ),
  period: schema.withDescription(schema.TEXT, "`day`, `week`, `month`, or a number of seconds as `3600 s`."),
  hard: schema.FLAG,
  mode: schema.TEXT,
  subject_kind: schema.TEXT,
  subject_source: schema.orNull(schema.TEXT),
  subject_id: schema.orNull(schema.TEXT),
  subject_name: schema.orNull(schema.TEXT),
  limit: schema.withDescription(schema.COUNT, "With the account's override and top-ups."),
  spent: schema.withDescription(schema.orNull(schema.COUNT), "null where the object did not respond."),
  reserved: schema.orNull(schema.COUNT),
  resets_at: schema.orNull(schema.TIME),
});

/** Of parameters that several endpoints of budgets have. */
export const RULES = {
  budget: "must be the name of a rule of BUDGETS",
  subject_id: "must be a text, except for a rule with one account of all",
  subject_source: "must be a text for an initiator or an actor, and absent for others",
};

export const budgets = endpoint({
  path: "/budgets",
  scope: OWN_ROUTE_SCOPES.budgets,
  summary: "What budgets have left",
  description:
    "The accounts of every rule, as they are now. Of an initiator, an actor or a client, those with calls in the period, the dearest first; of a workspace, only the one that `subject_id` names. Served by the gateway, also where it is requested from a records Worker that is bound to it.",
  filters: {},
  parameters: {
    budget: { ...anyText("The rule's name."), rule: RULES.budget },
    subject_source: {
      ...anyText("With `subject_id`: the source of an initiator's or actor's id."),
      rule: RULES.subject_source,
    },
    subject_id: { ...anyText("The account of this subject alone."), rule: RULES.subject_id },
    limit: LIMIT,
    offset: OFFSET,
  },
  records: false,
  response: schema.object({
    count: schema.withDescription(schema.COUNT, "The number of accounts in the response."),
    results: schema.list(ACCOUNT),
    results_are_capped: schema.FLAG,
  }),
});

const AMOUNT = "a number that is not negative: dollars with up to six places, or a whole number";

export const budgetChanges = endpoint({
  path: "/budgets/changes",
  scope: OWN_ROUTE_SCOPES["budgets/changes"],
  summary: "Changes the limit of one account",
  description:
    "`set_limit` is the account's own limit until it is changed again, and null removes it. `top_up` is added to the limit for the current period. With a `change_id`, a top-up that is sent again counts once. Each change is an event `budget_change`. Responds with the account. Served by the gateway, also where it is requested from a records Worker that is bound to it.",
  filters: {},
  parameters: {},
  records: false,
  body: {
    schema: {
      type: "object",
      additionalProperties: false,
      required: ["budget"],
      properties: {
        budget: { type: "string" },
        subject_source: { type: "string" },
        subject_id: { type: "string" },
        set_limit: { type: ["number", "null"], minimum: 0 },
        top_up: { type: "number", minimum: 0 },
        change_id: { type: "string", minLength: 1, maxLength: 128 },
      },
    },
    rules: {
      ...RULES,
      set_limit: `must be ${AMOUNT}, or null; exactly one of set_limit and top_up is required`,
      top_up: `must be ${AMOUNT}`,
      change_id: "must be 1 to 128 visible ASCII characters",
    },
  },
  response: ACCOUNT,
});

export const ownSpend = endpoint({
  path: "/me/spend",
  summary: "The caller's own budgets, and what its calls cost in this month",
  description:
    "For the caller's own credential, not the admin token: any credential that an identity source verifies. Served by the gateway only.",
  filters: {},
  parameters: {},
  records: false,
  response: schema.object({
    id: schema.TEXT,
    source: schema.TEXT,
    name: schema.orNull(schema.TEXT),
    started_after: schema.withDescription(schema.TIME, "The beginning of the month in UTC."),
    spend: schema.withDescription(
      schema.orNull(
        schema.object({
          requests: schema.COUNT,
          input_tokens: schema.COUNT,
          output_tokens: schema.COUNT,
          cache_read_input_tokens: schema.COUNT,
          cache_write_input_tokens: schema.COUNT,
          cost_micros: schema.COUNT,
          unpriced: schema.COUNT,
        }),
      ),
      "null where the ledger could not be read.",
    ),
    budgets: schema.list(ACCOUNT),
  }),
});
