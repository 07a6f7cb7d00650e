/** A passthrough: forwarded and recorded, its bytes not read, except for the model where only some models are allowed. */
import {
  NOTHING_RETRIEVED,
  passthroughEvent,
  type PassthroughFacts,
  type RetrievedFacts,
} from "../../events/compose.ts";
import { contentEncoding, declaredLength } from "../../shared/http/body-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { formBoundary } from "../provider/form/boundary.ts";
import { createFormScanner } from "../provider/form/form-scanner.ts";
import { readModelCall } from "../provider/model-call.ts";
import { methodsOf } from "../provider/method.ts";
import { edgeErrorOf } from "../observation/edge-error.ts";
import { isSentInPieces } from "../upstream/body-parts.ts";
import { CLIENT_DISCONNECTED, isUpload, type UpstreamBody } from "../upstream/forward.ts";
import {
  callUpstream,
  checkPolicies,
  clientDisconnected,
  toClientResponse,
  type Forwardable,
} from "./call-upstream.ts";
import { takesNoBody } from "./decide.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { filteredBody, unreadBody } from "./forward-body.ts";
import { findRetrieval, observeRetrieval } from "./retrieve.ts";
import { checkNamedModel, filterModels } from "./model-list.ts";
import { rejectBody, type RequestBody } from "./request-body.ts";

export async function passThrough(
  exchange: Exchange,
  forwardable: Forwardable,
  requestBody: RequestBody,
): Promise<Response> {
  const { id, deps, recorder, request, startedAt } = exchange;
  const { route, caller } = forwardable;
  const stop = (refusal: Refusal): Response => refuse(exchange, refusal, () => methodsOf(route.route));
  // An override event is stored first, where recording is required.
  if (!(await recorder.flush())) return stop(new Refusal("recording_unavailable"));
  const body =
    checkNamedModel(exchange, forwardable) ?? (await bodyToForward(exchange, forwardable, requestBody));
  if (body instanceof Refusal) return stop(body);
  const abort = new AbortController();
  const outgoing = { body, isDecoded: requestBody.decoded() !== null, optIn: null };
  const { response: received, providerHeaders } = await callUpstream(exchange, forwardable, outgoing, abort);
  const response = await filterModels(exchange, forwardable, received, abort);
  if (response instanceof Refusal) return stop(response);
  const isDisconnected = response === CLIENT_DISCONNECTED;
  const facts: Omit<PassthroughFacts, "retrieved"> = {
    method: request.method,
    provider: route.provider.name,
    providerType: route.provider.dialect.type,
    route: route.route.path,
    status: isDisconnected ? 499 : response.status,
    error: isDisconnected ? null : edgeErrorOf(response.status, response.headers),
    startedAt,
    workerVersion: deps.config.workerVersion,
    providerHeaders,
  };
  const at = deps.now();
  const recordWith = (retrieved: RetrievedFacts): void =>
    recorder.record(passthroughEvent(caller, { ...facts, retrieved }, at));
  const retrieved = isDisconnected || !response.ok ? null : findRetrieval(exchange, forwardable);
  if (retrieved && !isDisconnected) {
    const observed = await observeRetrieval(exchange, forwardable, retrieved, { response, abort });
    exchange.waitUntil(
      observed.facts.then((read) => {
        recordWith(read);
        return recorder.flush();
      }),
    );
    return toClientResponse(response, id, observed);
  }
  recordWith(NOTHING_RETRIEVED);
  if (isDisconnected) return clientDisconnected(id);
  // The runtime pumps a native body without the request's context. Nothing needs that any more, unless an upload goes on.
  if (body === null || (isUpload(body) ? !body.isPending() : !isSentInPieces(body))) {
    return toClientResponse(response, id, { body: response.body, isModified: false });
  }
  return toClientResponse(response, id, inContext(response));
}

/** The response's body as a stream of the isolate, which keeps the request's context until it has ended. */
function inContext({ body, headers }: Response): {
  readonly body: ReadableStream | null;
  readonly isModified: boolean;
} {
  // The runtime decodes such a body when it is read.
  const isModified = contentEncoding(headers) === "decoded";
  if (body === null) return { body, isModified };
  const length = isModified ? null : declaredLength(headers);
  const through = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
  body.pipeTo(through.writable).catch(() => undefined);
  return { body: through.readable, isModified };
}

/** The body to forward, once the policies permit the request. */
async function bodyToForward(
  exchange: Exchange,
  forwardable: Forwardable,
  requestBody: RequestBody,
): Promise<UpstreamBody | Refusal> {
  const { request } = exchange;
  const { route, provider } = forwardable.route;
  const runsModel = route.kind === "passthrough" && request.method === "POST" ? route.runsModel : "no";
  if (runsModel !== "no" && provider.models !== null) {
    const boundary = runsModel === "named" ? formBoundary(request.headers.get("content-type")) : null;
    if (boundary === "invalid") return new Refusal("form_invalid", { detail: "the boundary" });
    if (boundary !== null) {
      const check = (model: string | null) => checkPolicies(exchange, forwardable, model, true);
      return filteredBody(exchange, requestBody, createFormScanner(boundary, check));
    }
    return bodyWithAllowedModel(exchange, forwardable, requestBody, runsModel);
  }
  const forbidden = checkPolicies(exchange, forwardable, null, false);
  if (forbidden) return forbidden;
  return takesNoBody(request.method) ? rejectBody(request.headers) : unreadBody(exchange, requestBody);
}

/** The whole body, once its model is one that the provider's list allows. */
async function bodyWithAllowedModel(
  exchange: Exchange,
  forwardable: Forwardable,
  requestBody: RequestBody,
  runsModel: "named" | "hidden",
): Promise<Uint8Array | Refusal> {
  const bytes = await requestBody.take();
  if (bytes instanceof Refusal) return bytes;
  // An empty body (to cancel a response, for example) runs no model. A body that cannot be parsed names none that is allowed.
  const call = bytes.byteLength === 0 ? null : readModelCall(bytes);
  const model = call instanceof Refusal || runsModel === "hidden" ? null : (call?.model ?? null);
  return checkPolicies(exchange, forwardable, model, call !== null) ?? bytes;
}
