/** The durations of a run, and its bounds. */

/** The largest number of requests of any run; test/tools/probe.test.ts adds up the measurements' own. */
export const MAX_REQUESTS = 100;

export type Plan = {
  readonly name: "default" | "long";
  /** After this time the probe stops, and reports the rest as not measured. */
  readonly maxMs: number;
  /** Silence, in milliseconds, before headers and in mid-stream. */
  readonly silencesMs: readonly number[];
  /** Streams whose record is read back. */
  readonly streamsMs: readonly number[];
  /** The time that a client's disconnect in silence has to be noticed before the provider sends again. */
  readonly disconnectMs: number;
  /** Longest time that work in `waitUntil` is followed. */
  readonly graceMs: number;
  readonly delivery: { readonly events: number; readonly gapMs: number };
  readonly upload: {
    readonly largeBytes: number;
    readonly slowBytes: number;
    readonly slowPieces: number;
    readonly slowGapMs: number;
  };
};

const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const DEFAULT_PLAN: Plan = {
  name: "default",
  maxMs: 5 * MINUTE,
  silencesMs: [20 * SECOND],
  streamsMs: [40 * SECOND],
  disconnectMs: 20 * SECOND,
  graceMs: 45 * SECOND,
  delivery: { events: 20, gapMs: 100 },
  upload: { largeBytes: 30 * 1024 * 1024, slowBytes: 640 * 1024, slowPieces: 10, slowGapMs: 1 * SECOND },
};

export const LONG_PLAN: Plan = {
  ...DEFAULT_PLAN,
  name: "long",
  maxMs: 35 * MINUTE,
  silencesMs: [130 * SECOND, 410 * SECOND],
  streamsMs: [40 * SECOND, 25 * MINUTE],
  // Past the gateway's default LIMITS.idle_ms of 300 s.
  disconnectMs: 320 * SECOND,
};
