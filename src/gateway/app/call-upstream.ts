/** The one call to the provider: it ends when the client disconnects, and no error response of it leaks a configured secret. */
import type { Caller, ProviderHeaderFacts } from "../../events/compose.ts";
import type { Target } from "../../shared/http/target.ts";
import { edgeErrorOf, isBlockPage } from "../observation/edge-error.ts";
import { NamedHeaders } from "../../shared/http/named-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { applyPolicies } from "../policy/policy.ts";
import type { Route } from "../provider/route.ts";
import type { UpstreamCredential } from "../upstream/credential.ts";
import { CLIENT_DISCONNECTED, forward, isUpload, type UpstreamBody } from "../upstream/forward.ts";
import { idempotencyNames, scopeIdempotencyKeys } from "../upstream/idempotency.ts";
import { rejectKeyLeak } from "../upstream/key-leak.ts";
import { NO_PROVIDER_HEADERS, readProviderHeaders } from "../upstream/provider-headers.ts";
import { upstreamHeaders } from "../upstream/request-headers.ts";
import { toClientHeaders } from "../upstream/response-headers.ts";
import { targetUrl } from "../upstream/url.ts";
import type { Exchange } from "./exchange.ts";
import type { Ownership } from "./object-owners.ts";
import { checkSearchable, reportLeak } from "./secret-leak.ts";
import { examineOptIn, type OptIn } from "./usage-opt-in.ts";

/** A request whose caller is known: everything that forwarding needs. */
export type Forwardable = {
  readonly target: Target;
  readonly route: Route;
  readonly caller: Caller;
  /** The accepted owner; null where none was. */
  readonly acceptedOwner: string | null;
  readonly credential: UpstreamCredential;
  /** null where the provider does not check the owners of its objects. */
  readonly ownership: Ownership | null;
};

/** The end of the call: the response that may be passed on or why there is none, and the headers that are recorded. */
export type UpstreamResult = {
  readonly response: Response | Refusal | typeof CLIENT_DISCONNECTED;
  readonly providerHeaders: ProviderHeaderFacts;
  /** The response's headers, where they were read. */
  readonly received?: NamedHeaders;
  /** The client had disconnected before the provider was called. */
  readonly isUnsent?: boolean;
  /** The ids of the objects that the response names, where it was read for them. */
  readonly objectIds?: readonly string[];
};

/** A body on its way to the provider. The call takes it out, so that nothing holds it once the headers have arrived. */
export type Outgoing = {
  body: UpstreamBody;
  /** Whether the client sent the body compressed. */
  readonly isDecoded: boolean;
  /** The usage opt-in in the body; null where the request has none. */
  readonly optIn: OptIn | null;
};

export async function callUpstream(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  abort: AbortController,
): Promise<UpstreamResult> {
  const { connection, deps, holding } = exchange;
  connection.onGone(() => abort.abort());
  if (connection.isGone()) {
    if (isUpload(outgoing.body)) outgoing.body.cancel();
    return { response: CLIENT_DISCONNECTED, providerHeaders: NO_PROVIDER_HEADERS, isUnsent: true };
  }
  const response = await sendWithoutRejected(exchange, forwardable, outgoing, abort);
  deps.bodies.budget.release(holding);
  if (!(response instanceof Response)) return { response, providerHeaders: NO_PROVIDER_HEADERS };
  const received = new NamedHeaders(response.headers);
  const providerHeaders = readProviderHeaders(received, deps.secrets);
  if (deps.secrets === null) return { response, providerHeaders, received };
  if (response.status < 400)
    return { response: checkSearchable(response, received, forwardable, abort), providerHeaders, received };
  const clean = await checkError(exchange, forwardable, response, abort);
  return {
    response: !(clean instanceof Response) && connection.isGone() ? CLIENT_DISCONNECTED : clean,
    providerHeaders,
  };
}

/**
 * The error response, searched for every secret. Where the provider rejects the key, the response would tell the
 * user that the user's own key is wrong: it is refused as `upstream_key_rejected`.
 */
async function checkError(
  exchange: Exchange,
  forwardable: Forwardable,
  response: Response,
  abort: AbortController,
): Promise<Response | Refusal> {
  const { secrets, config } = exchange.deps;
  const quotes = (text: string, where: "header" | "body"): boolean => {
    const secret = secrets?.findAny(text) ?? null;
    if (secret !== null) reportLeak(exchange, forwardable, secret, where);
    return secret !== null;
  };
  const clean = await rejectKeyLeak(response, quotes, abort, config.limits.idleMs);
  const isCentral = forwardable.credential.kind === "centralized";
  if (clean instanceof Refusal || !isCentral || (clean.status !== 401 && clean.status !== 403)) return clean;
  // Pages of a network in front of the provider, and OpenRouter's 403 for a flagged input, say nothing about the key.
  const body = await clean.clone().text();
  const isOther =
    edgeErrorOf(clean.status, clean.headers) !== null || isBlockPage(body) || FLAGGED.test(body);
  return isOther ? clean : new Refusal("upstream_key_rejected", { detail: `status ${clean.status}` });
}

const FLAGGED = /"(?:flagged_input|reasons)"\s*:/;

/** The response to the request, or, if the provider rejects the usage opt-in, to the same request without it. */
async function sendWithoutRejected(
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
  { target, route, caller, acceptedOwner, credential }: Forwardable,
  outgoing: Outgoing,
  abort: AbortController,
): ReturnType<typeof forward> {
  const isChanged = outgoing.isDecoded || Boolean(outgoing.optIn?.injected);
  const { provider } = route;
  const headers = upstreamHeaders(sent, { provider, credential, isChanged, owner: acceptedOwner });
  const { body } = outgoing;
  outgoing.body = null;
  const keys = credential.kind === "centralized" ? idempotencyNames(sent.names, headers) : [];
  if (keys.length > 0) await scopeIdempotencyKeys(headers, keys, caller);
  const { method } = request;
  const init = { url: targetUrl(route, target.search), method, headers, body, after };
  return forward(deps.fetch, init, abort, deps.config.limits.headersMs);
}

export type ClientBody = {
  readonly body: BodyInit | null;
  readonly isModified: boolean;
  /** The headers of the provider's response, where they were read before. */
  readonly received?: NamedHeaders | undefined;
};

/**
 * The provider's response as the client gets it. A native `body` (the provider's own, or a branch of its `tee()`) lets the
 * request's context go: `waitUntil`'s thirty seconds begin in mid-stream, and `request.signal` never fires (deferred
 * proxying, cloudflare/workerd#6151). Only a passthrough may pass one.
 */
export function toClientResponse(
  exchange: Exchange,
  forwardable: Pick<Forwardable, "route" | "credential">,
  upstream: Response,
  { body, isModified, received }: ClientBody,
): Response {
  const { id, deps } = exchange;
  const { secrets } = deps;
  const inReason = secrets?.findAny(upstream.statusText) ?? null;
  const response = new Response(
    body,
    inReason === null ? upstream : { status: upstream.status, headers: upstream.headers },
  );
  const inHeaders = toClientHeaders(response.headers, {
    interceptionId: id,
    isModified,
    isCentral: forwardable.credential.kind === "centralized",
    keepsCache: forwardable.route.provider.keepsCache,
    secrets,
    ...(received ? { received } : {}),
  });
  const leaked = inReason ?? inHeaders;
  if (leaked !== null) reportLeak(exchange, forwardable, leaked, "header");
  return response;
}

/** A response that no client receives. */
export function clientDisconnected(id: string): Response {
  return new Response(null, { status: 499, headers: { "x-interception-id": id } });
}

/** The refusal of the first policy that denies the request; null where all permit it. `model`: null where none is named. */
export function checkPolicies(
  { deps }: Exchange,
  { route, caller }: Pick<Forwardable, "route" | "caller">,
  model: string | null,
  runsModel: boolean,
): Refusal | null {
  return applyPolicies(deps.policies, {
    provider: route.provider,
    model,
    runsModel,
    actorId: caller.actor_id,
    initiatorId: caller.initiator_id,
  });
}
