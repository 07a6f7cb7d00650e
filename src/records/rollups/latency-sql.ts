/**
 * The histograms and error counts of a provider's calls, as measures of the totals. Fixed buckets can be added up over any number
 * of hours, so that a percentile over a million calls reads as little as a sum does.
 */

/** Upper bounds in milliseconds, exclusive; the last bucket has none. */
export const FIRST_BYTE_BOUNDS = [250, 500, 1000, 2000, 4000, 8000, 16_000] as const;
export const DURATION_BOUNDS = [1000, 3000, 6000, 12_000, 24_000, 60_000, 150_000] as const;

/** `first_byte_250` … and, for the last one, `first_byte_over`. */
type Bucket<Name extends string, Bounds extends readonly number[]> = `${Name}_${Bounds[number] | "over"}`;

const bucketsOf = <const Name extends string, const Bounds extends readonly number[]>(
  name: Name,
  bounds: Bounds,
): readonly Bucket<Name, Bounds>[] =>
  [...bounds, "over" as const].map(
    (bound): Bucket<Name, Bounds> => `${name}_${bound as Bounds[number] | "over"}`,
  );

export const FIRST_BYTE_BUCKETS = bucketsOf("first_byte", FIRST_BYTE_BOUNDS);
export const DURATION_BUCKETS = bucketsOf("duration", DURATION_BOUNDS);

/** Each kind of a call that did not complete: which calls it counts. */
export const FAILURES = {
  failed_client_error: "the provider's status was 4xx, other than 429",
  failed_rate_limited: "the provider's status was 429",
  failed_server_error:
    "the provider's status was 5xx, there was no response, or an error came inside a response",
  failed_broken: "the response ended before its end, or stalled",
  failed_cancelled: "the client disconnected first",
} as const;
export type Failure = keyof typeof FAILURES;

export type LatencyMeasure =
  (typeof FIRST_BYTE_BUCKETS)[number] | (typeof DURATION_BUCKETS)[number] | Failure;

const isFailure: Readonly<Record<Failure, (alias: string) => string>> = {
  failed_client_error: (alias) =>
    `${alias}.outcome = 'upstream_error' AND ${alias}.status BETWEEN 400 AND 499 AND ${alias}.status <> 429`,
  failed_rate_limited: (alias) => `${alias}.outcome = 'upstream_error' AND ${alias}.status = 429`,
  failed_server_error: (alias) =>
    `${alias}.outcome = 'upstream_error' AND COALESCE(${alias}.status, 500) NOT BETWEEN 400 AND 499`,
  failed_broken: (alias) => `${alias}.outcome IN ('truncated', 'stalled')`,
  failed_cancelled: (alias) => `${alias}.outcome = 'cancelled'`,
};

const cursorOf = (job: string): string =>
  `COALESCE((SELECT cursor FROM upkeep_cursors WHERE job = '${job}'), '')`;

/**
 * Whether the gateway did not refuse the call, which else says nothing about the provider. Refused calls from before this rule
 * count in their totals (migration 0024, whose cursor is the beginning of an id).
 */
const isSent = (alias: string): string =>
  `(${alias}.outcome <> 'refused' OR ${alias}.id <= ${cursorOf("before refused latencies")})`;

/** Each measure's condition, over an interception's row. A condition of NULL, as while a call is open, counts nothing. */
const CONDITIONS: ReadonlyMap<string, (alias: string) => string> = new Map([
  ...conditionsOf("first_byte_ms", FIRST_BYTE_BUCKETS, FIRST_BYTE_BOUNDS),
  ...conditionsOf("duration_ms", DURATION_BUCKETS, DURATION_BOUNDS).map(
    ([bucket, condition]) => [bucket, (alias: string) => `${condition(alias)} AND ${isSent(alias)}`] as const,
  ),
  ...Object.entries(isFailure),
]);

function conditionsOf(
  column: string,
  buckets: readonly string[],
  bounds: readonly number[],
): (readonly [string, (alias: string) => string])[] {
  return buckets.map((bucket, at) => {
    const [from, to] = [bounds[at - 1], bounds[at]];
    return [
      bucket,
      (alias) =>
        [
          ...(from === undefined ? [] : [`${alias}.${column} >= ${from}`]),
          ...(to === undefined ? [] : [`${alias}.${column} < ${to}`]),
        ].join(" AND "),
    ];
  });
}

export const LATENCY_MEASURES: readonly LatencyMeasure[] = [
  ...FIRST_BYTE_BUCKETS,
  ...DURATION_BUCKETS,
  ...(Object.keys(FAILURES) as readonly Failure[]),
];

/**
 * The last interception from before there were these measures, which counts in none: its totals were made without them
 * (migration 0019).
 */
const BEFORE = cursorOf("before latencies");

/** The contribution of one interception: 1 or 0. */
export const latencyContribution = (measure: LatencyMeasure, alias: string): string =>
  `IIF(${CONDITIONS.get(measure)?.(alias)}, ${alias}.id > ${BEFORE}, 0)`;
