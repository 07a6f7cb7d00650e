/** Times of query parameters. An id begins with its time (UUID version 7), so the primary key also serves time ranges. */

/** RFC 3339 §5.6. The zone is required, because a local time would be ambiguous. */
const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt]\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(?:[Zz]|[+-]\d\d:\d\d)$/;

export type Instant = {
  /** Milliseconds since 1970, rounded down. */
  readonly ms: number;
  /** Whether the time is exactly this millisecond: nothing was rounded. */
  readonly isExact: boolean;
};

/** @returns undefined where the text is not a valid time. A time before 1970 counts as 1970, as no id is older. */
export function readInstant(text: string): Instant | undefined {
  const [, day, fraction = ""] = RFC_3339.exec(text) ?? [];
  // `Date` would accept February 30 as a day of March.
  if (day === undefined || !isDay(day)) return undefined;
  const ms = Date.parse(text.toUpperCase());
  if (Number.isNaN(ms)) return undefined;
  return { ms: Math.max(0, ms), isExact: !/[1-9]/.test(fraction.slice(3)) };
}

function isDay(text: string): boolean {
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

/** The first whole millisecond at or after the instant. */
export const atOrAfter = ({ ms, isExact }: Instant): number => (isExact ? ms : ms + 1);
