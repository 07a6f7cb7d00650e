/** What happens when a provider's response contains a configured secret: it is reported, and the client does not get it. */
import { contentEncoding, declaredKind, declaredLength } from "../../shared/http/body-headers.ts";
import { Collected } from "../../shared/bounded-read.ts";
import { abortAfter, type Deadline } from "../../shared/deadline.ts";
import type { HeaderReader } from "../../shared/http/named-headers.ts";
import { Refusal } from "../../shared/refusal.ts";
import { watchForSecrets } from "../../shared/secret-finder.ts";
import { MAX_BUFFERED_BYTES } from "../observation/buffered.ts";
import { examineStart, MAX_START_BYTES } from "../observation/start-gate.ts";
import { CLIENT_DISCONNECTED } from "../upstream/forward.ts";
import { hasReadableCharset } from "../upstream/key-leak.ts";
import type { Forwardable } from "./upstream-call.ts";
import type { Exchange } from "./exchange.ts";

/** Reports a leaked secret to the operator, who has to replace it. `where`: the part of the response that had it. */
export function reportLeak(
  { deps, id, leak }: Exchange,
  { route }: Pick<Forwardable, "route">,
  secret: string,
  where: "header" | "body" | "stream",
): void {
  leak.found = true;
  const provider = route.provider.name;
  deps.logError({ event: "secret_leaked", provider, secret, where, interception_id: id });
}

export const leakRefusal = (status: number): Refusal =>
  new Refusal("upstream_key_leaked", { detail: `status ${status}` });

/** Refuses a successful response that cannot be searched, of a coding only where the provider had a central key to quote. */
export function checkSearchable(
  response: Response,
  headers: HeaderReader,
  { credential }: Pick<Forwardable, "credential">,
  abort: AbortController,
): Response | Refusal {
  const { status } = response;
  const isCoded = credential.kind === "centralized" && contentEncoding(headers) === "encoded";
  if (!isCoded && hasReadableCharset(headers)) return response;
  abort.abort();
  return new Refusal("upstream_key_leaked", {
    detail: `status ${status}, in an unsupported ${isCoded ? "encoding" : "charset"}`,
  });
}

export type SearchedBody = {
  readonly body: Uint8Array | ReadableStream | null;
  readonly isModified: boolean;
};

/**
 * The body of a passthrough's response, once it was searched for secrets: all of a short one, the start of any other. The
 * rest of that is passed on by the runtime, unseen. Errors have been searched before.
 */
export async function searchBody(
  exchange: Exchange,
  forwardable: Forwardable,
  response: Response,
  abort: AbortController,
): Promise<SearchedBody | Refusal | typeof CLIENT_DISCONNECTED> {
  const { body, headers, status } = response;
  const { secrets, config } = exchange.deps;
  const encoding = contentEncoding(headers);
  if (secrets === null || body === null || status >= 400 || encoding === "encoded")
    return { body, isModified: false };
  const isModified = encoding === "decoded";
  try {
    const length = isModified ? null : declaredLength(headers);
    const isWhole = length !== null && length <= MAX_BUFFERED_BYTES;
    const [examined, rest] = isWhole ? [body, null] : body.tee();
    const startDeadline = (): Deadline => abortAfter(config.limits.idleMs, abort);
    const start = await readStart(examined, isWhole ? length : startSize(headers), startDeadline);
    if (isWhole && start.byteLength !== length) throw new Error("the response ended early");
    const watch = watchForSecrets(secrets);
    examineStart(watch, new TextDecoder().decode(start));
    const secret = watch.found();
    if (secret === null) return { body: rest ?? start, isModified };
    abort.abort();
    reportLeak(exchange, forwardable, secret, "body");
    return leakRefusal(status);
  } catch {
    if (exchange.connection.isGone()) return CLIENT_DISCONNECTED;
    return new Refusal("upstream_unreachable", { detail: `a response (status ${status}) broke off` });
  }
}

/** Of a body that is not JSON only the first bytes, so that a stream is not delayed. */
const startSize = (headers: Headers): number => (declaredKind(headers) === "json" ? MAX_START_BYTES : 1);

/** At least `size` bytes, where there are so many. The rest is cancelled. `startDeadline`: of one read. */
async function readStart(
  body: ReadableStream<Uint8Array>,
  size: number,
  startDeadline: () => Deadline,
): Promise<Uint8Array> {
  const start = new Collected();
  const reader = body.getReader();
  while (start.size < size) {
    const { done, value } = await reader.read().finally(startDeadline().clear);
    if (done) break;
    start.add(value);
  }
  reader.cancel().catch(() => undefined);
  return start.bytes();
}
