/** Times in the reader's zone; UTC is in the title, which a pointer shows. */
import type { VNode } from "preact";
import { UNKNOWN } from "./format.ts";

const LOCALE = navigator.language;

const full = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "medium" });
/** Within this year, which goes without saying. */
const short = new Intl.DateTimeFormat(LOCALE, {
  month: "short",
  day: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const day = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeZone: "UTC" });

/** `2026-11-30 14:35:11.000 UTC` */
export const utcText = (iso: string): string => iso.replace("T", " ").replace(/Z$/, " UTC");

/** @param at an ISO time, or null where it is not known. */
export function Time({ at }: { readonly at: string | null | undefined }): VNode {
  if (at == null) return <span class="muted">{UNKNOWN}</span>;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span class="muted">{UNKNOWN}</span>;
  return (
    <time dateTime={at} title={utcText(at)}>
      {(date.getFullYear() === new Date().getFullYear() ? short : full).format(date)}
    </time>
  );
}

/** Days are UTC in the ledger: `2026-11-30`. */
export const formatDay = (value: string): string => {
  const date = new Date(`${value}T00:00:00Z`);
  return Number.isNaN(date.getTime()) ? UNKNOWN : day.format(date);
};

/** The day or the hour, in UTC, that the API names. */
export const formatPeriod = (key: string): string =>
  key.length > 10 ? `${formatDay(key.slice(0, 10))}, ${key.slice(11, 16)}` : formatDay(key);

/** `3 minutes ago`, for a moment in the past. */
export function formatAge(at: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(at)) / 1000));
  const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });
  if (seconds < 90) return relative.format(-seconds, "second");
  if (seconds < 90 * 60) return relative.format(-Math.round(seconds / 60), "minute");
  if (seconds < 36 * 3600) return relative.format(-Math.round(seconds / 3600), "hour");
  return relative.format(-Math.round(seconds / 86_400), "day");
}
