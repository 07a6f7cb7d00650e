/**
 * The request that sets the demonstration's clock: `POST ?age_ms=…`, how far in the past both Workers are from then on.
 */
import { isOfOtherPage } from "../../local/worker/host-check.ts";

/** Milliseconds; null where the request is not valid, or was sent by a page of another origin. */
export function readAge({ method, headers, url }: Request): number | null {
  if (method !== "POST" || isOfOtherPage(headers)) return null;
  // Number("") is 0.
  const text = new URL(url).searchParams.get("age_ms");
  const age = text ? Number(text) : Number.NaN;
  return Number.isFinite(age) && age >= 0 ? age : null;
}
