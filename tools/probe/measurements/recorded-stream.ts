/** A long stream and its record: the end event of a stream past `waitUntil`'s thirty seconds. */
import { asAssumed, define, differs, notMeasured, type Finding, type Measurement } from "../measurement.ts";
import type { Plan } from "../plan.ts";
import { READ_ATTEMPTS, type StoredInterception } from "../records-reader.ts";
import { duration } from "./text.ts";

/** Clocks may differ: the filter of the records API begins this long before the request. */
const CLOCK_MARGIN_MS = 300_000;

export type RecordedStream = {
  readonly ms: number;
  readonly brokenBy: string | null;
  readonly afterMs: number;
  /** Undefined where no admin token was given. */
  readonly record: StoredInterception | null | undefined;
};

export function assessRecorded({ ms, brokenBy, afterMs, record }: RecordedStream): Finding {
  const stream = `stream ${brokenBy === null ? "complete" : `broken off (${brokenBy})`} after ${duration(afterMs)}`;
  if (brokenBy !== null)
    return differs(stream, `docs/limits.md: a stream of ${duration(ms)} does not survive`);
  if (record === undefined)
    return notMeasured("INTERCEPTOR_ADMIN_TOKEN is not set, so that the record was not read", stream);
  if (record === null)
    return differs(
      `${stream}; no record`,
      "docs/limits.md: such a stream is in the log only; check the queue",
    );
  const { outcome, duration_ms: recordedMs, token_usages: usages } = record;
  const measured = `${stream}; record: ${outcome ?? "no end"}, ${recordedMs === null ? "no duration" : duration(recordedMs)}, ${usages.length === 1 ? "usage" : "no usage"}`;
  return outcome === "completed" && usages.length === 1
    ? asAssumed(measured)
    : differs(measured, "docs/limits.md: the end of such a stream is not recorded; file an issue");
}

export const recordedStreams = ({ streamsMs }: Plan): readonly Measurement[] =>
  streamsMs.map((ms) =>
    define<RecordedStream>({
      question: `Is a stream of ${duration(ms)} complete, and is its end recorded with usage?`,
      assumed: "yes (docs/limits.md: the end event does not depend on the thirty seconds)",
      phase: "slow",
      requests: 1 + READ_ATTEMPTS,
      measure: async ({ echo, records }) => {
        const gapMs = Math.max(1000, ms / 300);
        const params = { events: Math.ceil(ms / gapMs) + 1, gap_ms: gapMs, run: `recorded ${ms}` };
        const received = await (await echo.open("stream", { route: "chat", params })).received;
        const { headers, brokenBy, startedAt, endedAt } = received;
        const id = headers["x-interception-id"] ?? "";
        const record = await records?.ended(id, startedAt - CLOCK_MARGIN_MS);
        return { ms, brokenBy, afterMs: endedAt - startedAt, record };
      },
      assess: assessRecorded,
    }),
  );
