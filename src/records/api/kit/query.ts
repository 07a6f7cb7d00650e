/** Parses a query string with an endpoint's parameters. Refuses `filter_invalid` and `filter_unknown` by parameter name. */
import type { Refusal } from "../../../shared/refusal.ts";
import { unknownFilter } from "../../../shared/unknown-filter.ts";
import { invalidFilter } from "./invalid-filter.ts";
import { anyText, type Parameter } from "./parameter.ts";
import { readTerms } from "./search-terms.ts";

export type Parameters = Readonly<Record<string, Parameter<unknown>>>;

export type Values<P extends Parameters> = {
  readonly [Name in keyof P]: P[Name] extends Parameter<infer T> ? T : never;
};

/** Coder's keys in `q`. */
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
    `The same filters in Coder's form: \`key:value key:"quoted value"\`. Keys: ${[...TERM_KEYS].join(", ")}. The key \`provider\` means the provider's type when its value is one of ${[...TYPES].join(", ")}. A key must not be repeated as a parameter of its own.`,
  ),
  schema: { type: "string" },
  rule: 'must consist of terms such as key:value key:"quoted value", each key once and not also a parameter of its own',
  // Coder's own client sends an empty `q` when it does not search.
  read: (text: string): string => text,
} satisfies Parameter<string | null>;

/** The query's texts by parameter name: each name known, each sent once. */
export function readTexts(search: string, parameters: Parameters): ReadonlyMap<string, string> | Refusal {
  const texts = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(search)) {
    if (!Object.hasOwn(parameters, name)) return unknownFilter(name);
    if (texts.has(name)) return invalidFilter(name, "is sent twice");
    texts.set(name, value);
  }
  const terms = readTerms(texts.get("q") ?? "");
  if (!terms) return invalidFilter("q", "does not consist of terms");
  for (const [key, value] of terms) {
    if (!TERM_KEYS.has(key) || !Object.hasOwn(parameters, key))
      return invalidFilter("q", "has an unknown key");
    const name = key === "provider" && TYPES.has(value) ? "provider_type" : key;
    if (texts.has(key) || texts.has(name)) return invalidFilter("q", "repeats a key or a parameter");
    texts.set(name, value);
  }
  return texts;
}

/** The parsed values of these parameters. A parameter that is not sent has its `absent` value. */
export function readValues<const P extends Parameters>(
  texts: ReadonlyMap<string, string>,
  parameters: P,
): Values<P> | Refusal {
  const values: Record<string, unknown> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const text = texts.get(name);
    const value = text === undefined ? parameter.absent : parameter.read(text);
    if (value === undefined) return invalidFilter(name, "is not valid");
    values[name] = value;
  }
  // One value per parameter, under its name.
  return values as Values<P>;
}
