/**
 * The path of a request, top to bottom:
 *
 *   request → route → client → identity → initiator → policy → upstream → observation → client bytes, unmodified
 *
 * Each step takes plain values and returns plain values or a refusal.
 */
import { overrideRejectedEvent, type Caller } from "../../events/compose.ts";
import { Refusal } from "../../shared/refusal.ts";
import { rejectedValue } from "../initiator/decide-delegated.ts";
import { formBoundary } from "../provider/form/boundary.ts";
import { checkObjects, checkUses } from "../policy/objects.ts";
import { methodsOf } from "../provider/method.ts";
import { interceptedApi, type Route } from "../provider/route.ts";
import { callerOf, initiatorNameOf } from "./caller.ts";
import type { Claimed } from "./call-usage.ts";
import { callUpstream, checkPolicies } from "./call-upstream.ts";
import type { Forwardable } from "./upstream-call.ts";
import { completeCall } from "./complete-call.ts";
import { preflightResponse } from "./cors.ts";
import { checkUnreadBody, decide, type RequestDecision } from "./decide.ts";
import { findDestination } from "./destination.ts";
import { ownResponse, refuse, type Exchange } from "./exchange.ts";
import { interceptUpload } from "./intercept-upload.ts";
import { callOwned, checkNamedObject, checkOwn, ownershipOf } from "./object-owners.ts";
import { passThrough } from "./passthrough.ts";
import type { RequestFigures } from "../provider/request-figures.ts";
import { fallbacksOf } from "./fallbacks.ts";
import { createRequestBody } from "./read-body.ts";
import { rejectOtherText, type RequestBody } from "./request-body.ts";
import { createSpending } from "./spending.ts";
import { startCall, type Intercepted, type Started } from "./start-call.ts";
import { welcome } from "./welcome.ts";

export async function serve(exchange: Exchange): Promise<Response> {
  const { request, headers, deps, id, findings } = exchange;

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
  const reading = { ...deps.bodies, maxBytes, maxRatio, holding: exchange.holding, after: exchange.after };
  const head = { method: request.method, url: request.url, headers };
  const body = createRequestBody(request, headers, reading, () => checkUnreadBody(head, maxBytes));
  const decided = await decide({ head, target, route, body }, deps, findings);
  if (decided instanceof Refusal) return stop(decided);
  const { actor, credential, decision } = decided;
  const caller = callerOf(id, headers, decided, deps.config.assertion);
  exchange.caller = caller;
  await recordRejectedOwner(exchange, caller, route, decided);
  if (decided.refusal) return stop(decided.refusal);
  const { acceptedOwner } = decision;
  const ownership = ownershipOf(route, decided);
  const forwardable = {
    target,
    route,
    caller,
    initiatorName: initiatorNameOf(decided),
    acceptedOwner,
    credential,
    ownership,
  };
  const forbidden =
    checkObjects(route, { method: request.method, actor, credential, decision }) ??
    (ownership && (await checkNamedObject(exchange, forwardable)));
  if (forbidden) return stop(forbidden);
  return dispatch(exchange, decided, forwardable, { body, stop });
}

/** The request on its way, once it may be forwarded: read, read while it is forwarded, or passed through. */
async function dispatch(
  exchange: Exchange,
  decided: RequestDecision,
  forwardable: Forwardable,
  { body, stop }: { readonly body: RequestBody; readonly stop: (refusal: Refusal) => Response },
): Promise<Response> {
  const { request, headers } = exchange;
  const api = interceptedApi(forwardable.route, request.method);
  if (api === null) return passThrough(exchange, decided, forwardable, body);
  const otherText = api.isUnread ? null : rejectOtherText(headers);
  if (otherText) return stop(otherText);
  const intercepted = { ...forwardable, api };
  const boundary = api.acceptsForms ? formBoundary(headers.get("content-type")) : null;
  if (boundary === "invalid") return stop(new Refusal("form_invalid", { detail: "the boundary" }));
  if (boundary !== null || api.isUnread)
    return interceptUpload(exchange, decided, intercepted, { body, boundary });
  return intercept(exchange, decided, intercepted, body);
}

/** Records why an owner header was not accepted. An accepted one is recorded with the start of the call. */
async function recordRejectedOwner(
  { deps, recorder }: Exchange,
  caller: Caller,
  { provider }: Route,
  { claim, decision }: RequestDecision,
): Promise<void> {
  if (decision.rejection === null) return;
  const sent = rejectedValue(claim, decision.rejection);
  const rejected = {
    reason: decision.rejection,
    valueLength: sent.length,
    valueSha256: (await deps.hashText(sent)).slice(0, 16),
    provider: provider.name,
  };
  recorder.record(overrideRejectedEvent(caller, decision, rejected, deps.now()));
}

/** A model call whose body is read first: recorded from here to its one end, however it ends. */
async function intercept(
  exchange: Exchange,
  decided: RequestDecision,
  intercepted: Intercepted,
  body: RequestBody,
): Promise<Response> {
  const started = await startCall(exchange, decided, intercepted, body);
  if (started instanceof Refusal) return refuse(exchange, started);
  const { interception, outgoing, objects, uses, isStored } = started;
  const spending = createSpending(exchange, intercepted);
  const { refused, finished, failed } = completeCall(
    exchange,
    interception,
    () => outgoing.optIn?.state ?? null,
    spending,
  );
  const abort = new AbortController();
  try {
    if (!(await interception.started)) return refused(new Refusal("recording_unavailable"));
    outgoing.fallbacks = fallbacksOf(exchange, intercepted, started);
    const forbidden =
      checkModels(exchange, intercepted, started) ??
      checkUses(intercepted.route.provider, decided.actor, uses) ??
      (intercepted.ownership && (await checkOwn(exchange.deps, intercepted, objects, "read"))) ??
      (spending && (await spending.reserve(claimOf(started))));
    if (forbidden) return refused(forbidden);
    const call = intercepted.ownership && isStored ? callOwned : callUpstream;
    return await finished(await call(exchange, intercepted, outgoing, abort), intercepted, abort);
  } catch (error) {
    abort.abort();
    failed();
    throw error;
  }
}

/** Of every model that the call may run. */
function checkModels(
  exchange: Exchange,
  intercepted: Intercepted,
  { model, outgoing, otherModels }: Pick<Started, "model" | "outgoing" | "otherModels">,
): Refusal | null {
  for (const one of [outgoing.sentModel ?? model, ...otherModels]) {
    const refusal = checkPolicies(exchange, intercepted, one, true);
    if (refusal) return refusal;
  }
  return null;
}

function claimOf({
  figures,
  model,
  isStream,
  outgoing: { sentModel, fallbacks },
}: Pick<Started, "figures" | "model" | "isStream" | "outgoing">): Claimed {
  if (figures === null) return { kind: "unknown", model };
  const withId = (id: string | null): RequestFigures =>
    id === null ? figures : { ...figures, models: figures.models.map((one) => (one === model ? id : one)) };
  const at = fallbacks.map(({ route, sentModel: id }) => ({
    provider: route.provider.name,
    figures: withId(id),
  }));
  return {
    kind: "figures",
    figures: withId(sentModel),
    isStream,
    ...(sentModel !== null && { alias: model }),
    ...(at.length > 0 && { fallbacks: at }),
  };
}
