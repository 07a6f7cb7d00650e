/**
 * A request that may be sent more than once: with another key where one is rejected or rate limited, after a wait, or to another
 * provider. It ends before the client gets a byte. Every attempt is recorded, if there are several.
 */
import { EXTENDED_POSITIONS } from "../../events/event-id.ts";
import type { After } from "../../shared/deadline.ts";
import { fraction } from "../../shared/uuid.ts";
import { CLIENT_DISCONNECTED, isUpload } from "../upstream/forward.ts";
import type { Guard } from "../upstream/guards.ts";
import type { KeyPool } from "../upstream/key-pool.ts";
import { MIN_HEADERS_MS, nextAttempt, type NextAttempt } from "../upstream/next-attempt.ts";
import { NO_PROVIDER_HEADERS } from "../upstream/provider-headers.ts";
import type { UpstreamCredential } from "../upstream/provider-key.ts";
import { attemptOnce, mayCost, type Attempt } from "./attempt.ts";
import { recordAttempt } from "./attempt-record.ts";
import type { Exchange } from "./exchange.ts";
import { composeBody } from "./sent-body.ts";
import type { CallTarget, Forwardable, Outgoing, UpstreamResult } from "./upstream-call.ts";

/**
 * A request with the client's body, to a provider with one key that retries nothing, has no fallback for it, no breaker and no cap.
 * AI Gateway has an entry in its logs for each attempt, so that an only one is recorded too.
 */
export const isSentOnce = (
  { deps }: Exchange,
  { route: { provider }, credential }: Forwardable,
  { sentModel, fallbacks }: Outgoing,
): boolean =>
  provider.retries.attempts === 1 &&
  (provider.keys.length < 2 || credential.kind === "byok") &&
  sentModel === null &&
  fallbacks.length === 0 &&
  provider.aiGateway === null &&
  !deps.guards.has(provider);

/** The attempts at one provider. */
type Turn = {
  readonly callTarget: CallTarget;
  readonly pool: KeyPool | null;
  readonly guard: Guard | null;
  readonly idempotencyKey: string | null;
  readonly tried: Set<UpstreamCredential>;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  retries: number;
  /** Whether one of them may have run. */
  mayHaveRun: boolean;
};

/** The attempts so far. */
type Progress = {
  turn: Turn;
  /** The providers that follow, in their order. */
  readonly fallbacks: CallTarget[];
  /** When all headers must have arrived, in milliseconds since 1970. */
  readonly headersUntil: number;
  position: number;
  /** The providers of those that were followed by another one and may have cost something. */
  readonly lost: string[];
  /** A rate limit, which the client gets rather than the news that the next key was rejected. */
  limited: UpstreamResult | null;
};

export async function callInAttempts(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  abort: AbortController,
): Promise<UpstreamResult> {
  const { deps, holding } = exchange;
  const restoreBody = bodyRestorer(outgoing);
  const progress = startProgress(exchange, forwardable, outgoing);
  try {
    let next: NextAttempt | null = { credential: forwardable.credential, waitMs: 0, isRetry: false };
    for (;;) {
      const { waitMs } = next;
      const { turn, position } = progress;
      const credential = keyToSend(exchange, progress, next);
      turn.tried.add(credential);
      const sent = { ...forwardable, ...turn.callTarget, credential };
      const options = {
        ...turn,
        abort,
        headersUntil: progress.headersUntil,
        maxWaitMs: leftMs(exchange, progress) - MIN_HEADERS_MS,
      };
      const attempt = servedBy(sent, outgoing, await attemptOnce(exchange, sent, outgoing, options));
      next = restoreBody && !abort.signal.aborted ? followUp(exchange, attempt, progress) : null;
      const place = { position, waitedMs: waitMs, sentModel: outgoing.sentModel };
      if (next !== null || position > 0 || isRecordedAlone(forwardable, attempt, outgoing))
        recordAttempt(exchange, sent, attempt, place);
      if (next === null) return end(exchange, attempt, progress);
      prepareNext(exchange, attempt, progress, next);
      if (!(await pause(next.waitMs, exchange.after, abort))) return disconnected(attempt, progress);
      restoreBody?.(progress.turn.callTarget, next);
    }
  } finally {
    outgoing.source = null;
    deps.bodies.budget.release(holding);
  }
}

function startProgress(exchange: Exchange, forwardable: Forwardable, outgoing: Outgoing): Progress {
  const { deps } = exchange;
  return {
    turn: startTurn(exchange, { ...forwardable, sentModel: outgoing.sentModel }),
    fallbacks: [...outgoing.fallbacks],
    headersUntil: deps.now() + deps.config.limits.headersMs,
    position: 0,
    lost: [],
    limited: null,
  };
}

const startTurn = (
  { id, request: { method }, deps }: Exchange,
  { target, route, credential, sentModel }: CallTarget,
): Turn => ({
  callTarget: { target, route, credential, sentModel },
  pool: credential.kind === "centralized" ? (deps.centralKeys.get(route.provider)?.pool ?? null) : null,
  guard: deps.guards.get(route.provider) ?? null,
  // By which the provider recognizes a request that it has got before, beside the same key.
  idempotencyKey: route.provider.retries.retryOn === "idempotent" && !isSafe(method) ? id : null,
  tried: new Set(),
  startedAt: deps.now(),
  retries: 0,
  mayHaveRun: false,
});

type RestoreBody = (callTarget: CallTarget, next: NextAttempt) => void;

/** Restores the body for another attempt; null for an upload, which is not held. The body stays held until the last one. */
function bodyRestorer(outgoing: Outgoing): RestoreBody | null {
  const { body, optIn, source } = outgoing;
  if (isUpload(body)) return null;
  let injected = optIn?.injected ?? null;
  return ({ route, sentModel }, { isFallback }) => {
    outgoing.sentModel = sentModel;
    if (isFallback) {
      optIn?.plan(route.provider);
      injected = optIn?.injected ?? null;
    }
    // At the same provider the body stays the one that it may know the idempotency key by.
    if (optIn && optIn.state !== "rejected") optIn.injected = injected;
    outgoing.body = source === null ? body : composeBody(source, outgoing);
  };
}

/** RFC 9110 §9.2.1 */
const isSafe = (method: string): boolean => method === "GET" || method === "HEAD";

/** Milliseconds that are left for the headers of the response, of all attempts. */
const leftMs = ({ deps }: Exchange, { headersUntil }: Progress): number => headersUntil - deps.now();

/** Other requests may have changed the states of the keys while the body was read, or during a wait. */
function keyToSend(
  { deps }: Exchange,
  { turn: { pool, tried, mayHaveRun, idempotencyKey } }: Progress,
  { credential, isRetry }: NextAttempt,
): UpstreamCredential {
  const isChosenBefore = tried.size === 0 || isRetry;
  const isPinned = mayHaveRun && idempotencyKey !== null;
  if (pool === null || !isChosenBefore || isPinned) return credential;
  return pool.confirm(credential, () => fraction(deps.randomUuid()));
}

/**
 * Whether the interception names another key or model, AI Gateway has a log entry of the attempt, or the provider's circuit or cap
 * did not let it pass.
 */
const isRecordedAlone = (
  { credential }: Forwardable,
  { credential: used, failure, result: { providerHeaders } }: Attempt,
  { sentModel }: Outgoing,
): boolean =>
  used !== credential ||
  sentModel !== null ||
  hasLogEntry(providerHeaders) ||
  failure?.reason === "circuit_open" ||
  failure?.reason === "busy";

const hasLogEntry = ({ aiGateway }: UpstreamResult["providerHeaders"]): boolean =>
  aiGateway !== null && (aiGateway.logId ?? aiGateway.cache) !== null;

/** The attempt, with the provider that responded. */
function servedBy(sent: Forwardable, { sentModel }: Outgoing, attempt: Attempt): Attempt {
  const { target, route, credential } = sent;
  return { ...attempt, result: { ...attempt.result, served: { target, route, credential, sentModel } } };
}

/** At the same provider, or at the next one. */
function followUp(exchange: Exchange, attempt: Attempt, progress: Progress): NextAttempt | null {
  const { failure } = attempt;
  const headersLeftMs = leftMs(exchange, progress);
  if (failure === null || progress.position + 1 >= EXTENDED_POSITIONS || headersLeftMs < MIN_HEADERS_MS)
    return null;
  const { turn, fallbacks } = progress;
  const { deps, request } = exchange;
  const { retries: rules } = turn.callTarget.route.provider;
  const isIdempotent = turn.idempotencyKey !== null;
  const next = nextAttempt(
    { ...attempt, ...failure },
    {
      ...turn,
      rules,
      leftMs: rules.deadlineMs - (deps.now() - turn.startedAt),
      headersLeftMs,
      mayRunTwice: isIdempotent || isSafe(request.method),
      isPinned: isIdempotent && (turn.mayHaveRun || failure.mayHaveRun),
      random: () => fraction(deps.randomUuid()),
    },
  );
  const [fallback] = fallbacks;
  if (next !== null || !fallback) return next;
  return { credential: fallback.credential, waitMs: 0, isRetry: false, isFallback: true };
}

function prepareNext(exchange: Exchange, attempt: Attempt, progress: Progress, next: NextAttempt): void {
  const { failure, result } = attempt;
  const { turn, fallbacks, limited } = progress;
  exchange.closeCall?.();
  const { response } = result;
  if (failure?.reason === "rate_limited" && (turn.pool !== null || next.isFallback)) {
    discard(limited);
    progress.limited = result;
  } else if (response instanceof Response) response.body?.cancel().catch(() => undefined);
  turn.mayHaveRun ||= failure?.mayHaveRun === true;
  if (mayCost(attempt)) progress.lost.push(turn.callTarget.route.provider.name);
  if (next.isRetry) turn.retries += 1;
  progress.position += 1;
  const fallback = next.isFallback ? fallbacks.shift() : undefined;
  if (fallback) progress.turn = startTurn(exchange, fallback);
}

function discard(result: UpstreamResult | null): void {
  if (result?.response instanceof Response) result.response.body?.cancel().catch(() => undefined);
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
  { result, failure, startedAt }: Attempt,
  { lost, limited }: Progress,
): UpstreamResult {
  if (failure !== null || !(result.response instanceof Response)) exchange.closeCall?.();
  const isPassedOn = failure === null || !YIELDS_TO_LIMIT.has(failure.reason);
  if (isPassedOn) discard(limited);
  const passed = isPassedOn ? result : (limited ?? result);
  return { ...passed, attempts: { lost, sentAt: startedAt } };
}

/** Failures of the gateway's own, beside which a rate limit of an earlier attempt says more. */
const YIELDS_TO_LIMIT = new Set(["key_rejected", "circuit_open", "busy"]);

/** The client disconnected between two attempts. */
const disconnected = ({ startedAt }: Attempt, { lost }: Progress): UpstreamResult => ({
  response: CLIENT_DISCONNECTED,
  providerHeaders: NO_PROVIDER_HEADERS,
  isUnsent: true,
  attempts: { lost, sentAt: startedAt },
});
