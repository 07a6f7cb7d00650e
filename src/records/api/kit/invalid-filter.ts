import { Refusal } from "../../../shared/refusal.ts";

/** Refuses a query parameter's value. `name` is one of the API's own names, never text of the caller. */
export function invalidFilter(name: string, why: string): Refusal {
  return new Refusal("filter_invalid", { detail: `${name} ${why}`, param: name });
}

/** A name that looks like a misspelled parameter is repeated in the response; any other text of the caller is not. */
const WORD = /^[a-z][a-z0-9_]{0,39}$/;

/** Refuses a parameter that the endpoint does not have. The name goes to the client only, not to the log (no `detail`). */
export function unknownFilter(name: string): Refusal {
  return new Refusal("filter_unknown", { param: WORD.test(name) ? name : "query" });
}
