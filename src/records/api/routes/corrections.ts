/** POST /spend/corrections: documented here with the rest of the API, and served by the gateway, which records events. */
import { MAX_CORRECTIONS, MAX_POSITIONS, MAX_CAUSE } from "../../../events/cost-correction.ts";
import { CORRECTED_RECORDS, COST_SOURCES, wordsOf } from "../../../events/vocabulary.ts";
import { OWN_ROUTE_SCOPES } from "../../../shared/api-routes.ts";
import * as schema from "../../../shared/json-schema.ts";
import { endpoint } from "../kit/endpoint.ts";

const COST = {
  cost_micros: schema.orNull(schema.COUNT),
  cost_source: { type: "string", enum: wordsOf(COST_SOURCES) },
  price_version: schema.orNull(schema.TEXT),
};

const CORRECTION = schema.object({
  interception_id: schema.UUID,
  position: { ...schema.COUNT, maximum: MAX_POSITIONS - 1 },
  corrects: { type: "string", enum: wordsOf(CORRECTED_RECORDS) },
  ...COST,
  former_cost_micros: COST.cost_micros,
  former_cost_source: COST.cost_source,
  former_price_version: COST.price_version,
});

export const costCorrections = endpoint({
  path: "/spend/corrections",
  scope: OWN_ROUTE_SCOPES["spend/corrections"],
  summary: "Corrects the costs of recorded calls",
  description:
    "Used by `npm run reprice`, which computes the costs. Each correction is an event `cost_correction`. The record of the call does not change. A correction with the position of a stored correction is the same event, and counts once. Served by the gateway, also where it is requested from a records Worker that is bound to it.",
  filters: {},
  parameters: {},
  records: false,
  body: {
    schema: {
      type: "object",
      additionalProperties: false,
      required: ["cause", "corrections"],
      properties: {
        cause: { type: "string", minLength: 1, maxLength: MAX_CAUSE },
        corrections: { type: "array", minItems: 1, maxItems: MAX_CORRECTIONS, items: CORRECTION },
      },
    },
    rules: {
      cause: `must be a text of at most ${MAX_CAUSE} characters`,
      corrections: `must have from 1 to ${MAX_CORRECTIONS} corrections with all fields; a cost is null exactly where it is unpriced`,
    },
  },
  response: schema.object({ recorded: schema.COUNT }),
});
