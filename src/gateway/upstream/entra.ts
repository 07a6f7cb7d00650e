/**
 * Access tokens of Microsoft Entra ID, by which the gateway authorizes its requests: OAuth 2.0 client credentials (RFC 6749
 * §4.4), https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow.
 */
import { fetchText } from "../../shared/http/fetch-text.ts";
import { parseObject } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { EntraKey } from "../provider/provider.ts";
import { createTokenSource, type FetchedToken } from "./access-token.ts";
import { credentialHint, type KeyDeps, type UpstreamCredential } from "./provider-key.ts";

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;

/** `path`: of the provider's settings, which names the token in the operator's log. */
export function entraCredential(key: EntraKey, path: string, deps: KeyDeps): UpstreamCredential {
  const tokens = createTokenSource({
    fetchToken: () => fetchEntraToken(key, deps.fetch),
    timeoutMs: TIMEOUT_MS,
    onToken: (value) => deps.onSecret({ name: `${path}.entra`, value }),
    onFailure: (reason) =>
      deps.logError({ event: "provider_token_failed", setting: `${path}.entra`, reason }),
    now: deps.now,
  });
  return {
    kind: "centralized",
    hint: credentialHint(key.clientId),
    header: null,
    authorize: async ({ headers, waitUntil }) => {
      const token = await tokens.get(waitUntil);
      if (token instanceof Refusal) return token;
      headers.set("authorization", `Bearer ${token}`);
      return null;
    },
    rejected: tokens.rejected,
  };
}

/** RFC 6750 §2.1. A shorter token could not be recognized in a response. */
const TOKEN = /^[\w.~+/-]{32,16384}=*$/;
const MAX_LIFETIME_S = 86_400;

/** The failure names the status and Entra's error codes, which hold nothing that was sent. */
async function fetchEntraToken(key: EntraKey, fetcher: typeof fetch): Promise<FetchedToken> {
  const { authority, tenantId, clientId, clientSecret, scope } = key;
  const response = await fetchText(fetcher, {
    url: `${authority}/${tenantId}/oauth2/v2.0/token`,
    headers: { accept: "application/json" },
    form: { grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret, scope },
    readsErrors: true,
    timeoutMs: TIMEOUT_MS,
    maxBytes: MAX_BYTES,
  });
  if ("failure" in response) return response;
  const body = parseObject(response.text);
  if (response.status !== 200) return { failure: `status ${response.status}${errorCodes(body)}` };
  const { access_token: value, token_type: type, expires_in: lifetime } = body ?? {};
  const isBearer = typeof type === "string" && type.toLowerCase() === "bearer";
  if (typeof value !== "string" || !TOKEN.test(value) || !isBearer)
    return { failure: "the response has no bearer token" };
  const seconds = Number(lifetime);
  if (!(seconds > 0)) return { failure: "the response has no expires_in" };
  return { value, lifetimeMs: 1000 * Math.min(seconds, MAX_LIFETIME_S) };
}

/** https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
function errorCodes(body: ReturnType<typeof parseObject>): string {
  const { error, error_codes: codes } = body ?? {};
  const name = typeof error === "string" && /^[a-z_]{1,64}$/.test(error) ? ` ${error}` : "";
  const [code] = Array.isArray(codes) ? (codes as readonly unknown[]) : [];
  return Number.isSafeInteger(code) ? `${name} AADSTS${code as number}` : name;
}
