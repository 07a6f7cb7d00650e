import type { CredentialKind, Outcome, UsageState } from "../../events/vocabulary.ts";
import type { ResponseReport } from "../provider/response-reader.ts";
import type { BodyKind } from "../../shared/http/body-headers.ts";
import type { ObservedEnd } from "./stream-end.ts";

/** The single outcome of a response, from how its bytes ended, its content (`report`) and its status. */
export function decideOutcome(
  { how, truncated }: Pick<ObservedEnd, "how" | "truncated">,
  kind: BodyKind,
  report: Pick<ResponseReport, "ended" | "error" | "queued" | "finishReason">,
  status: number,
): Outcome {
  if (how === "client") return "cancelled";
  if (status >= 400 || report.error !== null) return "upstream_error";
  if (kind === "json" && report.ended && report.queued) return "queued";
  // An event stream marks its own end; a connection that fails afterwards loses nothing.
  if (kind === "events" && report.ended) return "completed";
  if (how === "idle") return "stalled";
  if (how === "error") return "truncated";
  // A body whose content was not read has no end other than its last byte.
  if (truncated || kind === "opaque") return "completed";
  // A connection that closes in order after the finish reason: some servers send no terminal event.
  const isFinished = kind === "events" && report.finishReason !== null;
  return report.ended || isFinished ? "completed" : "truncated";
}

export function usageState({ usage, usageFinal }: Pick<ResponseReport, "usage" | "usageFinal">): UsageState {
  if (usage === null) return "unknown";
  const { input_tokens: input, output_tokens: output, extras, invalid, addsUp } = usage;
  // Audio that is charged by its length may have no tokens.
  const isByLength = input === null && output === null && extras["audio_seconds"] !== undefined;
  if (isByLength || (input !== null && output !== null))
    return usageFinal && !invalid && addsUp ? "final" : "partial";
  const figures = [input, output, usage.cache_read_input_tokens, usage.cache_write_input_tokens];
  const isEmpty = figures.every((figure) => figure === null) && Object.keys(extras).length === 0;
  return isEmpty ? "unknown" : "partial";
}

/** Errors of providers that respond to a wrong key with another status than 401 or 403, such as Gemini's 400. */
const KEY_ERROR =
  /^(?:authentication_error|permission_error|unauthenticated|unauthorized|permission_denied|(?:incorrect|invalid)_api_key|api_key_invalid)$/i;

/** How a call ended, of any kind. */
type End = {
  readonly outcome: string;
  readonly status: number | null;
  readonly error: string | null;
  readonly observation?: { readonly report: Pick<ResponseReport, "id"> } | null;
};

/**
 * Whether the provider rejected the client's own key. Any caller can send a made-up one, and such a call must not count for
 * the account that it names. A provider that has begun a response took the key: a later error, of a tool or of a provider
 * behind it, does not take the call out of the totals.
 */
export function isRejectedOwnKey(
  kind: CredentialKind,
  { outcome, status, error, observation }: End,
): boolean {
  if ((status ?? 0) < 400 && observation && observation.report.id !== null) return false;
  if (kind !== "byok" || (outcome !== "upstream_error" && outcome !== "cancelled")) return false;
  return status === 401 || status === 403 || (error !== null && KEY_ERROR.test(error));
}
