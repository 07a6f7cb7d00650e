/** Computes the cost of a call: by the configured prices, by the provider's own word, or by the price table. */
import { BEDROCK, bedrockModel, bedrockTerms } from "./bedrock.ts";
import {
  contextOf,
  costOf,
  isLongContext,
  mostOf,
  type BilledUsage,
  type HostedCalls,
  type MostUsed,
} from "./cost.ts";
import { toMicros } from "./decimal.ts";
import { findRates, type Rates } from "./model-price.ts";
import { PRICE_VERSION } from "./price-table.ts";
import { STANDARD, tokenFactor, type Terms } from "./tiers.ts";

/** Each with its meaning: `COST_SOURCES` of events/vocabulary.ts. */
export const COST_SOURCE_WORDS = ["computed", "reported", "partial", "unpriced"] as const;
export type CostSource = (typeof COST_SOURCE_WORDS)[number];

export type CostFacts = {
  /** Whole micro-dollars, rounded up; null where the call has no price or its usage is not known. */
  readonly micros: number | null;
  readonly source: CostSource;
  /** Of the prices that the cost was computed with; null where none were. */
  readonly version: string | null;
};

export const UNPRICED: CostFacts = { micros: null, source: "unpriced", version: null };
/** Of a call that no model ran for. */
export const NOTHING: CostFacts = { micros: 0, source: "computed", version: null };
/** Of a response that the upstream says is from its cache. Its usage is that of the call that was stored. */
export const NOTHING_CACHED: CostFacts = { micros: 0, source: "reported", version: null };

/** The configured price of some models: that of another model, or rates of their own. */
export type ModelRule = {
  /** The model's name in lower case, or its beginning and a `*`. */
  readonly pattern: string;
  readonly price: { readonly as: string } | { readonly rates: Rates };
};

/** How a provider's calls are priced. */
export type ProviderPrices = {
  /** The name of the price list; null where only `models` have a price. */
  readonly list: string | null;
  /** The part of each price that is paid, in thousandths: 1000 without a discount. */
  readonly factor: number;
  readonly models: readonly ModelRule[];
};

export type PriceRules = {
  /** By the configured provider's name. */
  readonly providers: ReadonlyMap<string, ProviderPrices>;
  /** Tells the rules apart from those of another configuration; empty where none are configured. */
  readonly version: string;
};

/** A call whose response was observed. */
export type PricedCall = {
  /** The models that the request and the response name. */
  readonly requested: string | null;
  readonly served: string | null;
  /** null where no figure is known. */
  readonly usage: BilledUsage | null;
  /** Whether the usage is the provider's own closing figures. */
  readonly isFinal: boolean;
  readonly hosted: HostedCalls;
  /** Whether the call also costs what its figures do not say. */
  readonly hasMore: boolean;
  readonly terms: Terms;
  /** The provider's own statement, as a decimal number of dollars. */
  readonly reportedCost: string | null;
  /** Milliseconds since 1970. */
  readonly at: number;
};

export type PriceCall = (provider: string, call: PricedCall) => CostFacts;

/** A call before it is made. */
export type QuotedCall = MostUsed & {
  readonly model: string | null;
  readonly terms: Terms;
  /** Milliseconds since 1970. */
  readonly at: number;
};

/** The most that a call may cost, in whole micro-dollars; null where its model, or its tier, has no price. */
export type QuoteCall = (provider: string, call: QuotedCall) => number | null;

export function createPricing({ providers, version }: PriceRules): PriceCall {
  const priceVersion = version === "" ? PRICE_VERSION : `${PRICE_VERSION}+${version}`;
  return (provider, call) => {
    const prices = providers.get(provider);
    if (!prices) return UNPRICED;
    const names = namesOf(call);
    const rule = findRule(prices.models, names);
    const reported = rule === null ? reportedMicros(call) : null;
    if (reported !== null) return { micros: reported, source: "reported", version: null };
    if (call.usage === null) return UNPRICED;
    const { terms, at, usage } = call;
    const found = ratesFor(prices, rule, { names, terms, at, context: contextOf(usage) });
    if (found === null || !isMeasured(call.usage, found.rates)) return UNPRICED;
    const cost = costOf(call.usage, call.hosted, found.rates, { tokens: found.factor, all: prices.factor });
    if (cost === null) return UNPRICED;
    const isWhole = cost.isWhole && call.isFinal && !call.hasMore;
    return { micros: cost.micros, source: isWhole ? "computed" : "partial", version: priceVersion };
  };
}

export function createQuoting({ providers }: PriceRules): QuoteCall {
  return (provider, { model, input, output, hosted, terms, at }) => {
    const prices = providers.get(provider);
    // A request cannot make a batch of itself: a server that ignores the word runs it at the full price.
    if (!prices || model === null || terms.serviceTier?.toLowerCase() === "batch") return null;
    const rule = findRule(prices.models, [model]);
    const found = ratesFor(prices, rule, { names: [model], terms, at, context: input });
    return (
      found && mostOf({ input, output, hosted }, found.rates, { tokens: found.factor, all: prices.factor })
    );
  };
}

/** Without a figure of tokens, or of audio that is charged by its length, a price of the rest alone would be far too low. */
const isMeasured = (usage: BilledUsage, rates: Rates): boolean =>
  (rates.audio_seconds !== undefined && usage.extras["audio_seconds"] !== undefined) ||
  usage.input_tokens !== null ||
  usage.output_tokens !== null ||
  usage.cache_read_input_tokens !== null ||
  usage.cache_write_input_tokens !== null;

/** The names of a call's model: the one that responded counts before the requested one, which may be an alias. */
const namesOf = ({ served, requested }: PricedCall): readonly string[] =>
  [served, requested].filter((name) => name !== null);

function findRule(models: readonly ModelRule[], names: readonly string[]): ModelRule | null {
  // A deployment's own name is in the request only.
  const lower = names.map((name) => name.toLowerCase());
  return models.find(({ pattern }) => lower.some((name) => matchesName(pattern, name))) ?? null;
}

export const matchesName = (pattern: string, name: string): boolean =>
  pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

/** OpenRouter's `cost` is its fee alone where the client has a key of its own there; the provider behind it charges the rest. */
function reportedMicros({ reportedCost, usage }: PricedCall): number | null {
  const cost = reportedCost === null ? null : toMicros(reportedCost);
  if (cost === null || usage?.extras["is_byok"] !== 1) return cost;
  const behind = toMicros(String(usage.extras["upstream_inference_cost"] ?? ""));
  return behind === null ? null : cost + behind;
}

type FoundRates = { readonly rates: Rates; readonly factor: number };

/** A call whose price is looked up. `names`: of its model, the first one with a price counts. */
type Lookup = {
  readonly names: readonly string[];
  readonly terms: Terms;
  readonly at: number;
  /** Tokens of the input. */
  readonly context: number;
};

/** null where no price, or no factor for the call's tier, is known. */
function ratesFor(
  { list }: ProviderPrices,
  rule: ModelRule | null,
  { names, terms, at, context }: Lookup,
): FoundRates | null {
  if (rule && "rates" in rule.price) return { rates: rule.price.rates, factor: STANDARD };
  if (list === null) return null;
  const all = rule && "as" in rule.price ? [rule.price.as] : names;
  const isBedrock = list === BEDROCK;
  const ofPlace = isBedrock ? bedrockTerms([...all, ...names], terms) : terms;
  for (const name of all) {
    const model = isBedrock ? bedrockModel(name) : name;
    const rates = model === null ? null : findRates(list, model, at);
    if (model === null || rates === null) continue;
    const factor = tokenFactor(list, model, ofPlace, isLongContext(rates, context));
    return factor === null ? null : { rates, factor };
  }
  return null;
}
