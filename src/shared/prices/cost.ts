/** The cost of one call in whole micro-dollars, rounded up once. The sums before it are of whole numbers, so that they are exact. */
import type { Rate, RateName, Rates } from "./model-price.ts";

/** The usage of a call, as far as it is known. Input without cached tokens. */
export type BilledUsage = {
  readonly input_tokens: number | null;
  readonly output_tokens: number | null;
  readonly cache_read_input_tokens: number | null;
  readonly cache_write_input_tokens: number | null;
  /** The dialects' further figures, under their names. */
  readonly extras: Readonly<Record<string, number>>;
};

/** Tools that the provider ran and charges for by the call. */
export type HostedCalls = { readonly webSearches: number; readonly fileSearches: number };

/** The units of each rate, where they are not a million tokens. */
const PER: Readonly<Partial<Record<RateName, bigint>>> = {
  web_search: 1000n,
  file_search: 1000n,
  request: 1000n,
  audio_seconds: 3600n,
};
const PER_TOKENS = 1_000_000n;
/** A multiple of every `PER`. */
const COMMON = 9_000_000n;
/** Factors are in thousandths: that of tokens and the discount. */
const FACTORS = 1_000_000n;

type Quantity = readonly [name: RateName, amount: number];

/** The quantities of a call under the names of their rates. Parts that a list has no rate for count as the whole they are part of. */
function quantities(
  usage: BilledUsage,
  { webSearches, fileSearches }: HostedCalls,
  rates: Rates,
): Quantity[] {
  const { extras } = usage;
  const rest = { input: usage.input_tokens ?? 0, output: usage.output_tokens ?? 0 };
  const read = usage.cache_read_input_tokens ?? 0;
  const written = usage.cache_write_input_tokens ?? 0;
  const all: Quantity[] = [];
  const take = (of: keyof typeof rest, name: RateName, amount = 0): void => {
    const part = rates[name] === undefined ? 0 : Math.min(amount, rest[of]);
    rest[of] -= part;
    if (part > 0) all.push([name, part]);
  };
  take("input", "input_audio", extras["prompt_audio"]);
  take("input", "input_image", extras["prompt_image"]);
  take("output", "output_audio", extras["completion_audio"]);
  take("output", "output_image", extras["completion_image"]);
  take(
    "output",
    "reasoning",
    extras["completion_reasoning"] ?? extras["output_reasoning"] ?? extras["reasoning_tokens"],
  );
  const long = Math.min(extras["cache_ephemeral_1h_input"] ?? 0, written);
  const searches = extras["web_search_requests"] ?? extras["num_search_queries"] ?? webSearches;
  all.push(
    ["input", rest.input],
    ["output", rest.output],
    ["cache_read", read],
    ["cache_write", written - long],
    ["cache_write_1h", long],
    ["web_search", searches],
    ["file_search", fileSearches],
    ["request", rates.request === undefined ? 0 : 1],
    ["audio_seconds", extras["audio_seconds"] ?? 0],
  );
  return all;
}

/** The rate that counts for a part without a rate. */
const INSTEAD: Readonly<Partial<Record<RateName, RateName>>> = {
  cache_read: "input",
  cache_write: "input",
  cache_write_1h: "cache_write",
};

function rateOf(name: RateName, rates: Rates): Rate | undefined {
  const instead = INSTEAD[name];
  return rates[name] ?? (instead === undefined ? undefined : rateOf(instead, rates));
}

/** Tokens of the input, cached ones included: they decide a rate's tier. */
export const contextOf = (usage: BilledUsage): number =>
  (usage.input_tokens ?? 0) + (usage.cache_read_input_tokens ?? 0) + (usage.cache_write_input_tokens ?? 0);

const tierOf = (rate: Rate, context: number): number =>
  typeof rate === "number"
    ? rate
    : rate.reduce<number>(
        (now, tier) => (typeof tier !== "number" && context > tier[0] ? tier[1] : now),
        rate[0],
      );

/** Whether the input is so long that some rate is not its first one. */
export const isLongContext = (rates: Rates, context: number): boolean =>
  Object.values(rates).some((rate) => typeof rate !== "number" && (rate[1]?.[0] ?? Infinity) < context);

export type Factors = {
  /** Of tokens, in thousandths. */
  readonly tokens: number;
  /** Of everything: a discount, in thousandths. */
  readonly all: number;
};

export type Cost = {
  readonly micros: number;
  /** Whether everything that was used has a rate. */
  readonly isWhole: boolean;
};

/** null where not a single part of the usage has a rate, or the sum exceeds 2^53 - 1. */
export function costOf(
  usage: BilledUsage,
  hosted: HostedCalls,
  rates: Rates,
  { tokens, all }: Factors,
): Cost | null {
  const context = contextOf(usage);
  let sum = 0n;
  let priced = 0;
  let isWhole = true;
  // Of audio that is charged by its length, tokens are not.
  const isByLength = rates.audio_seconds !== undefined && (usage.extras["audio_seconds"] ?? 0) > 0;
  for (const [name, amount] of quantities(usage, hosted, rates)) {
    const rate = rateOf(name, rates);
    if (rate === undefined) {
      isWhole &&= amount === 0 || (isByLength && (name === "input" || name === "output"));
      continue;
    }
    priced += 1;
    if (amount === 0) continue;
    const per = PER[name];
    const factor = BigInt(per === undefined ? tokens : 1000) * BigInt(all);
    sum += (BigInt(amount) * BigInt(tierOf(rate, context)) * factor * COMMON) / (per ?? PER_TOKENS);
  }
  const micros = Number((sum + COMMON * FACTORS - 1n) / (COMMON * FACTORS));
  return priced === 0 || !Number.isSafeInteger(micros) ? null : { micros, isWhole };
}

/** The most that a call may use. */
export type MostUsed = {
  readonly input: number;
  readonly output: number;
  readonly hosted: HostedCalls;
};

const INPUT_RATES: readonly RateName[] = [
  "input",
  "cache_write",
  "cache_write_1h",
  "input_audio",
  "input_image",
];
const OUTPUT_RATES: readonly RateName[] = ["output", "reasoning", "output_audio", "output_image"];

/** The cost of a call whose tokens are all of the dearest kind. null where input, or output that there is, has no rate. */
export function mostOf(
  { input, output, hosted }: MostUsed,
  rates: Rates,
  { tokens, all }: Factors,
): number | null {
  const dearest = (names: readonly RateName[]): number =>
    Math.max(...names.map((name) => tierOf(rates[name] ?? -1, input)));
  const [ofInput, ofOutput] = [dearest(INPUT_RATES), dearest(OUTPUT_RATES)];
  const byTime = rates.request !== undefined || rates.audio_seconds !== undefined;
  if ((ofInput < 0 && !byTime) || (output > 0 && ofOutput < 0 && !byTime)) return null;
  const inTokens =
    BigInt(Math.max(0, ofInput)) * BigInt(input) + BigInt(Math.max(0, ofOutput)) * BigInt(output);
  const beside: readonly (readonly [RateName, number])[] = [
    ["request", 1],
    ["web_search", hosted.webSearches],
    ["file_search", hosted.fileSearches],
    ["audio_seconds", rates.audio_seconds === undefined ? 0 : MOST_AUDIO_S],
  ];
  let sum = (inTokens * BigInt(tokens) * BigInt(all) * COMMON) / PER_TOKENS;
  for (const [name, amount] of beside) {
    const rate = BigInt(tierOf(rates[name] ?? 0, input));
    sum += (rate * BigInt(amount) * 1000n * BigInt(all) * COMMON) / (PER[name] ?? PER_TOKENS);
  }
  const micros = Number((sum + COMMON * FACTORS - 1n) / (COMMON * FACTORS));
  return Number.isSafeInteger(micros) ? micros : Number.MAX_SAFE_INTEGER;
}

/** The providers' limit of a file of 25 MB has about this much speech. */
const MOST_AUDIO_S = 7200;
