/**
 * POST /explain: documented here with the rest of the API, and served by the gateway, because only the gateway can decide
 * about a request.
 */
import { EXPLAIN_INPUT_SCHEMA, EXPLANATION_SCHEMA } from "../../../events/explanation-schema.ts";
import { EXPLAIN_RULES } from "../../../events/explanation.ts";
import { OWN_ROUTE_SCOPES } from "../../../shared/api-routes.ts";
import { endpoint } from "../kit/endpoint.ts";

export const explain = endpoint({
  path: "/explain",
  scope: OWN_ROUTE_SCOPES.explain,
  summary: "What would happen to a request, and why",
  description:
    "Decides about a described request as about one that was sent: by its method, path and headers. Nothing is forwarded and nothing is recorded. Neither the body's content nor whether a signature has been used before is known. Served by the gateway, also where it is requested from a records Worker that is bound to it.",
  filters: {},
  parameters: {},
  body: { schema: EXPLAIN_INPUT_SCHEMA, rules: EXPLAIN_RULES },
  response: EXPLANATION_SCHEMA,
});
