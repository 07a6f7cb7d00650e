/** The request as the provider gets it: sent once, and once more where the provider rejects the usage opt-in. */
import { TIMED_OUT, withDeadline, type After } from "../../shared/deadline.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { Provider } from "../provider/provider.ts";
import { setCallerHeaders } from "../upstream/caller-headers.ts";
import { CLIENT_DISCONNECTED, forward, isUpload, type Forwarded } from "../upstream/forward.ts";
import {
  IDEMPOTENCY_KEY,
  idempotencyNames,
  renewIdempotencyKeys,
  scopeIdempotencyKeys,
} from "../upstream/idempotency.ts";
import { upstreamHeaders } from "../upstream/request-headers.ts";
import { targetUrl } from "../upstream/url.ts";
import type { Forwardable, Outgoing } from "./upstream-call.ts";
import type { Exchange } from "./exchange.ts";
import { composeBody, isEdited } from "./sent-body.ts";
import { examineOptIn } from "./usage-opt-in.ts";

export type SendOptions = {
  readonly abort: AbortController;
  /** Sent where the client has sent none; null for a provider that honours none. */
  readonly idempotencyKey: string | null;
  /** When the headers must have arrived, in milliseconds since 1970; null: the configured time after each sending. */
  readonly headersUntil: number | null;
};

/** The response to the request, or, if the provider rejects the usage opt-in, to the same request without it. */
export async function sendWithoutRejected(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  options: SendOptions,
): Promise<Forwarded> {
  const { optIn, source } = outgoing;
  const response = await send(exchange, forwardable, outgoing, options);
  if (!optIn?.injected || source === null || !(response instanceof Response)) return response;
  const { remember } = optIn.injected;
  const examined = await examineOptIn(response, source.bytes, exchange.deps.config.limits.idleMs);
  optIn.injected = null;
  if (!examined.isRejected) return examined.response;
  if (exchange.connection.isGone()) return CLIENT_DISCONNECTED;
  examined.response.body?.cancel().catch(() => undefined);
  optIn.state = "rejected";
  outgoing.body = composeBody(source, outgoing);
  const second = await send(exchange, forwardable, outgoing, options);
  // An error of the client's own rejects both, and says nothing about the option.
  if (second instanceof Response && second.ok) remember();
  return second;
}

async function send(
  { request, headers: sent, deps, after, waitUntil }: Exchange,
  { target, route, caller, initiatorName, acceptedOwner, credential }: Forwardable,
  outgoing: Outgoing,
  { abort, idempotencyKey, headersUntil }: SendOptions,
): Promise<Forwarded> {
  const { body, optIn } = outgoing;
  const isChanged = outgoing.isDecoded || isEdited(outgoing);
  const { provider } = route;
  const headers = upstreamHeaders(sent, { provider, credential, isChanged, owner: acceptedOwner });
  setCallerHeaders(headers, provider, { caller, initiatorName });
  outgoing.body = null;
  const isCentral = credential.kind === "centralized";
  const isRejected = optIn?.state === "rejected";
  const keys = isCentral || isRejected ? idempotencyNames(sent.names, headers) : [];
  if (isCentral && keys.length > 0) await scopeIdempotencyKeys(headers, keys, caller);
  if (idempotencyKey !== null && !headers.has(IDEMPOTENCY_KEY)) headers.set(IDEMPOTENCY_KEY, idempotencyKey);
  if (isRejected) renewIdempotencyKeys(headers, [...keys, IDEMPOTENCY_KEY]);
  const startedAt = deps.now();
  const ownUntil = startedAt + mostHeadersMs(provider, deps.config);
  const until = Math.min(ownUntil, headersUntil ?? Number.POSITIVE_INFINITY);
  const { method } = request;
  const init = { url: targetUrl(route, target.search), method, headers, body, after, waitUntil };
  // Most keys are in a header already: such a request waits for nothing.
  const refusal = credential.authorize
    ? await inTime(credential.authorize(init), { abort, ms: until - startedAt, after })
    : null;
  if (refusal !== null) {
    if (isUpload(body)) body.cancel();
    return refusal;
  }
  // Only an authorization takes time.
  const sentAt = credential.authorize ? deps.now() : startedAt;
  const response = await forward(deps.fetch, init, abort, Math.max(0, until - sentAt));
  if (response instanceof Response && response.status === 401) credential.rejected?.();
  return response;
}

/** Milliseconds that the provider has for its headers. */
export const mostHeadersMs = ({ headersMs }: Provider, { limits }: Exchange["deps"]["config"]): number =>
  Math.min(headersMs ?? limits.headersMs, limits.headersMs);

type Time = { readonly abort: AbortController; readonly ms: number; readonly after: After };

/** A request that ends before it is authorized is not sent. */
async function inTime(
  authorizing: Promise<Refusal | null>,
  { abort: { signal }, ms, after }: Time,
): Promise<Refusal | null> {
  const { promise: aborted, resolve } = Promise.withResolvers<typeof TIMED_OUT>();
  const onAbort = (): void => resolve(TIMED_OUT);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  const result = await withDeadline(Promise.race([authorizing, aborted]), ms, after);
  signal.removeEventListener("abort", onAbort);
  return result === TIMED_OUT
    ? new Refusal("upstream_token_unavailable", { detail: "no token in time" })
    : result;
}
