/** What must hold after any number of connections, whatever they sent. Each check gives what is wrong, or null. */
import type { InterceptorEvent } from "../../src/events/event.ts";
import type { UpstreamRequest } from "../../test/support/fake-upstream.ts";
import type { LogLine, WrittenPoint } from "../../test/support/event-log.ts";
import type { Connection } from "./case.ts";
import { CANARY, CENTRAL_ANTHROPIC, CENTRAL_OPENAI, GOOD_KEYS, SMUGGLED } from "./cast.ts";

export type Seen = {
  readonly sent: readonly Connection[];
  /** What each connection got, as Latin-1. */
  readonly received: readonly string[];
  /** The barrier's own request left out. */
  readonly upstream: readonly UpstreamRequest[];
  readonly lines: readonly LogLine[];
  readonly events: readonly InterceptorEvent[];
  readonly points: readonly WrittenPoint[];
};

/**
 * What workerd itself prints about connections that break its protocol's rules; the Worker has then not been asked, or
 * its answer has nobody to go to.
 */
const OF_WORKERD: readonly RegExp[] = [
  /^Received a connect event but we lack a handler\. Did you remember to export a connect\(\) function\?$/,
  // CONNECT is an event of its own to workerd, for which no Worker of ours has a handler.
  /^Uncaught exception: workerd\/api\/global-scope\.c\+\+:\d+: failed: remote\.jsg\.Error: Handler does not export a connect\(\) function\.$/,
];

export function wrongWith(seen: Seen): string | null {
  for (const check of [upstreamCalls, recorded, ends, lines, canaries, answers]) {
    const wrong = check(seen);
    if (wrong !== null) return wrong;
  }
  return null;
}

const CREDENTIALS = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "coder-session-token"];
const NEVER =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|upgrade|forwarded|x-real-ip|true-client-ip|cdn-loop|cookie|expect|x-interception-id|x-coder-.*|cf-.*|x-forwarded-.*)$/;
/** The configured bases and the dialects' routes, below some of which ids may stand: no caller can name another place. */
const PLACES =
  /^\/(?:central-openai\/v1|central-anthropic|own-openai\/v1)\/(?:chat\/completions|responses|models|files|v1\/messages|v1\/models)(?:\/[\w.~:@!$&'()*+,=%-]+)*(?:\?[^#]*)?$/;
/** What a later hop might read as another place: dot segments, and escapes of `%`, `.`, `/`, `\` and control characters. */
const AMBIGUOUS = /^[^?]*(?:\/\.\.?(?:[/?]|$)|%(?:2[5ef]|5c|[01]|7f))/i;

function upstreamCalls({ upstream, sent }: Seen): string | null {
  const strangersOnly = sent.every(({ family }) => family === "stranger" || family === "misplaced");
  for (const { method, target, headers, values } of upstream) {
    const what = `${method} ${target.slice(0, 200)} went to the provider`;
    if (target.includes(SMUGGLED)) return `a smuggled ${what}`;
    if (!PLACES.test(target) || AMBIGUOUS.test(target)) return `${what}: there is no such place`;
    const central = target.startsWith("/central-");
    if (central && strangersOnly) return `${what} without an identity`;
    const bad = headers.find(([name]) => NEVER.test(name.toLowerCase().replaceAll("_", "-")));
    if (bad) return `${what} with ${bad[0]}`;
    const credentials = CREDENTIALS.flatMap(values);
    const [credential = ""] = credentials;
    if (credentials.length !== 1) return `${what} with ${credentials.length} credentials`;
    const wanted = target.startsWith("/central-openai") ? `Bearer ${CENTRAL_OPENAI}` : CENTRAL_ANTHROPIC;
    if (central && credential !== wanted) return `${what} with another's credential`;
    const token = credential.replace(/^Bearer /, "");
    if (!central && !sent.some(({ bytes }) => bytes.includes(token)))
      return `${what} with a credential of nobody's`;
    const whole = `${target}\n${headers.map((pair) => pair.join(": ")).join("\n")}`;
    if (
      GOOD_KEYS.some((key) => whole.includes(key)) &&
      !sent.some(({ bytes }) => GOOD_KEYS.some((key) => bytes.split(/[\r\n]/, 1)[0]?.includes(key)))
    )
      return `${what} with a client key`;
  }
  return null;
}

/** Each call to the provider is somebody's: as many as there are records of one. */
function recorded({ upstream, events }: Seen): string | null {
  const calls = events.filter(
    (event) =>
      event.record_type === "passthrough" ||
      (event.record_type === "interception_end" && event.outcome !== "refused"),
  );
  const nobody = calls.find((event) => !("actor_id" in event) || event.actor_id === "");
  if (nobody) return `a call of nobody's: ${JSON.stringify(nobody)}`;
  // The barrier is recorded too.
  return upstream.length < calls.length
    ? null
    : `${upstream.length} calls went to the provider, ${calls.length} are recorded`;
}

function ends({ events }: Seen): string | null {
  const ids = (type: string): string[] =>
    events
      .filter((event) => event.record_type === type)
      .map((event) => event.interception_id)
      .toSorted();
  const starts = ids("interception_start");
  const closed = ids("interception_end");
  return starts.join() === closed.join() && new Set(starts).size === starts.length
    ? null
    : `${starts.length} starts and ${closed.length} ends`;
}

// oxlint-disable-next-line no-control-regex -- control characters are what this looks for
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/;

function lines({ lines: printed }: Seen): string | null {
  for (const { level, message } of printed) {
    if (OF_WORKERD.some((pattern) => pattern.test(message))) continue;
    const wrong =
      UNSAFE.test(message) || !message.startsWith('{"message":"interception log",') || !isObject(message);
    if (wrong) return `printed as ${level}: ${JSON.stringify(message)}`;
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

function canaries({ lines: printed, points, received }: Seen): string | null {
  const line = printed.find(({ message }) => message.includes(CANARY));
  if (line) return `a canary is printed: ${line.message}`;
  const point = points.map((one) => JSON.stringify(one)).find((text) => text.includes(CANARY));
  if (point !== undefined) return `a canary is in a point: ${point}`;
  const answer = received.find((text) => text.includes(CANARY));
  return answer === undefined ? null : `a canary is in an answer: ${JSON.stringify(answer)}`;
}

/** The provider answers everything, and the configuration is sound. */
const OURS = /^x-interceptor-error: (?:internal|misconfigured|upstream_|recording_)/im;

/** Nothing, or answers in HTTP; none of them says that the interceptor itself, or its call, failed. */
function answers({ received }: Seen): string | null {
  const odd = received.find((text) => text !== "" && !/^HTTP\/1\.[01] [1-5]\d\d /.test(text));
  if (odd !== undefined) return `no answer in HTTP: ${JSON.stringify(odd.slice(0, 500))}`;
  const failed = received.find((text) => OURS.test(text));
  return failed === undefined ? null : `the interceptor failed: ${JSON.stringify(failed)}`;
}
