/**
 * The one fetch. Receives a finished request, hands on the provider's answer as soon as its headers are there, or the
 * reason why there is none. Follows nothing, retries nothing.
 */
import { Refusal } from "../../shared/refusal.ts";

export type UpstreamRequest = {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array | ReadableStream | null;
};

/** The client left before the provider's headers came. */
export const CLIENT_DISCONNECTED = Symbol("client gone");

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * `abort` ends the request at any time, before the headers or after; it is aborted here where the headers are not there
 * within `deadlineMs`. Refuses `upstream_unreachable` (502), `upstream_redirected` (502) and `upstream_timeout` (504).
 */
export async function forward(
  fetcher: typeof fetch,
  { url, method, headers, body }: UpstreamRequest,
  abort: AbortController,
  deadlineMs: number,
): Promise<Response | Refusal | typeof CLIENT_DISCONNECTED> {
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    abort.abort();
  }, deadlineMs);
  try {
    const response = await fetcher(url, { method, headers, body, redirect: "manual", signal: abort.signal });
    if (response.status < 200 || response.status > 599) {
      abort.abort();
      return new Refusal("upstream_unreachable", { detail: `status ${response.status}, which is none` });
    }
    if (!REDIRECTS.has(response.status)) return response;
    response.body?.cancel().catch(() => undefined);
    return new Refusal("upstream_redirected", { detail: `status ${response.status}` });
  } catch (error) {
    if (late) return new Refusal("upstream_timeout", { detail: `no headers within ${deadlineMs} ms` });
    if (abort.signal.aborted) return CLIENT_DISCONNECTED;
    return new Refusal("upstream_unreachable", { detail: errorName(error) });
  } finally {
    clearTimeout(timer);
  }
}

/** The error's kind only: its message may hold the URL. A rejection may carry no value at all. */
function errorName(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}
