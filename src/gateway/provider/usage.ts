/**
 * Token usage that a response reports. Each figure of the provider is an integer from 0 to 2^53 - 1, or null if it is
 * absent. Some servers write it as a text of digits. Any other value is dropped, and `invalid` is set. A dialect normalizes
 * the figures to `Usage`.
 */
import type { JsonObject } from "../../shared/json.ts";
import type { BilledUsage } from "../../shared/prices/cost.ts";
import { truncate } from "../../shared/text.ts";

export type Usage = BilledUsage & {
  /** The provider sent a figure that is not a valid count, or one that contradicts another. */
  readonly invalid: boolean;
  /** The parts add up to the total that the provider states; true if it states none. */
  readonly addsUp: boolean;
  /** The provider's last usage object as JSON, bounded by `rawUsage`. */
  readonly raw: string | null;
};

/** The figures of one or several usage objects under names of the dialect, before they are normalized. */
export type Figures<Name extends string> = {
  readonly counts: Readonly<Record<Name, number | null>>;
  readonly extras: Readonly<Record<string, number>>;
  readonly invalid: boolean;
  readonly raw: string | null;
};

/** The value truncated to `max` UTF-16 units, or null if it is not a string. */
export function asText(value: unknown, max = 256): string | null {
  if (typeof value !== "string") return null;
  if (value.length <= max) return value;
  // A copy, because a slice would keep the provider's whole text in memory.
  return structuredClone(truncate(value, max));
}

/** As `asText`, but null for an empty string too: the id and model of Azure's first chunk are empty. */
export function asName(value: unknown, max = 256): string | null {
  return asText(value, max) || null;
}

const DIGITS = /^\d{1,16}$/;

/** A thousand billion tokens: no call has so many, and a sum of such figures is still exact. */
const MAX_FIGURE = 1e12;

/** Reads the figures of one usage object and records whether one was invalid. */
export class UsageFigures {
  invalid = false;
  readonly extras: Record<string, number> = {};

  /** The figure under `key`, or null if it is absent, null or invalid. */
  read(from: JsonObject | null, key: string): number | null {
    const value = from?.[key];
    if (value === undefined || value === null) return null;
    const figure = typeof value === "string" && DIGITS.test(value) ? Number(value) : value;
    if (Number.isSafeInteger(figure) && (figure as number) >= 0 && (figure as number) <= MAX_FIGURE)
      return figure as number;
    this.invalid = true;
    return null;
  }

  /** Adds the figure under `key` to the extras as `name`, unless it is absent or invalid. */
  extra(name: string, from: JsonObject | null, key: string): void {
    const value = this.read(from, key);
    if (value !== null) this.extras[name] = value;
  }
}

/**
 * The figures of two usage objects of one response. Figures are cumulative, so the larger one counts. A later figure that is
 * smaller but not 0 contradicts the earlier one; some servers set figures to 0 that they have already reported.
 */
export function mergeFigures<Name extends string>(
  earlier: Figures<Name> | null,
  later: Figures<Name>,
): Figures<Name> {
  if (!earlier) return later;
  let invalid = earlier.invalid || later.invalid;
  const counts: Record<Name, number | null> = { ...later.counts };
  for (const name in counts) {
    const before = earlier.counts[name];
    const after = counts[name];
    if (before === null || (after !== null && after >= before)) continue;
    counts[name] = before;
    if (after !== null && after !== 0) invalid = true;
  }
  const extras: Record<string, number> = { ...earlier.extras };
  for (const [name, value] of Object.entries(later.extras)) extras[name] = Math.max(extras[name] ?? 0, value);
  return { counts, extras, invalid, raw: later.raw };
}

/** The sum of the figures that are known, at most 2^53 - 1; null if none is. */
export function sumOf(...figures: readonly (number | null)[]): number | null {
  const known = figures.filter((figure) => figure !== null);
  const sum = known.reduce((total, figure) => total + figure, 0);
  return known.length === 0 ? null : Math.min(sum, Number.MAX_SAFE_INTEGER);
}

/** The largest of the figures that are known; null if none is. */
export function maxOf(...figures: readonly (number | null)[]): number | null {
  const known = figures.filter((figure) => figure !== null);
  return known.length === 0 ? null : Math.max(...known);
}
