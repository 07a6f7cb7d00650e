/** One attempt of a request that may be sent more than once: it is sent to one provider with one key, and its end is classified. */
import { errorName } from "../../shared/operator-log.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Provider } from "../provider/provider.ts";
import {
  failureOfRefusal,
  failureOfStatus,
  KEY_REJECTED,
  verdictOf,
  type Failure,
} from "../upstream/failure.ts";
import { CLIENT_DISCONNECTED, isUpload } from "../upstream/forward.ts";
import type { Guard } from "../upstream/guards.ts";
import type { KeyPool } from "../upstream/key-pool.ts";
import { NO_PROVIDER_HEADERS } from "../upstream/provider-headers.ts";
import type { UpstreamCredential } from "../upstream/provider-key.ts";
import { readReset, readRetryAfter } from "../upstream/retry-after.ts";
import { admit, type Denied } from "./admit-attempt.ts";
import { isFreeError, isNotRun } from "./call-cost.ts";
import { examineResponse } from "./examine-response.ts";
import type { Exchange } from "./exchange.ts";
import { mostHeadersMs, sendWithoutRejected, type SendOptions } from "./send.ts";
import type { Forwardable, Outgoing, UpstreamResult } from "./upstream-call.ts";

export type Attempt = {
  readonly credential: UpstreamCredential;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly result: UpstreamResult;
  /** The status of the provider's response, also of one that was refused; null where there was none. */
  readonly status: number | null;
  /** The provider's own wish after a failure; null where it stated none. */
  readonly retryAfterMs: number | null;
  readonly forbidsRetry: boolean;
  /** null where it did not fail, or failed in a way that is not retried. */
  readonly failure: Failure | null;
};

export type AttemptOptions = SendOptions & {
  readonly pool: KeyPool | null;
  /** null for a provider without a circuit breaker and without a cap. */
  readonly guard: Guard | null;
  /** The longest wait for the end of other calls, in milliseconds. */
  readonly maxWaitMs: number;
};

/** `forwardable`: with the provider and the key of this attempt. */
export async function attemptOnce(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  options: AttemptOptions,
): Promise<Attempt> {
  const { now } = exchange.deps;
  const { pool, guard, abort: requestAbort, maxWaitMs } = options;
  const { credential, route } = forwardable;
  const requestedAt = now();
  const admission = {
    guard,
    path: route.route.path,
    model: outgoing.model,
    signal: requestAbort.signal,
    maxWaitMs,
  };
  const admitting = admit(exchange, admission);
  const admitted = admitting instanceof Promise ? await admitting : admitting;
  if ("refusal" in admitted) {
    if (isUpload(outgoing.body)) outgoing.body.cancel();
    const denied = deniedAttempt(admitted, credential, requestedAt, now());
    return requestAbort.signal.aborted ? abandoned(denied) : denied;
  }
  // A response that cannot be read ends its own attempt, and not the request.
  const abort = childOf(requestAbort);
  const startedAt = now();
  const closeKey = pool?.open(credential);
  exchange.closeCall = () => {
    closeKey?.();
    admitted.release();
  };
  const { received, result } = await sendAndExamine(exchange, forwardable, outgoing, { ...options, abort });
  const failure = failureOf(received, result);
  const isCutShort =
    failure?.reason === "timed_out" && !hadItsTime(exchange, route.provider, options, startedAt);
  admitted.settle(isCutShort ? "unknown" : verdictOf(failure, received?.status ?? null));
  const attempt: Attempt = {
    credential,
    startedAt,
    endedAt: now(),
    result,
    status: received?.status ?? null,
    retryAfterMs: received && failure && retryAfterOf(received, failure, now()),
    forbidsRetry: received?.headers.get("x-should-retry")?.trim() === "false",
    failure,
  };
  if (pool !== null) updateKeyState(exchange, forwardable, attempt, pool);
  return attempt;
}

type Sent = { readonly received: Response | null; readonly result: UpstreamResult };

/** An unexpected error is the attempt's result: what the earlier attempts may have cost is charged nevertheless. */
async function sendAndExamine(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  options: SendOptions,
): Promise<Sent> {
  const { id, deps } = exchange;
  try {
    const response = await sendWithoutRejected(exchange, forwardable, outgoing, options);
    const result = await examineResponse(exchange, forwardable, response, options.abort);
    return { received: response instanceof Response ? response : null, result };
  } catch (error) {
    options.abort.abort();
    deps.logError({ event: "request_failed", interception_id: id, error: errorName(error) });
    const result = { response: new Refusal("internal"), providerHeaders: NO_PROVIDER_HEADERS };
    return { received: null, result };
  }
}

/** Whether the attempt had at least half of the time that its provider has for headers: a shorter one says nothing about it. */
const hadItsTime = (
  { deps }: Exchange,
  provider: Provider,
  { headersUntil }: SendOptions,
  startedAt: number,
): boolean => headersUntil === null || 2 * (headersUntil - startedAt) >= mostHeadersMs(provider, deps.config);

/** An attempt that was not sent. */
const deniedAttempt = (
  { failure, refusal }: Denied,
  credential: UpstreamCredential,
  startedAt: number,
  endedAt: number,
): Attempt => ({
  credential,
  startedAt,
  endedAt,
  result: { response: refusal, providerHeaders: NO_PROVIDER_HEADERS, isUnsent: true },
  status: null,
  retryAfterMs: null,
  forbidsRetry: false,
  failure,
});

/** The client disconnected while the attempt waited. */
const abandoned = (denied: Attempt): Attempt => ({
  ...denied,
  result: { ...denied.result, response: CLIENT_DISCONNECTED },
  failure: null,
});

function childOf({ signal }: AbortController): AbortController {
  const child = new AbortController();
  if (signal.aborted) child.abort();
  else signal.addEventListener("abort", () => child.abort(), { once: true });
  return child;
}

/** By the status where there is a response, regardless of its body: a 500 that quotes a key may have run. */
function failureOf(received: Response | null, { response }: UpstreamResult): Failure | null {
  if (received === null) return response instanceof Refusal ? failureOfRefusal(response.code) : null;
  const { status } = received;
  // One that is passed on is about the request, or about the client's own key.
  if (status === 401 || status === 403) return response instanceof Refusal ? KEY_REJECTED : null;
  return failureOfStatus(status);
}

const retryAfterOf = ({ headers }: Response, { reason }: Failure, now: number): number | null =>
  readRetryAfter(headers, now) ?? (reason === "rate_limited" ? readReset(headers, now) : null);

function updateKeyState(
  { id, deps }: Exchange,
  { route }: Forwardable,
  { credential, failure, status, retryAfterMs, result }: Attempt,
  pool: KeyPool,
): void {
  if (result.isKeyInvalid && pool.rejected(credential)) {
    const { name: provider } = route.provider;
    deps.logError({
      event: "provider_key_rejected",
      provider,
      key_hint: credential.hint ?? "",
      interception_id: id,
    });
  }
  if (failure?.reason === "rate_limited") pool.rateLimited(credential, retryAfterMs);
  else if (status !== null && status < 400) pool.accepted(credential);
}

/**
 * Whether a failed attempt may have cost something, by the rules for a call that ends so: providers charge for no error but a
 * 524, and a connection that fails within a second was refused. A provider that sends no headers in time has the request.
 */
export function mayCost({ failure, status, startedAt, endedAt }: Attempt): boolean {
  if (failure === null || !failure.mayHaveRun) return false;
  if (failure.reason === "timed_out") return true;
  return status === null
    ? !isNotRun("upstream_unreachable", endedAt - startedAt)
    : !isFreeError(status, { usage: null, reportedCost: null });
}
