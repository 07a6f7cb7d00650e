/** GET /passthroughs: requests that were forwarded without being intercepted. */
import { EXPLAIN_RULES } from "../../../events/explanation.ts";
import { meanings, PASSTHROUGH_OUTCOMES } from "../../../events/vocabulary.ts";
import { PASSTHROUGH } from "../fields.ts";
import { KEY_FILTER, OBJECT_FILTER, PRINCIPAL_FILTERS, PROPERTY_FILTERS, TIME_FILTERS } from "../filters.ts";
import { listEndpoint } from "../kit/list-endpoint.ts";
import { equals, filter, integer, oneOf } from "../kit/parameter.ts";
import { text, textOrNull } from "../kit/row-mapper.ts";
import { column, sql } from "../kit/sql.ts";
import { isActorRow, toUserDto, USER } from "../user-dto.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;
const METHOD = filter(
  oneOf(METHODS, null, "The request's method."),
  (alias, value) => sql`${column(alias, "method")} = ${value}`,
);
const STATUS = filter<number>(
  {
    ...integer(100, 599, 100, "HTTP status that the client got."),
    schema: { type: "integer", minimum: 100, maximum: 599 },
    absent: null,
  },
  (alias, value) => sql`${column(alias, "status")} = ${value}`,
);

const { client, provider, provider_name, provider_type } = PROPERTY_FILTERS;
const { attribution, outcome, chat_id, workspace_id } = PROPERTY_FILTERS;

export const passthroughs = listEndpoint({
  path: "/passthroughs",
  summary: "Requests that were forwarded without being intercepted, newest first",
  description:
    "Management requests, such as those for files, batches and models. Their bodies are not recorded; `object_ids` has the stored objects that they named. A model call is an interception.",
  filters: {
    ...PRINCIPAL_FILTERS,
    api_key_id: KEY_FILTER,
    object_id: OBJECT_FILTER,
    client,
    provider,
    provider_name,
    provider_type,
    route: equals("route", "The route below the provider: `/files`."),
    // The explained method of another endpoint has this name too, and an error names only the parameter.
    method: { ...METHOD, rule: EXPLAIN_RULES["method"] ?? METHOD.rule },
    status: STATUS,
    attribution,
    outcome: {
      ...outcome,
      description: `How the passthrough ended. ${meanings({
        ...PASSTHROUGH_OUTCOMES,
        orphaned: "the end event was never recorded",
        open: "the passthrough has not ended",
      })}`,
    },
    chat_id,
    workspace_id,
    ...TIME_FILTERS,
  },
  table: "passthroughs",
  alias: "p",
  fields: PASSTHROUGH,
  extra: {
    schemas: { initiator: USER },
    read: (row) => ({
      initiator: toUserDto({
        id: text(row["initiator_id"]),
        ownerName: textOrNull(row["initiator_name"]),
        isActor: isActorRow(row),
        metadata: row["metadata"],
      }),
    }),
  },
});
