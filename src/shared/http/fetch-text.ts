/**
 * A bounded request to an API that the configuration names: no redirect is followed, no more is read than `maxBytes`, and it
 * ends at its deadline.
 */
import { errorName } from "../operator-log.ts";
import { readBounded } from "../bounded-read.ts";
import { abortAfter } from "../deadline.ts";

export type TextRequest = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The fields of a form that is posted; absent for a GET. */
  readonly form?: Readonly<Record<string, string>>;
  /** Read the text with every status. */
  readonly readsErrors?: boolean;
  /** Until the response's last byte. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
};

export type TextResponse =
  /** Without `readsErrors`, the text is read with 200 and 404 only: an API says with a text that it is the one which has no such thing. */
  | { readonly status: number; readonly text: string }
  /** Why there is no response. It never holds the URL, nor anything that was sent. */
  | { readonly failure: string };

/** Never rejects. */
export async function fetchText(fetcher: typeof fetch, request: TextRequest): Promise<TextResponse> {
  const { url, headers, form, readsErrors = false, timeoutMs, maxBytes } = request;
  const abort = new AbortController();
  const deadline = abortAfter(timeoutMs, abort);
  try {
    // The caller's identity stands in a header: a cache on the way could serve one caller's response to another.
    const sent = form
      ? { method: "POST", body: new URLSearchParams(form) }
      : ({ cache: "no-store" } as const);
    const init = { ...sent, headers, redirect: "manual", signal: abort.signal } as const;
    const { status, body } = await fetcher(url, init);
    if (readsErrors || status === 200 || status === 404) return await readText(status, body, maxBytes);
    body?.cancel().catch(() => undefined);
    return { status, text: "" };
  } catch (error) {
    if (deadline.hasExpired()) return { failure: `no response within ${timeoutMs} ms` };
    return { failure: errorName(error) };
  } finally {
    deadline.clear();
  }
}

async function readText(status: number, body: Response["body"], maxBytes: number): Promise<TextResponse> {
  const bytes = body === null ? new Uint8Array() : await readBounded(body, maxBytes);
  if (bytes === null) return { failure: `a response of more than ${maxBytes} bytes` };
  return { status, text: new TextDecoder().decode(bytes) };
}
