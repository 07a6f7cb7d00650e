/**
 * Costs in the columns of FOCUS 1.2, the FinOps Open Cost and Usage Specification, for tools that import it: one charge for each
 * group of a day. https://focus.finops.org/focus-specification/v1-2/
 *
 * The costs are computed by this gateway, not billed: each of the four cost columns has the same figure, and no invoice is named.
 */
import type { Cell, Table } from "../../shared/csv.ts";
import type { GroupBy } from "./groups.ts";
import { dollars } from "./kit/money.ts";
import type { SpendResult } from "./spend-result.ts";
import { TOKEN_COLUMNS } from "./tokens.ts";

const DAY_MS = 86_400_000;

type Charge = { readonly group_by: GroupBy; readonly result: SpendResult; readonly day: string };

const startOf = (day: string): string => `${day}T00:00:00Z`;
const endOf = (day: string): string =>
  `${new Date(Date.parse(startOf(day)) + DAY_MS).toISOString().slice(0, 19)}Z`;
const monthOf = (day: string): string => `${day.slice(0, 7)}-01T00:00:00Z`;
function nextMonthOf(day: string): string {
  const [year = 0, month = 1] = day.split("-").map(Number);
  return `${new Date(Date.UTC(year, month, 1)).toISOString().slice(0, 19)}Z`;
}

const cost = ({ result }: Charge): Cell => dollars(result.cost_micros);
const tokens = ({ result }: Charge): Cell =>
  TOKEN_COLUMNS.reduce((sum, name) => sum + (result[name] ?? 0), 0);
/** Of the group, where it is by that key. */
const ifBy =
  (word: GroupBy) =>
  ({ group_by, result }: Charge): Cell =>
    group_by === word ? result.key : null;

const COLUMNS: Readonly<Record<string, (charge: Charge) => Cell>> = {
  BilledCost: cost,
  BillingAccountId: () => "ai-edge-interceptor",
  BillingAccountName: () => "AI Edge Interceptor",
  BillingCurrency: () => "USD",
  BillingPeriodStart: ({ day }) => monthOf(day),
  BillingPeriodEnd: ({ day }) => nextMonthOf(day),
  ChargeCategory: () => "Usage",
  ChargeClass: () => null,
  ChargeDescription: ({ group_by, result }) =>
    `AI requests of ${group_by} ${result.name ?? result.key ?? "unknown"}`,
  ChargeFrequency: () => "Usage-Based",
  ChargePeriodStart: ({ day }) => startOf(day),
  ChargePeriodEnd: ({ day }) => endOf(day),
  ConsumedQuantity: tokens,
  ConsumedUnit: () => "Tokens",
  ContractedCost: cost,
  EffectiveCost: cost,
  InvoiceIssuerName: (charge) => ifBy("provider")(charge),
  ListCost: cost,
  PricingQuantity: tokens,
  PricingUnit: () => "Tokens",
  ProviderName: (charge) => ifBy("provider")(charge),
  PublisherName: (charge) => ifBy("provider")(charge),
  ResourceId: (charge) => ifBy("model")(charge),
  ServiceCategory: () => "AI and Machine Learning",
  ServiceName: () => "Model inference",
  SkuId: (charge) => ifBy("model")(charge),
  SubAccountId: (charge) => ifBy("initiator")(charge) ?? ifBy("actor")(charge),
  SubAccountName: ({ result }) => result.name,
  x_Initiator: ifBy("initiator"),
  x_Actor: ifBy("actor"),
  x_Source: ({ result }) => result.source,
  x_Client: ifBy("client"),
  x_Model: ifBy("model"),
  x_Attribution: ({ result }) => result.attribution,
  x_AttributionMixed: ({ result }) => String(result.mixed),
  x_Requests: ({ result }) => result.requests,
  x_UnpricedRequests: ({ result }) => result.unpriced,
};

/** `results`: grouped by day second. */
export function focusTable(group_by: GroupBy, results: readonly SpendResult[]): Table {
  const charges = results.flatMap((result): Charge[] =>
    result.second?.key ? [{ group_by, result, day: result.second.key }] : [],
  );
  return {
    columns: Object.keys(COLUMNS),
    rows: charges.map((charge) => Object.values(COLUMNS).map((read) => read(charge))),
  };
}
