/** The text of src/shared/prices/price-table.ts, generated from the data set that tools/prices/source.ts names. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findProvider, type ConditionalPrice, type MatchLogic } from "@pydantic/genai-prices";
import prettier from "prettier";
import type {
  PricedModel,
  PriceList,
  PriceTable,
  Rate,
  RateName,
  Rates,
} from "../../src/shared/prices/model-price.ts";
import { EXTRA_MODELS, NOT_SOLD, ONLY, RESOLD, SERVED_LISTS, SOURCE } from "../prices/source.ts";
import { ROOT } from "../root.ts";

/** The data set's names of rates. One that is not listed has no use here: video, pages, storage. */
const NAMES: Readonly<Record<string, RateName>> = {
  input_mtok: "input",
  output_mtok: "output",
  cache_read_mtok: "cache_read",
  cache_write_mtok: "cache_write",
  cache_write_1h_mtok: "cache_write_1h",
  output_reasoning_mtok: "reasoning",
  input_audio_mtok: "input_audio",
  output_audio_mtok: "output_audio",
  input_image_mtok: "input_image",
  output_image_mtok: "output_image",
  web_searches_kcount: "web_search",
  storage_searches_kcount: "file_search",
  requests_kcount: "request",
  audio_hours: "audio_seconds",
  input_audio_hours: "audio_seconds",
};

function toMicros(dollars: number): number {
  const micros = Math.round(dollars * 1e6);
  if (Math.abs(dollars * 1e6 - micros) > 1e-6)
    throw new Error(`${dollars} dollars are not whole micro-dollars`);
  return micros;
}

function toRate(price: Price): Rate {
  if (typeof price === "number") return toMicros(price);
  const tiers = price.tiers.map(({ start, price: above }) => [start, toMicros(above)] as const);
  return [toMicros(price.base), ...tiers];
}

type Price = number | { readonly base: number; readonly tiers: readonly { start: number; price: number }[] };

function toRates(prices: Readonly<Record<string, Price | undefined>>): Rates {
  const rates: Partial<Record<RateName, Rate>> = {};
  for (const [key, price] of Object.entries(prices)) {
    const name = NAMES[key];
    if (name !== undefined && price !== undefined) rates[name] ??= toRate(price);
  }
  return rates;
}

const secondsOf = (time: string): number => {
  const [hours = 0, minutes = 0, seconds = 0] = time.replace("Z", "").split(":").map(Number);
  return hours * 3600 + minutes * 60 + seconds;
};

function toCondition({ constraint }: ConditionalPrice): string | readonly [number, number] | null {
  if (constraint === undefined) return null;
  if (constraint.type === "start_date") return constraint.start_date;
  return [secondsOf(constraint.start_time), secondsOf(constraint.end_time)];
}

function toPattern(match: MatchLogic): string | readonly string[] {
  if ("and" in match) return match.and.map((one) => toPattern(one) as string);
  if ("equals" in match) return `=${match.equals.toLowerCase()}`;
  if ("starts_with" in match) return `^${match.starts_with.toLowerCase()}`;
  if ("ends_with" in match) return `$${match.ends_with.toLowerCase()}`;
  if ("contains" in match) return `~${match.contains.toLowerCase()}`;
  if ("regex" in match) return `/${match.regex}`;
  throw new Error(`a pattern within a list: ${JSON.stringify(match)}`);
}

const toPatterns = (match: MatchLogic): PricedModel[0] =>
  "or" in match ? match.or.flatMap(toPatterns) : [toPattern(match)];

const providerOf = (name: string) => {
  const provider = findProvider({ providerId: name });
  if (!provider) throw new Error(`the data set has no ${name}`);
  return provider;
};

const addresses = (): Readonly<Record<string, string>> =>
  Object.fromEntries([
    ...SERVED_LISTS.map((name) => [name, providerOf(name).api_pattern]),
    ...Object.entries(RESOLD).map(([name, { address }]) => [name, address]),
  ]) as Readonly<Record<string, string>>;

function listOf(name: (typeof SERVED_LISTS)[number]): PriceList {
  const provider = providerOf(name);
  const extra = EXTRA_MODELS.filter(({ list }) => list === name).map(({ id, prices }): PricedModel => [
    [`^${id}`],
    toRates(prices),
  ]);
  const models = provider.models
    .filter(({ id }) => id.startsWith(ONLY[name] ?? "") && !id.startsWith(NOT_SOLD[name] ?? " "))
    .map(({ match, prices }): PricedModel => {
      const rates = Array.isArray(prices)
        ? prices.map((one) => [toCondition(one), toRates(one.prices)] as const)
        : toRates(prices);
      return [toPatterns(match), rates];
    });
  const fallback = provider.fallback_model_providers?.filter((other) =>
    (SERVED_LISTS as readonly string[]).includes(other),
  );
  return { ...(fallback && { fallback }), models: [...extra, ...models] };
}

export function makePriceTable(): PriceTable {
  const installed = JSON.parse(
    readFileSync(join(ROOT, "node_modules", SOURCE.package, "package.json"), "utf8"),
  ) as { version: string };
  if (installed.version !== SOURCE.version)
    throw new Error(
      `${SOURCE.package} is ${installed.version}: set its version and date in tools/prices/source.ts`,
    );
  const resold = Object.entries(RESOLD).map(
    ([name, { fallback }]) => [name, { fallback, models: [] }] as const,
  );
  return Object.fromEntries([...SERVED_LISTS.map((name) => [name, listOf(name)] as const), ...resold]);
}

export async function priceTableText(path: string): Promise<string> {
  const json = JSON.stringify(makePriceTable());
  const version = `${SOURCE.released}.${createHash("sha256").update(json).digest("hex").slice(0, 8)}`;
  const text = `/**
 * Prices of models as JSON, in whole micro-dollars: ${SOURCE.package} ${SOURCE.version} (${SOURCE.licence}, ${SOURCE.url}) of
 * ${SOURCE.released}, and the models of tools/prices/source.ts. Generated by \`npm run tables\`.
 */

/** When the prices were published, and the first digits of the table's SHA-256. */
export const PRICE_VERSION = "${version}";

/** The lists, each with the address of its API as a regular expression. */
export const PRICE_LISTS: Readonly<Record<string, string>> = ${JSON.stringify(addresses())};

export const PRICE_TABLE = ${JSON.stringify(json)};
`;
  return prettier.format(text, { ...(await prettier.resolveConfig(path)), filepath: path });
}
