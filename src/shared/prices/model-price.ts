/**
 * Finds a model's price in the price table. The table is JSON text (price-table.ts) that is parsed when the first call is
 * priced, so that a cold start does not pay for it.
 */
import { PRICE_LISTS, PRICE_TABLE } from "./price-table.ts";

/**
 * The names of rates. A rate is in whole micro-dollars: `audio_seconds` per hour, `web_search`, `file_search` and `request` per
 * thousand, all others per million tokens.
 */
export const RATE_NAMES = [
  "input",
  "output",
  "cache_read",
  "cache_write",
  "cache_write_1h",
  "reasoning",
  "input_audio",
  "output_audio",
  "input_image",
  "output_image",
  "web_search",
  "file_search",
  "request",
  "audio_seconds",
] as const;
export type RateName = (typeof RATE_NAMES)[number];

/** One rate, or the rates of requests by their size: each from more input tokens than the number before it, cached ones included. */
export type Rate = number | readonly [base: number, ...tiers: (readonly [above: number, rate: number])[]];
export type Rates = Readonly<Partial<Record<RateName, Rate>>>;

/** From a day on (RFC 3339, UTC), or within some hours of each day (seconds since midnight, UTC). */
type Condition = string | readonly [from: number, until: number] | null;

/**
 * A pattern of a model's name, in lower case: `=` the name, `^` its beginning, `$` its end, `~` a part of it, `/` a regular
 * expression. A list matches if all in it do.
 */
type Pattern = string | readonly string[];

export type PricedModel = readonly [
  patterns: readonly Pattern[],
  rates: Rates | readonly (readonly [Condition, Rates])[],
];

export type PriceList = {
  /** The lists in which a model is looked up that this one does not have. */
  readonly fallback?: readonly string[];
  readonly models: readonly PricedModel[];
};

export type PriceTable = Readonly<Record<string, PriceList>>;

let parsed: PriceTable | null = null;

export const priceTable = (): PriceTable => (parsed ??= JSON.parse(PRICE_TABLE) as PriceTable);

/** The name of the list whose API has this address; null where none has. */
export function priceListOf(url: string): string | null {
  for (const name in PRICE_LISTS) if (new RegExp(`^(?:${PRICE_LISTS[name]})`).test(url)) return name;
  return null;
}

/** The rates of a model at a time; null where the list does not have it. `at`: milliseconds since 1970. */
export function findRates(list: string, model: string, at: number, table = priceTable()): Rates | null {
  const found = findModel(list, model, table);
  if (found === null) return null;
  const [, rates] = found;
  return isConditional(rates) ? (ratesAt(rates, at) ?? null) : rates;
}

const isConditional = (rates: PricedModel[1]): rates is readonly (readonly [Condition, Rates])[] =>
  Array.isArray(rates);

/** Models that were looked up: most calls are for a few models. */
const lookups = new Map<string, PricedModel | null>();
const MAX_LOOKUPS = 200;

function findModel(list: string, model: string, table: PriceTable): PricedModel | null {
  const key = `${list}/${model}`;
  const known = table === parsed ? lookups.get(key) : undefined;
  if (known !== undefined) return known;
  const result = searchModel(list, model.toLowerCase(), table);
  if (table !== parsed) return result;
  if (lookups.size >= MAX_LOOKUPS) lookups.clear();
  lookups.set(key, result);
  return result;
}

function searchModel(list: string, model: string, table: PriceTable): PricedModel | null {
  const { models, fallback = [] } = table[list] ?? { models: [] };
  const own = models.find(([patterns]) => patterns.some((pattern) => matches(pattern, model)));
  if (own) return own;
  for (const other of fallback) {
    const result = searchModel(other, model, table);
    if (result) return result;
  }
  return null;
}

function matches(pattern: Pattern, model: string): boolean {
  if (typeof pattern !== "string") return pattern.every((one) => matches(one, model));
  const text = pattern.slice(1);
  switch (pattern[0]) {
    case "=":
      return model === text;
    case "^":
      return model.startsWith(text);
    case "$":
      return model.endsWith(text);
    case "~":
      return model.includes(text);
    default:
      return new RegExp(text).test(model);
  }
}

const DAY_MS = 86_400_000;

/** The last one whose condition holds. */
function ratesAt(all: readonly (readonly [Condition, Rates])[], at: number): Rates | undefined {
  const second = (at % DAY_MS) / 1000;
  const last = all.findLast(([condition]) => {
    if (condition === null) return true;
    if (typeof condition === "string") return at >= Date.parse(condition);
    const [from, until] = condition;
    return until < from ? second >= from || second < until : second >= from && second < until;
  });
  return (last ?? all[0])?.[1];
}
