/**
 * A request that may be sent to its provider more than once: with another key where one is rejected or rate limited, or after
 * a wait. It ends before the client gets a byte. Every attempt is recorded, if there are several.
 */
import { EXTENDED_POSITIONS } from "../../events/event-id.ts";
import type { After } from "../../shared/deadline.ts";
import { fraction } from "../../shared/uuid.ts";
import { CLIENT_DISCONNECTED, isUpload } from "../upstream/forward.ts";
import type { KeyPool } from "../upstream/key-pool.ts";
import { nextAttempt, type NextAttempt } from "../upstream/next-attempt.ts";
import { NO_PROVIDER_HEADERS } from "../upstream/provider-headers.ts";
import type { UpstreamCredential } from "../upstream/provider-key.ts";
import { attemptOnce, mayCost, type Attempt } from "./attempt.ts";
import { recordAttempt } from "./attempt-record.ts";
import type { Exchange } from "./exchange.ts";
import type { Forwardable, Outgoing, UpstreamResult } from "./upstream-call.ts";

/** False for a provider with one key that retries nothing: its requests are sent once. */
export const mayRetry = ({ route: { provider }, credential }: Forwardable): boolean =>
  provider.retries.attempts > 1 || (provider.keys.length > 1 && credential.kind === "centralized");

/** The attempts so far. */
type Progress = {
  readonly pool: KeyPool | null;
  readonly tried: Set<UpstreamCredential>;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  position: number;
  retries: number;
  /** Whether one of them may have run. */
  mayHaveRun: boolean;
  /** Those that were followed by another one and may have cost something. */
  lost: number;
  /** A rate limit, which the client gets rather than the news that the next key was rejected. */
  limited: UpstreamResult | null;
};

export async function callWithRetries(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  abort: AbortController,
): Promise<UpstreamResult> {
  const { deps, holding } = exchange;
  const restoreBody = bodyRestorer(outgoing);
  const progress = startProgress(exchange, forwardable);
  const options = {
    pool: progress.pool,
    abort,
    idempotencyKey: hasIdempotencyKey(exchange, forwardable) ? exchange.id : null,
    headersUntil: progress.startedAt + deps.config.limits.headersMs,
  };
  try {
    let next: NextAttempt | null = { credential: forwardable.credential, waitMs: 0, isRetry: false };
    for (;;) {
      const { waitMs } = next;
      const sent = { ...forwardable, credential: keyToSend(exchange, forwardable, progress, next) };
      progress.tried.add(sent.credential);
      const attempt = await attemptOnce(exchange, sent, outgoing, options);
      next = restoreBody && !abort.signal.aborted ? followUp(exchange, forwardable, attempt, progress) : null;
      // A single attempt is recorded where the interception names another key.
      if (next !== null || progress.position > 0 || sent.credential !== forwardable.credential)
        recordAttempt(exchange, forwardable, attempt, { position: progress.position, waitedMs: waitMs });
      if (next === null) return end(exchange, attempt, progress);
      prepareNext(exchange, attempt, progress, next);
      if (!(await pause(next.waitMs, exchange.after, abort))) return disconnected(attempt, progress);
      restoreBody?.();
    }
  } finally {
    deps.bodies.budget.release(holding);
  }
}

const startProgress = ({ deps }: Exchange, { route, credential }: Forwardable): Progress => ({
  pool: credential.kind === "centralized" ? (deps.centralKeys.get(route.provider)?.pool ?? null) : null,
  tried: new Set(),
  startedAt: deps.now(),
  position: 0,
  retries: 0,
  mayHaveRun: false,
  lost: 0,
  limited: null,
});

/** Restores the body for another attempt; null for an upload, which is not held. The body stays held until the last one. */
function bodyRestorer(outgoing: Outgoing): (() => void) | null {
  const { body, optIn } = outgoing;
  if (isUpload(body)) return null;
  const injected = optIn?.injected ?? null;
  return () => {
    const isRejected = optIn?.state === "rejected";
    outgoing.body = isRejected && injected ? injected.original : body;
    if (optIn && !isRejected) optIn.injected = injected;
  };
}

/** Whether the provider recognizes a request that it has got before, beside the same key. */
const hasIdempotencyKey = (
  { request: { method } }: Exchange,
  { route: { provider } }: Forwardable,
): boolean => provider.retries.retryOn === "idempotent" && !isSafe(method);

/** RFC 9110 §9.2.1 */
const isSafe = (method: string): boolean => method === "GET" || method === "HEAD";

/** Other requests may have changed the states of the keys while the body was read, or during a wait. */
function keyToSend(
  exchange: Exchange,
  forwardable: Forwardable,
  { pool, position, mayHaveRun }: Progress,
  { credential, isRetry }: NextAttempt,
): UpstreamCredential {
  const isChosenBefore = position === 0 || isRetry;
  const isPinned = mayHaveRun && hasIdempotencyKey(exchange, forwardable);
  if (pool === null || !isChosenBefore || isPinned) return credential;
  return pool.confirm(credential, () => fraction(exchange.deps.randomUuid()));
}

function followUp(
  exchange: Exchange,
  forwardable: Forwardable,
  { failure, ...attempt }: Attempt,
  { pool, tried, retries, mayHaveRun, startedAt, position }: Progress,
): NextAttempt | null {
  if (failure === null || position + 1 >= EXTENDED_POSITIONS) return null;
  const { deps, request } = exchange;
  const { retries: rules } = forwardable.route.provider;
  const isIdempotent = hasIdempotencyKey(exchange, forwardable);
  const passedMs = deps.now() - startedAt;
  return nextAttempt(
    { ...attempt, ...failure },
    {
      pool,
      rules,
      tried,
      retries,
      leftMs: rules.deadlineMs - passedMs,
      headersLeftMs: deps.config.limits.headersMs - passedMs,
      mayRunTwice: isIdempotent || isSafe(request.method),
      isPinned: isIdempotent && (mayHaveRun || failure.mayHaveRun),
      random: () => fraction(deps.randomUuid()),
    },
  );
}

function prepareNext(
  exchange: Exchange,
  attempt: Attempt,
  progress: Progress,
  { isRetry }: NextAttempt,
): void {
  const { failure, result } = attempt;
  exchange.closeKey?.();
  const { response } = result;
  if (failure?.reason === "rate_limited" && progress.pool !== null) progress.limited = result;
  else if (response instanceof Response) response.body?.cancel().catch(() => undefined);
  progress.mayHaveRun ||= failure?.mayHaveRun === true;
  if (mayCost(attempt)) progress.lost += 1;
  if (isRetry) progress.retries += 1;
  progress.position += 1;
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
  if (failure !== null || !(result.response instanceof Response)) exchange.closeKey?.();
  const passed = failure?.reason === "key_rejected" && limited !== null ? limited : result;
  return { ...passed, attempts: { lost, sentAt: startedAt } };
}

/** The client disconnected between two attempts. */
const disconnected = ({ startedAt }: Attempt, { lost }: Progress): UpstreamResult => ({
  response: CLIENT_DISCONNECTED,
  providerHeaders: NO_PROVIDER_HEADERS,
  isUnsent: true,
  attempts: { lost, sentAt: startedAt },
});
