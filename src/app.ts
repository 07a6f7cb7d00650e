/**
 * The whole way of a request, top to bottom:
 *
 *   request → route → client → identity → initiator → policy → upstream → observation → client bytes, untouched
 *
 * Each step is a call that takes plain values and hands on plain values, or a refusal. What the steps are is in their
 * floors; which of them there are is in `wiring.ts`.
 */
import { Hono } from "hono";
import type { AdminApi } from "./api/api.ts";
import { detectClient, sessionId } from "./client/client.ts";
import { CODER_AGENTS } from "./client/clients.ts";
import type { Config } from "./config.ts";
import { sha256Hex } from "./digest.ts";
import * as compose from "./events/compose.ts";
import { startInterception } from "./events/interception.ts";
import { createRecorder, type Recorder, type Sink } from "./events/recorder.ts";
import type { Redact } from "./events/redaction.ts";
import { declaredLength, declaredTooLarge, readBody, refuseBody, refuseEncoded } from "./http/body.ts";
import { clientHeaders, hasLooped, upstreamHeaders } from "./http/headers.ts";
import { readTarget, type Target } from "./http/target.ts";
import { openUpload, type Upload } from "./http/upload.ts";
import { readCredential } from "./identity/credential.ts";
import { identify, type Actor } from "./identity/identity.ts";
import { decideInitiator, type Initiator } from "./initiator/initiator.ts";
import { readCoderId } from "./initiator/owner-assertion.ts";
import { observe, type Conclusion } from "./observation/observe.ts";
import { applyPolicies, type Policy } from "./policy/policy.ts";
import { readCall, type Call } from "./provider/call.ts";
import type { Api, Dialect } from "./provider/provider.ts";
import { checkMethod, findRoute, isBase, methodsOf, namedProvider, type Route } from "./provider/route.ts";
import { askForUsage } from "./provider/splice.ts";
import { Refusal } from "./refusal.ts";
import { chooseCredential, type UpstreamCredential } from "./upstream/credential.ts";
import { CLIENT_GONE, forward, type Outgoing } from "./upstream/forward.ts";
import { withoutKeyEcho } from "./upstream/key-echo.ts";
import { targetUrl } from "./upstream/target.ts";
import { uuidV7 } from "./uuid.ts";

/** What the app is made of; everything that touches the world comes in here. */
export type Parts = {
  readonly config: Config;
  readonly policies: readonly Policy[];
  readonly sinks: readonly Sink[];
  /** Takes secrets out of content before it is recorded. */
  readonly redact: Redact;
  /** Answers who asks about the records. */
  readonly api: AdminApi;
  /** Speaks when there is no provider to speak for: an unknown route. */
  readonly fallbackDialect: Dialect;
  readonly fetch: typeof fetch;
  readonly now: () => number;
  /** A new UUID of version 4: where all randomness comes from. */
  readonly randomUuid: () => string;
  /** For what is wrong with ourselves: a sink that fails, an error nobody expected. */
  readonly complain: (line: string) => void;
};

type Visit = {
  readonly id: string;
  readonly request: Request;
  readonly parts: Parts;
  readonly startedAt: number;
  readonly recorder: Recorder;
  readonly waitUntil: (promise: Promise<unknown>) => void;
  /** Found on the way, for whatever ends it. */
  errorBody: Dialect["errorBody"];
  route: Route | null;
  client: string | null;
  actor: Actor | null;
  caller: compose.Caller | null;
};

/** All that is known once the caller is: what forwarding starts from. */
type Admitted = {
  readonly target: Target;
  readonly route: Route;
  readonly actor: Actor;
  readonly caller: compose.Caller;
  readonly credential: UpstreamCredential;
};

export function createApp(parts: Parts): Hono {
  // By the path as `readTarget` sees it, as Hono itself decodes it and believes the Host header.
  const app = new Hono({ getPath: pathOf });
  app.get("/healthz", () => ourAnswer(parts, "ok\n"));
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
async function handle(request: Request, parts: Parts, waitUntil: Visit["waitUntil"]): Promise<Response> {
  const startedAt = parts.now();
  const id = uuidV7(startedAt, parts.randomUuid());
  const complain = (what: string, error: unknown): void =>
    parts.complain(`${what} failed: ${error instanceof Error ? error.name : "unknown"} (interception ${id})`);
  const events = createRecorder(parts.sinks, waitUntil, (sink, error) => complain(`sink ${sink}`, error));
  const own: Visit = {
    id,
    request,
    parts,
    startedAt,
    recorder: events,
    waitUntil,
    errorBody: parts.fallbackDialect.errorBody,
    route: null,
    client: null,
    actor: null,
    caller: null,
  };
  const answer = intercept(own);
  // A client that leaves before its answer takes the handler with it, and the record of the interception, unless
  // something waits for it.
  waitUntil(answer.catch(() => undefined));
  try {
    return await answer;
  } catch (error) {
    complain("interceptor", error);
    return refuse(own, new Refusal("internal"));
  } finally {
    void events.flush();
  }
}

async function intercept(visit: Visit): Promise<Response> {
  const { request, parts, id } = visit;
  const { headers } = request;
  const { config } = parts;

  // Route: out of fixed tables.
  if (hasLooped(headers)) return refuse(visit, new Refusal("loop"));
  const target = readTarget(request);
  if (target instanceof Refusal) return refuse(visit, target);
  if (parts.api.takes(target.path)) return askApi(visit, target);
  const route = findRoute(target.path, headers, config.providers);
  if (!route) {
    if (request.method === "HEAD" && isBase(target.path, config.providers)) return ourAnswer(parts, null, id);
    visit.errorBody = (
      namedProvider(target.path, config.providers)?.dialect ?? parts.fallbackDialect
    ).errorBody;
    return refuse(visit, new Refusal("not_found"));
  }
  visit.route = route;
  visit.errorBody = route.provider.dialect.errorBody;
  const badMethod = checkMethod(route.route, request);
  if (badMethod) return refuse(visit, badMethod);

  // Client: a hint.
  const client = detectClient(headers);
  visit.client = client.name;

  // Identity: whose credential it is, and which key the provider gets.
  const presented = await readCredential(headers);
  if (presented instanceof Refusal) return refuse(visit, presented);
  const actor = await identify(presented, config.sources);
  if (actor instanceof Refusal) return refuse(visit, actor);
  visit.actor = actor;
  const credential = chooseCredential(route.provider, actor, presented, () => fraction(parts.randomUuid()));
  if (credential instanceof Refusal) return refuse(visit, credential);

  // Initiator: on whose account.
  const sentOwner = headers.get("x-coder-owner-id");
  const initiator = decideInitiator(actor, client.name === CODER_AGENTS, sentOwner, config.assertion);
  const coder = {
    chat_id: readCoderId(headers.get("x-coder-chat-id")),
    subchat_id: readCoderId(headers.get("x-coder-subchat-id")),
    workspace_id: readCoderId(headers.get("x-coder-workspace-id")),
  };
  const caller = compose.toCaller(id, actor, initiator, client, sessionId(client, headers, {}), coder);
  visit.caller = caller;
  const rejected = await recordOverride(visit, route, caller, initiator, sentOwner ?? "");
  if (rejected && config.assertion.onInvalid === "reject") return refuse(visit, rejected);

  const admitted: Admitted = { target, route, actor, caller, credential };
  if (route.route.kind === "passthrough") return passThrough(visit, admitted);
  const badEncoding = refuseEncoded(headers);
  if (badEncoding) return refuse(visit, badEncoding);
  const bytes = await readBody(request, config.limits.bodyBytes);
  if (bytes instanceof Refusal) return refuse(visit, bytes);
  const call = readCall(bytes);
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

/** A question about the records: the admin's, who is known by a token of its own. */
async function askApi(visit: Visit, target: Target): Promise<Response> {
  const { api } = visit.parts;
  visit.errorBody = api.errorBody;
  const answer = await api.answer(visit.request, target);
  if (answer instanceof Refusal) return refuse(visit, answer);
  answer.headers.set("x-interception-id", visit.id);
  return answer;
}

/** Events about the owner header; hands on the refusal that is due where it did not count. */
async function recordOverride(
  { parts, recorder }: Visit,
  { provider }: Route,
  caller: compose.Caller,
  { owner }: Initiator,
  sent: string,
): Promise<Refusal | null> {
  if (owner === "none") return null;
  if (owner === "overrides") {
    recorder.record(compose.overrideEvent(caller, provider.name, parts.now()));
    return null;
  }
  const valueSha256 = (await sha256Hex(sent)).slice(0, 16);
  const rejection = { reason: owner.rejected, valueLength: sent.length, valueSha256 };
  recorder.record(compose.overrideRejectedEvent(caller, provider.name, rejection, parts.now()));
  return new Refusal("owner_rejected", owner.rejected);
}

/** An interception: recorded from here to its one end, whatever happens. */
async function relay(
  visit: Visit,
  admitted: Admitted,
  api: Api,
  call: Call,
  bytes: Uint8Array,
): Promise<Response> {
  const { id, parts, recorder, startedAt, waitUntil } = visit;
  const { route, caller, actor, credential } = admitted;
  const { model, stream } = call;
  const asked = {
    provider: route.provider.name,
    provider_type: route.provider.dialect.type,
    route: route.route.path,
    model: model?.slice(0, 256) ?? null,
    streaming: stream,
    credential_kind: credential.kind,
    credential_hint: credential.hint,
  };
  const subject = compose.toSubject(caller, asked, startedAt);
  const { keep, prompts } = parts.config.recording;
  const { begun, end } = startInterception(
    recorder,
    { subject, actor, ask: api.readAsk(call.fields), startedAt },
    { prompts, redact: parts.redact },
    parts.now,
  );
  const endRefused = (refusal: Refusal, outcome: "refused" | "upstream_error"): Response => {
    end({ outcome, status: refusal.status, error: refusal.reason, conclusion: null });
    return refuse(visit, refusal);
  };

  const abort = new AbortController();
  try {
    if (!(typeof begun === "boolean" ? begun : await begun)) {
      return endRefused(new Refusal("recording_unavailable"), "refused");
    }
    const forbidden = checkPolicies(visit, admitted, model, true);
    if (forbidden) return endRefused(forbidden, "refused");

    const spliced = api.isUsageOnly && route.provider.injectUsage ? askForUsage(call, bytes) : null;
    const answer = await ask(visit, admitted, spliced ?? bytes, abort);
    if (answer === CLIENT_GONE) {
      end({ outcome: "cancelled", status: null, error: null, conclusion: null });
      return clientGone(id);
    }
    if (answer instanceof Refusal) return endRefused(answer, "upstream_error");

    const { idleMs, observeBytes: capBytes } = parts.config.limits;
    const observed = await observe(answer, api.answerReader(keep), {
      clientSignal: visit.request.signal,
      abort,
      idleMs,
      capBytes,
      now: parts.now,
      takeOut: spliced && api.isUsageOnly,
    });
    const { status } = answer;
    const finish = (conclusion: Conclusion): void =>
      end({ outcome: conclusion.outcome, status, error: conclusion.report.error, conclusion });
    if (observed.conclusion instanceof Promise) waitUntil(observed.conclusion.then(finish));
    else finish(observed.conclusion);
    return toClient(answer, observed.body, id, observed.reframed);
  } catch (error) {
    abort.abort();
    end({ outcome: "refused", status: 500, error: "internal", conclusion: null });
    throw error;
  }
}

/** A passthrough: forwarded and counted, its bytes not looked at (but for the model, where only some are allowed). */
async function passThrough(visit: Visit, admitted: Admitted): Promise<Response> {
  const { id, parts, recorder, request, startedAt } = visit;
  const { route, caller } = admitted;
  // What there is to say of the owner so far is stored first, where it must be.
  if (!(await recorder.flush())) return refuse(visit, new Refusal("recording_unavailable"));
  const body = await passthroughBody(visit, admitted);
  if (body instanceof Refusal) return refuse(visit, body);
  const upload = body instanceof Uint8Array ? null : body;
  const answer = await ask(
    visit,
    admitted,
    upload?.body ?? (body as Uint8Array | null),
    new AbortController(),
  );
  if (answer instanceof Refusal) {
    const clients = answer.reason === "upstream_unreachable" && (await upload?.brokenByClient());
    return refuse(visit, clients ? new Refusal("body_incomplete", "while it was forwarded") : answer);
  }
  const status = answer === CLIENT_GONE ? 499 : answer.status;
  const event = { method: request.method, startedAt, status };
  recorder.record(compose.passthroughEvent(caller, route, event, parts.now()));
  if (answer === CLIENT_GONE) return clientGone(id);
  return toClient(answer, answer.body, id, false);
}

/** The body to forward, once policy has nothing against it. */
async function passthroughBody(
  visit: Visit,
  admitted: Admitted,
): Promise<Uint8Array | Upload | Refusal | null> {
  const { request, parts } = visit;
  const { route: asked, provider } = admitted.route;
  const { bodyBytes } = parts.config.limits;
  const runsModel = asked.kind === "passthrough" && request.method === "POST" ? asked.runsModel : "no";
  if (runsModel !== "no" && provider.models !== null) {
    const bytes = refuseEncoded(request.headers) ?? (await readBody(request, bodyBytes));
    if (bytes instanceof Refusal) return bytes;
    // An empty body (to cancel, say) has no model do anything; one that cannot be read names none that is allowed.
    const call = bytes.byteLength === 0 ? null : readCall(bytes);
    const model = call instanceof Refusal || runsModel === "hidden" ? null : (call?.model ?? null);
    return checkPolicies(visit, admitted, model, call !== null) ?? bytes;
  }
  const forbidden = checkPolicies(visit, admitted, null, false);
  if (forbidden) return forbidden;
  if (request.method === "GET" || request.method === "HEAD") return refuseBody(request.headers);
  if (request.body === null) return null;
  // A body of known length flows on as it comes; one of unknown length is counted first.
  const length = declaredLength(request.headers);
  if (length === null) return readBody(request, bodyBytes);
  return declaredTooLarge(request.headers, bodyBytes) ?? openUpload(request.body, length);
}

function checkPolicies(
  { parts }: Visit,
  { route, caller }: Admitted,
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
async function ask(
  { request, parts }: Visit,
  { target, route, caller, credential }: Admitted,
  body: Outgoing["body"],
  abort: AbortController,
): Promise<Response | Refusal | typeof CLIENT_GONE> {
  const { headersMs, idleMs } = parts.config.limits;
  request.signal.addEventListener("abort", () => abort.abort(), { once: true });
  if (request.signal.aborted) return CLIENT_GONE;
  const headers = upstreamHeaders(request.headers, {
    coderHeaders: route.provider.coderHeaders,
    owner: caller.attribution === "asserted" || caller.attribution === "signed" ? caller.initiator_id : null,
    credential: credential.header,
  });
  const outgoing = { url: targetUrl(route, target.search), method: request.method, headers, body };
  const answer = await forward(parts.fetch, outgoing, abort, headersMs);
  if (!(answer instanceof Response) || credential.centralKey === null) return answer;
  const clean = await withoutKeyEcho(answer, credential.centralKey, abort, idleMs);
  return clean instanceof Refusal && request.signal.aborted ? CLIENT_GONE : clean;
}

/** To nobody. */
function clientGone(id: string): Response {
  return new Response(null, { status: 499, headers: { "x-interception-id": id } });
}

function toClient(answer: Response, body: BodyInit | null, id: string, reframed: boolean): Response {
  const { status, statusText } = answer;
  return new Response(body, { status, statusText, headers: clientHeaders(answer.headers, id, reframed) });
}

/** The records are read, never written. */
const API_METHODS = ["GET", "HEAD"];

/** Answers instead of the upstream, in the route's dialect, and says so in an event. */
function refuse(visit: Visit, refusal: Refusal): Response {
  const { id, parts, recorder, request, route, client, actor, caller } = visit;
  recorder.record(
    compose.refusalEvent(id, refusal, { method: request.method, route, client, actor, caller }, parts.now()),
  );
  const { reason, status, message, param } = refusal;
  const body = visit.errorBody({ status, message, code: reason, param, interceptionId: id });
  const headers = new Headers({ "x-interception-id": id, "x-interceptor-error": reason });
  // What HTTP asks of these two (RFC 9110 §15.5.6, §15.5.22).
  if (reason === "method_not_allowed")
    headers.set("allow", (route ? methodsOf(route.route) : API_METHODS).join(", "));
  if (reason === "websocket_unsupported") headers.set("upgrade", "HTTP/1.1");
  return Response.json(body, { status, headers });
}

function ourAnswer(
  parts: Parts,
  body: string | null,
  id = uuidV7(parts.now(), parts.randomUuid()),
): Response {
  return new Response(body, { headers: { "x-interception-id": id } });
}

/** From 0 up to 1, out of a random UUID's first 32 bits. */
function fraction(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8), 16) / 2 ** 32;
}
