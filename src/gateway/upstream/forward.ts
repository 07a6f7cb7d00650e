/**
 * The one fetch of a provider. Returns the response as soon as its headers have arrived, or the reason why there is
 * none. It neither follows redirects nor retries.
 */
import { errorName } from "../../shared/operator-log.ts";
import { Refusal } from "../../shared/refusal.ts";
import { abortAfter } from "../../shared/deadline.ts";

export type UpstreamRequest = {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array | ReadableStream | null;
};

/** The client disconnected before the provider's headers arrived. */
export const CLIENT_DISCONNECTED = Symbol("client disconnected");

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * `abort` ends the request at any time, before or after the headers; it is aborted here if the headers have not arrived
 * within `deadlineMs`. Refuses `upstream_unreachable` (502), `upstream_redirected` (502) and `upstream_timeout` (504).
 */
export async function forward(
  fetcher: typeof fetch,
  { url, method, headers, body }: UpstreamRequest,
  abort: AbortController,
  deadlineMs: number,
): Promise<Response | Refusal | typeof CLIENT_DISCONNECTED> {
  const deadline = abortAfter(deadlineMs, abort);
  try {
    const response = await fetcher(url, { method, headers, body, redirect: "manual", signal: abort.signal });
    if (response.status < 200 || response.status > 599) {
      abort.abort();
      return new Refusal("upstream_unreachable", { detail: `invalid status ${response.status}` });
    }
    if (!REDIRECTS.has(response.status)) return response;
    response.body?.cancel().catch(() => undefined);
    return new Refusal("upstream_redirected", { detail: `status ${response.status}` });
  } catch (error) {
    if (deadline.hasExpired()) {
      return new Refusal("upstream_timeout", { detail: `no headers within ${deadlineMs} ms` });
    }
    if (abort.signal.aborted) return CLIENT_DISCONNECTED;
    return new Refusal("upstream_unreachable", { detail: errorName(error) });
  } finally {
    deadline.clear();
  }
}
