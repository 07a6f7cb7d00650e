/** The config's `PRICES`, validated: how the calls of each provider are priced. */
import { asTable, Fields, type ReportIssue } from "../../shared/config/fields.ts";
import { PRICE_LISTS } from "../../shared/prices/price-table.ts";
import { RATE_NAMES, priceListOf, type RateName, type Rates } from "../../shared/prices/model-price.ts";
import type { ModelRule, PriceRules, ProviderPrices } from "../../shared/prices/pricing.ts";
import type { Provider } from "../provider/provider.ts";

/** `value`: null where `PRICES` is not set. */
export function readPrices(
  value: unknown,
  providers: ReadonlyMap<string, Provider>,
  report: ReportIssue,
): PriceRules {
  const table = value === null ? {} : (asTable(value, "PRICES", report) ?? {});
  for (const name of Object.keys(table))
    if (!providers.has(name)) report(`PRICES.${name}`, "must be the name of a provider in PROVIDERS");
  const prices = Array.from(providers.values(), (provider) => {
    const path = `PRICES.${provider.name}`;
    const settings = table[provider.name] === undefined ? {} : asTable(table[provider.name], path, report);
    return [provider.name, readProvider(provider, new Fields(settings ?? {}, path, report))] as const;
  });
  return { providers: new Map(prices), version: value === null ? "" : shortHash(JSON.stringify(table)) };
}

const NONE = "none";

function readProvider(provider: Provider, fields: Fields): ProviderPrices {
  const list = fields.oneOf("list", [...Object.keys(PRICE_LISTS), NONE], defaultList(provider));
  const percent = fields.number("discount_percent", 0, 100, 0);
  const models = fields.nested("models");
  const rules = models === null ? [] : Object.keys(models.table).flatMap((name) => readModel(name, models));
  fields.rejectUnknown();
  return { list: list === NONE ? null : list, factor: Math.round(1000 - 10 * percent), models: rules };
}

/** By the address; of another one, such as a proxy's, the dialect's own vendor, whose models have names of their own. */
function defaultList({ baseUrl, dialect }: Provider): string {
  const byUrl = priceListOf(baseUrl);
  return byUrl ?? (dialect.type in PRICE_LISTS ? dialect.type : NONE);
}

function readModel(name: string, models: Fields): ModelRule[] {
  const fields = models.nested(name);
  if (fields === null) return [];
  if (!/^[^*]+\*?$/.test(name)) {
    models.reject(name, "must be a model's name, or its beginning and a *");
    return [];
  }
  const pattern = name.toLowerCase();
  const as = fields.text("as");
  const rates: Partial<Record<RateName, number>> = {};
  for (const rate of RATE_NAMES) {
    const dollars = fields.number(rate, 0, MAX_DOLLARS, ABSENT);
    if (dollars === ABSENT) continue;
    if (as !== null) fields.reject(rate, "does not apply beside `as`");
    rates[rate] = Math.round(dollars * 1e6);
  }
  fields.rejectUnknown();
  if (as !== null) return [{ pattern, price: { as } }];
  if (Object.keys(rates).length === 0) {
    models.reject(name, "must have a price, or the name of a model as `as`");
    return [];
  }
  return [{ pattern, price: { rates: rates as Rates } }];
}

/** Per million tokens. */
const MAX_DOLLARS = 1_000_000;
const ABSENT = -1;

/** FNV-1a, 32 bits: it only tells versions apart. `config_version` is a SHA-256 of all settings. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}
