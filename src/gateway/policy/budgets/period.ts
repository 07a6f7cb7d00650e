/** The part of a rule's time that a call belongs to: the calendar period in the rule's time zone, or a slice of its window. */
import type { Period } from "../../../events/budget-service.ts";
import type { CalendarUnit, Measure, RulePeriod } from "./rule.ts";

type Span = Pick<Period, "start" | "since" | "resetsAt">;

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The slices of a window. A charge counts for the window, and for up to one slice longer. */
const SLICES = 60;
/** Late figures, such as those of background responses, still find what they replace. */
const KEEP_MS = 40 * DAY_MS;
const KEEP_WINDOW_MS = HOUR_MS;

/** `at`: milliseconds since 1970. */
export function periodOf(period: RulePeriod, measure: Measure, at: number): Omit<Period, "account"> {
  // Concurrent calls have no period: their sum is what is reserved.
  if (measure === "concurrent") return { start: 0, since: 0, resetsAt: at + 1000, keepMs: KEEP_WINDOW_MS };
  if (period.kind === "window") {
    const slice = Math.ceil(period.ms / SLICES);
    const start = at - (at % slice);
    const resetsAt = start + slice + period.ms;
    return {
      start,
      since: start - period.ms,
      resetsAt,
      keepMs: period.ms > MINUTE_MS ? KEEP_MS : KEEP_WINDOW_MS,
    };
  }
  return { ...calendarSpan(period.unit, period.timeZone, at), keepMs: KEEP_MS };
}

/** The last span of each unit and time zone: one computation a day. */
const spans = new Map<string, Span>();
const MAX_SPANS = 100;

function calendarSpan(unit: CalendarUnit, timeZone: string, at: number): Span {
  const key = `${unit} ${timeZone}`;
  const known = spans.get(key);
  if (known && at >= known.start && at < known.resetsAt) return known;
  const [year, month, day] = localDate(timeZone, at);
  const first = firstDay(unit, year, month, day);
  const start = startOfDay(timeZone, Date.UTC(...first));
  const resetsAt = startOfDay(timeZone, nextStart(unit, first));
  const span = { start, since: start, resetsAt };
  if (spans.size >= MAX_SPANS) spans.clear();
  spans.set(key, span);
  return span;
}

/** Of dates of the calendar: months from 0, as `Date.UTC` counts them. */
type DateParts = readonly [year: number, month: number, day: number];

/** Weeks begin on Monday (ISO 8601). */
function firstDay(unit: CalendarUnit, year: number, month: number, day: number): DateParts {
  if (unit === "month") return [year, month, 1];
  if (unit === "day") return [year, month, day];
  const weekday = (new Date(Date.UTC(year, month, day)).getUTCDay() + 6) % 7;
  return [year, month, day - weekday];
}

/** The date after the period's last day, as midnight in UTC. `Date.UTC` carries days and months over. */
function nextStart(unit: CalendarUnit, [year, month, day]: DateParts): number {
  if (unit === "month") return Date.UTC(year, month + 1, 1);
  return Date.UTC(year, month, day + (unit === "week" ? 7 : 1));
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "iso8601",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  if (formats.size >= MAX_SPANS) formats.clear();
  formats.set(timeZone, format);
  return format;
}

/** The local time as if it were UTC, in whole seconds. */
function localTime(timeZone: string, at: number): number {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const read = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return Date.UTC(read("year"), read("month") - 1, read("day"), read("hour"), read("minute"), read("second"));
}

function localDate(timeZone: string, at: number): DateParts {
  const local = new Date(localTime(timeZone, at));
  return [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()];
}

/**
 * The first moment of a local date, which daylight saving can begin or repeat at midnight. `date`: the date's midnight as if it
 * were UTC.
 */
function startOfDay(timeZone: string, date: number): number {
  const offsetAt = (at: number): number => localTime(timeZone, at) - at;
  const before = date - offsetAt(date - DAY_MS);
  const after = date - offsetAt(date + DAY_MS);
  const midnights = [before, after].filter((at) => localTime(timeZone, at) === date);
  if (midnights.length > 0) return Math.min(...midnights);
  // The clock skips midnight: the date begins where its first time is.
  let [early, late] = [Math.min(before, after) - HOUR_MS, Math.max(before, after) + HOUR_MS];
  while (late - early > 1000) {
    const middle = early + Math.floor((late - early) / 2000) * 1000;
    if (localTime(timeZone, middle) >= date) late = middle;
    else early = middle;
  }
  return late;
}
