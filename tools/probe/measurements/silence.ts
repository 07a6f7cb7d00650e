/** Whether a response survives silence before its headers, and in mid-stream. */
import { asAssumed, define, differs, type Finding, type Measurement } from "../measurement.ts";
import type { Plan } from "../plan.ts";
import { duration } from "./text.ts";

/** Defaults of LIMITS.headers_ms and LIMITS.idle_ms. */
const HEADERS_MS = 600_000;
const IDLE_MS = 300_000;
/** A limit of the gateway counts as reached within this time around it. */
const TOLERANCE_MS = 10_000;

export type Silence = {
  readonly silenceMs: number;
  readonly isBeforeHeaders: boolean;
  readonly status: number;
  /** The gateway's refusal, and why the response broke off; null where there is none. */
  readonly refusal: string | null;
  readonly brokenBy: string | null;
  readonly afterMs: number;
};

export function assessSilence(result: Silence): Finding {
  const { silenceMs, isBeforeHeaders, status, refusal, brokenBy, afterMs } = result;
  const limit = isBeforeHeaders ? HEADERS_MS : IDLE_MS;
  const after = `after ${duration(afterMs)}`;
  if (status === 200 && brokenBy === null)
    return silenceMs < limit ? asAssumed(`complete ${after}`) : differs(`complete ${after}`, LIMIT_RAISED);
  const by = refusal === null ? "" : ` (${refusal})`;
  const measured = status === 200 ? `broke off ${after}: ${brokenBy}` : `status ${status}${by} ${after}`;
  if (silenceMs >= limit && Math.abs(afterMs - limit) <= TOLERANCE_MS) return asAssumed(measured);
  return differs(
    measured,
    isBeforeHeaders
      ? "docs/limits.md: calls that need longer must stream; set LIMITS.headers_ms below this time"
      : "docs/limits.md: a silent stream is cut after this time; set LIMITS.idle_ms below it",
  );
}

const LIMIT_RAISED = "nothing, if the gateway's limit was raised; otherwise the limit does not act";

function assumption(silenceMs: number, isBeforeHeaders: boolean): string {
  if (isBeforeHeaders)
    return "complete (LIMITS.headers_ms: 600 s); the edge may end it after 125 s with status 524";
  return silenceMs < IDLE_MS ? "complete (LIMITS.idle_ms: 300 s)" : "broken off after 300 s (LIMITS.idle_ms)";
}

export const silences = ({ silencesMs }: Plan): readonly Measurement[] =>
  silencesMs.flatMap((silenceMs) =>
    [true, false].map((isBeforeHeaders) =>
      define<Silence>({
        question: `Does a response survive ${duration(silenceMs)} of silence ${isBeforeHeaders ? "before its headers" : "in mid-stream"}?`,
        assumed: assumption(silenceMs, isBeforeHeaders),
        phase: "slow",
        requests: 1,
        isNetworkOnly: true,
        measure: async ({ echo }) => {
          const silence = isBeforeHeaders ? { lead_ms: silenceMs } : { pause_ms: silenceMs };
          const params = {
            ...silence,
            events: 3,
            gap_ms: 100,
            run: `silence ${silenceMs} ${isBeforeHeaders}`,
          };
          const received = await (await echo.open("stream", { route: "chat", params })).received;
          const { status, headers, brokenBy, startedAt, endedAt } = received;
          const refusal = headers["x-interceptor-error"] ?? null;
          return { silenceMs, isBeforeHeaders, status, refusal, brokenBy, afterMs: endedAt - startedAt };
        },
        assess: assessSilence,
      }),
    ),
  );
