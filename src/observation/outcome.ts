/**
 * How an interception can end, and what is known of what it used.
 *
 * - `completed`: the upstream's answer reached its proper end (its terminal event, its content-length).
 * - `cancelled`: the client left first.
 * - `truncated`: the upstream's bytes ended, or the connection broke, before the answer's end.
 * - `stalled`: the upstream sent nothing for the idle deadline.
 * - `upstream_error`: no connection, no headers in time, an error status, or an error event inside a 200.
 * - `refused`: we answered instead of the upstream.
 */
export type Outcome = "completed" | "cancelled" | "truncated" | "stalled" | "upstream_error" | "refused";

/** `final`: the provider's own closing figure · `partial`: what was seen before the end · `unknown`: nothing was seen. */
export type UsageState = "final" | "partial" | "unknown";
