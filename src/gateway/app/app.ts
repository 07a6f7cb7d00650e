/**
 * The whole way of a request, top to bottom:
 *
 *   request → route → client → identity → initiator → policy → upstream → observation → client bytes, untouched
 *
 * Each step is a call that takes plain values and hands on plain values, or a refusal. What the steps are is in their
 * floors; which of them there are is in `wiring.ts`.
 */
import { Hono } from "hono";
import { createExplain } from "./explain.ts";
import {
  findDestination,
  takesNoBody,
  decide,
  emptyFindings,
  checkUnreadBody,
  type Findings,
} from "./decide.ts";
import type { Deps } from "./deps.ts";
import { sessionId } from "../client/client.ts";
import { sha256Hex } from "../../shared/digest.ts";
import * as compose from "../../events/compose.ts";
import { startInterception } from "./interception.ts";
import { createRecorder, type Recorder } from "../sinks/recorder.ts";
import { checkDeclaredLength, readBody, rejectBody, rejectEncodedBody } from "./request-body.ts";
import { upstreamHeaders } from "../upstream/request-headers.ts";
import { toClientHeaders } from "../upstream/response-headers.ts";
import { readTarget, type Target } from "../../shared/http/target.ts";
import { openUpload, type Upload } from "../upstream/upload.ts";
import type { Actor } from "../identity/identity.ts";
import { readCoderIds } from "../initiator/owner-claim.ts";
import type { Flag } from "../initiator/flags.ts";
import type { Decision } from "../initiator/decision.ts";
import { observe, type Observation } from "../observation/observe.ts";
import { applyPolicies } from "../policy/policy.ts";
import { readModelCall, type ModelCall } from "../provider/model-call.ts";
import type { Api, Dialect } from "../provider/provider.ts";
import { methodsOf, type Route } from "../provider/route.ts";
import { injectUsageOption } from "../provider/inject-usage.ts";
import { asText } from "../provider/usage.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { UpstreamCredential } from "../upstream/credential.ts";
import { CLIENT_DISCONNECTED, forward, type UpstreamRequest } from "../upstream/forward.ts";
import { rejectKeyLeak } from "../upstream/key-leak.ts";
import { targetUrl } from "../upstream/url.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import { declaredLength } from "../../shared/http/body-headers.ts";

type Visit = {
  readonly id: string;
  readonly request: Request;
  readonly parts: Deps;
  readonly startedAt: number;
  readonly recorder: Recorder;
  readonly waitUntil: (promise: Promise<unknown>) => void;
  /** Found on the way, for whatever ends it. */
  readonly found: Findings;
  errorBody: Dialect["errorBody"];
  target: Target | null;
  caller: compose.Caller | null;
};

/** All that is known once the caller is: what forwarding starts from. */
type Forwardable = {
  readonly target: Target;
  readonly route: Route;
  readonly actor: Actor;
  readonly caller: compose.Caller;
  readonly initiatorName: string | null;
  readonly flags: readonly Flag[];
  readonly credential: UpstreamCredential;
  /** The request's body, where a signature has made it be read; null where it is still to come. */
  readonly body: Uint8Array | null;
};

export function createApp(parts: Deps): Hono {
  // By the path as `readTarget` sees it, as Hono itself decodes it and believes the Host header.
  const app = new Hono({ getPath: pathOf });
  app.get("/healthz", () => ownResponse(parts, "ok\n"));
  app.all("*", (context) =>
    handle(context.req.raw, parts, (promise) => context.executionCtx.waitUntil(promise)),
  );
  return app;
}

function pathOf(request: Request): string {
  const target = readTarget(request);
  return target instanceof Refusal ? "/" : target.path;
}

/** One request, with whatever goes wrong in ourselves turned into a refusal. */
async function handle(request: Request, parts: Deps, waitUntil: Visit["waitUntil"]): Promise<Response> {
  const startedAt = parts.now();
  const id = uuidV7(startedAt, parts.randomUuid());
  const logError = (what: string, error: unknown): void =>
    parts.logError(`${what} failed: ${error instanceof Error ? error.name : "unknown"} (interception ${id})`);
  const events = createRecorder(parts.sinks, waitUntil, (sink, error) => logError(`sink ${sink}`, error));
  const own: Visit = {
    id,
    request,
    parts,
    startedAt,
    recorder: events,
    waitUntil,
    found: emptyFindings(),
    errorBody: parts.fallbackDialect.errorBody,
    target: null,
    caller: null,
  };
  const answer = intercept(own);
  // A client that leaves before its answer takes the handler with it, and the record of the interception, unless
  // something waits for it.
  waitUntil(answer.catch(() => undefined));
  try {
    return await answer;
  } catch (error) {
    logError("interceptor", error);
    return refuse(own, new Refusal("internal"));
  } finally {
    void events.flush();
  }
}

async function intercept(visit: Visit): Promise<Response> {
  const { request, parts, id, found } = visit;
  const { headers } = request;

  // Route.
  const place = findDestination(request, parts);
  if (place.is === "not_found") {
    visit.errorBody = place.dialect.errorBody;
    return refuse(visit, place.refusal);
  }
  const { target } = place;
  visit.target = target;
  if (place.is !== "provider")
    return place.is === "api" ? callApi(visit, target) : ownResponse(parts, null, id);
  const { route } = place;
  visit.errorBody = route.provider.dialect.errorBody;

  // Client, identity, initiator.
  const judged = await decide(request, place, parts, found, () => signedBody(visit, route));
  if (judged instanceof Refusal) return refuse(visit, judged);
  const { client, actor, credential, decision, flags, body } = judged;
  const coder = readCoderIds(headers, judged.delegation);
  const caller = compose.toCaller(
    id,
    actor,
    decision.initiator,
    client,
    sessionId(client, headers, {}),
    coder,
  );
  visit.caller = caller;
  await recordOverride(visit, route, caller, decision);
  if (judged.refusal) return refuse(visit, judged.refusal);

  const initiatorName = decision.initiator.name;
  const admitted: Forwardable = { target, route, actor, caller, initiatorName, flags, credential, body };
  if (route.route.kind === "passthrough") return passThrough(visit, admitted);
  const bytes = body ?? (await wholeBody(visit, route));
  if (bytes instanceof Refusal) return refuse(visit, bytes);
  const call = readModelCall(bytes);
  if (call instanceof Refusal) return refuse(visit, call);
  const session = caller.client_session_id ?? sessionId(client, headers, call.fields);
  return relay(
    visit,
    { ...admitted, caller: { ...caller, client_session_id: session } },
    route.route.api,
    call,
    bytes,
  );
}

/** The whole body, with its SHA-256, for a signature to be checked. */
async function signedBody(
  visit: Visit,
  route: Route,
): Promise<{ readonly bytes: Uint8Array; readonly sha256: string } | Refusal> {
  const bytes = await wholeBody(visit, route);
  return bytes instanceof Refusal ? bytes : { bytes, sha256: await sha256Hex(bytes) };
}

/** The whole body, as the route takes it: not compressed where it is read, none where there is none to forward. */
async function wholeBody({ request, parts }: Visit, route: Route): Promise<Uint8Array | Refusal> {
  const { bodyBytes } = parts.config.limits;
  return checkUnreadBody(request, route, bodyBytes) ?? readBody(request, bodyBytes);
}

/** A question about the records: the admin's, who is known by a token of its own. */
async function callApi(visit: Visit, target: Target): Promise<Response> {
  const { api } = visit.parts;
  visit.errorBody = api.errorBody;
  const answer = await api.respond(visit.request, target, createExplain(visit.parts));
  if (answer instanceof Refusal) return refuse(visit, answer);
  answer.headers.set("x-interception-id", visit.id);
  return answer;
}

/** Events about the owner header. */
async function recordOverride(
  { request, parts, recorder }: Visit,
  { provider }: Route,
  caller: compose.Caller,
  decision: Decision,
): Promise<void> {
  const { owner } = decision.initiator;
  if (owner === "none") return;
  if (owner === "overrides") {
    recorder.record(compose.overrideEvent(caller, decision, provider.name, parts.now()));
    return;
  }
  const sent = request.headers.get("x-coder-owner-id") ?? "";
  const valueSha256 = (await sha256Hex(sent)).slice(0, 16);
  const rejection = { reason: owner.rejected, valueLength: sent.length, valueSha256 };
  recorder.record(compose.overrideRejectedEvent(caller, decision, provider.name, rejection, parts.now()));
}

/** An interception: recorded from here to its one end, whatever happens. */
async function relay(
  visit: Visit,
  admitted: Forwardable,
  api: Api,
  call: ModelCall,
  bytes: Uint8Array,
): Promise<Response> {
  const { id, parts, recorder, startedAt, waitUntil } = visit;
  const { route, caller, actor, initiatorName, flags, credential } = admitted;
  const { model, stream } = call;
  const asked = {
    provider: route.provider.name,
    provider_type: route.provider.dialect.type,
    route: route.route.path,
    model: asText(model),
    streaming: stream,
    credential_kind: credential.kind,
    credential_hint: credential.hint,
  };
  const subject = compose.toSubject(caller, asked, startedAt);
  const { content: keep, prompts } = parts.config.recording;
  const { started: begun, end } = startInterception(
    recorder,
    { subject, actor, initiatorName, flags, ask: api.readConversation(call.fields), startedAt },
    { prompts, redact: parts.redact },
    parts.now,
  );
  const endRefused = (refusal: Refusal, outcome: "refused" | "upstream_error"): Response => {
    end({ outcome, status: refusal.status, error: refusal.code, observation: null });
    return refuse(visit, refusal);
  };

  const abort = new AbortController();
  try {
    if (!(typeof begun === "boolean" ? begun : await begun)) {
      return endRefused(new Refusal("recording_unavailable"), "refused");
    }
    const forbidden = checkPolicies(visit, admitted, model, true);
    if (forbidden) return endRefused(forbidden, "refused");

    const spliced = api.isUsageOnly && route.provider.injectUsage ? injectUsageOption(call, bytes) : null;
    const answer = await callUpstream(visit, admitted, spliced ?? bytes, abort);
    if (answer === CLIENT_DISCONNECTED) {
      end({ outcome: "cancelled", status: null, error: null, observation: null });
      return clientDisconnected(id);
    }
    if (answer instanceof Refusal) return endRefused(answer, "upstream_error");

    const { idleMs, observeBytes: capBytes } = parts.config.limits;
    const observed = await observe(answer, api.createReader(keep), {
      clientSignal: visit.request.signal,
      abort,
      idleMs,
      capBytes,
      now: parts.now,
      isInjectedUsage: spliced && api.isUsageOnly,
    });
    const { status } = answer;
    const finish = (conclusion: Observation): void =>
      end({ outcome: conclusion.outcome, status, error: conclusion.report.error, observation: conclusion });
    // A buffered response's observation is already resolved: its end event is recorded before the response is returned.
    waitUntil(observed.observation.then(finish));
    return toClientResponse(answer, observed.body, id, observed.isModified);
  } catch (error) {
    abort.abort();
    end({ outcome: "refused", status: 500, error: "internal", observation: null });
    throw error;
  }
}

/** A passthrough: forwarded and counted, its bytes not looked at (but for the model, where only some are allowed). */
async function passThrough(visit: Visit, admitted: Forwardable): Promise<Response> {
  const { id, parts, recorder, request, startedAt } = visit;
  const { route, caller } = admitted;
  // What there is to say of the owner so far is stored first, where it must be.
  if (!(await recorder.flush())) return refuse(visit, new Refusal("recording_unavailable"));
  const body = await passthroughBody(visit, admitted);
  if (body instanceof Refusal) return refuse(visit, body);
  const upload = body instanceof Uint8Array ? null : body;
  const answer = await callUpstream(
    visit,
    admitted,
    upload?.body ?? (body as Uint8Array | null),
    new AbortController(),
  );
  if (answer instanceof Refusal) {
    const clients = answer.code === "upstream_unreachable" && (await upload?.brokenByClient());
    return refuse(
      visit,
      clients ? new Refusal("body_incomplete", { detail: "while it was forwarded" }) : answer,
    );
  }
  const status = answer === CLIENT_DISCONNECTED ? 499 : answer.status;
  const event = { method: request.method, startedAt, status };
  recorder.record(compose.passthroughEvent(caller, route, event, parts.now()));
  if (answer === CLIENT_DISCONNECTED) return clientDisconnected(id);
  return toClientResponse(answer, answer.body, id, false);
}

/** The body to forward, once policy has nothing against it. */
async function passthroughBody(
  visit: Visit,
  admitted: Forwardable,
): Promise<Uint8Array | Upload | Refusal | null> {
  const { request, parts } = visit;
  const { route: asked, provider } = admitted.route;
  const { bodyBytes } = parts.config.limits;
  const runsModel = asked.kind === "passthrough" && request.method === "POST" ? asked.runsModel : "no";
  if (runsModel !== "no" && provider.models !== null) {
    const bytes = rejectEncodedBody(request.headers) ?? admitted.body ?? (await readBody(request, bodyBytes));
    if (bytes instanceof Refusal) return bytes;
    // An empty body (to cancel, say) has no model do anything; one that cannot be read names none that is allowed.
    const call = bytes.byteLength === 0 ? null : readModelCall(bytes);
    const model = call instanceof Refusal || runsModel === "hidden" ? null : (call?.model ?? null);
    return checkPolicies(visit, admitted, model, call !== null) ?? bytes;
  }
  const forbidden = checkPolicies(visit, admitted, null, false);
  if (forbidden) return forbidden;
  if (takesNoBody(request.method)) return rejectBody(request.headers);
  if (request.body === null) return null;
  if (admitted.body) return admitted.body;
  // A body of known length flows on as it comes; one of unknown length is counted first.
  const length = declaredLength(request.headers);
  if (length === null) return readBody(request, bodyBytes);
  return checkDeclaredLength(request.headers, bodyBytes) ?? openUpload(request.body, length);
}

function checkPolicies(
  { parts }: Visit,
  { route, caller }: Forwardable,
  model: string | null,
  runsModel: boolean,
): Refusal | null {
  return applyPolicies(parts.policies, {
    provider: route.provider,
    model,
    runsModel,
    actorId: caller.actor_id,
    initiatorId: caller.initiator_id,
  });
}

/** The one call to the provider, ended when the client leaves; no answer of its gives away the gateway's key. */
async function callUpstream(
  { request, parts }: Visit,
  { target, route, caller, credential }: Forwardable,
  body: UpstreamRequest["body"],
  abort: AbortController,
): Promise<Response | Refusal | typeof CLIENT_DISCONNECTED> {
  const { headersMs, idleMs } = parts.config.limits;
  request.signal.addEventListener("abort", () => abort.abort(), { once: true });
  if (request.signal.aborted) return CLIENT_DISCONNECTED;
  const headers = upstreamHeaders(request.headers, {
    coderHeaders: route.provider.coderHeaders,
    owner: caller.attribution === "asserted" || caller.attribution === "signed" ? caller.initiator_id : null,
    credential: credential.header,
  });
  const outgoing = { url: targetUrl(route, target.search), method: request.method, headers, body };
  const answer = await forward(parts.fetch, outgoing, abort, headersMs);
  if (!(answer instanceof Response) || credential.centralKey === null) return answer;
  const clean = await rejectKeyLeak(answer, credential.centralKey, abort, idleMs);
  return clean instanceof Refusal && request.signal.aborted ? CLIENT_DISCONNECTED : clean;
}

/** To nobody. */
function clientDisconnected(id: string): Response {
  return new Response(null, { status: 499, headers: { "x-interception-id": id } });
}

function toClientResponse(answer: Response, body: BodyInit | null, id: string, reframed: boolean): Response {
  const response = new Response(body, answer);
  toClientHeaders(response.headers, id, reframed);
  return response;
}

/** Answers instead of the upstream, in the route's dialect, and says so in an event. */
function refuse(visit: Visit, refusal: Refusal): Response {
  const { id, parts, recorder, request, caller, target } = visit;
  const { route, client, actor } = visit.found;
  const known = { method: request.method, route, client: client?.name ?? null, actor, caller };
  recorder.record(compose.refusalEvent(id, refusal, known, parts.now()));
  const { code, status, message, data } = refusal;
  const body = visit.errorBody({ status, message, code, param: data.param ?? null, interceptionId: id });
  const headers = new Headers({ "x-interception-id": id, "x-interceptor-error": code });
  // What HTTP asks of these two (RFC 9110 §15.5.6, §15.5.22).
  if (code === "method_not_allowed")
    headers.set(
      "allow",
      (route ? methodsOf(route.route) : parts.api.methodsOf(target?.path ?? "")).join(", "),
    );
  if (code === "websocket_unsupported") headers.set("upgrade", "HTTP/1.1");
  return Response.json(body, { status, headers });
}

function ownResponse(
  parts: Deps,
  body: string | null,
  id = uuidV7(parts.now(), parts.randomUuid()),
): Response {
  return new Response(body, { headers: { "x-interception-id": id } });
}
