/** The numbers of calls from which a percentile is shown. Of fewer, it would be the duration of one or two of them. */
export const LEAST_CALLS = { p50: 10, p95: 20, p99: 100 } as const;
