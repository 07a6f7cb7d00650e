import { Refusal } from "./refusal.ts";

/** A name that looks like a misspelled parameter is repeated in the response; any other text of the caller is not. */
const WORD = /^[a-z][a-z0-9_]{0,39}$/;

/** Refuses a query parameter that is not known. The name goes to the client only, not to the log (no `detail`). */
export function unknownFilter(name: string): Refusal {
  return new Refusal("filter_unknown", { param: WORD.test(name) ? name : "query" });
}
