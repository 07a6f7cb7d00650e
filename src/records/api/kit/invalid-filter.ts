import { Refusal } from "../../../shared/refusal.ts";

/** A query that cannot be answered, by the parameter at fault: a name of ours, never the caller's text. */
export function invalidFilter(name: string, why: string): Refusal {
  return new Refusal("filter_invalid", { detail: `${name} ${why}`, param: name });
}

/** A misspelt parameter is named, so that it is found; any other text of the caller's is not repeated. */
const WORD = /^[a-z][a-z0-9_]{0,39}$/;

/** A parameter that the endpoint does not have: told to who asks, and not to the log. */
export function unknownFilter(name: string): Refusal {
  return new Refusal("filter_unknown", { param: WORD.test(name) ? name : "query" });
}
