/** A passthrough: forwarded and recorded, its bytes not read, except for the model where only some models are allowed. */
import { NOTHING_RETRIEVED } from "../../events/compose.ts";
import { contentEncoding, declaredLength } from "../../shared/http/body-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { watchForSecrets } from "../../shared/secret-finder.ts";
import { formBoundary } from "../provider/form/boundary.ts";
import { createFormScanner } from "../provider/form/form-scanner.ts";
import { JsonSource } from "../provider/json-source.ts";
import { readModelCall } from "../provider/model-call.ts";
import type { DialectRoute, RunsModel } from "../provider/provider.ts";
import { isSentInPieces } from "../upstream/body-parts.ts";
import { CLIENT_DISCONNECTED, isUpload, type UpstreamBody } from "../upstream/forward.ts";
import { checkPolicies, clientDisconnected, toClientResponse } from "./call-upstream.ts";
import type { Forwardable, UpstreamResult } from "./upstream-call.ts";
import { takesNoBody, type RequestDecision } from "./decide.ts";
import { refuse, type Exchange } from "./exchange.ts";
import { filteredBody, unreadBody } from "./forward-body.ts";
import {
  CANCELLED,
  FAILED,
  refusedResult,
  respondedResult,
  startPassthrough,
  type PassthroughRecord,
} from "./passthrough-record.ts";
import { callOwned, takeOwnBody, type OnBody } from "./object-owners.ts";
import { findRetrieval, observeRetrieval, type RetrievedId } from "./retrieve.ts";
import { checkNamedModel, filterModels } from "./model-list.ts";
import { composeBody, unreadOutgoing } from "./sent-body.ts";
import { createSpending, type Spending } from "./spending.ts";
import { leakRefusal, reportLeak, searchBody, type SearchedBody } from "./secret-leak.ts";
import { rejectBody, rejectOtherText, type RequestBody } from "./request-body.ts";

/** A passthrough: recorded from here to its one end, however it ends. */
export async function passThrough(
  exchange: Exchange,
  decided: RequestDecision,
  forwardable: Forwardable,
  requestBody: RequestBody,
): Promise<Response> {
  const { started, end: recordEnd, found } = await startPassthrough(exchange, decided, forwardable);
  const spending = createSpending(exchange, forwardable);
  let sent: Pick<UpstreamResult, "isUnsent" | "attempts"> = {};
  const end: PassthroughRecord["end"] = (result, at) => {
    exchange.closeCall?.();
    recordEnd(result, at);
    spending?.ended({ ...result, ...sent, observation: null }, null);
  };
  const refused = (refusal: Refusal, providerHeaders: UpstreamResult["providerHeaders"] | null): Response => {
    end(refusedResult(refusal, providerHeaders));
    return refuse(exchange, refusal);
  };
  const abort = new AbortController();
  try {
    if (!(await started)) return refused(new Refusal("recording_unavailable"), null);
    const composed =
      checkNamedModel(exchange, forwardable) ??
      (await bodyToForward(exchange, forwardable, requestBody, found));
    if (composed instanceof Refusal) return refused(composed, null);
    const { body, sentModel } = isRenamed(composed) ? composed : { body: composed, sentModel: null };
    const limited = await reserveRun(exchange, forwardable, spending);
    if (limited) return refused(limited, null);
    const outgoing = { ...unreadOutgoing(body, requestBody.decoded()), sentModel };
    const called = await callOwned(exchange, forwardable, outgoing, abort);
    const { response: received, providerHeaders, objectIds = [], isUnsent, attempts } = called;
    sent = { ...(isUnsent && { isUnsent }), ...(attempts && { attempts }) };
    found.objects(objectIds);
    const response = await filterModels(exchange, forwardable, received, abort);
    const result =
      response instanceof Response
        ? await respond(exchange, forwardable, end, { response, providerHeaders, body, abort })
        : response;
    if (result instanceof Refusal) return refused(result, isUnsent ? null : providerHeaders);
    if (result !== CLIENT_DISCONNECTED) return result;
    end({ ...CANCELLED, providerHeaders });
    return clientDisconnected(exchange.id);
  } catch (error) {
    abort.abort();
    end(FAILED);
    throw error;
  }
}

/** The cost of a passthrough is not known: only the number of such requests can be limited. */
function reserveRun(
  { request }: Exchange,
  { route: { route } }: Forwardable,
  spending: Spending | null,
): Promise<Refusal | null> | null {
  if (spending === null || route.kind !== "passthrough") return null;
  const runs = route.runsModel !== "no" && route.isFree !== true && request.body !== null;
  return runs ? spending.reserve({ kind: "unknown", model: null }) : null;
}

type Responded = {
  readonly response: Response;
  readonly providerHeaders: UpstreamResult["providerHeaders"];
  /** The request's. */
  readonly body: UpstreamBody;
  readonly abort: AbortController;
};

/** The client's response. The passthrough ends with the response's headers, or, where results are read, with its body. */
async function respond(
  exchange: Exchange,
  forwardable: Forwardable,
  end: PassthroughRecord["end"],
  responded: Responded,
): Promise<UpstreamResult["response"]> {
  const { response, providerHeaders, body, abort } = responded;
  const retrieval = response.ok ? findRetrieval(exchange, forwardable) : null;
  if (retrieval) return respondWithResults(exchange, forwardable, retrieval, { ...responded, end });
  const searched = await searchBody(exchange, forwardable, response, abort);
  if (searched instanceof Refusal || searched === CLIENT_DISCONNECTED) return searched;
  end(respondedResult(response, providerHeaders, NOTHING_RETRIEVED));
  // The runtime pumps a native body without the request's context. Nothing needs that any more, unless an upload goes on.
  if (body === null || (isUpload(body) ? !body.isPending() : !isSentInPieces(body))) {
    return toClientResponse(exchange, forwardable, response, searched);
  }
  return toClientResponse(exchange, forwardable, response, inContext(response, searched.body));
}

/** The end has the time of the response's headers. */
async function respondWithResults(
  exchange: Exchange,
  forwardable: Forwardable,
  retrieval: RetrievedId,
  { response, providerHeaders, abort, end }: Responded & Pick<PassthroughRecord, "end">,
): Promise<UpstreamResult["response"]> {
  const { deps, recorder } = exchange;
  let where: "body" | "stream" = "body";
  const report = (secret: string): void => reportLeak(exchange, forwardable, secret, where);
  const secrets = deps.secrets && watchForSecrets(deps.secrets, report);
  const at = deps.now();
  const observed = await observeRetrieval(exchange, forwardable, retrieval, { response, abort, secrets });
  if (observed.isLeak) return leakRefusal(response.status);
  where = "stream";
  const ended = observed.facts.then((read) => {
    const result = respondedResult(response, providerHeaders, read);
    const isCut = secrets !== null && secrets.found() !== null;
    end(isCut ? { ...result, outcome: "upstream_error", error: "upstream_key_leaked" } : result, at);
    return recorder.flush();
  });
  exchange.waitUntil(ended);
  return toClientResponse(exchange, forwardable, response, observed);
}

/** The response's body as a stream of the isolate, which keeps the request's context until it has ended. */
function inContext({ headers }: Response, body: SearchedBody["body"]): SearchedBody {
  // The runtime decodes such a body when it is read.
  const isModified = contentEncoding(headers) === "decoded";
  if (!(body instanceof ReadableStream)) return { body, isModified };
  const length = isModified ? null : declaredLength(headers);
  const through = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
  body.pipeTo(through.writable).catch(() => undefined);
  return { body: through.readable, isModified };
}

/** A body with the model's id for the provider in place of the client's name for it. */
type Renamed = { readonly body: UpstreamBody; readonly sentModel: string };

const isRenamed = (body: UpstreamBody | Renamed): body is Renamed => body !== null && "sentModel" in body;

/** The body to forward, once the policies permit the request. */
async function bodyToForward(
  exchange: Exchange,
  forwardable: Forwardable,
  requestBody: RequestBody,
  found: Required<OnBody>,
): Promise<UpstreamBody | Renamed | Refusal> {
  const { request } = exchange;
  const { route, provider } = forwardable.route;
  const hasNoBody = takesNoBody(request.method);
  const runsModel = route.kind === "passthrough" && !hasNoBody ? route.runsModel : "no";
  const isChecked = !hasNoBody && forwardable.ownership !== null && mayNameObjects(route);
  const isNamed = runsModel !== "no" && (provider.models !== null || isHeldCount(forwardable.route));
  if (isNamed || isChecked) {
    const otherText = rejectOtherText(exchange.headers);
    if (otherText) return otherText;
    const boundary =
      runsModel === "named" || isChecked ? formBoundary(request.headers.get("content-type")) : null;
    if (boundary === "invalid") return new Refusal("form_invalid", { detail: "the boundary" });
    if (boundary !== null) {
      const check = (model: string | null) => checkPolicies(exchange, forwardable, model, true);
      return filteredBody(exchange, requestBody, createFormScanner(boundary, check), found.body);
    }
    const bytes = await takeOwnBody(exchange, forwardable, requestBody, found);
    return bytes instanceof Refusal ? bytes : withAllowedModel(exchange, forwardable, bytes, runsModel);
  }
  const forbidden = checkPolicies(exchange, forwardable, null, false);
  if (forbidden) return forbidden;
  return hasNoBody ? rejectBody(request.headers) : unreadBody(exchange, requestBody, null);
}

/** Whether a body may name objects whose owners are checked. A form is no exception: it must be one to its end. */
const mayNameObjects = (route: DialectRoute): boolean =>
  route.kind === "passthrough" && (route.objects !== undefined || route.runsModel !== "no");

const countsTokens = ({ route }: Forwardable["route"]): boolean =>
  route.kind === "passthrough" && route.isFree === true;

/** Whether the request counts the tokens of a model call whose model has another id at the provider, or which must be signed. */
const isHeldCount = (route: Forwardable["route"]): boolean =>
  countsTokens(route) &&
  (route.provider.modelIds.size > 0 || route.provider.keys.some(({ kind }) => kind === "aws"));

/** The body, where its model is one that the provider's list allows. */
function withAllowedModel(
  exchange: Exchange,
  forwardable: Forwardable,
  bytes: Uint8Array,
  runsModel: RunsModel,
): Uint8Array | Renamed | Refusal {
  // An empty body (to cancel a response, for example) runs no model. A body that cannot be parsed names none that is allowed.
  const call = bytes.byteLength === 0 ? null : readModelCall(new JsonSource(bytes));
  const named = call instanceof Refusal || runsModel === "hidden" ? null : call;
  const { route } = forwardable;
  const name = named?.model ?? null;
  const sentModel = (countsTokens(route) && name !== null && route.provider.modelIds.get(name)) || null;
  const refusal = checkPolicies(
    exchange,
    forwardable,
    sentModel ?? name,
    call !== null && runsModel !== "no",
  );
  if (refusal || sentModel === null) return refusal ?? bytes;
  const model = named?.body.members.get("model") ?? null;
  return { body: composeBody({ bytes, model }, { optIn: null, sentModel }), sentModel };
}
