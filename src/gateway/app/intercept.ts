/**
 * The path of a request, top to bottom:
 *
 *   request → route → client → identity → initiator → policy → upstream → observation → client bytes, unmodified
 *
 * Each step takes plain values and returns plain values or a refusal.
 */
import {
  overrideEvent,
  overrideRejectedEvent,
  toCaller,
  toSubject,
  type Caller,
  type PromptHashes,
  type ProviderHeaderFacts,
} from "../../events/compose.ts";
import type { UsageOptIn } from "../../events/vocabulary.ts";
import { sha256Hex } from "../../shared/digest.ts";
import { Refusal } from "../../shared/refusal.ts";
import { sessionId } from "../client/client.ts";
import { readEndUser } from "../client/end-user.ts";
import { readHints } from "../client/hints.ts";
import { readCoderIds } from "../initiator/owner-claim.ts";
import { observe, type Observation } from "../observation/observe.ts";
import { nameError } from "../provider/provider-error.ts";
import { readConversation, type Conversation } from "../provider/conversation.ts";
import { readModelCall, type ModelCall } from "../provider/model-call.ts";
import type { Api } from "../provider/provider.ts";
import { methodsOf } from "../provider/method.ts";
import type { Route } from "../provider/route.ts";
import { asText } from "../provider/usage.ts";
import { CLIENT_DISCONNECTED } from "../upstream/forward.ts";
import { NO_PROVIDER_HEADERS } from "../upstream/provider-headers.ts";
import {
  callUpstream,
  checkPolicies,
  clientDisconnected,
  toClientResponse,
  type Forwardable,
  type Outgoing,
} from "./call-upstream.ts";
import { preflightResponse } from "./cors.ts";
import { checkUnreadBody, decide, type RequestDecision } from "./decide.ts";
import { findDestination } from "./destination.ts";
import { toRecordedEndUser } from "./end-user.ts";
import { ownResponse, refuse, type Exchange } from "./exchange.ts";
import { startInterception, type Interception, type InterceptionContext } from "./interception.ts";
import { passThrough } from "./passthrough.ts";
import { hashUserTexts, NO_PROMPT_HASHES } from "./prompt-hashes.ts";
import { createRequestBody } from "./read-body.ts";
import type { RequestBody } from "./request-body.ts";
import { planOptIn } from "./usage-opt-in.ts";
import { welcome } from "./welcome.ts";

export async function serve(exchange: Exchange): Promise<Response> {
  const { request, deps, id, findings } = exchange;

  // Route.
  const destination = findDestination(request, deps);
  if (destination.kind === "not_found") {
    exchange.errorBody = destination.errorBody;
    return refuse(exchange, destination.refusal);
  }
  if (destination.kind === "base")
    return destination.target.path === "/" ? welcome(id, request) : ownResponse(id, null);
  // Hono routes the API's paths to `serveApi`.
  if (destination.kind === "api") return refuse(exchange, new Refusal("not_found"));
  const { target, route } = destination;
  exchange.errorBody = route.provider.dialect.errorBody;
  const preflight = preflightResponse(exchange, route);
  if (preflight) return preflight;
  const stop = (refusal: Refusal): Response => refuse(exchange, refusal, () => methodsOf(route.route));

  // Client, identity, initiator.
  const { bodyBytes: maxBytes, bodyRatio: maxRatio } = deps.config.limits;
  const reading = { ...deps.bodies, maxBytes, maxRatio, holding: exchange.holding };
  const body = createRequestBody(request, reading, () => checkUnreadBody(request, maxBytes));
  const decided = await decide({ head: request, target, route, body }, deps, findings);
  if (decided instanceof Refusal) return stop(decided);
  const { client, actor, credential, claim, decision } = decided;
  const caller = toCaller({
    id,
    actor,
    initiator: decision.initiator,
    client,
    sessionId: sessionId(client, request.headers, {}),
    coder: readCoderIds(claim.sent, decided.delegation),
  });
  exchange.caller = caller;
  await recordOverride(exchange, caller, route, decided);
  if (decided.refusal) return stop(decided.refusal);

  const forwardable = { target, route, caller, acceptedOwner: decision.acceptedOwner, credential };
  if (route.route.kind === "passthrough") return passThrough(exchange, forwardable, body);
  return intercept(exchange, decided, { ...forwardable, api: route.route.api }, body);
}

/** Records an owner header: that it was accepted, or why it was not. */
async function recordOverride(
  { deps, recorder }: Exchange,
  caller: Caller,
  { provider }: Route,
  { claim, decision }: RequestDecision,
): Promise<void> {
  if (decision.acceptedOwner !== null) {
    recorder.record(overrideEvent(caller, decision, provider.name, deps.now()));
  } else if (decision.rejection !== null) {
    const sent = claim.sent.owner ?? "";
    const rejected = {
      reason: decision.rejection,
      valueLength: sent.length,
      valueSha256: (await sha256Hex(sent)).slice(0, 16),
      provider: provider.name,
    };
    recorder.record(overrideRejectedEvent(caller, decision, rejected, deps.now()));
  }
}

/** A model call before its body is read. */
type Intercepted = Forwardable & { readonly api: Api };

/** An interception: recorded from here to its one end, however it ends. */
async function intercept(
  exchange: Exchange,
  decided: RequestDecision,
  intercepted: Intercepted,
  body: RequestBody,
): Promise<Response> {
  const started = await start(exchange, decided, intercepted, body);
  if (started instanceof Refusal) return refuse(exchange, started);
  const { interception, model, outgoing } = started;
  const { end } = interception;
  const sentOptIn = (): UsageOptIn | null => outgoing.optIn?.state ?? null;
  const endRefused = (
    refusal: Refusal,
    outcome: "refused" | "upstream_error",
    providerHeaders = NO_PROVIDER_HEADERS,
  ): Response => {
    const { status, code: error } = refusal;
    const usageOptIn = outcome === "refused" ? null : sentOptIn();
    end({ outcome, status, error, providerHeaders, usageOptIn, observation: null });
    return refuse(exchange, refusal);
  };
  const abort = new AbortController();
  try {
    if (!(await interception.started)) return endRefused(new Refusal("recording_unavailable"), "refused");
    const forbidden = checkPolicies(exchange, intercepted, model, true);
    if (forbidden) return endRefused(forbidden, "refused");

    const { response, providerHeaders } = await callUpstream(exchange, intercepted, outgoing, abort);
    if (response === CLIENT_DISCONNECTED) {
      end({
        outcome: "cancelled",
        status: null,
        error: null,
        providerHeaders,
        usageOptIn: sentOptIn(),
        observation: null,
      });
      return clientDisconnected(exchange.id);
    }
    if (response instanceof Refusal) return endRefused(response, "upstream_error", providerHeaders);
    const usageOptIn = sentOptIn();
    const upstream = { response, providerHeaders, api: intercepted.api, abort, usageOptIn };
    return await observeResponse(exchange, upstream, end);
  } catch (error) {
    abort.abort();
    end({
      outcome: "refused",
      status: 500,
      error: "internal",
      providerHeaders: NO_PROVIDER_HEADERS,
      usageOptIn: sentOptIn(),
      observation: null,
    });
    throw error;
  }
}

/** The parts of a model call that outlive its reading. Nothing else of it is held while the provider is called. */
type Started = {
  readonly interception: Interception;
  readonly model: ModelCall["model"];
  readonly outgoing: Outgoing;
};

/**
 * Reads and records the call. Everything that scans its body happens here, between two awaits, and keeps no reference to
 * it but in `outgoing`.
 */
async function start(
  exchange: Exchange,
  decided: RequestDecision,
  intercepted: Intercepted,
  body: RequestBody,
): Promise<Started | Refusal> {
  const bytes = await body.take();
  if (bytes instanceof Refusal) return bytes;
  const sentBody = { bytes, encoding: body.decoded() };
  const prepared = prepare(exchange, decided, intercepted, sentBody);
  if (prepared instanceof Refusal) return prepared;
  const { context, endUser: sent, promptHashes: hashing, ...started } = prepared;
  const { recorder, deps } = exchange;
  const { redact, now } = deps;
  const { recording } = deps.config;
  const endUser = await toRecordedEndUser(sent, recording, redact);
  const promptHashes = hashing ? await hashing : NO_PROMPT_HASHES;
  const options = { prompts: recording.prompts, redact, now };
  return {
    ...started,
    interception: startInterception(recorder, { ...context, endUser, promptHashes }, options),
  };
}

/** A call as it will be recorded, and what is sent: nothing of its parsed form. */
type Prepared = Omit<Started, "interception"> & {
  readonly context: Omit<InterceptionContext, "endUser" | "promptHashes">;
  /** As the client sent it. */
  readonly endUser: string | null;
  /** null where prompts are not recorded. */
  readonly promptHashes: Promise<PromptHashes> | null;
};

/** Without `await`: see `start`. */
function prepare(
  exchange: Exchange,
  decided: RequestDecision,
  { api, route, caller, ...rest }: Intercepted,
  { bytes, encoding }: { readonly bytes: Uint8Array; readonly encoding: string | null },
): Prepared | Refusal {
  const call = readModelCall(bytes, api.requestFields);
  if (call instanceof Refusal) return call;
  const conversation = readConversation(call.body, api.conversation);
  if (conversation instanceof Refusal) return conversation;
  const { headers } = exchange.request;
  const { rejectedOptIns: rejected, now, redact, config } = exchange.deps;
  const optIn = planOptIn(call, { provider: route.provider, api, rejected, now });
  const session = caller.client_session_id ?? sessionId(decided.client, headers, call.fields);
  const intercepted = { ...rest, api, route, caller: { ...caller, client_session_id: session } };
  const isDecoded = encoding !== null;
  return {
    context: toContext(exchange, decided, intercepted, { ...call, conversation, encoding }),
    endUser: readEndUser(headers, call.fields),
    promptHashes: config.recording.prompts ? hashUserTexts(conversation.texts(), redact) : null,
    model: call.model,
    outgoing: { body: optIn.injected?.parts ?? bytes, isDecoded, optIn },
  };
}

function toContext(
  { deps, startedAt, request: { headers } }: Exchange,
  { client, actor, decision, flags, credential }: RequestDecision,
  { route, caller }: Intercepted,
  call: Pick<ModelCall, "model" | "stream"> & {
    readonly conversation: Conversation;
    readonly encoding: string | null;
  },
): Prepared["context"] {
  const facts = {
    provider: route.provider.name,
    provider_type: route.provider.dialect.type,
    route: route.route.path,
    model: asText(call.model),
    streaming: call.stream,
    credential_kind: credential.kind,
    credential_hint: credential.hint,
    worker_version: deps.config.workerVersion,
  };
  return {
    subject: toSubject(caller, facts, startedAt),
    actor,
    initiatorName: decision.initiator.name,
    flags,
    conversation: call.conversation,
    hints: readHints(headers),
    clientKind: client.row?.kind ?? null,
    requestEncoding: call.encoding,
    startedAt,
  };
}

type UpstreamResponse = {
  readonly response: Response;
  readonly providerHeaders: ProviderHeaderFacts;
  readonly api: Api;
  readonly abort: AbortController;
  /** Once the provider has responded. */
  readonly usageOptIn: UsageOptIn | null;
};

/** The client's response. The interception ends when the provider's response does, or the client disconnects. */
async function observeResponse(
  { id, request, deps, recorder, waitUntil }: Exchange,
  { response, providerHeaders, api, abort, usageOptIn }: UpstreamResponse,
  end: Interception["end"],
): Promise<Response> {
  const { idleMs, observeBytes } = deps.config.limits;
  const observed = await observe(response, api.createReader(deps.config.recording.content), {
    clientSignal: request.signal,
    abort,
    idleMs,
    heldBytes: observeBytes,
    now: deps.now,
    isInjectedUsage: usageOptIn === "added" ? api.isUsageOnly : null,
  });
  const { status } = response;
  const ended = observed.observation.then((observation: Observation) => {
    const { outcome, report } = observation;
    const error = outcome === "upstream_error" ? nameError(report.error, status) : report.error;
    end({ outcome, status, error, providerHeaders, usageOptIn, observation });
    void recorder.flush();
  });
  // A streamed body goes on after the response is returned; any other has been observed already.
  if (observed.body instanceof ReadableStream) waitUntil(ended);
  else await ended;
  return toClientResponse(response, id, observed);
}
