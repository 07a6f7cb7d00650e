/** The data set that the price table is made of, and the rows and rules that it lacks. */

/** `released` is looked up by hand when the version changes: the package does not state it. */
export const SOURCE = {
  package: "@pydantic/genai-prices",
  version: "0.1.8",
  licence: "MIT",
  url: "https://github.com/pydantic/genai-prices",
  released: "2026-09-23",
} as const;

/** The served families, under the data set's names. */
export const SERVED_LISTS = [
  "openai",
  "anthropic",
  "azure",
  "google",
  "deepseek",
  "mistral",
  "x-ai",
] as const;

/** The beginning that an id must have, for lists whose other models are sold through an API that is not served. */
export const ONLY: Readonly<Record<string, string>> = { google: "gemini" };

/** The beginnings of ids in lists of vendors that do not sell these models, whose prices are others at each seller. */
export const NOT_SOLD: Readonly<Record<string, string>> = { openai: "gpt-oss" };

/** Lists without models of their own: the services sell those of another list (src/shared/prices/bedrock.ts). */
export const RESOLD = {
  bedrock: {
    address: String.raw`https://bedrock-(?:mantle\.[\w-]+\.api\.aws|runtime\.[\w-]+\.amazonaws\.com)(?:/|$)`,
    fallback: ["anthropic"],
  },
} as const;

type Dollars =
  number | { readonly base: number; readonly tiers: readonly { start: number; price: number }[] };
export type ExtraModel = {
  readonly list: (typeof SERVED_LISTS)[number];
  readonly id: string;
  readonly prices: Readonly<Record<string, Dollars>>;
};

const above100k = (base: number, price: number): Dollars => ({ base, tiers: [{ start: 100_000, price }] });

/**
 * Models that are newer than the data set, in dollars per million tokens. They come first, and match by the beginning.
 * https://platform.claude.com/docs/en/about-claude/pricing, read in November 2026
 */
export const EXTRA_MODELS: readonly ExtraModel[] = [
  {
    list: "anthropic",
    id: "claude-sonnet-5-5",
    prices: {
      input_mtok: 2,
      cache_write_mtok: 2.5,
      cache_write_1h_mtok: 4,
      cache_read_mtok: 0.1,
      output_mtok: 10,
      web_searches_kcount: 10,
    },
  },
  {
    list: "anthropic",
    id: "claude-haiku-5-5",
    prices: {
      input_mtok: above100k(0.1, 0.5),
      cache_write_mtok: above100k(0.125, 0.625),
      cache_write_1h_mtok: above100k(0.2, 1),
      cache_read_mtok: above100k(0.01, 0.05),
      output_mtok: above100k(0.5, 2.5),
      web_searches_kcount: 10,
    },
  },
];
