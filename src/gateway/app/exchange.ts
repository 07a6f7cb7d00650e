/** One request and its response: the state that every step shares, and how a refusal becomes a response. */
import { refusalEvent, type Caller, type NetworkFacts } from "../../events/compose.ts";
import { keyIdOf } from "../../shared/digest.ts";
import type { After } from "../../shared/deadline.ts";
import { emptyHolding, type Holding } from "../../shared/byte-budget.ts";
import { clientConnection, type ClientConnection } from "../../shared/http/client-connection.ts";
import { NamedHeaders } from "../../shared/http/named-headers.ts";
import { errorName } from "../../shared/operator-log.ts";
import { Refusal } from "../../shared/refusal.ts";
import { createSharedTimer } from "../../shared/shared-timer.ts";
import { uuidV7 } from "../../shared/uuid.ts";
import { readNetwork } from "../client/network.ts";
import { idsInPath } from "../policy/objects.ts";
import type { Dialect } from "../provider/provider.ts";
import { createRecorder, type Recorder } from "../sinks/recorder.ts";
import { withoutSecrets, type Leak } from "../sinks/without-secrets.ts";
import { CODINGS } from "./decode/coding.ts";
import { emptyFindings, type Findings } from "./decide.ts";
import type { Deps } from "./deps.ts";
import { toRecordedIds } from "./recorded-ids.ts";

export type Exchange = {
  /** The interception's id, UUIDv7. */
  readonly id: string;
  readonly request: Request;
  /** The headers of `request`. */
  readonly headers: NamedHeaders;
  readonly connection: ClientConnection;
  readonly deps: Deps;
  readonly startedAt: number;
  readonly recorder: Recorder;
  /** Whether the request or its response contained a configured secret. */
  readonly leak: Leak;
  /** The body's part of the bytes that the isolate may hold. */
  readonly holding: Holding;
  /** The timers of the request's phases. */
  readonly after: After;
  /** Keeps the invocation alive after the response. */
  readonly waitUntil: (promise: Promise<unknown>) => void;
  /** The decisions so far, for the refusal event. */
  readonly findings: Findings;
  /** The error body of the client's dialect, as soon as the route is known. */
  errorBody: Dialect["errorBody"];
  caller: Caller | null;
  /** Ends the count of the call among those that its central key and its provider have open; null where nothing counts it. */
  closeCall: (() => void) | null;
};

export function createExchange(request: Request, deps: Deps, waitUntil: Exchange["waitUntil"]): Exchange {
  const startedAt = deps.now();
  const id = uuidV7(startedAt, deps.randomUuid());
  const leak: Leak = { found: false };
  const onSinkFailure = (sink: string, error: unknown): void =>
    deps.logError({ event: "sink_failed", sink, interception_id: id, error: errorName(error) });
  return {
    id,
    request,
    headers: new NamedHeaders(request.headers),
    connection: clientConnection(request),
    deps,
    startedAt,
    recorder: withoutSecrets(createRecorder(deps.sinks, waitUntil, onSinkFailure), deps.secrets, leak),
    leak,
    holding: emptyHolding(),
    after: deps.bodies.after ?? createSharedTimer(),
    waitUntil,
    findings: emptyFindings(),
    errorBody: deps.fallbackDialect.errorBody,
    caller: null,
    closeCall: null,
  };
}

/** Runs one step with its exchange. An unexpected error becomes the refusal `internal`. */
export async function handle(
  exchange: Exchange,
  serve: (exchange: Exchange) => Promise<Response>,
): Promise<Response> {
  const response = serve(exchange);
  // workerd cancels the handler when the client disconnects before the response; waitUntil keeps it alive so that the
  // end event is recorded.
  exchange.waitUntil(response.catch(() => undefined));
  try {
    return await response;
  } catch (error) {
    const { deps, id } = exchange;
    exchange.closeCall?.();
    deps.logError({ event: "request_failed", interception_id: id, error: errorName(error) });
    return refuse(exchange, new Refusal("internal"));
  } finally {
    exchange.deps.bodies.budget.release(exchange.holding);
    void exchange.recorder.flush();
  }
}

/** Bodies are held until the provider's headers arrive, which for a stream takes about this long. */
const BUSY_RETRY_S = 2;

/** Responds instead of the upstream, in the client's dialect, and records the refusal. `allow`: methods for a 405. */
export function refuse(
  exchange: Exchange,
  refusal: Refusal,
  allow: () => readonly string[] = () => [],
): Response {
  const { id, deps, recorder } = exchange;
  const { code, status, message, data } = refusal;
  recorder.record(refusalEvent(id, refusalFacts(exchange, refusal), deps.now()));
  const body = exchange.errorBody({ status, message, code, param: data.param ?? null, interceptionId: id });
  const headers = new Headers({ "x-interception-id": id, "x-interceptor-error": code });
  // Required by RFC 9110 §15.5.6 and §15.5.22.
  if (code === "method_not_allowed") headers.set("allow", allow().join(", "));
  if (code === "websocket_unsupported") headers.set("upgrade", "HTTP/1.1");
  if (code === "gateway_busy") headers.set("retry-after", String(BUSY_RETRY_S));
  if (data.retryAfterS !== undefined) headers.set("retry-after", String(data.retryAfterS));
  const { route } = exchange.findings;
  if (data.rate && route)
    for (const [name, value] of route.provider.dialect.rateLimitHeaders(data.rate)) headers.set(name, value);
  // RFC 9110 §15.5.16. The records API decodes none.
  if (code === "body_encoded" && exchange.findings.route) headers.set("accept-encoding", CODINGS);
  // The SDKs of OpenAI and Anthropic read it. Claude Code repeats a 401 for minutes without showing it.
  if (isFinal(refusal, exchange)) headers.set("x-should-retry", "false");
  return Response.json(body, { status, headers });
}

/** A rejected central key is final where there is no other one, and no other provider, that a retry may get. */
function isFinal(refusal: Refusal, { findings: { route } }: Exchange): boolean {
  if (refusal.isFinal || refusal.code !== "upstream_key_rejected" || route === null) return refusal.isFinal;
  const { keys, fallbacks } = route.provider;
  return keys.length < 2 && fallbacks.length === 0;
}

/** Where the request came from, as far as it is recorded. */
export const networkOf = ({ request, headers, deps }: Exchange): NetworkFacts =>
  readNetwork(request.cf, headers, deps.config.recording.network);

function refusalFacts(exchange: Exchange, { code, status, data }: Refusal) {
  const { request, deps, findings, caller } = exchange;
  const { route, client, actor, presented, delegation } = findings;
  // A credential that no source knows has an id too: one leaked or guessed key can be followed through its refusals.
  const secret = presented?.identity ?? presented?.accessToken;
  return {
    code,
    status,
    detail: data.detail ?? null,
    method: request.method,
    provider: route?.provider.name ?? null,
    route: route?.route.path ?? null,
    client: client?.name ?? null,
    actorId: actor?.id ?? null,
    actorKind: actor?.kind ?? null,
    initiatorId: caller?.initiator_id ?? null,
    workerVersion: deps.config.workerVersion,
    identitySource: actor?.source ?? null,
    isActorVerified: actor?.verified ?? false,
    keyId: (actor ?? delegation?.actor)?.keyId ?? data.keyId ?? (secret ? keyIdOf(secret.sha256) : null),
    initiatorSource: caller?.initiator_source ?? null,
    network: networkOf(exchange),
    objectIds: route ? toRecordedIds(idsInPath(route), deps.secrets) : [],
  };
}

/** A response of the gateway itself that is not a refusal. */
export function ownResponse(id: string, body: string | null): Response {
  return new Response(body, { headers: { "x-interception-id": id } });
}
