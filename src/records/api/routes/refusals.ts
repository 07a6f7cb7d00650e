/** GET /refusals: requests that the gateway refused, newest first. */
import { REFUSALS } from "../../../shared/refusal.ts";
import { REFUSAL } from "../fields.ts";
import { OBJECT_FILTER, PRINCIPAL_FILTERS, REASON_RULE, SESSION_RULES, TIME_FILTERS } from "../filters.ts";
import { listEndpoint } from "../kit/list-endpoint.ts";
import { equals, equalsId, filter, oneOf } from "../kit/parameter.ts";
import { column, sql } from "../kit/sql.ts";

/** The codes that a recorded refusal can have. Those of the records Worker alone are not recorded. */
export const REASONS: readonly string[] = Object.keys(REFUSALS);

const CODE = "The refusal's code, as in `x-interceptor-error`.";

/** The filters that the list and the counts share. */
export const refusalFilters = (reasons: readonly string[], meaning: string) => ({
  reason: {
    ...filter(oneOf(reasons, null, meaning), (alias, value) => sql`${column(alias, "reason")} = ${value}`),
    rule: REASON_RULE,
  },
  provider: equals("provider", "The provider's configured name."),
});

export const refusals = listEndpoint({
  path: "/refusals",
  summary: "Refused requests, newest first",
  description:
    "Every refusal with a verified actor, and a bounded number of the others, which anyone can cause: at most 100 per minute and 300 per hour for each reason. `/refusals/counts` counts all of them.",
  filters: {
    ...refusalFilters(REASONS, CODE),
    initiator: PRINCIPAL_FILTERS.initiator,
    initiator_source: {
      ...equals("initiator_source", "The source of the initiator's id."),
      rule: SESSION_RULES.initiator_source,
    },
    actor: {
      ...equalsId("actor_id", "The id of the actor that sent the request, verified or not."),
      rule: SESSION_RULES.actor,
    },
    identity_source: PRINCIPAL_FILTERS.identity_source,
    api_key_id: equals("api_key_id", "The id of the presented credential, accepted or not."),
    object_id: OBJECT_FILTER,
    verified: filter(
      oneOf(["true", "false"], null, "Whether an identity source verified the actor."),
      (alias, value) =>
        value === "true"
          ? sql`${column(alias, "actor_verified")} = 1`
          : sql`${column(alias, "actor_verified")} IS NOT 1`,
    ),
    ...TIME_FILTERS,
  },
  table: "refusals",
  alias: "r",
  fields: REFUSAL,
});
