/** Asks the API; an error is one sentence. */

export type Query = Readonly<Record<string, string>>;

export type ApiClient = {
  readonly get: (path: string, query: Query) => Promise<unknown>;
  /** A question that stands in a body of JSON. */
  readonly post: (path: string, body: object) => Promise<unknown>;
};

const PATIENCE_MS = 30_000;

export function createApiClient(url: string, token: string): ApiClient {
  const ask = async (path: string, init: RequestInit): Promise<unknown> => {
    const answer = await send(`${url}/api/v2/ai-gateway/${path}`, token, init).catch((error: unknown) => {
      throw new Error(`${url} could not be reached: ${causeOf(error)}`);
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${messageOf(text)}`);
    return JSON.parse(text) as unknown;
  };
  return {
    get: (path, query) => ask(`${path}?${new URLSearchParams(query).toString()}`, {}),
    post: (path, body) => ask(path, { method: "POST", body: JSON.stringify(body) }),
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
    // A redirect would take the token to another host.
    redirect: "error",
    signal: AbortSignal.timeout(PATIENCE_MS),
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
    return "no answer of an interceptor's";
  }
}
