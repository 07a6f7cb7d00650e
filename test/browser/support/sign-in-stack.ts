/** A console to which people sign in, by OpenID Connect or by Cloudflare Access, and no token. Its ledger is new. */
import type { Page } from "playwright-core";
import { AUDIENCE, startFakeIssuer, type FakeIssuer } from "../../support/fake-issuer.ts";
import { openTab, type Tab } from "./browser.ts";
import { startConsole } from "./console-stack.ts";
import { CLIENT_ID, CLIENT_SECRET, startOpenIdProvider, type OpenIdProvider } from "./openid-provider.ts";

export const SESSION_COOKIE = "__Host-console";
export const SIGN_IN_COOKIE = "__Host-console-sign-in";

export type SignInStack = {
  /** The console's origin. */
  readonly url: string;
  readonly provider: OpenIdProvider;
  /** The team of Cloudflare Access. */
  readonly team: FakeIssuer;
  /** A page in a context of its own, not signed in. */
  readonly openTab: (options?: Parameters<typeof openTab>[0]) => Promise<Tab>;
  /** The problems of a page, without the one that its overview reports: nothing is sealed yet. */
  readonly problemsOf: (tab: Tab) => readonly string[];
  /** The status of the API for a session's cookie that was copied from the browser. */
  readonly statusFor: (id: string | undefined, headers?: Readonly<Record<string, string>>) => Promise<number>;
  readonly stop: () => Promise<void>;
};

const ROLES = { auditors: ["read", "content"], "ada@example.com": ["read"], "ben@example.com": ["read"] };

export async function startSignInStack(): Promise<SignInStack> {
  const [provider, team] = await Promise.all([startOpenIdProvider(), startFakeIssuer("team")]);
  const access = { team_domain: team.url, audience: [AUDIENCE] };
  const oidc = await discoveredSettings(provider.url);
  const { url, stop } = await startConsole({
    console: { token_sign_in: false, oidc, access, roles: ROLES },
    records: { CONSOLE_OIDC_SECRET: CLIENT_SECRET },
  });
  provider.register(`${url}/console/api/callback`);
  return {
    url,
    provider,
    team,
    openTab: (options) => openTab({ token: null, host: url, otherOrigins: [provider.pages], ...options }),
    problemsOf: ({ problems }) =>
      problems.filter((problem) => problem !== `404 ${url}/api/v2/ai-gateway/checkpoint`),
    statusFor: async (id = "", headers = {}) => {
      const cookie = `${SESSION_COOKIE}=${id}`;
      const response = await fetch(`${url}/api/v2/ai-gateway/usage`, { headers: { cookie, ...headers } });
      await response.body?.cancel();
      return response.status;
    },
    stop: async () => {
      await stop();
      await Promise.all([provider.close(), team.close()]);
    },
  };
}

/** As an operator reads them from the provider's discovery document. */
async function discoveredSettings(issuer: string): Promise<Readonly<Record<string, string | undefined>>> {
  const response = await fetch(`${issuer}/.well-known/openid-configuration`);
  const discovered = (await response.json()) as Readonly<Record<string, string>>;
  return {
    issuer: discovered["issuer"],
    client_id: CLIENT_ID,
    secret: "CONSOLE_OIDC_SECRET",
    authorization_url: discovered["authorization_endpoint"],
    token_url: discovered["token_endpoint"],
    jwks_url: discovered["jwks_uri"],
    scope: "openid email groups",
  };
}

/** The value of the browser's cookie. */
export const cookieOf = async (page: Page, name: string): Promise<string | undefined> =>
  (await page.context().cookies()).find((cookie) => cookie.name === name)?.value;
