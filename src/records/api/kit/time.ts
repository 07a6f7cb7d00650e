/** Spans of time as spans of ids: an id begins with its time (UUID version 7), so the primary key answers for both. */

/** RFC 3339 §5.6: the zone is required, as nobody's local time is meant. */
const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt]\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(?:[Zz]|[+-]\d\d:\d\d)$/;

export type Instant = {
  /** Milliseconds since 1970, rounded down. */
  readonly ms: number;
  /** It is that millisecond to the digit. */
  readonly whole: boolean;
};

/** undefined where the text is no time. */
export function readInstant(text: string): Instant | undefined {
  const [, day, fraction = ""] = RFC_3339.exec(text) ?? [];
  // A day that its month does not have is no time, though `Date` would take it for one of the next month.
  if (day === undefined || !isDay(day)) return undefined;
  const ms = Date.parse(text.toUpperCase());
  // What lies before 1970 has no id.
  if (Number.isNaN(ms)) return undefined;
  return { ms: Math.max(0, ms), whole: !/[1-9]/.test(fraction.slice(3)) };
}

function isDay(text: string): boolean {
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text);
}

/** The first millisecond at or after it. */
export const atOrAfter = ({ ms, whole }: Instant): number => (whole ? ms : ms + 1);
