/** Signing in by Cloudflare Access and by OpenID Connect. */
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ConsoleSettings } from "../../../src/records/console/settings.ts";
import { accessTokenOptions } from "../../../src/shared/tokens/access-token.ts";
import { createIssuer, type Claims, type Issuer } from "../../support/issuer-tokens.ts";
import { NOW } from "../../support/in-workerd/api-client.ts";
import {
  cookiesOf,
  openConsole,
  ORIGIN,
  readStatus,
  settingsWith,
  signedIn,
  type TestConsole,
} from "../../support/in-workerd/console-client.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

const TEAM = "https://team.cloudflareaccess.example";
const ISSUER = "https://login.example";
const SESSION = "/console/api/session";
const SECONDS = NOW / 1000;

let team: Issuer;
let attacker: Issuer;
beforeAll(async () => {
  team = await createIssuer("team");
  attacker = await createIssuer("team");
});
beforeEach(async () => {
  await emptyLedger();
});

const ROLES: ConsoleSettings["roles"] = new Map([
  ["ada@example.com", ["read", "content", "admin"]],
  ["auditors", ["read", "content"]],
  ["staff", ["read"]],
]);

const accessSettings = (over: Partial<ConsoleSettings> = {}): Promise<ConsoleSettings> =>
  settingsWith({
    tokens: [],
    roles: ROLES,
    access: { name: "email", role: "email", token: accessTokenOptions(TEAM, ["aud-of-the-console"]) },
    ...over,
  });

const jwks = (): Promise<Response> => Promise.resolve(Response.json(team.jwks()));

const ADA = {
  iss: TEAM,
  aud: ["aud-of-the-console"],
  sub: "7335d417-61da-459d-899c-0a01c76a2f94",
  email: "ada@example.com",
  iat: SECONDS,
  exp: SECONDS + 86_400,
};

const assertion = async (claims: Claims = {}, issuer = team): Promise<Record<string, string>> => ({
  "cf-access-jwt-assertion": await issuer.sign({ ...ADA, ...claims }),
});

describe("Cloudflare Access", () => {
  let opened: TestConsole;
  beforeEach(async () => {
    opened = openConsole(await accessSettings(), { fetch: jwks });
  });

  it("signs in without a form the person whom it let through", async () => {
    const headers = await assertion();
    const { body, cookie } = await signedIn(await opened.send(SESSION, { headers }));
    expect(body).toMatchObject({
      name: "ada@example.com",
      scopes: ["read", "content", "admin"],
      sign_in: ["access"],
    });
    expect(await readStatus(opened, { ...headers, cookie })).toBe(200);
    expect(opened.events).toEqual([
      expect.objectContaining({ action: "sign_in", by: "console:ada@example.com", way: "access" }),
    ]);
    expect(opened.fetched.map(({ url }) => url)).toEqual([`${TEAM}/cdn-cgi/access/certs`]);
  });

  // The attack: the token alone, which Access adds for the browser's cookie whichever page sends the request.
  it("does not authorize the API by itself", async () => {
    expect(await readStatus(opened, await assertion())).toBe(401);
  });

  it.each<[string, () => Promise<Record<string, string>>]>([
    ["another key", () => assertion({}, attacker)],
    ["another application", () => assertion({ aud: ["aud-of-the-gateway"] })],
    ["another team", () => assertion({ iss: "https://other.cloudflareaccess.example" })],
    ["an expired token", () => assertion({ exp: SECONDS - 60 })],
    ["a service token, which has no person", () => assertion({ sub: "", common_name: "x.access" })],
    ["no token", () => Promise.resolve({})],
    ["no JWT", () => Promise.resolve({ "cf-access-jwt-assertion": "x" })],
    [
      "a page of another site",
      async () => ({
        ...(await assertion()),
        "sec-fetch-site": "cross-site",
        origin: "https://evil.example",
      }),
    ],
  ])("signs no one in with %s", async (_, headers) => {
    const response = await opened.send(SESSION, { headers: await headers() });
    expect([response.status, cookiesOf(response), opened.events]).toEqual([401, [], []]);
  });

  it("refuses a person without a role, and records it", async () => {
    const headers = await assertion({ email: "eve@example.com" });
    const response = await opened.send(SESSION, { headers });
    expect([response.status, cookiesOf(response)]).toEqual([403, []]);
    expect(opened.events).toEqual([
      expect.objectContaining({ action: "sign_in_failed", by: "console:eve@example.com", way: "access" }),
    ]);
  });

  // The attack: "*" as a value of the claim, which is a role of the settings for everyone.
  it("takes no value of a claim for the role of everyone", async () => {
    opened = openConsole(await accessSettings({ roles: new Map([["staff", ["read"]]]) }), { fetch: jwks });
    expect((await opened.send(SESSION, { headers: await assertion({ email: "*" }) })).status).toBe(403);
    const everyone = new Map([["*", ["read"]]]) as ConsoleSettings["roles"];
    opened = openConsole(await accessSettings({ roles: everyone }), { fetch: jwks });
    const { body } = await signedIn(await opened.send(SESSION, { headers: await assertion({ email: "*" }) }));
    expect(body["scopes"]).toEqual(["read"]);
  });

  it("adds up the scopes of a person's roles, also of a nested claim", async () => {
    const access = {
      name: "email",
      role: "custom.groups",
      token: accessTokenOptions(TEAM, ["aud-of-the-console"]),
    };
    opened = openConsole(await accessSettings({ access }), { fetch: jwks });
    const headers = await assertion({ custom: { groups: ["auditors", "staff", 7, "unknown"] } });
    const { body } = await signedIn(await opened.send(SESSION, { headers }));
    expect(body["scopes"]).toEqual(["read", "content"]);
  });

  // The attack: the session goes on after Access has ended its own, or another person uses the browser.
  it.each<[string, () => Promise<Record<string, string>>]>([
    ["Access has ended its session", () => Promise.resolve({})],
    ["the token has expired", () => assertion({ exp: SECONDS - 60 })],
    [
      "another person's token comes with the cookie",
      () => assertion({ sub: "another", email: "ada@example.com" }),
    ],
    ["the person's role has changed", () => assertion({ email: "auditors" })],
  ])("ends the session when %s", async (_, later) => {
    const headers = await assertion();
    const { cookie } = await signedIn(await opened.send(SESSION, { headers }));
    expect(await readStatus(opened, { ...(await later()), cookie })).toBe(401);
    expect(await readStatus(opened, { ...headers, cookie })).toBe(401);
  });

  it("ends the session when the settings give the role other scopes", async () => {
    const headers = await assertion();
    const { cookie } = await signedIn(await opened.send(SESSION, { headers }));
    const roles: ConsoleSettings["roles"] = new Map([["ada@example.com", ["read"]]]);
    const later = openConsole(await accessSettings({ roles }), { fetch: jwks });
    expect(await readStatus(later, { ...headers, cookie })).toBe(401);
  });

  it("is unavailable, not refused, while the team's keys cannot be fetched", async () => {
    opened = openConsole(await accessSettings(), {
      fetch: () => Promise.resolve(new Response(null, { status: 500 })),
    });
    expect((await opened.send(SESSION, { headers: await assertion() })).status).toBe(503);
  });
});

const oidcSettings = (over: Partial<ConsoleSettings> = {}): Promise<ConsoleSettings> =>
  settingsWith({
    tokens: [],
    roles: ROLES,
    oidc: {
      name: "email",
      role: "groups",
      clientId: "console",
      clientSecret: "client-secret-1234567890",
      authorizationUrl: `${ISSUER}/authorize`,
      tokenUrl: `${ISSUER}/token`,
      scope: "openid email",
      token: {
        issuer: ISSUER,
        jwksUrl: `${ISSUER}/keys`,
        audience: ["console"],
        algorithms: ["RS256"],
        toleranceS: 60,
        maxAgeS: 600,
        maxRemainingS: null,
        cooldownMs: 1000,
        timeoutMs: 1000,
      },
    },
    ...over,
  });

type Start = { readonly url: URL; readonly cookie: string };

describe("OpenID Connect", () => {
  /** The forms that the provider's token endpoint gets, and the claims of the token that it returns. */
  let redeemed: URLSearchParams[];
  let claims: Claims;
  let opened: TestConsole;

  const provider = async (request: Request): Promise<Response> => {
    if (request.url === `${ISSUER}/keys`) return jwks();
    if (request.url !== `${ISSUER}/token`) return new Response(null, { status: 404 });
    redeemed.push(new URLSearchParams(await request.text()));
    return Response.json({ access_token: "a", token_type: "Bearer", id_token: await team.sign(claims) });
  };
  beforeEach(async () => {
    redeemed = [];
    opened = openConsole(await oidcSettings(), { fetch: provider });
  });

  const start = async (): Promise<Start> => {
    const response = await opened.send("/console/api/sign-in");
    expect(response.status).toBe(303);
    const url = new URL(response.headers.get("location") ?? "");
    claims = {
      iss: ISSUER,
      aud: "console",
      sub: "248289761001",
      email: "grace@example.com",
      groups: ["auditors"],
      nonce: url.searchParams.get("nonce"),
      iat: SECONDS,
      exp: SECONDS + 300,
    };
    return { url, cookie: cookiesOf(response)[0] ?? "" };
  };

  const finish = ({ url, cookie }: Start, over: Readonly<Record<string, string>> = {}): Promise<Response> => {
    const query = new URLSearchParams({ code: "c0de", state: url.searchParams.get("state") ?? "", ...over });
    return opened.send(`/console/api/callback?${query}`, {
      headers: { cookie, "sec-fetch-site": "cross-site" },
    });
  };

  it("begins with state, nonce and an S256 challenge, and the exact redirect", async () => {
    const response = await opened.send("/console/api/sign-in?return_to=https://evil.example");
    const url = new URL(response.headers.get("location") ?? "");
    expect(`${url.origin}${url.pathname}`).toBe(`${ISSUER}/authorize`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: "code",
      client_id: "console",
      redirect_uri: `${ORIGIN}/console/api/callback`,
      scope: "openid email",
      state: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      nonce: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      code_challenge_method: "S256",
    });
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-console-sign-in=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/,
      ),
    ]);
  });

  it("signs in the person whom the provider's token names", async () => {
    const started = await start();
    const response = await finish(started);
    expect([response.status, response.headers.get("location")]).toEqual([303, "/console"]);
    const [session = "", used] = cookiesOf(response);
    expect(used).toBe("__Host-console-sign-in=");
    const { body } = await signedIn(await opened.send(SESSION, { headers: { cookie: session } }), session);
    expect(body).toMatchObject({ name: "grace@example.com", scopes: ["read", "content"], sign_in: ["oidc"] });
    // The verifier is the one whose SHA-256 the browser carried to the provider.
    const [form] = redeemed;
    const digest = await crypto.subtle.digest(
      "SHA-256",
      new TextEncoder().encode(form?.get("code_verifier") ?? ""),
    );
    const challenge = btoa(String.fromCharCode(...new Uint8Array(digest)))
      .replaceAll("+", "-")
      .replaceAll("/", "_")
      .replace("=", "");
    expect(challenge).toBe(started.url.searchParams.get("code_challenge"));
    expect(form?.get("redirect_uri")).toBe(`${ORIGIN}/console/api/callback`);
    expect(opened.events).toEqual([
      expect.objectContaining({ action: "sign_in", by: "console:grace@example.com", way: "oidc" }),
    ]);
  });

  // The attacks: a link with the attacker's own code; a code that was stolen from another browser; a mixed-up provider.
  it.each<[string, (started: Start) => Promise<Response>]>([
    ["another state", (started) => finish(started, { state: "0".repeat(64) })],
    ["no state", (started) => finish(started, { state: "" })],
    ["no cookie", (started) => finish({ ...started, cookie: "" })],
    [
      "another browser's cookie",
      async (started) => finish({ url: started.url, cookie: (await start()).cookie }),
    ],
    ["no code", (started) => finish(started, { code: "" })],
    ["another provider's response", (started) => finish(started, { iss: "https://other.example" })],
  ])("signs no one in with %s, and sends the code nowhere", async (_, end) => {
    const response = await end(await start());
    expect([response.status, response.headers.get("location")]).toEqual([
      303,
      "/console?sign_in=invalid_credential",
    ]);
    expect(cookiesOf(response)).toEqual(["__Host-console-sign-in="]);
    expect(redeemed).toEqual([]);
    expect(opened.refusals.map(({ code }) => code)).toEqual(["invalid_credential"]);
  });

  it.each<[string, Claims]>([
    ["another nonce, as of a token that was replayed", { nonce: "0".repeat(64) }],
    ["no nonce", { nonce: undefined }],
    ["another audience", { aud: "another" }],
    ["several audiences without azp", { aud: ["console", "another"] }],
    ["another client's azp", { azp: "another" }],
    ["another issuer", { iss: "https://other.example" }],
    ["no subject", { sub: undefined }],
    ["an expired token", { exp: SECONDS - 120 }],
    ["an old token", { iat: SECONDS - 3600 }],
  ])("signs no one in with a token with %s", async (_, over) => {
    const started = await start();
    claims = { ...claims, ...over };
    const response = await finish(started);
    expect(response.headers.get("location")).toBe("/console?sign_in=invalid_credential");
    expect(cookiesOf(response)).toEqual(["__Host-console-sign-in="]);
    expect(opened.events).toEqual([]);
  });

  // The attack: a link of another site signs the person in unasked, or out of the present session.
  it.each([
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "https://evil.example" },
  ])("is not begun by a page of another origin: %o", async (headers) => {
    const open = await finish(await start());
    const cookie = cookiesOf(open)[0] ?? "";
    const response = await opened.send("/console/api/sign-in", { headers: { cookie, ...headers } });
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([403, "csrf_rejected"]);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await readStatus(opened, { cookie })).toBe(200);
  });

  // The attack: a copy of the older session's cookie still reads after another person has signed in.
  it("ends the browser's older session at the server when it begins", async () => {
    const cookie = cookiesOf(await finish(await start()))[0] ?? "";
    expect(await readStatus(opened, { cookie })).toBe(200);
    const again = await opened.send("/console/api/sign-in", {
      headers: { cookie, "sec-fetch-site": "same-origin" },
    });
    expect(cookiesOf(again)).toContain("__Host-console=");
    expect(await readStatus(opened, { cookie })).toBe(401);
    expect(opened.events.map(({ action }) => action)).toEqual(["sign_in", "sign_out"]);
  });

  it("ends an older session whose cookie comes with the callback", async () => {
    const old = cookiesOf(await finish(await start()))[0] ?? "";
    const started = await start();
    const response = await finish({ ...started, cookie: `${started.cookie}; ${old}` });
    expect(response.headers.get("location")).toBe("/console");
    expect(await readStatus(opened, { cookie: old })).toBe(401);
    expect(await readStatus(opened, { cookie: cookiesOf(response)[0] ?? "" })).toBe(200);
  });

  it("refuses a person without a role, and records it", async () => {
    const started = await start();
    claims = { ...claims, groups: ["others"] };
    expect((await finish(started)).headers.get("location")).toBe("/console?sign_in=scope_missing");
    expect(opened.events).toEqual([
      expect.objectContaining({ action: "sign_in_failed", by: "console:grace@example.com", way: "oidc" }),
    ]);
  });

  it("sends no browser to a place that the request names", async () => {
    const started = await start();
    const response = await finish(started, {
      return_to: "https://evil.example",
      redirect_uri: "https://evil.example",
    });
    expect(response.headers.get("location")).toBe("/console");
  });

  it("is not found where it is not configured", async () => {
    opened = openConsole(await settingsWith());
    for (const path of ["/console/api/sign-in", "/console/api/callback?code=x&state=y"])
      expect((await opened.send(path)).status).toBe(404);
  });
});
