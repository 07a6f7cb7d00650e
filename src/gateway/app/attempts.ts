/**
 * A request that may be sent to its provider more than once: with another key where one is rejected or rate limited, or after
 * a wait. It ends before the client gets a byte. Every attempt is recorded, if there are several.
 */
import { attemptEvent } from "../../events/compose.ts";
import { EXTENDED_POSITIONS } from "../../events/event-id.ts";
import type { After } from "../../shared/deadline.ts";
import { Refusal } from "../../shared/refusal.ts";
import { fraction } from "../../shared/uuid.ts";
import type { UpstreamCredential } from "../upstream/provider-key.ts";
import { failureOfRefusal, failureOfStatus, type Failure } from "../upstream/failure.ts";
import { CLIENT_DISCONNECTED, isUpload } from "../upstream/forward.ts";
import type { KeyPool } from "../upstream/key-pool.ts";
import { nextAttempt, type NextAttempt } from "../upstream/next-attempt.ts";
import { isCached, NO_PROVIDER_HEADERS } from "../upstream/provider-headers.ts";
import { coolingMs, readRetryAfter } from "../upstream/retry-after.ts";
import type { Forwardable, Outgoing, UpstreamResult } from "./upstream-call.ts";
import { isFreeError } from "./call-cost.ts";
import { examineResponse } from "./examine-response.ts";
import type { Exchange } from "./exchange.ts";
import { sendWithoutRejected } from "./send.ts";
import { isNotRun } from "./spending.ts";

/**
 * False for a provider with one key that repeats nothing: its requests are sent once. AI Gateway has an entry in its logs for each
 * attempt, so that an only one is recorded too.
 */
export const mayRepeat = ({ route: { provider }, credential }: Forwardable): boolean =>
  provider.retries.attempts > 1 ||
  (provider.keys.length > 1 && credential.kind === "centralized") ||
  provider.aiGateway !== null;

type Attempt = {
  readonly credential: UpstreamCredential;
  readonly waitedMs: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly result: UpstreamResult;
  /** The status of the provider's response, also of one that was refused; null where there was none. */
  readonly status: number | null;
  readonly retryAfterMs: number | null;
  readonly forbidsRetry: boolean;
  /** null where it did not fail, or failed in a way that is not repeated. */
  readonly failure: Failure | null;
};

/** The attempts so far. */
type Progress = {
  readonly pool: KeyPool | null;
  readonly tried: Set<UpstreamCredential>;
  readonly startedAt: number;
  position: number;
  repeats: number;
  /** Whether one of them may have run. */
  mayHaveRun: boolean;
  /** Those that may have run and cost something. */
  lost: number;
  /** A rate limit, which the client gets rather than the news that the next key was rejected. */
  limited: UpstreamResult | null;
};

export async function callRepeatedly(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  abort: AbortController,
): Promise<UpstreamResult> {
  const { deps, holding } = exchange;
  const resend = resendable(exchange, forwardable, outgoing);
  const progress: Progress = {
    pool: poolOf(exchange, forwardable),
    tried: new Set(),
    startedAt: deps.now(),
    position: 0,
    repeats: 0,
    mayHaveRun: false,
    lost: 0,
    limited: null,
  };
  try {
    let next: NextAttempt | null = { credential: forwardable.credential, waitMs: 0, isRepeat: false };
    for (;;) {
      outgoing.headersMs = deps.config.limits.headersMs - (deps.now() - progress.startedAt);
      const attempt = await attemptOnce(exchange, forwardable, { ...next, progress, outgoing, abort });
      next = resend && !abort.signal.aborted ? followUp(exchange, forwardable, attempt, progress) : null;
      if (next === null) return end(exchange, forwardable, attempt, progress);
      record(exchange, forwardable, attempt, progress.position);
      giveUp(exchange, attempt, progress, next);
      if (!(await pause(next.waitMs, exchange.after, abort))) return disconnected(attempt, progress);
      resend?.();
    }
  } finally {
    deps.bodies.budget.release(holding);
  }
}

const poolOf = ({ deps }: Exchange, { route, credential }: Forwardable): KeyPool | null =>
  credential.kind === "centralized" ? (deps.centralKeys.get(route.provider)?.pool ?? null) : null;

/** Restores the body for another attempt; null for an upload, which is not held. The body stays held until the last one. */
function resendable(
  { id, request: { method } }: Exchange,
  { route: { provider } }: Forwardable,
  outgoing: Outgoing,
): (() => void) | null {
  const { body, optIn } = outgoing;
  if (provider.retries.repeat === "idempotent" && !isSafe(method)) outgoing.idempotencyKey = id;
  if (isUpload(body)) return null;
  const injected = optIn?.injected ?? null;
  return () => {
    const isRejected = optIn?.state === "rejected";
    outgoing.body = isRejected && injected ? injected.original : body;
    if (optIn && !isRejected) optIn.injected = injected;
  };
}

/** RFC 9110 §9.2.1 */
const isSafe = (method: string): boolean => method === "GET" || method === "HEAD";

type Sending = NextAttempt & {
  readonly progress: Progress;
  readonly outgoing: Outgoing;
  readonly abort: AbortController;
};

async function attemptOnce(
  exchange: Exchange,
  forwardable: Forwardable,
  { credential, waitMs, progress, outgoing, abort }: Sending,
): Promise<Attempt> {
  const { pool, tried } = progress;
  const { now } = exchange.deps;
  const startedAt = now();
  tried.add(credential);
  exchange.closeKey = pool?.open(credential) ?? null;
  const sent = { ...forwardable, credential };
  const response = await sendWithoutRejected(exchange, sent, outgoing, abort);
  const isResponse = response instanceof Response;
  if (isResponse && response.status < 400) exchange.deps.bodies.budget.release(exchange.holding);
  const retryAfterMs = isResponse ? readRetryAfter(response.headers, now()) : null;
  const result = await examineResponse(exchange, sent, response, abort);
  const failure = failureOf(result);
  const attempt: Attempt = {
    credential,
    waitedMs: waitMs,
    startedAt,
    endedAt: now(),
    result,
    status: isResponse ? response.status : null,
    retryAfterMs,
    forbidsRetry: isResponse && response.headers.get("x-should-retry")?.trim() === "false",
    failure,
  };
  noteKey(exchange, forwardable, attempt, pool);
  return attempt;
}

function failureOf({ response }: UpstreamResult): Failure | null {
  if (response instanceof Response) return failureOfStatus(response.status);
  return response instanceof Refusal ? failureOfRefusal(response.code) : null;
}

/** The state of the key after the attempt. */
function noteKey(
  { id, deps }: Exchange,
  { route }: Forwardable,
  { credential, failure, status, retryAfterMs, result }: Attempt,
  pool: KeyPool | null,
): void {
  if (pool === null) return;
  if (result.isKeyInvalid && pool.rejected(credential)) {
    const { name: provider } = route.provider;
    deps.logError({
      event: "provider_key_rejected",
      provider,
      key_hint: credential.hint ?? "",
      interception_id: id,
    });
  }
  if (failure?.reason === "rate_limited") pool.rateLimited(credential, coolingMs(retryAfterMs));
  else if (status !== null && status < 400) pool.accepted(credential);
}

function followUp(
  { request: { method }, deps }: Exchange,
  { route: { provider } }: Forwardable,
  { failure, ...attempt }: Attempt,
  progress: Progress,
): NextAttempt | null {
  if (failure === null || progress.position + 1 >= EXTENDED_POSITIONS) return null;
  const { retries: rules } = provider;
  const { tried, repeats, mayHaveRun, startedAt } = progress;
  const endsIn = Math.min(rules.deadlineMs, deps.config.limits.headersMs);
  return nextAttempt(
    { ...attempt, ...failure },
    {
      // Beside another key the provider would not recognize an attempt that may have run.
      pool: mayHaveRun ? null : progress.pool,
      rules,
      tried,
      repeats,
      leftMs: startedAt + endsIn - deps.now(),
      isRepeatable: rules.repeat === "idempotent" || isSafe(method),
      random: () => fraction(deps.randomUuid()),
    },
  );
}

/** Another attempt follows. */
function giveUp(exchange: Exchange, attempt: Attempt, progress: Progress, { isRepeat }: NextAttempt): void {
  const { failure, result } = attempt;
  exchange.closeKey?.();
  const { response } = result;
  if (failure?.reason === "rate_limited" && progress.pool !== null) progress.limited = result;
  else if (response instanceof Response) response.body?.cancel().catch(() => undefined);
  progress.mayHaveRun ||= failure?.mayHaveRun === true;
  if (mayCost(attempt)) progress.lost += 1;
  if (isRepeat) progress.repeats += 1;
  progress.position += 1;
}

/** As a call that ends so is charged: providers charge for no error, and a connection that fails at once was refused. */
function mayCost({ failure, status, startedAt, endedAt }: Attempt): boolean {
  if (failure === null || !failure.mayHaveRun) return false;
  return status === null
    ? !isNotRun("upstream_unreachable", endedAt - startedAt)
    : !isFreeError(status, { usage: null, reportedCost: null });
}

/** False where the request is aborted first. */
function pause(ms: number, after: After, { signal }: AbortController): Promise<boolean> | boolean {
  if (signal.aborted || ms <= 0) return !signal.aborted;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const cancel = after(ms, () => resolve(true));
  const onAbort = (): void => {
    cancel();
    resolve(false);
  };
  signal.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}

/** The request's result is that of its last attempt. */
function end(
  exchange: Exchange,
  forwardable: Forwardable,
  attempt: Attempt,
  progress: Progress,
): UpstreamResult {
  const { position, lost, limited } = progress;
  const { result, failure, startedAt } = attempt;
  if (failure !== null || !(result.response instanceof Response)) exchange.closeKey?.();
  if (position > 0 || hasLogEntry(result)) record(exchange, forwardable, attempt, position);
  const passed = failure?.reason === "key_rejected" && limited !== null ? limited : result;
  return { ...passed, attempts: { lost, sentAt: startedAt } };
}

const hasLogEntry = ({ providerHeaders: { aiGateway } }: UpstreamResult): boolean =>
  aiGateway !== null && (aiGateway.logId ?? aiGateway.cache) !== null;

/** The client disconnected between two attempts. */
const disconnected = ({ startedAt }: Attempt, { lost }: Progress): UpstreamResult => ({
  response: CLIENT_DISCONNECTED,
  providerHeaders: NO_PROVIDER_HEADERS,
  isUnsent: true,
  attempts: { lost, sentAt: startedAt },
});

function record(
  { id, deps, recorder }: Exchange,
  { route }: Forwardable,
  attempt: Attempt,
  position: number,
): void {
  const { credential, waitedMs, startedAt, endedAt, status, failure, result } = attempt;
  const isUsed = failure === null && result.response instanceof Response;
  const { providerHeaders } = result;
  const mayBeCharged = failure === null ? !isCached(providerHeaders) : mayCost(attempt);
  const facts = {
    position,
    provider: route.provider.name,
    keyHint: credential.kind === "centralized" ? credential.hint : null,
    reason: failure?.reason ?? (isUsed ? "used" : "other"),
    status,
    waitedMs,
    startedAt,
    endedAt,
    costMicros: mayBeCharged ? null : 0,
    aiGateway: providerHeaders.aiGateway,
  } as const;
  recorder.record(attemptEvent(id, facts, deps.now()));
}
