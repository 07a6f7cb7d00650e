import type { AnswerReport } from "../provider/answer.ts";
import type { AnswerKind } from "./answer.ts";
import type { Ending } from "./ending.ts";

/**
 * How an interception can end, and what is known of what it used.
 *
 * - `completed`: the upstream's answer reached its proper end (its terminal event, its content-length).
 * - `cancelled`: the client left before the connection was over, even where the answer's end had been seen: how much of
 *   it the client got is not known.
 * - `truncated`: the upstream's bytes ended, or the connection broke, before the answer's end.
 * - `stalled`: the upstream sent nothing for the idle deadline.
 * - `upstream_error`: no connection, no headers in time, an error status, or an error event inside a 200.
 * - `refused`: we answered instead of the upstream.
 */
export type Outcome = "completed" | "cancelled" | "truncated" | "stalled" | "upstream_error" | "refused";

/** `final`: the provider's own closing figure · `partial`: what was seen before the end · `unknown`: nothing was seen. */
export type UsageState = "final" | "partial" | "unknown";

/** The one outcome of an answer, by how its bytes ended, what they said (`report`), and its status. */
export function decideOutcome(
  { how, capped }: Pick<Ending, "how" | "capped">,
  kind: AnswerKind,
  report: Pick<AnswerReport, "ended" | "error">,
  status: number,
): Outcome {
  if (how === "client") return "cancelled";
  if (status >= 400 || report.error !== null) return "upstream_error";
  // An event stream says itself where it ends; what happens to the connection after that is no loss.
  if (kind === "events" && report.ended) return "completed";
  if (how === "idle") return "stalled";
  if (how === "error") return "truncated";
  // Past the cap nobody looked for the end; of other bodies there is no other end than their last byte.
  if (capped || kind === "opaque") return "completed";
  return report.ended ? "completed" : "truncated";
}

export function usageState(report: Pick<AnswerReport, "usage" | "usageFinal">): UsageState {
  if (report.usage === null) return "unknown";
  return report.usageFinal ? "final" : "partial";
}
