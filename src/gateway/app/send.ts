/** One attempt: the request as the provider gets it. */
import { setCallerHeaders } from "../upstream/caller-headers.ts";
import { CLIENT_DISCONNECTED, forward } from "../upstream/forward.ts";
import { IDEMPOTENCY_KEY, idempotencyNames, scopeIdempotencyKeys } from "../upstream/idempotency.ts";
import { upstreamHeaders } from "../upstream/request-headers.ts";
import { targetUrl } from "../upstream/url.ts";
import type { Forwardable, Outgoing } from "./upstream-call.ts";
import type { Exchange } from "./exchange.ts";
import { examineOptIn } from "./usage-opt-in.ts";

/** The response to the request, or, if the provider rejects the usage opt-in, to the same request without it. */
export async function sendWithoutRejected(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  abort: AbortController,
): ReturnType<typeof forward> {
  const { optIn } = outgoing;
  const response = await send(exchange, forwardable, outgoing, abort);
  if (!optIn?.injected || !(response instanceof Response)) return response;
  const { original, remember } = optIn.injected;
  const examined = await examineOptIn(response, original, exchange.deps.config.limits.idleMs);
  optIn.injected = null;
  if (!examined.isRejected) return examined.response;
  if (exchange.connection.isGone()) return CLIENT_DISCONNECTED;
  examined.response.body?.cancel().catch(() => undefined);
  optIn.state = "rejected";
  outgoing.body = original;
  const second = await send(exchange, forwardable, outgoing, abort);
  // An error of the client's own rejects both, and says nothing about the option.
  if (second instanceof Response && second.ok) remember();
  return second;
}

async function send(
  { request, headers: sent, deps, after }: Exchange,
  { target, route, caller, initiatorName, acceptedOwner, credential }: Forwardable,
  outgoing: Outgoing,
  abort: AbortController,
): ReturnType<typeof forward> {
  const isChanged = outgoing.isDecoded || Boolean(outgoing.optIn?.injected);
  const { provider } = route;
  const headers = upstreamHeaders(sent, { provider, credential, isChanged, owner: acceptedOwner });
  setCallerHeaders(headers, provider, { caller, initiatorName });
  const { body } = outgoing;
  outgoing.body = null;
  const keys = credential.kind === "centralized" ? idempotencyNames(sent.names, headers) : [];
  if (keys.length > 0) await scopeIdempotencyKeys(headers, keys, caller);
  const { idempotencyKey, headersMs = deps.config.limits.headersMs } = outgoing;
  if (idempotencyKey !== undefined && !headers.has(IDEMPOTENCY_KEY))
    headers.set(IDEMPOTENCY_KEY, idempotencyKey);
  const { method } = request;
  const init = { url: targetUrl(route, target.search), method, headers, body, after };
  // Most keys are in a header already: such a request waits for nothing.
  const refusal = credential.authorize ? await credential.authorize(init) : null;
  if (refusal !== null) return refusal;
  return forward(deps.fetch, init, abort, headersMs);
}
