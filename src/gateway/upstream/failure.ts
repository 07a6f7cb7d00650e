/** The failure of an attempt: its reason, and whether the provider may have run the request. */
import type { AttemptReason } from "../../events/vocabulary.ts";
import type { RefusalCode } from "../../shared/refusal.ts";
import type { Verdict } from "./circuit-breaker.ts";

export type Failure = {
  readonly reason: Exclude<AttemptReason, "used" | "other">;
  /** Only a request that ran nothing is retried without permission: a second run costs money, and may act twice. */
  readonly mayHaveRun: boolean;
};

/** Statuses by which a server, or Cloudflare in front of it, says that it did not take the request. */
const NOT_RUN: Readonly<Record<number, Failure["reason"]>> = {
  429: "rate_limited",
  503: "unavailable",
  // Anthropic.
  529: "unavailable",
  // Cloudflare: no connection to the server, so it got no request.
  521: "unreachable",
  523: "unreachable",
  525: "unreachable",
  526: "unreachable",
};

/** A server may send these after it has begun. 522 includes a connection that was lost later. */
const MAY_HAVE_RUN: Readonly<Record<number, Failure["reason"]>> = {
  500: "server_error",
  502: "server_error",
  504: "server_error",
  520: "connection_lost",
  522: "connection_lost",
  524: "server_error",
};

/** null for a response that is no failure, or is the client's fault. */
export function failureOfStatus(status: number): Failure | null {
  const notRun = NOT_RUN[status];
  if (notRun !== undefined) return { reason: notRun, mayHaveRun: false };
  const reason = MAY_HAVE_RUN[status];
  return reason === undefined ? null : { reason, mayHaveRun: true };
}

/** The provider did not accept the key, or not for this request; or there is none to send. */
export const KEY_REJECTED: Failure = { reason: "key_rejected", mayHaveRun: false };

/**
 * Of an attempt without a response. null for a refusal that an attempt with the same request would meet again. The platform
 * reports a connection that was refused like one that was lost after the request was sent, which may have run.
 */
export function failureOfRefusal(code: RefusalCode): Failure | null {
  // Another key may need no token.
  if (code === "upstream_token_unavailable") return KEY_REJECTED;
  if (code === "upstream_timeout") return { reason: "timed_out", mayHaveRun: true };
  return code === "upstream_unreachable" ? { reason: "connection_lost", mayHaveRun: true } : null;
}

/** Whether the provider works, as far as an attempt shows it. `status`: null where it did not respond. */
export function verdictOf(failure: Failure | null, status: number | null): Verdict {
  // About the key, which may be the client's own.
  if (status === 401 || status === 403 || status === 429) return "unknown";
  if (failure !== null) return failure.reason === "key_rejected" ? "unknown" : "failed";
  return status === null ? "unknown" : "succeeded";
}
