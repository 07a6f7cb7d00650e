/** `GET /` and `HEAD /`: say what this is, to a person with a browser or curl. No versions, no providers' names. */

const TEXT = `AI Edge Interceptor: a gateway for AI clients. It forwards their requests and records on whose behalf each one is made.
A client needs a base URL below this address. The operator of this gateway knows it.
`;

/** As HTML where `Accept` lists it, else as text. HEAD has the same headers (RFC 9110 §9.3.2). */
export function welcome(id: string, { method, headers }: Request): Response {
  const isHtml = headers.get("accept")?.includes("text/html");
  const body = isHtml ? `<!doctype html><title>AI Edge Interceptor</title><pre>${TEXT}` : TEXT;
  return new Response(method === "HEAD" ? null : body, {
    headers: {
      "x-interception-id": id,
      "content-type": `text/${isHtml ? "html" : "plain"}; charset=utf-8`,
      vary: "accept",
      // Nothing is loaded, run or framed.
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    },
  });
}
