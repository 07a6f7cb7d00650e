/** Properties that must hold after any set of connections. Each check returns the failure, or null. */
import type { InterceptorEvent } from "../../src/events/event.ts";
import type { LogLine, WrittenPoint } from "../../test/support/event-log.ts";
import type { UpstreamRequest } from "../../test/support/fake-upstream.ts";
import { CANARY, CENTRAL_ANTHROPIC, CENTRAL_OPENAI, SMUGGLED, VALID_KEYS } from "./canaries.ts";
import type { Connection } from "./case.ts";

export type Observed = {
  readonly sent: readonly Connection[];
  /** The bytes that each connection received, as Latin-1. */
  readonly received: readonly string[];
  /** Without the barrier's request. */
  readonly upstream: readonly UpstreamRequest[];
  readonly lines: readonly LogLine[];
  readonly events: readonly InterceptorEvent[];
  readonly points: readonly WrittenPoint[];
};

/** Lines that workerd itself prints. CONNECT is a separate event in workerd, and the Worker has no handler for it. */
const WORKERD_LINES: readonly RegExp[] = [
  /^Received a connect event but we lack a handler\. Did you remember to export a connect\(\) function\?$/,
  /^Uncaught exception: workerd\/api\/global-scope\.c\+\+:\d+: failed: remote\.jsg\.Error: Handler does not export a connect\(\) function\.$/,
];

export function findFailure(observed: Observed): string | null {
  for (const check of [
    checkUpstreamCalls,
    checkAttribution,
    checkEnds,
    checkLines,
    checkCanaries,
    checkResponses,
  ]) {
    const failure = check(observed);
    if (failure !== null) return failure;
  }
  return null;
}

const CREDENTIALS = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "coder-session-token"];
const FORBIDDEN_HEADERS =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|upgrade|forwarded|true-client-ip|cdn-loop|cookie|expect|x-interception-id|x-coder-.*|cf-.*|cloudflare-workers-.*|x-forwarded-.*)$/;
/** An address that is no host's (RFC 5737), in place of the client's. */
const REAL_IP = "192.0.2.1";
/** The configured base URLs with the dialects' routes, some followed by ids. A caller cannot choose any other target. */
const ALLOWED_TARGETS =
  /^\/(?:central-openai\/v1|central-anthropic|own-openai\/v1)\/(?:chat\/completions|responses|models|files|v1\/messages|v1\/models)(?:\/[\w.~:@!$&'()*+,=%-]+)*(?:\?[^#]*)?$/;
/** Targets that a later hop may normalize: dot segments, and escapes of `%`, `.`, `/`, `\` and control characters. */
const AMBIGUOUS = /^[^?]*(?:\/\.\.?(?:[/?]|$)|%(?:2[5ef]|5c|[01]|7f))/i;

function checkUpstreamCalls({ upstream, sent }: Observed): string | null {
  for (const request of upstream) {
    const failure =
      checkTarget(request, sent) ?? checkUpstreamHeaders(request) ?? checkUpstreamKeys(request, sent);
    if (failure !== null) return failure;
  }
  return null;
}

const describe = ({ method, target }: UpstreamRequest): string =>
  `${method} ${target.slice(0, 200)} reached the provider`;

const isCentral = ({ target }: UpstreamRequest): boolean => target.startsWith("/central-");

function checkTarget(request: UpstreamRequest, sent: readonly Connection[]): string | null {
  const { target } = request;
  if (target.includes(SMUGGLED)) return `smuggled: ${describe(request)}`;
  if (!ALLOWED_TARGETS.test(target) || AMBIGUOUS.test(target))
    return `${describe(request)}: the target is not allowed`;
  const hasIdentity = sent.some(({ family }) => family === "authenticated" || family === "smuggler");
  return isCentral(request) && !hasIdentity ? `${describe(request)} without an identity` : null;
}

function checkUpstreamHeaders(request: UpstreamRequest): string | null {
  const forbidden = request.headers.find(([name]) =>
    FORBIDDEN_HEADERS.test(name.toLowerCase().replaceAll("_", "-")),
  );
  if (forbidden) return `${describe(request)} with ${forbidden[0]}`;
  const realIps = request.headers.filter(([name]) => name.toLowerCase().replaceAll("_", "-") === "x-real-ip");
  const areFixed =
    realIps.length === 1 && realIps[0]?.[0].toLowerCase() === "x-real-ip" && realIps[0][1] === REAL_IP;
  return areFixed ? null : `${describe(request)} with the x-real-ip ${JSON.stringify(realIps)}`;
}

function checkUpstreamKeys(request: UpstreamRequest, sent: readonly Connection[]): string | null {
  const { target, headers, values } = request;
  const credentials = CREDENTIALS.flatMap(values);
  const [credential = ""] = credentials;
  if (credentials.length !== 1) return `${describe(request)} with ${credentials.length} credentials`;
  const expected = target.startsWith("/central-openai") ? `Bearer ${CENTRAL_OPENAI}` : CENTRAL_ANTHROPIC;
  if (isCentral(request) && credential !== expected)
    return `${describe(request)} with another provider's credential`;
  const token = credential.replace(/^Bearer /, "");
  if (!isCentral(request) && !sent.some(({ bytes }) => bytes.includes(token)))
    return `${describe(request)} with a credential that no client sent`;
  const text = `${target}\n${headers.map((pair) => pair.join(": ")).join("\n")}`;
  const hasKey = VALID_KEYS.some((key) => text.includes(key));
  return hasKey && !sent.some(hasKeyInRequestLine) ? `${describe(request)} with a client key` : null;
}

/** A client may put a key into its own target; the gateway forwards the target unchanged. */
const hasKeyInRequestLine = ({ bytes }: Connection): boolean =>
  VALID_KEYS.some((key) => bytes.split(/[\r\n]/, 1)[0]?.includes(key));

/** Each call to a provider is recorded with an actor: there are as many records as calls. */
function checkAttribution({ upstream, events }: Observed): string | null {
  const calls = events.filter(
    (event) =>
      (event.record_type === "passthrough" || event.record_type === "interception_end") &&
      event.outcome !== "refused",
  );
  const anonymous = calls.find((event) => !("actor_id" in event) || event.actor_id === "");
  if (anonymous) return `a call without an actor: ${JSON.stringify(anonymous)}`;
  // The barrier is recorded too, so there must be at least one more record.
  return upstream.length < calls.length
    ? null
    : `${upstream.length} calls reached the provider, ${calls.length} are recorded`;
}

function checkEnds(observed: Observed): string | null {
  return (
    pairs(observed, "interception_start", "interception_end") ??
    pairs(observed, "passthrough_start", "passthrough")
  );
}

function pairs({ events }: Observed, start: string, end: string): string | null {
  const ids = (type: string): string[] =>
    events
      .filter((event) => event.record_type === type)
      .map((event) => event.interception_id)
      .toSorted();
  const starts = ids(start);
  const ends = ids(end);
  return starts.join() === ends.join() && new Set(starts).size === starts.length
    ? null
    : `${starts.length} starts and ${ends.length} ends`;
}

// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;

function checkLines({ lines }: Observed): string | null {
  for (const { level, message } of lines) {
    if (WORKERD_LINES.some((pattern) => pattern.test(message))) continue;
    const isWrong =
      UNSAFE.test(message) || !message.startsWith('{"message":"interception log",') || !isObject(message);
    if (isWrong) return `printed as ${level}: ${JSON.stringify(message)}`;
  }
  return null;
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function checkCanaries({ lines, points, received }: Observed): string | null {
  const line = lines.find(({ message }) => message.includes(CANARY));
  if (line) return `a canary is printed: ${line.message}`;
  const point = points.map((one) => JSON.stringify(one)).find((text) => text.includes(CANARY));
  if (point !== undefined) return `a canary is in a point: ${point}`;
  const response = received.find((text) => text.includes(CANARY));
  return response === undefined ? null : `a canary is in a response: ${JSON.stringify(response)}`;
}

/** Errors that cannot occur here, because the provider always responds and the configuration is valid. */
const GATEWAY_ERROR = /^x-interceptor-error: (?:internal|misconfigured|upstream_|recording_)/im;

/** Each connection receives nothing, or HTTP without an error of the gateway itself. */
function checkResponses({ received }: Observed): string | null {
  const invalid = received.find((text) => text !== "" && !/^HTTP\/1\.[01] [1-5]\d\d /.test(text));
  if (invalid !== undefined) return `the response is not HTTP: ${JSON.stringify(invalid.slice(0, 500))}`;
  const failed = received.find((text) => GATEWAY_ERROR.test(text));
  return failed === undefined ? null : `the gateway failed: ${JSON.stringify(failed)}`;
}
