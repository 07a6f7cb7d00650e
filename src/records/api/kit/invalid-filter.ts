import { Refusal } from "../../../shared/refusal.ts";

/** Refuses a query parameter's value. `name` is one of the API's own names, never text of the caller. */
export function invalidFilter(name: string, why: string): Refusal {
  return new Refusal("filter_invalid", { detail: `${name} ${why}`, param: name });
}
