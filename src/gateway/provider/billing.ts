/** Facts in a response that change its price: the service tier, the speed, the region, and a cost that the provider states. */
import type { ResponseReport } from "./response-reader.ts";
import { asName } from "./usage.ts";
import { asObject, type JsonObject } from "../../shared/json.ts";

export type Billing = Pick<ResponseReport, "serviceTier" | "speed" | "inferenceGeo" | "reportedCost">;

export const NO_BILLING: Billing = {
  serviceTier: null,
  speed: null,
  inferenceGeo: null,
  reportedCost: null,
};

const MAX_NAME = 64;
/** xAI states costs in units of 10⁻¹⁰ US dollars. */
const TICK_DIGITS = 10;

/** Reads the facts of a response object and its usage object. Facts that are absent keep the earlier value. */
export function readBilling(earlier: Billing, response: JsonObject, usage: JsonObject | null): Billing {
  const name = (key: string): string | null =>
    asName(usage?.[key], MAX_NAME) ?? asName(response[key], MAX_NAME);
  return {
    serviceTier: name("service_tier") ?? earlier.serviceTier,
    speed: name("speed") ?? earlier.speed,
    inferenceGeo: name("inference_geo") ?? earlier.inferenceGeo,
    reportedCost: (usage && readCost(usage)) ?? earlier.reportedCost,
  };
}

/** A decimal number of the provider's currency, usually US dollars: `0.0125`. */
function readCost(usage: JsonObject): string | null {
  const { cost } = usage;
  const details = asObject(cost);
  for (const value of [
    cost,
    details?.["total_cost"],
    details?.["total"],
    usage["total_cost"],
    usage["estimated_cost"],
  ]) {
    const text = toDecimal(value);
    if (text !== null) return text;
  }
  const ticks = usage["cost_in_usd_ticks"];
  if (!Number.isSafeInteger(ticks) || (ticks as number) < 0) return null;
  const digits = String(ticks).padStart(TICK_DIGITS + 1, "0");
  return trim(`${digits.slice(0, -TICK_DIGITS)}.${digits.slice(-TICK_DIGITS)}`);
}

/** A number that is not negative as a decimal without an exponent; null for anything else. */
function toDecimal(value: unknown): string | null {
  if (typeof value !== "number" && typeof value !== "string") return null;
  const text = String(value);
  if (/^\d{1,15}(?:\.\d{1,24})?$/.test(text)) return text;
  const number = Number(text);
  const isSmall = text.trim() !== "" && number >= 0 && number < 1;
  return isSmall ? trim(number.toFixed(20)) : null;
}

const trim = (decimal: string): string => decimal.replace(/\.?0+$/, "");
