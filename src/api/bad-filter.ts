import { Refusal } from "../refusal.ts";

/** A query that cannot be answered, by the parameter at fault: a name of ours, never the caller's text. */
export function badFilter(name: string, why: string): Refusal {
  return new Refusal("filter_invalid", `${name} ${why}`, name);
}
