/**
 * The one fetch of a provider. Returns the response as soon as its headers have arrived, or the reason why there is
 * none. It neither follows redirects nor retries.
 */
import { errorName } from "../../shared/operator-log.ts";
import { Refusal } from "../../shared/refusal.ts";
import { abortAfter, type After, type Deadline } from "../../shared/deadline.ts";
import { fetchBody } from "./body-parts.ts";
import type { Upload } from "./upload.ts";

/** In memory, whole or in parts, or streamed while the client sends it. */
export type UpstreamBody = Uint8Array | readonly Uint8Array[] | Upload | null;

export const isUpload = (body: UpstreamBody): body is Upload => body !== null && "sent" in body;

export type UpstreamRequest = {
  /** The timer of the request. */
  readonly after?: After;
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: UpstreamBody;
};

/** The client disconnected before the provider's headers arrived. */
export const CLIENT_DISCONNECTED = Symbol("client disconnected");

/** The end of the call: a response, or why there is none. */
export type Forwarded = Response | Refusal | typeof CLIENT_DISCONNECTED;

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * `abort` ends the request at any time, before or after the headers; it is aborted here if the headers have not arrived
 * within `deadlineMs`, counted from the end of an upload. Refuses `upstream_unreachable` (502), `upstream_redirected` (502)
 * and `upstream_timeout` (504), and where the upload fails also `body_incomplete` (400) and `body_timeout` (408).
 */
export async function forward(
  fetcher: typeof fetch,
  { url, method, headers, body, after }: UpstreamRequest,
  abort: AbortController,
  deadlineMs: number,
): Promise<Forwarded> {
  const upload = isUpload(body) ? body : null;
  const deadline = upload
    ? abortAfterUpload(upload, deadlineMs, abort)
    : abortAfter(deadlineMs, abort, after);
  const sent = toFetchBody(body);
  let hasFailed = true;
  try {
    const init: RequestInit = { redirect: "manual", method, headers, body: sent, signal: abort.signal };
    // Cloudflare's cache could give one caller's response to another. It costs two request headers.
    if (isCached(method)) init.cache = "no-store";
    const response = await fetcher(url, init);
    if (response.status < 200 || response.status > 599) {
      abort.abort();
      return new Refusal("upstream_unreachable", { detail: `invalid status ${response.status}` });
    }
    if (!REDIRECTS.has(response.status)) {
      hasFailed = false;
      return response;
    }
    response.body?.cancel().catch(() => undefined);
    return new Refusal("upstream_redirected", { detail: `status ${response.status}` });
  } catch (error) {
    if (deadline.hasExpired()) {
      return new Refusal("upstream_timeout", { detail: `no headers within ${deadlineMs} ms` });
    }
    if (abort.signal.aborted) return CLIENT_DISCONNECTED;
    return upload?.failure() ?? new Refusal("upstream_unreachable", { detail: errorName(error) });
  } finally {
    deadline.clear();
    if (hasFailed) upload?.cancel();
  }
}

const isCached = (method: string): boolean => method === "GET" || method === "HEAD";

function toFetchBody(body: UpstreamBody): Uint8Array | ReadableStream | null {
  if (isUpload(body)) return body.body;
  return body && fetchBody(body);
}

/** The deadline of a provider that cannot respond before it has the whole body: it begins when the upload has ended. */
function abortAfterUpload({ sent }: Upload, ms: number, abort: AbortController): Deadline {
  let deadline: Deadline | null = null;
  let isCleared = false;
  void sent.then((isComplete) => {
    if (isComplete && !isCleared) deadline = abortAfter(ms, abort);
  });
  return {
    hasExpired: () => deadline?.hasExpired() ?? false,
    clear: () => {
      isCleared = true;
      deadline?.clear();
    },
  };
}
