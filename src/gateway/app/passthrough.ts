/** A passthrough: forwarded and recorded, its bytes not read, except for the model where only some models are allowed. */
import { passthroughEvent } from "../../events/compose.ts";
import { SMALL_BYTES } from "../../shared/byte-budget.ts";
import { contentEncoding, declaredLength } from "../../shared/http/body-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { formBoundary } from "../provider/form/boundary.ts";
import { createFormScanner, MAX_WITHHELD_BYTES } from "../provider/form/form-scanner.ts";
import { readModelCall } from "../provider/model-call.ts";
import { methodsOf } from "../provider/method.ts";
import { edgeErrorOf } from "../observation/edge-error.ts";
import { isSentInPieces } from "../upstream/body-parts.ts";
import { CLIENT_DISCONNECTED, isUpload, type UpstreamBody } from "../upstream/forward.ts";
import { openUpload, type Upload, type UploadFilter } from "../upstream/upload.ts";
import {
  callUpstream,
  checkPolicies,
  clientDisconnected,
  toClientResponse,
  type Forwardable,
} from "./call-upstream.ts";
import { takesNoBody } from "./decide.ts";
import { requestCoding } from "./decode/coding.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { checkNamedModel, filterModels } from "./model-list.ts";
import { readBody } from "./read-body.ts";
import { checkDeclaredLength, rejectBody, type RequestBody } from "./request-body.ts";

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
  const facts = {
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
  recorder.record(passthroughEvent(caller, facts, deps.now()));
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
  const { request, deps } = exchange;
  const { route, provider } = forwardable.route;
  const runsModel = route.kind === "passthrough" && request.method === "POST" ? route.runsModel : "no";
  if (runsModel !== "no" && provider.models !== null) {
    const boundary = runsModel === "named" ? formBoundary(request.headers.get("content-type")) : null;
    if (boundary === "invalid") return new Refusal("form_invalid", { detail: "the boundary" });
    if (boundary !== null) return formWithAllowedModel(exchange, forwardable, requestBody, boundary);
    return bodyWithAllowedModel(exchange, forwardable, requestBody, runsModel);
  }
  const forbidden = checkPolicies(exchange, forwardable, null, false);
  if (forbidden) return forbidden;
  if (takesNoBody(request.method)) return rejectBody(request.headers);
  if (request.body === null) return null;
  if (requestBody.isRead()) return requestBody.take();
  // A body of unknown length is read and counted first. A small one is held for a moment, which costs less than a stream.
  if (!isStreamed(exchange)) {
    const { bodyBytes: maxBytes } = deps.config.limits;
    return readBody(request, { ...deps.bodies, maxBytes, holding: exchange.holding });
  }
  return streamBody(exchange, request.body, null);
}

/** Whether a body is forwarded while it arrives. */
function isStreamed({ request, deps }: Exchange): boolean {
  const length = declaredLength(request.headers);
  return length !== null && length > Math.min(SMALL_BYTES, deps.config.limits.bodyBytes);
}

/** The body as an upload. Its length must be declared. */
function streamBody(
  { request, deps, waitUntil }: Exchange,
  body: ReadableStream<Uint8Array>,
  filter: UploadFilter | null,
): Upload | Refusal {
  const { uploadBytes, headersMs } = deps.config.limits;
  const tooLarge = checkDeclaredLength(request.headers, uploadBytes);
  if (tooLarge) return tooLarge;
  const length = declaredLength(request.headers) ?? 0;
  const { pace, now } = deps.bodies;
  const upload = openUpload(body, { length, pace, acceptMs: headersMs, now, filter });
  // A provider may respond before it has the whole body, and the rest of it goes on beside the response.
  waitUntil(upload.sent);
  return upload;
}

/**
 * A multipart form, once its model is one that the list allows. A large form is forwarded while its model is looked for: the
 * SDKs send the file first.
 */
async function formWithAllowedModel(
  exchange: Exchange,
  forwardable: Forwardable,
  requestBody: RequestBody,
  boundary: string,
): Promise<UpstreamBody | Refusal> {
  const { request, deps, holding } = exchange;
  const scanner = createFormScanner(boundary, (model) => checkPolicies(exchange, forwardable, model, true));
  const isRead = requestBody.isRead() || requestCoding(request.headers) !== null || !isStreamed(exchange);
  if (isRead || request.body === null) {
    const bytes = await requestBody.take();
    if (bytes instanceof Refusal) return bytes;
    const scanned = [scanner.push(bytes), scanner.end()].find((result) => result instanceof Refusal);
    return scanned ?? bytes;
  }
  if (!deps.bodies.budget.resize(holding, MAX_WITHHELD_BYTES, deps.bodies.neededMs))
    return new Refusal("gateway_busy");
  return streamBody(exchange, request.body, scanner);
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
