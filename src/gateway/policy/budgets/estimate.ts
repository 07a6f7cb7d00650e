/**
 * The usage and the cost of a call: at most, before it is made, and probably, where its end is not known. The figures stand in
 * docs/budgets.md.
 */
import type { RequestFigures } from "../../provider/request-figures.ts";
import { limitsOf } from "../../../shared/prices/model-limits.ts";
import type { QuoteCall } from "../../../shared/prices/pricing.ts";
import type { Measure } from "./rule.ts";

/** Of a text at most one token comes from so many bytes, and of the usual one. */
export const FEWEST_BYTES = 2;
export const USUAL_BYTES = 4;
/** Of a response as it arrives, with the framing of its events. */
export const RESPONSE_BYTES = 8;
/** Tokens of an image and of a file. */
export const IMAGE_TOKENS = 5_000;
export const FILE_TOKENS = 50_000;
/** Micro-dollars of a session of code, and of an image that a tool makes. */
export const SESSION_MICROS = 250_000;

/** Of a measure: null where no limit of it is known. */
export type Amounts = Readonly<Record<Measure, number | null>>;

/** Of a call that reserves nothing but itself. */
export const ONE_CALL: Amounts = { dollars: 0, tokens: 0, requests: 1, concurrent: 1 };
export const NOTHING: Amounts = { dollars: 0, tokens: 0, requests: 0, concurrent: 0 };
/** Of a call whose use has no limit. */
export const UNLIMITED: Amounts = { dollars: null, tokens: null, requests: 1, concurrent: 1 };

/** The greater amount of each measure; null, which is no limit, is greater than any. */
export function greatest(one: Amounts, other: Amounts): Amounts {
  const of = (measure: Measure): number | null => {
    const [a, b] = [one[measure], other[measure]];
    return a === null || b === null ? null : Math.max(a, b);
  };
  return {
    dollars: of("dollars"),
    tokens: of("tokens"),
    requests: of("requests"),
    concurrent: of("concurrent"),
  };
}

type Priced = { readonly provider: string; readonly at: number };

/** The most that the call may use. */
export function worstCase(figures: RequestFigures, priced: Priced, quote: QuoteCall): Amounts {
  const runs = figures.models.map((model) => mostOfModel(figures, model));
  const beside = [
    ...figures.fallbackModels.map((model) => mostOfModel(figures, model)),
    ...figures.toolModels.map((model) => mostOfModel({ ...figures, outputLimit: null }, model)),
  ];
  const costs = runs.map((run) => costOf(figures, run, priced, quote));
  const besideCosts = beside.map((run) => costOf(figures, run, priced, quote));
  const tokens = Math.max(...runs.map(({ input, output }) => input + output));
  return {
    ...ONE_CALL,
    tokens: bounded(tokens + sum(beside.map(({ input, output }) => input + output))),
    dollars: add(largest(costs), add(total(besideCosts), sessionsOf(figures))),
  };
}

/** The usage of a response, as far as it is known. */
export type Seen = {
  /** Cached input included. */
  readonly input: number | null;
  readonly output: number | null;
  /** Bytes of the response that arrived. */
  readonly responseBytes: number;
};

/** The probable usage, where the provider's figures are missing or partial. */
export function likelyCase(figures: RequestFigures, seen: Seen, priced: Priced, quote: QuoteCall): Amounts {
  const [model = null] = figures.models;
  const most = mostOfModel(figures, model);
  const text = Math.ceil(figures.textBytes / USUAL_BYTES);
  const input = seen.input ?? (figures.hasHiddenInput ? most.input : text + ofMedia(figures));
  const arrived = Math.ceil(seen.responseBytes / RESPONSE_BYTES);
  const output = Math.max(seen.output ?? 0, Math.min(most.output, arrived));
  return {
    ...ONE_CALL,
    tokens: input + output,
    dollars: add(costOf(figures, { model, input, output }, priced, quote), sessionsOf(figures)),
  };
}

/** Micro-dollars of the tools that are charged by the session, or by the image. */
export const sessionsOf = ({ sessions }: RequestFigures): number => sessions * SESSION_MICROS;

/** Tokens of the input alone, as a rate limit of tokens admits calls. */
export const likelyInput = (figures: RequestFigures): number =>
  Math.ceil(figures.textBytes / USUAL_BYTES) + ofMedia(figures);

type Run = { readonly model: string | null; readonly input: number; readonly output: number };

function mostOfModel(figures: RequestFigures, model: string | null): Run {
  const { context, output, isKnown } = limitsOf(model);
  const text = Math.ceil(figures.textBytes / FEWEST_BYTES);
  const input = figures.hasHiddenInput ? context : Math.min(context, text + ofMedia(figures));
  const limit = figures.outputLimit ?? output;
  const each = isKnown ? Math.min(output, limit) : limit;
  return { model, input, output: Math.min(Number.MAX_SAFE_INTEGER - input, each * figures.choices) };
}

const ofMedia = ({ images, files }: RequestFigures): number => images * IMAGE_TOKENS + files * FILE_TOKENS;

const costOf = (
  { hosted, terms }: RequestFigures,
  run: Run,
  { provider, at }: Priced,
  quote: QuoteCall,
): number | null => quote(provider, { ...run, hosted, terms, at });

type Cost = number | null;

/** Sums beyond this are not exact. */
const bounded = (amount: number): number => Math.min(amount, Number.MAX_SAFE_INTEGER);

const add = (one: Cost, other: Cost): Cost => (one === null || other === null ? null : bounded(one + other));
const total = (costs: readonly Cost[]): Cost => costs.reduce(add, 0);
const largest = (costs: readonly Cost[]): Cost =>
  costs.reduce((most, cost) => (most === null || cost === null ? null : Math.max(most, cost)), 0);
const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
