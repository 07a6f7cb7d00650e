/** A client of the records API. Errors have a message of one sentence. */

export type Query = Readonly<Record<string, string>>;

/** A page of a list, and the query of the next page; null on the last one. */
export type Page = { readonly body: unknown; readonly next: Query | null };

type Headers = Readonly<Record<string, string>>;

export type ApiClient = {
  readonly get: (path: string, query: Query) => Promise<unknown>;
  readonly getPage: (path: string, query: Query) => Promise<Page>;
  /** Sends the body as JSON. */
  readonly post: (path: string, body: object) => Promise<unknown>;
};

/** A response that refuses the request. */
export class ApiError extends Error {
  /** The parameters or fields at fault. */
  readonly fields: readonly string[];

  constructor(url: string, status: number, { message, fields }: Failure) {
    super(`${url} responded with ${status}: ${message}${fields.length > 0 ? ` (${fields.join(", ")})` : ""}`);
    this.fields = fields;
  }
}

const TIMEOUT_MS = 30_000;

/** @param headers Further headers of each request, such as those for a proxy in front of the API. */
export function createApiClient(url: string, token: string, headers: Headers = {}): ApiClient {
  const request = async (path: string, init: RequestInit): Promise<Page> => {
    const response = await send(`${url}/api/v2/ai-gateway/${path}`, token, {
      ...init,
      headers,
    }).catch((error: unknown) => {
      throw new Error(
        `${url} could not be reached: ${causeOf(error)}${isLocal(url) ? ". Is npm start running?" : ""}`,
      );
    });
    if (response.status >= 300 && response.status < 400) throw new Error(redirected(url, response.status));
    const text = await response.text();
    if (!response.ok) throw new ApiError(url, response.status, failureOf(text));
    return { body: JSON.parse(text) as unknown, next: nextQuery(response.headers.get("link")) };
  };
  const getPage: ApiClient["getPage"] = (path, query) =>
    request(`${path}?${new URLSearchParams(query).toString()}`, {});
  return {
    getPage,
    get: async (path, query) => (await getPage(path, query)).body,
    post: async (path, body) => (await request(path, { method: "POST", body: JSON.stringify(body) })).body,
  };
}

const isLocal = (url: string): boolean => ["127.0.0.1", "localhost"].includes(new URL(url).hostname);

/**
 * The query of the link to the next page (RFC 8288). Only the query is used, because another host in the link would get
 * the token.
 */
function nextQuery(link: string | null): Query | null {
  const [, query] = /<[^>?]*\?([^>#]*)>; rel="next"/.exec(link ?? "") ?? [];
  return query === undefined ? null : Object.fromEntries(new URLSearchParams(query));
}

const redirected = (url: string, status: number): string =>
  `${url} responded with a redirect (${status}), which is not followed. If Cloudflare Access protects the host, set ` +
  "CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET to a service token that it permits.";

type Init = RequestInit & { readonly headers: Headers };

function send(address: string, token: string, init: Init): Promise<Response> {
  return fetch(address, {
    ...init,
    headers: {
      ...init.headers,
      authorization: `Bearer ${token}`,
      accept: "application/json",
      ...(init.body ? { "content-type": "application/json" } : {}),
    },
    // A redirect would send the token to another host.
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

type Failure = { readonly message: string; readonly fields: readonly string[] };

function failureOf(body: string): Failure {
  try {
    const { message, validations } = JSON.parse(body) as {
      message?: unknown;
      validations?: readonly { readonly field?: unknown }[];
    };
    return { message: String(message), fields: validations?.map(({ field }) => String(field)) ?? [] };
  } catch {
    return { message: "not a response of the records API", fields: [] };
  }
}
