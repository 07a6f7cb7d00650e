/** A client of the records API. Errors have a message of one sentence. */

export type Query = Readonly<Record<string, string>>;

export type ApiClient = {
  readonly get: (path: string, query: Query) => Promise<unknown>;
  /** Sends the body as JSON. */
  readonly post: (path: string, body: object) => Promise<unknown>;
};

const TIMEOUT_MS = 30_000;

export function createApiClient(url: string, token: string): ApiClient {
  const request = async (path: string, init: RequestInit): Promise<unknown> => {
    const response = await send(`${url}/api/v2/ai-gateway/${path}`, token, init).catch((error: unknown) => {
      throw new Error(`${url} could not be reached: ${causeOf(error)}`);
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${url} responded with ${response.status}: ${messageOf(text)}`);
    return JSON.parse(text) as unknown;
  };
  return {
    get: (path, query) => request(`${path}?${new URLSearchParams(query).toString()}`, {}),
    post: (path, body) => request(path, { method: "POST", body: JSON.stringify(body) }),
  };
}

function send(address: string, token: string, init: RequestInit): Promise<Response> {
  return fetch(address, {
    ...init,
    headers: {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      ...(init.body ? { "content-type": "application/json" } : {}),
    },
    // A redirect would send the token to another host.
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function messageOf(body: string): string {
  try {
    const { message, validations } = JSON.parse(body) as {
      message?: unknown;
      validations?: readonly { readonly field?: unknown }[];
    };
    const fields = validations?.map(({ field }) => String(field)).join(", ");
    return `${String(message)}${fields ? ` (${fields})` : ""}`;
  } catch {
    return "not a response of the records API";
  }
}
