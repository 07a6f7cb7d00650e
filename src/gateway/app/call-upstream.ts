/** The call to the provider: it ends when the client disconnects, and no error response of it leaks a configured secret. */
import type { NamedHeaders } from "../../shared/http/named-headers.ts";
import type { Refusal } from "../../shared/refusal.ts";
import { applyPolicies } from "../policy/policy.ts";
import { CLIENT_DISCONNECTED, isUpload } from "../upstream/forward.ts";
import { NO_PROVIDER_HEADERS } from "../upstream/provider-headers.ts";
import { toClientHeaders } from "../upstream/response-headers.ts";
import { callInAttempts, isSentOnce } from "./attempts.ts";
import { examineResponse } from "./examine-response.ts";
import type { Exchange } from "./exchange.ts";
import { reportLeak } from "./secret-leak.ts";
import { sendWithoutRejected } from "./send.ts";
import type { Forwardable, Outgoing, UpstreamResult } from "./upstream-call.ts";

export async function callUpstream(
  exchange: Exchange,
  forwardable: Forwardable,
  outgoing: Outgoing,
  abort: AbortController,
): Promise<UpstreamResult> {
  const { connection } = exchange;
  connection.onGone(() => abort.abort());
  if (connection.isGone()) {
    if (isUpload(outgoing.body)) outgoing.body.cancel();
    return { response: CLIENT_DISCONNECTED, providerHeaders: NO_PROVIDER_HEADERS, isUnsent: true };
  }
  if (!isSentOnce(exchange, forwardable, outgoing))
    return callInAttempts(exchange, forwardable, outgoing, abort);
  const options = { abort, idempotencyKey: null, headersUntil: null };
  const response = await sendWithoutRejected(exchange, forwardable, outgoing, options);
  outgoing.source = null;
  exchange.deps.bodies.budget.release(exchange.holding);
  return examineResponse(exchange, forwardable, response, abort);
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
