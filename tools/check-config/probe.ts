/**
 * Whether each provider is reachable, and accepts each of the gateway's credentials: by the list of models, which runs no model.
 * URL, headers and credentials are made by the gateway's own code, so that the probe cannot differ from it.
 */
import { awsErrorOf, isAiGatewayError, saysKeyInvalid } from "../../src/gateway/upstream/key-rejection.ts";
import { createCentralKeys } from "../../src/gateway/upstream/central-keys.ts";
import type { UpstreamCredential } from "../../src/gateway/upstream/provider-key.ts";
import { forward } from "../../src/gateway/upstream/forward.ts";
import { upstreamHeaders } from "../../src/gateway/upstream/request-headers.ts";
import { targetUrl } from "../../src/gateway/upstream/url.ts";
import type { Provider } from "../../src/gateway/provider/provider.ts";
import type { Route } from "../../src/gateway/provider/route.ts";
import { MAX_ERROR_BYTES, readBounded } from "../../src/shared/bounded-read.ts";
import type { After } from "../../src/shared/deadline.ts";
import { NamedHeaders } from "../../src/shared/http/named-headers.ts";
import { Refusal } from "../../src/shared/refusal.ts";

export type ProbeDeps = { readonly fetch: typeof fetch; readonly after: After };

export type Finding = {
  readonly provider: string;
  /** The key's hint; null for the provider itself. */
  readonly key: string | null;
  /** `unknown`: the provider's response does not say it. */
  readonly result: "passed" | "failed" | "unknown";
  /** A phrase without any part of a secret. */
  readonly says: string;
};

const DEADLINE_MS = 10_000;

/** The findings of one provider: about its address, then about each key. */
export async function probeProvider(provider: Provider, deps: ProbeDeps): Promise<readonly Finding[]> {
  const of = (key: string | null, [result, says]: Verdict): Finding => ({
    provider: provider.name,
    key,
    result,
    says,
  });
  const route = modelsRoute(provider);
  if (route === null) return [of(null, ["unknown", "its dialect has no request that runs no model"])];
  const open = await send({ ...route, provider: { ...provider, aiGateway: null } }, NO_CREDENTIAL, deps);
  const found = [of(null, reachability(open, provider))];
  if (open.kind === "failed") return found;
  const keyDeps = { fetch: deps.fetch, now: Date.now, logError: () => undefined, onSecret: () => undefined };
  for (const credential of createCentralKeys([provider], keyDeps).get(provider)?.all ?? []) {
    const verdict = keyVerdict(await send(route, credential, deps), open);
    found.push(of(credential.hint ?? "(short)", verdict));
  }
  return found;
}

type Verdict = readonly [result: Finding["result"], says: string];

/** The response to one request, or why there is none. */
type Reply =
  | { readonly kind: "failed"; readonly says: string }
  | { readonly kind: "response"; readonly status: number; readonly headers: Headers; readonly text: string };

/** A request without a credential shows whether the response to one with a credential says anything about it. */
const NO_CREDENTIAL: UpstreamCredential = { kind: "centralized", hint: null, header: null };

function modelsRoute(provider: Provider): Route | null {
  const route = provider.dialect.routes.find((one) => one.kind === "passthrough" && one.listsModels === true);
  return route ? { provider, route, upstreamPath: route.path, pathModel: null } : null;
}

/** The headers of a client; the provider gets those of its dialect. */
const CLIENT_HEADERS = { accept: "application/json", "anthropic-version": "2023-06-01" };

async function send(route: Route, credential: UpstreamCredential, deps: ProbeDeps): Promise<Reply> {
  const { provider } = route;
  const sent = new NamedHeaders(new Headers(CLIENT_HEADERS));
  const headers = upstreamHeaders(sent, { provider, credential, isChanged: false, owner: null });
  const init = { url: targetUrl(route, ""), method: "GET", headers, body: null, after: deps.after };
  const refusal = credential.authorize ? await credential.authorize(init) : null;
  if (refusal)
    return { kind: "failed", says: `could not be authorized (${refusal.data.detail ?? refusal.code})` };
  let cause = "";
  const fetcher: typeof fetch = (...request) =>
    deps.fetch(...request).catch((error: unknown) => {
      cause = causeOf(error);
      throw error;
    });
  const abort = new AbortController();
  try {
    const response = await forward(fetcher, init, abort, DEADLINE_MS);
    if (!(response instanceof Response)) return { kind: "failed", says: failureOf(response, cause) };
    const { status, headers: received } = response;
    return { kind: "response", status, headers: received, text: await textOf(response, abort, deps.after) };
  } finally {
    abort.abort();
  }
}

/** Empty where it is too large, or does not arrive in time: the status still counts. */
async function textOf({ body }: Response, abort: AbortController, after: After): Promise<string> {
  const cancel = after(DEADLINE_MS, () => abort.abort());
  try {
    const bytes = body && (await readBounded(body, MAX_ERROR_BYTES));
    return bytes ? new TextDecoder().decode(bytes) : "";
  } catch {
    return "";
  } finally {
    cancel();
  }
}

/** Node's code of a network error. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  const { code } = (typeof cause === "object" && cause !== null ? cause : {}) as { readonly code?: unknown };
  return typeof code === "string" && /^\w{1,60}$/.test(code) ? code : "network error";
}

const DNS = /^(?:ENOTFOUND|EAI_)/;
const TLS = /CERT|TLS|SSL|ISSUER|SIGNATURE/;

function failureOf(reason: Refusal | symbol, cause: string): string {
  const code = reason instanceof Refusal ? reason.code : "";
  if (code === "upstream_redirected") return "responds with a redirect, which the gateway does not follow";
  if (code === "upstream_timeout") return `sends no response within ${DEADLINE_MS / 1000} s`;
  if (DNS.test(cause)) return `is not reachable: its host name has no address (${cause})`;
  if (TLS.test(cause)) return `is not reachable: TLS failed (${cause})`;
  return `is not reachable: the connection failed (${cause})`;
}

function reachability(open: Reply, { baseUrl, keys, aiGateway }: Provider): Verdict {
  const at = `at ${new URL(baseUrl).origin}`;
  if (open.kind === "failed") return ["failed", `${at} ${open.says}`];
  const hasKey = keys.length > 0 || Boolean(aiGateway?.token);
  return ["passed", hasKey ? `${at} is reachable` : `${at} is reachable; clients send their own keys`];
}

/** AWS's name of the error; the probe's own request is signed correctly. */
const WRONG_SECRET = "InvalidSignatureException";

function keyVerdict(reply: Reply, open: Reply): Verdict {
  if (reply.kind === "failed") return ["failed", reply.says];
  const { status, text } = reply;
  if (status < 300)
    return open.kind === "response" && open.status < 300
      ? ["unknown", `cannot tell: the list of models needs no key (status ${status})`]
      : ["passed", "is accepted"];
  if (status === 401 && isAiGatewayError(text))
    return ["failed", "AI Gateway rejects the token (status 401)"];
  const isWrong = saysKeyInvalid(reply, text) || awsErrorOf(reply.headers) === WRONG_SECRET;
  if (isWrong) return ["failed", `is rejected (status ${status})`];
  if (status === 401 || status === 403)
    return ["unknown", `cannot tell: it may not list models, but may be valid (status ${status})`];
  if (status === 404 || status === 405)
    return ["unknown", `cannot tell: the provider has no list of models (status ${status})`];
  return ["unknown", `cannot tell (status ${status})`];
}
