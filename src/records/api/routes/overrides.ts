/** GET /overrides: owner assertions, both accepted and rejected. */
import { OWNER_REJECTIONS, wordsOf } from "../../../events/vocabulary.ts";
import { listEndpoint } from "../kit/list-endpoint.ts";
import { OVERRIDE } from "../fields.ts";
import { KEY_FILTER, PRINCIPAL_FILTERS, REASON_RULE, TIME_FILTERS } from "../filters.ts";
import { idBounds, overridesFor } from "../interception-source.ts";
import { equals, equalsId, filter, oneOf } from "../kit/parameter.ts";
import { column, sql } from "../kit/sql.ts";
import { ACTOR_NAME, actorName } from "../user-dto.ts";

export const overrides = listEndpoint({
  path: "/overrides",
  summary: "Owner headers, newest first: who named whom",
  description: "One entry per request that named an owner, whether the assertion was accepted or rejected.",
  filters: {
    ...PRINCIPAL_FILTERS,
    api_key_id: KEY_FILTER,
    owner: equalsId("owner_id", "The id of the owner, where the assertion was accepted."),
    accepted: filter(
      oneOf(["true", "false"], null, "Whether the assertion was accepted."),
      (alias, value) => sql`${column(alias, "accepted")} = ${value === "true" ? 1 : 0}`,
    ),
    reason: {
      ...filter(
        oneOf(wordsOf(OWNER_REJECTIONS), null, "Why the assertion was rejected."),
        (alias, value) => sql`${column(alias, "reason")} = ${value}`,
      ),
      rule: REASON_RULE,
    },
    provider: equals("provider", "The provider's configured name."),
    ...TIME_FILTERS,
  },
  table: "initiator_overrides",
  alias: "o",
  fields: OVERRIDE,
  source: (sent, before) => overridesFor({ sent, alias: "o", ...idBounds(sent, before) }),
  extra: {
    schemas: { actor_name: ACTOR_NAME },
    columns: sql`COALESCE(
      (SELECT i.metadata FROM interceptions i WHERE i.id = o.interception_id),
      (SELECT p.metadata FROM passthroughs p WHERE p.id = o.interception_id)
    ) AS actor_metadata`,
    read: (row) => ({ actor_name: actorName(row["actor_metadata"]) }),
  },
});
