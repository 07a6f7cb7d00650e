/**
 * The factors by which a service tier, a speed and a place change the price of tokens, in thousandths: the price list has standard
 * prices only.
 * null: no factor is known, so that the call has no price rather than a wrong one.
 *
 * - OpenAI: batches and flex cost half; priority by model, without long context. https://openai.com/api-priority-processing/
 * - Anthropic: https://platform.claude.com/docs/en/about-claude/pricing (batches, fast mode, data residency). Priority there is
 *   committed capacity that was paid for before.
 */

export const STANDARD = 1000;
const HALF = 500;

export type Terms = {
  /** The service tier, the speed and the place that the provider states, each in its word. */
  readonly serviceTier: string | null;
  readonly speed: string | null;
  readonly inferenceGeo: string | null;
  /** The call was part of a batch. */
  readonly isBatch: boolean;
};

const DATE = /-\d{4}-?\d{2}-?\d{2}$/;
const withoutDate = (model: string): string => model.toLowerCase().replace(DATE, "");

const OPENAI_PRIORITY: Readonly<Record<string, number>> = {
  "gpt-5.5": 2500,
  "gpt-5.4": 2000,
  "gpt-5.4-mini": 2000,
  "gpt-5.2": 2000,
  "gpt-5.1": 2000,
  "gpt-5.1-codex": 2000,
  "gpt-5": 2000,
  "gpt-5-codex": 2000,
  "gpt-5-mini": 1800,
  "gpt-4.1": 1750,
  "gpt-4.1-mini": 1750,
  "gpt-4.1-nano": 2000,
  "gpt-4o": 1700,
};

const ANTHROPIC_FAST: Readonly<Record<string, number>> = {
  "claude-opus-4-6": 6000,
  "claude-opus-4-7": 6000,
  "claude-opus-4-8": 2000,
  "claude-opus-5": 2000,
};

/** The product of all factors, in thousandths. `isLong`: the request is in a tier of longer contexts. */
export function tokenFactor(list: string, model: string, terms: Terms, isLong: boolean): number | null {
  const factors = [
    tierFactor(list, model, terms, isLong),
    speedFactor(model, terms.speed),
    placeFactor(terms.inferenceGeo),
  ];
  return factors.reduce<number | null>(
    (product, factor) => (product === null || factor === null ? null : (product * factor) / STANDARD),
    STANDARD,
  );
}

const STANDARD_TIERS = new Set(["default", "standard", "standard_only", "auto", "on_demand"]);

function tierFactor(
  list: string,
  model: string,
  { serviceTier, isBatch }: Terms,
  isLong: boolean,
): number | null {
  const tier = serviceTier?.toLowerCase() ?? "default";
  if (isBatch || tier === "batch") return HALF;
  if (STANDARD_TIERS.has(tier)) return STANDARD;
  if (list !== "openai") return null;
  if (tier === "flex") return HALF;
  return tier === "priority" && !isLong ? (OPENAI_PRIORITY[withoutDate(model)] ?? null) : null;
}

function speedFactor(model: string, speed: string | null): number | null {
  if (speed === null || speed === "standard") return STANDARD;
  return speed === "fast" ? (ANTHROPIC_FAST[withoutDate(model)] ?? null) : null;
}

/** Cents of a dollar more for a place that the caller chose. */
function placeFactor(geo: string | null): number | null {
  if (geo === null || geo === "global" || geo === "not_available") return STANDARD;
  return geo === "us" ? 1100 : null;
}
