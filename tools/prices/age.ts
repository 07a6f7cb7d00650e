/** Tells when the price list is old. */
import { SOURCE } from "./source.ts";

const MAX_DAYS = 120;
const DAY_MS = 86_400_000;

/** null where the list is young enough, and in CI. `now`: milliseconds since 1970. */
export function oldPricesNotice(now: number, env: NodeJS.ProcessEnv): string | null {
  const days = Math.floor((now - Date.parse(SOURCE.released)) / DAY_MS);
  if (days <= MAX_DAYS || env["CI"]) return null;
  return `The price list is ${days} days old: costs of newer models are not known. See docs/costs.md#prices.`;
}
