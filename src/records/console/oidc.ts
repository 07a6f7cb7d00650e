/**
 * Signing in by OpenID Connect: authorization code with PKCE (RFC 7636, S256), state and nonce. All three are derived from one secret
 * in a cookie, so that the server stores nothing for a sign-in that is not completed.
 */
import { toBase64Url } from "../../shared/base64.ts";
import { ownClaim, type Claims } from "../../shared/claims.ts";
import { isSameDigest, keyedHash, sha256Hex } from "../../shared/digest.ts";
import { fromHex } from "../../shared/hex.ts";
import { fetchText } from "../../shared/http/fetch-text.ts";
import { asObject, parseJson } from "../../shared/json.ts";
import { Refusal } from "../../shared/refusal.ts";
import type { TokenDeps } from "../../shared/tokens/jwks.ts";
import { createTokenVerifier } from "../../shared/tokens/signed-token.ts";
import { identifiedBy, type Identified } from "./grant.ts";
import type { OidcSettings } from "./settings.ts";

export type Callback = {
  /** The callback's query. */
  readonly search: string;
  /** The value of the sign-in cookie; null where the browser has none. */
  readonly secret: string | null;
  readonly redirectUri: string;
};

export type Oidc = {
  /** The URL to which the browser is sent. */
  readonly start: (secret: string, redirectUri: string) => Promise<string>;
  /** Refuses `invalid_credential`, and `identity_unavailable` where the provider does not respond. */
  readonly finish: (callback: Callback) => Promise<Identified | Refusal>;
};

/** How long a sign-in may take. */
export const SIGN_IN_S = 600;

const MAX_RESPONSE_BYTES = 256 * 1024;

const reject = (detail: string): Refusal => new Refusal("invalid_credential", { detail: `oidc: ${detail}` });

type Verified = { readonly person: Identified; readonly nonce: unknown };

export function createOidc(settings: OidcSettings, deps: TokenDeps): Oidc {
  const { clientId, token } = settings;
  const tokens = createTokenVerifier<Verified>(
    token,
    (claims) => {
      const person = identifiedBy(claims, "oidc", settings);
      if (person === null) return reject("the token names no person");
      return isForClient(claims, clientId)
        ? { person, nonce: ownClaim(claims, "nonce") }
        : reject("azp is another client");
    },
    deps,
  );
  return {
    start: async (secret, redirectUri) => {
      const { state, nonce, verifier } = await valuesOf(secret);
      const url = new URL(settings.authorizationUrl);
      url.search = new URLSearchParams({
        response_type: "code",
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: settings.scope,
        state,
        nonce,
        code_challenge: toBase64Url(fromHex(await sha256Hex(verifier))),
        code_challenge_method: "S256",
      }).toString();
      return url.href;
    },
    finish: async ({ search, secret, redirectUri }) => {
      if (secret === null) return reject("the browser began no sign-in");
      const { state, nonce, verifier } = await valuesOf(secret);
      const code = readCode(new URLSearchParams(search), state, token.issuer);
      if (code instanceof Refusal) return code;
      const idToken = await redeem({ code, verifier, redirectUri }, settings, deps.fetch);
      if (idToken instanceof Refusal) return idToken;
      const verified = await tokens.identify({ value: idToken, sha256: await sha256Hex(idToken) });
      if (verified === null) return reject("the token is of another issuer");
      if (verified instanceof Refusal) return verified;
      return verified.nonce === nonce ? verified.person : reject("nonce differs");
    },
  };
}

/** The code in the callback's query, which must be the response to this sign-in. */
function readCode(query: URLSearchParams, state: string, issuer: string): string | Refusal {
  // Login CSRF: a link with another person's code has no state of this browser.
  if (!isSameDigest(query.get("state") ?? "", state)) return reject("state differs");
  // RFC 9207: the response of another provider.
  if ((query.get("iss") ?? issuer) !== issuer) return reject("iss is another provider");
  return query.get("code") || reject("the provider sent no code");
}

type Redemption = {
  readonly code: string;
  readonly verifier: string;
  readonly redirectUri: string;
};

/** The ID token that the provider gives for the code. */
async function redeem(
  { code, verifier, redirectUri }: Redemption,
  { tokenUrl, clientId, clientSecret, token }: OidcSettings,
  fetcher: typeof fetch,
): Promise<string | Refusal> {
  const response = await fetchText(fetcher, {
    url: tokenUrl,
    headers: { accept: "application/json" },
    form: {
      grant_type: "authorization_code",
      code,
      redirect_uri: redirectUri,
      client_id: clientId,
      code_verifier: verifier,
      ...(clientSecret !== null && { client_secret: clientSecret }),
    },
    timeoutMs: token.timeoutMs,
    maxBytes: MAX_RESPONSE_BYTES,
  });
  if ("failure" in response) return unavailable(response.failure);
  if (response.status >= 500) return unavailable(`status ${response.status}`);
  if (response.status !== 200) return reject(`the token endpoint responded with ${response.status}`);
  const idToken = asObject(parseJson(response.text))?.["id_token"];
  return typeof idToken === "string" ? idToken : reject("the response has no id_token");
}

const unavailable = (detail: string): Refusal =>
  new Refusal("identity_unavailable", { detail: `oidc: ${detail}` });

/** Each 64 hex digits. None reveals another, nor the secret. */
async function valuesOf(secret: string) {
  const hash = keyedHash(secret);
  const [state, nonce, verifier] = await Promise.all([hash("state"), hash("nonce"), hash("verifier")]);
  return { state, nonce, verifier };
}

/** OpenID Connect Core §3.1.3.7: a token for several audiences must have been issued to this client. */
function isForClient(claims: Claims, clientId: string): boolean {
  const azp = ownClaim(claims, "azp");
  const audience = ownClaim(claims, "aud");
  const isOfSeveral = Array.isArray(audience) && audience.length > 1;
  return azp === undefined ? !isOfSeveral : azp === clientId;
}
