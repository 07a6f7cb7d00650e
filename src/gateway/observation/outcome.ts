import type { ResponseReport } from "../provider/response-reader.ts";
import type { BodyKind } from "./body-parser.ts";
import type { StreamEnd } from "./stream-end.ts";

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

/**
 * `final`: the provider's own closing figures, input and output among them and every one a count · `partial`: what was
 * seen before the end, or of closing figures those that could be taken · `unknown`: nothing was seen.
 */
export type UsageState = "final" | "partial" | "unknown";

/** The one outcome of an answer, by how its bytes ended, what they said (`report`), and its status. */
export function decideOutcome(
  { how, truncated: capped }: Pick<StreamEnd, "how" | "truncated">,
  kind: BodyKind,
  report: Pick<ResponseReport, "ended" | "error">,
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

export function usageState({ usage, usageFinal }: Pick<ResponseReport, "usage" | "usageFinal">): UsageState {
  if (usage === null) return "unknown";
  const { input_tokens: input, output_tokens: output, extras, invalid: flagged } = usage;
  if (input !== null && output !== null) return usageFinal && !flagged ? "final" : "partial";
  const others = [input, output, usage.cache_read_input_tokens, usage.cache_write_input_tokens];
  const nothing = others.every((figure) => figure === null) && Object.keys(extras).length === 0;
  return nothing ? "unknown" : "partial";
}
