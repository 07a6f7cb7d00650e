/** The call to the provider: it ends when the client disconnects, and no error response of it leaks a configured secret. */
import type { Caller, ProviderHeaderFacts } from "../../events/compose.ts";
import type { Target } from "../../shared/http/target.ts";
import type { NamedHeaders } from "../../shared/http/named-headers.ts";
import type { Refusal } from "../../shared/refusal.ts";
import { applyPolicies } from "../policy/policy.ts";
import type { Route } from "../provider/route.ts";
import type { UpstreamCredential } from "../upstream/credential.ts";
import { CLIENT_DISCONNECTED, isUpload, type UpstreamBody } from "../upstream/forward.ts";
import { NO_PROVIDER_HEADERS } from "../upstream/provider-headers.ts";
import { toClientHeaders } from "../upstream/response-headers.ts";
import { callRepeatedly, mayRepeat } from "./attempts.ts";
import { examineResponse } from "./examine-response.ts";
import type { Exchange } from "./exchange.ts";
import type { Ownership } from "./object-owners.ts";
import { reportLeak } from "./secret-leak.ts";
import { sendWithoutRejected } from "./send.ts";
import type { OptIn } from "./usage-opt-in.ts";

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
  /** The provider says that the key is not valid for any request. */
  readonly isKeyInvalid?: boolean;
  /** Of a request that may be sent more than once. */
  readonly attempts?: AttemptSums;
};

/** A body on its way to the provider. The call takes it out, so that nothing holds it once the headers have arrived. */
export type Outgoing = {
  body: UpstreamBody;
  /** Whether the client sent the body compressed. */
  readonly isDecoded: boolean;
  /** The usage opt-in in the body; null where the request has none. */
  readonly optIn: OptIn | null;
  /** Sent where the client has sent none, and the provider honours one. */
  idempotencyKey?: string;
  /** Milliseconds until the provider's headers must have arrived, in place of the configured limit. */
  headersMs?: number;
};

/** The figures about attempts that the accounting needs. */
export type AttemptSums = {
  /** Attempts that were given up and may have run. */
  readonly lost: number;
  /** When the last attempt was sent, in milliseconds since 1970. */
  readonly sentAt: number;
};

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
  if (mayRepeat(forwardable)) return callRepeatedly(exchange, forwardable, outgoing, abort);
  const response = await sendWithoutRejected(exchange, forwardable, outgoing, abort);
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
