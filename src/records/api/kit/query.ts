/** Reads a request's query by the parameters that an endpoint has; refuses `filter_invalid` and `filter_unknown` by the parameter's name. */
import type { Refusal } from "../../../shared/refusal.ts";
import { invalidFilter, unknownFilter } from "./invalid-filter.ts";
import { anyText, type Parameter } from "./parameter.ts";
import { readTerms } from "./search-terms.ts";

export type Parameters = Readonly<Record<string, Parameter<unknown>>>;

export type Values<P extends Parameters> = {
  readonly [Name in keyof P]: P[Name] extends Parameter<infer T> ? T : never;
};

/** What can be searched for in `q`: Coder's keys. */
const TERM_KEYS: ReadonlySet<string> = new Set([
  "initiator",
  "provider",
  "provider_name",
  "model",
  "client",
  "session_id",
  "started_after",
  "started_before",
]);

/** Coder's `provider` is a provider's type; `provider_name` is its name. */
const TYPES: ReadonlySet<string> = new Set(["openai", "anthropic", "copilot"]);

export const SEARCH = {
  ...anyText(
    `The same filters in Coder's form: \`key:value key:"quoted value"\`. Keys: ${[...TERM_KEYS].join(", ")}; \`provider\` is the type where it says ${[...TYPES].join(", ")}. What is given here is not given as a parameter too.`,
  ),
  schema: { type: "string" },
  rule: 'terms such as key:value key:"quoted value", each key once and not beside the parameter of its name',
  // Coder's own client sends it empty when it searches for nothing.
  read: (sent: string): string => sent,
} satisfies Parameter<string | null>;

/** The query's texts by their parameters' names: each known, none said twice. */
export function readTexts(search: string, parameters: Parameters): ReadonlyMap<string, string> | Refusal {
  const sent = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    if (!Object.hasOwn(parameters, name)) return unknownFilter(name);
    if (sent.has(name)) return invalidFilter(name, "is sent twice");
    sent.set(name, value);
  }
  const terms = readTerms(sent.get("q") ?? "");
  if (!terms) return invalidFilter("q", "is not made of terms");
  for (const [key, value] of terms) {
    if (!TERM_KEYS.has(key) || !Object.hasOwn(parameters, key))
      return invalidFilter("q", "has a key that is not known");
    const name = key === "provider" && TYPES.has(value) ? "provider_type" : key;
    if (sent.has(key) || sent.has(name)) return invalidFilter("q", "says something twice");
    sent.set(name, value);
  }
  return sent;
}

/** The good values of these parameters; those that were not sent are as they are then. */
export function readValues<const P extends Parameters>(
  sent: ReadonlyMap<string, string>,
  parameters: P,
): Values<P> | Refusal {
  const values: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const given = sent.get(name);
    const value = given === undefined ? parameter.absent : parameter.read(given);
    if (value === undefined) return invalidFilter(name, "cannot be read");
    values[name] = value;
  }
  // Read by `parameters`, name for name.
  return values as Values<P>;
}
