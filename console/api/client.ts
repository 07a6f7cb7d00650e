/** Requests to the API and to the console's session, on the page's own host. The cookie of the session authorizes them. */
import { CSRF_HEADER } from "../../src/shared/admin-headers.ts";
import type { Posts, Responses } from "./schema.ts";
import type { Path, Query } from "./types.ts";

export const API = "/api/v2/ai-gateway";

/** A failure, for a person: the API's own sentence, its reason, and when to retry. */
export class ApiError extends Error {
  /** 0 where no response came. */
  readonly status: number;
  readonly reason: string | null;
  readonly details: readonly string[];
  readonly retryAfter: string | null;
  constructor(
    message: string,
    facts: {
      readonly status: number;
      readonly reason?: string | null;
      readonly details?: readonly string[];
      readonly retryAfter?: string | null;
    },
  ) {
    super(message);
    this.name = "ApiError";
    this.status = facts.status;
    this.reason = facts.reason ?? null;
    this.details = facts.details ?? [];
    this.retryAfter = facts.retryAfter ?? null;
  }
}

export type Page<T> = {
  readonly data: T;
  /** The parameters of the next page; null on the last one. */
  readonly next: Readonly<Record<string, string>> | null;
};

/** The address of a path with its parameters; those that the path names are put into it. */
export function addressOf(path: string, query: Query): string {
  const search = new URLSearchParams();
  let filled: string = path;
  for (const [name, value] of Object.entries(query)) {
    if (value === null || value === undefined || value === "") continue;
    if (path.includes(`{${name}}`))
      filled = filled.replace(`{${name}}`, () => encodeURIComponent(String(value)));
    else search.append(name, String(value));
  }
  const text = search.toString();
  return `${API}${filled}${text === "" ? "" : `?${text}`}`;
}

/** Rejects with an `ApiError`, or with an `AbortError` where `signal` aborts. */
export async function getPage<P extends Path>(
  path: P,
  query: Query,
  signal?: AbortSignal,
): Promise<Page<Responses[P]>> {
  const response = await request(addressOf(path, query), signal ? { signal } : {});
  const data = (await bodyOf(response)) as Responses[P];
  return { data, next: nextOf(response.headers.get("link")) };
}

/** @param csrf the session's token, without which the server changes nothing. */
export async function post<P extends keyof Posts>(
  path: P,
  body: Posts[P]["body"],
  csrf: string,
): Promise<Posts[P]["response"]> {
  const response = await request(addressOf(path, {}), {
    method: "POST",
    headers: { "content-type": "application/json", [CSRF_HEADER]: csrf },
    body: JSON.stringify(body),
  });
  return (await bodyOf(response)) as Posts[P]["response"];
}

/** A request of this page's own host. Rejects with an `ApiError` for any status of 400 and above. */
export async function request(address: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, {
      ...init,
      credentials: "same-origin",
      headers: { accept: "application/json", ...init.headers },
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The server could not be reached. Check the connection, then retry.", { status: 0 });
  }
  if (response.ok) return response;
  throw await errorOf(response);
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The response ended early or is not JSON. Retry; if it stays so, check the gateway.", {
      status: response.status,
    });
  }
}

type ErrorBody = {
  readonly message?: unknown;
  readonly validations?: readonly { readonly field: string; readonly detail: string }[];
};

async function errorOf(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as ErrorBody;
  const message =
    typeof body.message === "string" ? body.message : `The server responded with status ${response.status}.`;
  return new ApiError(message, {
    status: response.status,
    reason: response.headers.get("x-interceptor-error"),
    details: (body.validations ?? []).map(({ field, detail }) => `${field} ${detail}`),
    retryAfter: response.headers.get("retry-after"),
  });
}

/** The query of `<?…>; rel="next"` (RFC 8288). */
function nextOf(link: string | null): Readonly<Record<string, string>> | null {
  const [, search] = /<\?([^>]*)>;\s*rel="next"/.exec(link ?? "") ?? [];
  return search === undefined ? null : Object.fromEntries(new URLSearchParams(search));
}
