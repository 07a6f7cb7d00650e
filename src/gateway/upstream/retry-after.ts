/** When a provider that rejected a request by a rate limit, or because it is overloaded, may be called again. */
import type { HeaderReader } from "../../shared/http/named-headers.ts";

/** A key without a time in its response cools down for this long. */
export const DEFAULT_COOLING_MS = 5000;
/** No key cools down for longer: a limit of a day may be raised before it ends. */
export const MAX_COOLING_MS = 300_000;

/** The provider's `retry-after`. Milliseconds from now; null where the response has none. `now`: milliseconds since 1970. */
export function readRetryAfter(headers: HeaderReader, now: number): number | null {
  const ms = numberIn(headers, "retry-after-ms");
  if (ms !== null) return ms;
  return toMs(headers.get("retry-after")?.trim() ?? "", now);
}

/** How long a key cools down, in milliseconds. */
export const coolingMs = (retryAfterMs: number | null): number =>
  Math.min(retryAfterMs ?? DEFAULT_COOLING_MS, MAX_COOLING_MS);

/** The limits of the dialects, each with the rest and the reset: OpenAI's two, Anthropic's, and those of other services. */
const LIMITS: readonly (readonly [remaining: string, reset: string])[] = [
  ...["-requests", "-tokens", ""].map(
    (kind) => [`x-ratelimit-remaining${kind}`, `x-ratelimit-reset${kind}`] as const,
  ),
  ...["requests", "tokens", "input-tokens", "output-tokens"].map(
    (kind) => [`anthropic-ratelimit-${kind}-remaining`, `anthropic-ratelimit-${kind}-reset`] as const,
  ),
];

/**
 * When a rate limit is reset: the last reset among the limits that are used up; where none is, the first of all. Milliseconds
 * from now; null where the response has none. Only a 429 is about a rate limit: other responses have these headers too.
 */
export function readReset(headers: HeaderReader, now: number): number | null {
  const resets = LIMITS.flatMap(([remaining, reset]) => {
    const ms = toMs(headers.get(reset)?.trim() ?? "", now);
    return ms === null ? [] : { ms, isUsedUp: numberIn(headers, remaining) === 0 };
  });
  if (resets.length === 0) return null;
  const usedUp = resets.filter(({ isUsedUp }) => isUsedUp);
  return usedUp.length > 0
    ? Math.max(...usedUp.map(({ ms }) => ms))
    : Math.min(...resets.map(({ ms }) => ms));
}

function numberIn(headers: HeaderReader, name: string): number | null {
  const value = headers.get(name)?.trim();
  return value && /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : null;
}

/** `6m0s`, `1.5s`, `20ms`: Go's durations, in which OpenAI states a reset. */
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** RFC 9110 §5.6.7, RFC 3339. */
const DATE = /^(?:[A-Z][a-z]{2}, \d\d|\d{4}-\d\d-\d\dT)/;

/** Numbers above it are a time, not a duration, in seconds: no provider blocks a key for 30 years. */
const EPOCH_SECONDS = 1e9;
const EPOCH_MS = 1e12;

/** A number of seconds, seconds or milliseconds since 1970, a duration or a date. */
function toMs(text: string, now: number): number | null {
  if (text === "" || text.length > 64) return null;
  if (/^\d+(?:\.\d+)?$/.test(text)) {
    const value = Number(text);
    if (value < EPOCH_SECONDS) return value * 1000;
    return Math.max(0, (value < EPOCH_MS ? value * 1000 : value) - now);
  }
  if (DURATION.test(text))
    return [...text.matchAll(PART)].reduce(
      (sum, [, value, name = ""]) => sum + Number(value) * (UNITS[name] ?? 0),
      0,
    );
  // `Date.parse` reads much else as a date.
  const date = DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}
