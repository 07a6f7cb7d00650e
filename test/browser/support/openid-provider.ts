/**
 * An OpenID provider with pages, for a browser: discovery, keys, an authorization endpoint with a button for each person, and a token
 * endpoint that checks the client's secret, PKCE (RFC 7636, S256) and that a code is used once. The pages are on `localhost` and
 * the console is on 127.0.0.1, so that the browser takes the way back for one from another site, as in a deployment.
 */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { createIssuer, type Claims } from "../../support/issuer-tokens.ts";

export const CLIENT_ID = "ai-console";
export const CLIENT_SECRET = "canary-of-the-client-0123456789-0123456789";

/** Who can sign in, by the name on the button. */
const PEOPLE: Readonly<Record<string, Claims>> = {
  Grace: { sub: "248289761001", email: "grace@example.com", groups: ["auditors"] },
  Eve: { sub: "248289761002", email: "eve@example.com", groups: ["others"] },
};

/** The changes of an attacker, or of a provider with a fault. */
export type Fault = {
  /** Parameters of the way back, in place of the right ones. */
  readonly callback?: Readonly<Record<string, string>>;
  /** Claims of the ID token, in place of the right ones. */
  readonly claims?: Claims;
};

export type OpenIdProvider = {
  /** The issuer, `http://127.0.0.1:…`. */
  readonly url: string;
  /** The origin of the pages, `http://localhost:…`. */
  readonly pages: string;
  /** The addresses of the way back that the provider has sent browsers to, oldest first. */
  readonly callbacks: readonly string[];
  /** The results of the token endpoint, oldest first: `ok`, or why it refused. */
  readonly redemptions: readonly string[];
  /** The only address to which browsers are sent. */
  readonly register: (redirectUri: string) => void;
  /** Until the next call. */
  readonly misbehave: (fault: Fault) => void;
  readonly close: () => Promise<void>;
};

type Grant = { readonly query: URLSearchParams; readonly person: Claims; isUsed: boolean };
type Reply = {
  readonly status: number;
  readonly type?: string;
  readonly body?: string;
  readonly location?: string;
};

const json = (status: number, body: unknown): Reply => ({
  status,
  type: "application/json",
  body: JSON.stringify(body),
});

const page = (address: string): Reply => {
  const buttons = Object.keys(PEOPLE).map((name) => `<button name="person" value="${name}">${name}</button>`);
  const action = address.replaceAll("&", "&amp;");
  const body = `<!doctype html><title>Provider</title><link rel="icon" href="data:,"><h1>Who are you?</h1><form method="post" action="${action}">${buttons.join("")}</form>`;
  return { status: 200, type: "text/html", body };
};

export async function startOpenIdProvider(): Promise<OpenIdProvider> {
  const issuer = await createIssuer("provider");
  const grants = new Map<string, Grant>();
  const callbacks: string[] = [];
  const redemptions: string[] = [];
  let registered = "";
  let fault: Fault = {};

  const authorize = async (request: IncomingMessage, { pathname, searchParams }: URL): Promise<Reply> => {
    const issue = requestIssue(searchParams, registered);
    if (issue !== null) return { status: 400, type: "text/plain", body: issue };
    if (request.method !== "POST") return page(`${pathname}?${searchParams}`);
    const person = PEOPLE[new URLSearchParams(await text(request)).get("person") ?? ""];
    if (!person) return { status: 400, type: "text/plain", body: "person" };
    const code = randomBytes(16).toString("hex");
    grants.set(code, { query: searchParams, person, isUsed: false });
    const state = searchParams.get("state") ?? "";
    const location = `${registered}?${new URLSearchParams({ code, state, iss: url, ...fault.callback })}`;
    callbacks.push(location);
    return { status: 303, location };
  };

  const redeem = async (form: URLSearchParams): Promise<Reply> => {
    const grant = grants.get(form.get("code") ?? "");
    const issue = redemptionIssue(form, grant);
    redemptions.push(issue ?? "ok");
    if (issue !== null || !grant) return json(400, { error: "invalid_grant" });
    grant.isUsed = true;
    const now = Math.floor(Date.now() / 1000);
    const nonce = grant.query.get("nonce");
    const times = { iat: now, exp: now + 300 };
    const claims = { iss: url, aud: CLIENT_ID, nonce, ...times, ...grant.person, ...fault.claims };
    return json(200, { access_token: "a", token_type: "Bearer", id_token: await issuer.sign(claims) });
  };

  const respond = async (request: IncomingMessage): Promise<Reply> => {
    const target = new URL(request.url ?? "/", url);
    if (target.pathname === "/.well-known/openid-configuration") return json(200, discovery(url, pages));
    if (target.pathname === "/keys") return json(200, issuer.jwks());
    if (target.pathname === "/authorize") return authorize(request, target);
    if (target.pathname === "/token" && request.method === "POST")
      return redeem(new URLSearchParams(await text(request)));
    return { status: 404 };
  };

  const { port, close } = await serve(respond);
  const url = `http://127.0.0.1:${port}`;
  const pages = `http://localhost:${port}`;
  return {
    url,
    pages,
    callbacks,
    redemptions,
    register: (redirectUri) => void (registered = redirectUri),
    misbehave: (next) => void (fault = next),
    close,
  };
}

type Server = { readonly port: number; readonly close: () => Promise<void> };

async function serve(respond: (request: IncomingMessage) => Promise<Reply>): Promise<Server> {
  const server = createServer(async (request, response) => {
    const { status, type, body, location } = await respond(request);
    const headers = { ...(type && { "content-type": type }), ...(location && { location }) };
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, close };
}

const discovery = (url: string, pages: string): object => ({
  issuer: url,
  authorization_endpoint: `${pages}/authorize`,
  token_endpoint: `${url}/token`,
  jwks_uri: `${url}/keys`,
  response_types_supported: ["code"],
  code_challenge_methods_supported: ["S256"],
  token_endpoint_auth_methods_supported: ["client_secret_post"],
});

/** The parameter for which the authorization request is refused; null where none is wrong. */
function requestIssue(query: URLSearchParams, registered: string): string | null {
  const isRight: Readonly<Record<string, boolean>> = {
    response_type: query.get("response_type") === "code",
    client_id: query.get("client_id") === CLIENT_ID,
    redirect_uri: query.get("redirect_uri") === registered,
    scope: (query.get("scope") ?? "").split(" ").includes("openid"),
    code_challenge_method: query.get("code_challenge_method") === "S256",
    code_challenge: /^[\w-]{43}$/.test(query.get("code_challenge") ?? ""),
  };
  return Object.keys(isRight).find((name) => !isRight[name]) ?? null;
}

/** Why the code gives no token; null where it does. */
function redemptionIssue(form: URLSearchParams, grant: Grant | undefined): string | null {
  if (form.get("client_id") !== CLIENT_ID || form.get("client_secret") !== CLIENT_SECRET) return "client";
  if (form.get("grant_type") !== "authorization_code") return "grant_type";
  if (!grant) return "unknown code";
  if (grant.isUsed) return "reused code";
  if (form.get("redirect_uri") !== grant.query.get("redirect_uri")) return "redirect_uri";
  const challenge = createHash("sha256")
    .update(form.get("code_verifier") ?? "")
    .digest("base64url");
  return challenge === grant.query.get("code_challenge") ? null : "code_verifier";
}
