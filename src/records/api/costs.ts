/** The cost fields of a sum in a response. */
import * as schema from "../../shared/json-schema.ts";

export const COST_FIELDS = {
  cost_micros: schema.withDescription(
    schema.COUNT,
    "Millionths of a US dollar: the sum of the known costs, on the company's keys and on the clients' own.",
  ),
  unpriced: schema.withDescription(
    schema.COUNT,
    "Requests whose cost is not known, those that have not ended included: the sum is a lower bound.",
  ),
};
