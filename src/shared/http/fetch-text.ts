/**
 * A small question of our own to somebody else's API: one GET, no redirect followed, no more read than asked for, not
 * waited for longer than asked for.
 */
import { concat } from "../../gateway/app/request-body.ts";

export type TextRequest = {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Until the answer's last byte. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
};

export type TextResponse =
  /** The text is read with status 200 only. */
  | { readonly status: number; readonly text: string }
  /** Why there is no answer: never holds the URL, nor anything that was sent. */
  | { readonly failure: string };

/** Never rejects. */
export async function fetchText(fetcher: typeof fetch, lookup: TextRequest): Promise<TextResponse> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), lookup.timeoutMs);
  try {
    const { url, headers } = lookup;
    // Whoever it is asked for stands in a header: a cache on the way could give one caller's answer to another.
    const init = { headers, redirect: "manual", cache: "no-store", signal: abort.signal } as const;
    const answer = await fetcher(url, init);
    if (answer.status === 200) return await readText(answer, lookup.maxBytes);
    answer.body?.cancel().catch(() => undefined);
    return { status: answer.status, text: "" };
  } catch (error) {
    if (abort.signal.aborted) return { failure: `no answer within ${lookup.timeoutMs} ms` };
    return { failure: error instanceof Error ? error.name : "unknown" };
  } finally {
    clearTimeout(timer);
  }
}

async function readText({ status, body }: Response, maxBytes: number): Promise<TextResponse> {
  const parts: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the rest.
  for await (const part of body ?? []) {
    size += part.byteLength;
    if (size > maxBytes) return { failure: `an answer of more than ${maxBytes} bytes` };
    parts.push(part);
  }
  return { status, text: new TextDecoder().decode(concat(parts, size)) };
}
