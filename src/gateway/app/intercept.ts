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
import { sha256Hex } from "../../shared/digest.ts";
import { Refusal } from "../../shared/refusal.ts";
import { sessionId } from "../client/client.ts";
import { readHints } from "../client/hints.ts";
import { readCoderIds } from "../initiator/owner-claim.ts";
import { observe, type Observation } from "../observation/observe.ts";
import { injectUsageOption } from "../provider/inject-usage.ts";
import { readModelCall, type ModelCall } from "../provider/model-call.ts";
import type { Conversation } from "../provider/conversation.ts";
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
import { checkUnreadBody, decide, type RequestDecision } from "./decide.ts";
import { findDestination } from "./destination.ts";
import { ownResponse, refuse, type Exchange } from "./exchange.ts";
import { startInterception, type Interception } from "./interception.ts";
import { passThrough } from "./passthrough.ts";
import { hashUserTexts, NO_PROMPT_HASHES } from "./prompt-hashes.ts";
import { createRequestBody } from "./read-body.ts";
import type { RequestBody } from "./request-body.ts";
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
  const stop = (refusal: Refusal): Response => refuse(exchange, refusal, () => methodsOf(route.route));

  // Client, identity, initiator.
  const maxBytes = deps.config.limits.bodyBytes;
  const reading = { ...deps.bodies, maxBytes, holding: exchange.holding };
  const body = createRequestBody(request, reading, () => checkUnreadBody(request, route, maxBytes));
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
  const { interception, model, outgoing, isInjectedUsage } = started;
  const { end } = interception;
  const endRefused = (
    refusal: Refusal,
    outcome: "refused" | "upstream_error",
    providerHeaders = NO_PROVIDER_HEADERS,
  ): Response => {
    const { status, code: error } = refusal;
    end({ outcome, status, error, providerHeaders, observation: null });
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
        observation: null,
      });
      return clientDisconnected(exchange.id);
    }
    if (response instanceof Refusal) return endRefused(response, "upstream_error", providerHeaders);
    const upstream = { response, providerHeaders, api: intercepted.api, abort, isInjectedUsage };
    return await observeResponse(exchange, upstream, end);
  } catch (error) {
    abort.abort();
    end({
      outcome: "refused",
      status: 500,
      error: "internal",
      providerHeaders: NO_PROVIDER_HEADERS,
      observation: null,
    });
    throw error;
  }
}

/** The parts of a model call that outlive its parsed body. Nothing else of it is held while the provider is called. */
type Started = {
  readonly interception: Interception;
  readonly model: ModelCall["model"];
  readonly outgoing: Outgoing;
  readonly isInjectedUsage: UpstreamResponse["isInjectedUsage"];
};

/**
 * Reads, parses and records the call. The parsed form takes many times the body's bytes (see `DEFAULT_BODIES_BYTES`).
 * Everything that needs it happens here, between two awaits, so that only one body is parsed at a time.
 */
async function start(
  exchange: Exchange,
  decided: RequestDecision,
  { api, route, caller, ...rest }: Intercepted,
  body: RequestBody,
): Promise<Started | Refusal> {
  const bytes = await body.take();
  if (bytes instanceof Refusal) return bytes;
  const { request, deps } = exchange;
  const read = readCall(
    bytes,
    { api, route },
    (fields) => caller.client_session_id ?? sessionId(decided.client, request.headers, fields),
  );
  if (read instanceof Refusal) return read;
  const { prompts } = deps.config.recording;
  const promptHashes = prompts ? await hashUserTexts(read.conversation.texts, deps.redact) : NO_PROMPT_HASHES;
  const intercepted = { ...rest, api, route, caller: { ...caller, client_session_id: read.session } };
  return {
    interception: record(exchange, decided, intercepted, { ...read, promptHashes }),
    model: read.model,
    outgoing: { body: read.injected ?? bytes },
    isInjectedUsage: read.injected && api.isUsageOnly,
  };
}

type ReadCall = Pick<ModelCall, "model" | "stream"> & {
  /** The body with the usage opt-in; null where nothing was added. */
  readonly injected: ReturnType<typeof injectUsageOption>;
  readonly session: string | null;
  readonly conversation: Conversation;
};

/** Everything that needs the parsed body, which is no longer referenced after that. */
function readCall(
  bytes: Uint8Array,
  { api, route }: Pick<Intercepted, "api" | "route">,
  readSession: (fields: ModelCall["fields"]) => string | null,
): ReadCall | Refusal {
  const call = readModelCall(bytes);
  if (call instanceof Refusal) return call;
  return {
    model: call.model,
    stream: call.stream,
    injected: api.isUsageOnly && route.provider.injectUsage ? injectUsageOption(call, bytes) : null,
    session: readSession(call.fields),
    conversation: api.readConversation(call.fields),
  };
}

function record(
  { deps, recorder, startedAt, request: { headers } }: Exchange,
  { actor, decision, flags, credential }: RequestDecision,
  { route, caller }: Intercepted,
  call: ReadCall & { readonly promptHashes: PromptHashes },
): Interception {
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
  const context = {
    subject: toSubject(caller, facts, startedAt),
    actor,
    initiatorName: decision.initiator.name,
    flags,
    conversation: call.conversation,
    promptHashes: call.promptHashes,
    hints: readHints(headers),
    startedAt,
  };
  const { prompts } = deps.config.recording;
  return startInterception(recorder, context, { prompts, redact: deps.redact, now: deps.now });
}

type UpstreamResponse = {
  readonly response: Response;
  readonly providerHeaders: ProviderHeaderFacts;
  readonly api: Api;
  readonly abort: AbortController;
  readonly isInjectedUsage: ((data: string) => boolean) | null;
};

/** The client's response. The interception ends when the provider's response does, or the client disconnects. */
async function observeResponse(
  { id, request, deps, recorder, waitUntil }: Exchange,
  { response, providerHeaders, api, abort, isInjectedUsage }: UpstreamResponse,
  end: Interception["end"],
): Promise<Response> {
  const { idleMs, observeBytes } = deps.config.limits;
  const observed = await observe(response, api.createReader(deps.config.recording.content), {
    clientSignal: request.signal,
    abort,
    idleMs,
    heldBytes: observeBytes,
    now: deps.now,
    isInjectedUsage,
  });
  const { status } = response;
  const ended = observed.observation.then((observation: Observation) => {
    const { outcome, report } = observation;
    end({ outcome, status, error: report.error, providerHeaders, observation });
    void recorder.flush();
  });
  // A streamed body goes on after the response is returned; any other has been observed already.
  if (observed.body instanceof ReadableStream) waitUntil(ended);
  else await ended;
  return toClientResponse(response, id, observed);
}
