/** Numbers, money and durations in the reader's language. A figure that is not known is never shown as zero. */

const LOCALE = navigator.language;

/** For a figure that is not known. `Unknown` gives it a text for screen readers. */
export const UNKNOWN = "–";

const count = new Intl.NumberFormat(LOCALE);
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const dollars = new Intl.NumberFormat(LOCALE, { style: "currency", currency: "USD" });
const cents = new Intl.NumberFormat(LOCALE, {
  style: "currency",
  currency: "USD",
  minimumFractionDigits: 4,
  maximumFractionDigits: 4,
});
const percent = new Intl.NumberFormat(LOCALE, { style: "percent", maximumFractionDigits: 1 });

const COMPACT_FROM = 100_000;
const MICROS = 1_000_000;

export const formatCount = (value: number): string => count.format(value);

/** `1.2M` from 100,000 on; the exact number belongs into a title. */
export const formatCompact = (value: number): string =>
  Math.abs(value) >= COMPACT_FROM ? compact.format(value) : count.format(value);

/** Millionths of a dollar; amounts below ten cents with four places. */
export function formatDollars(micros: number): string {
  const value = micros / MICROS;
  if (value !== 0 && Math.abs(value) < 0.0001) return `<${cents.format(0.0001)}`;
  return value !== 0 && Math.abs(value) < 0.1 ? cents.format(value) : dollars.format(value);
}

/** A share between 0 and 1. */
export const formatShare = (value: number): string => percent.format(value);

/** Milliseconds as ms, s or min. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${count.format(Math.round(ms))} ms`;
  if (ms < 60_000) return `${count.format(Math.round(ms / 100) / 10)} s`;
  return `${count.format(Math.round(ms / 6000) / 10)} min`;
}

/** `1 request`, `2 requests`. */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${formatCount(value)} ${value === 1 ? one : many}`;
