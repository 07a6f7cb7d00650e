/**
 * Access tokens of Entra ID that the gateway fetches: one token for many requests, replaced in time, and never in a
 * client's response, an event or a line of the operator's log.
 */
import { describe, expect, it } from "vitest";
import { CHAT, CLIENT_KEY, json, only, OWN_KEY, post, sse } from "../../support/in-workerd/calls.ts";
import {
  CANARIES,
  CONTENT,
  openGateway,
  PROVIDERS,
  type Gateway,
  type Sent,
} from "../../support/in-workerd/gateway-harness.ts";
import { wholeBody } from "../../support/in-workerd/upstream-body.ts";
import { text, utf8 } from "../../support/in-workerd/values.ts";

const LOGIN = "https://login.example/tenant-1/oauth2/v2.0/token";
const CLIENT_ID = "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b";
const ENTRA = {
  tenant_id: "tenant-1",
  client_id: CLIENT_ID,
  client_secret: "ENTRA_SECRET",
  authority: "https://login.example",
};
/** As the form sends it, it is not the canary. */
const SECRET = "Abc8Q~client.secret_of-the-application";
const VARS = {
  PROVIDERS: { ...PROVIDERS, azure: { ...PROVIDERS.azure, entra: ENTRA } },
  ENTRA_SECRET: SECRET,
};
const AZURE_CHAT = "/azure/openai/deployments/gpt-dep/chat/completions?api-version=2024-10-21";
const BODY = '{"messages":[]}';
const MINUTE = 60_000;

const tokenOf = (at: number): string =>
  ["eyJhbGciOiJSUzI1NiJ9", "eyJhcHBpZCI6Imd3In0", `Sig${at}-${"aBcDeF0123".repeat(4)}`].join(".");
const tokenBody = (at: number, over: object = {}): string =>
  JSON.stringify({
    token_type: "Bearer",
    expires_in: 3599,
    ext_expires_in: 3599,
    access_token: tokenOf(at),
    ...over,
  });

type Options = {
  /** The response of the token endpoint to its call of that number, from 1. */
  readonly login?: (call: number) => Response | Promise<Response>;
  readonly provider?: (sent: Sent) => Response;
  /** Further settings of the provider. */
  readonly azure?: object;
};

type Opened = Gateway & {
  /** The tokens by which the provider was called. */
  readonly tokens: () => readonly (string | null)[];
  readonly logins: () => readonly Sent[];
  readonly chat: () => ReturnType<Gateway["exchange"]>;
};

async function open({
  login = (call) => json(tokenBody(call)),
  provider = ok,
  azure = {},
}: Options = {}): Promise<Opened> {
  let calls = 0;
  const gateway = await openGateway({
    vars: { ...VARS, PROVIDERS: { ...PROVIDERS, azure: { ...VARS.PROVIDERS.azure, ...azure } } },
    allowedContent: [CONTENT.prompt],
    provider: (sent) => (sent.url === LOGIN ? login((calls += 1)) : provider(sent)),
  });
  return {
    ...gateway,
    tokens: () =>
      gateway.sent.flatMap(({ url, headers }) => (url === LOGIN ? [] : headers.get("authorization"))),
    logins: () => gateway.sent.filter(({ url }) => url === LOGIN),
    chat: () => gateway.exchange(AZURE_CHAT, post(BODY, CLIENT_KEY)),
  };
}

const ok = (): Response => json('{"id":"c-1","model":"gpt-4o-2024-08-06","choices":[]}');
const bearer = (...calls: readonly number[]): string[] => calls.map((call) => `Bearer ${tokenOf(call)}`);

describe("an access token of Entra ID", () => {
  it("is fetched by the application's credentials, and is the only credential that the provider gets", async () => {
    const gateway = await open();
    const { response, events } = await gateway.chat();
    expect(response.status).toBe(200);
    const [login, sent] = gateway.sent;
    expect([login?.method, login?.headers.get("authorization")]).toEqual(["POST", null]);
    expect(Object.fromEntries(new URLSearchParams(text(login?.body ?? utf8(""))))).toEqual({
      grant_type: "client_credentials",
      client_id: CLIENT_ID,
      client_secret: SECRET,
      scope: "https://ai.azure.com/.default",
    });
    expect([sent?.url, sent?.headers.get("authorization"), sent?.headers.get("api-key")]).toEqual([
      "https://company.azure.example/openai/deployments/gpt-dep/chat/completions?api-version=2024-10-21",
      ...bearer(1),
      null,
    ]);
    expect(only(events, "interception_start")).toMatchObject({
      model: "gpt-dep",
      credential_kind: "centralized",
      credential_hint: "0b1c...4a5b",
    });
    expect(JSON.stringify(events)).not.toContain(tokenOf(1).slice(-16));
  });

  it("is used until five minutes before it expires, then replaced", async () => {
    const gateway = await open();
    await gateway.chat();
    gateway.clock.at += 3_298_999;
    await gateway.chat();
    gateway.clock.at += 1;
    await gateway.chat();
    expect(gateway.tokens()).toEqual(bearer(1, 1, 2));
  });

  it("is used to the end where no other one can be fetched, but not in its last half minute", async () => {
    const gateway = await open({
      login: (call) => (call === 1 ? json(tokenBody(1)) : json("", { status: 500 })),
    });
    await gateway.chat();
    gateway.clock.at += 3_568_999;
    await gateway.chat();
    gateway.clock.at += 2000;
    const { response } = await gateway.chat();
    expect(gateway.tokens()).toEqual(bearer(1, 1));
    expect(response.headers.get("x-interceptor-error")).toBe("upstream_token_unavailable");
  });

  it("is used at once where the authority does not respond, also at a provider with little time", async () => {
    const silent = Promise.withResolvers<Response>();
    const gateway = await open({
      login: (call) => (call === 1 ? json(tokenBody(1)) : silent.promise),
      azure: { headers_ms: 4000 },
    });
    await gateway.chat();
    gateway.clock.at += 55 * MINUTE;
    const { response, settled } = await gateway.call(AZURE_CHAT, post(BODY, CLIENT_KEY));
    expect([response.status, gateway.tokens(), gateway.logins().length]).toEqual([200, bearer(1, 1), 2]);
    silent.resolve(json(tokenBody(2)));
    await response.text();
    await settled();
    await gateway.chat();
    expect([gateway.tokens(), gateway.logins().length]).toEqual([bearer(1, 1, 2), 2]);
  });

  it("is fetched once for requests that come at the same time", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    const gateway = await open({ login: () => promise });
    const pending = [gateway.chat(), gateway.chat(), gateway.chat()];
    resolve(json(tokenBody(1)));
    const responses = await Promise.all(pending);
    expect(responses.map(({ response }) => response.status)).toEqual([200, 200, 200]);
    expect([gateway.logins().length, gateway.tokens()]).toEqual([1, bearer(1, 1, 1)]);
  });

  // The platform ends the fetches of a request that is over: those who wait for the token would wait in vain.
  it("goes on being fetched where the request that began it ends first", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    const gateway = await open({ login: () => promise, azure: { headers_ms: 50 } });
    const { response, settled } = await gateway.call(AZURE_CHAT, post(BODY, CLIENT_KEY));
    let isOver = false;
    const over = settled().then(() => (isOver = true));
    await gateway.exchange(CHAT, post(BODY, OWN_KEY));
    expect([response.status, isOver]).toEqual([503, false]);
    resolve(json(tokenBody(1)));
    await over;
    expect((await gateway.chat()).response.status).toBe(200);
    expect(gateway.logins()).toHaveLength(1);
  });

  it("is replaced where the provider rejects it, unless it was just fetched", async () => {
    const gateway = await open({
      provider: () => json('{"error":{"code":"401","message":"no"}}', { status: 401 }),
    });
    const { response } = await gateway.chat();
    expect(response.headers.get("x-interceptor-error")).toBe("upstream_key_rejected");
    // The attack: requests that the provider rejects make the gateway fetch a token each.
    await gateway.chat();
    expect(gateway.logins()).toHaveLength(1);
    gateway.clock.at += MINUTE;
    await gateway.chat();
    await gateway.chat();
    expect(gateway.tokens()).toEqual(bearer(1, 1, 1, 2));
  });

  // The attack: a request that the provider rejects takes the token from all callers while the authority is down.
  it("stays in use where the provider rejects one request and no other token can be fetched", async () => {
    let calls = 0;
    const gateway = await open({
      login: (call) => (call === 1 ? json(tokenBody(1)) : json("", { status: 500 })),
      provider: () => ((calls += 1) === 1 ? json("{}", { status: 401 }) : ok()),
    });
    await gateway.chat();
    expect(gateway.tokens()).toEqual(bearer(1));
    gateway.clock.at += MINUTE;
    calls = 0;
    expect((await gateway.chat()).response.status).toBe(502);
    expect((await gateway.chat()).response.status).toBe(200);
    expect([gateway.tokens(), gateway.logins().length]).toEqual([bearer(1, 1, 1), 2]);
  });
});

describe("without an access token", () => {
  it.each<readonly [string, () => Response, string]>([
    [
      "rejects the secret",
      () =>
        json(
          `{"error":"invalid_client","error_description":"AADSTS7000215: ${SECRET}","error_codes":[7000215]}`,
          {
            status: 401,
          },
        ),
      "status 401 invalid_client AADSTS7000215",
    ],
    ["is down", () => json("oops", { status: 503 }), "status 503"],
    // The attack: a redirect by which the secret would go to another host.
    [
      "redirects",
      () => new Response(null, { status: 307, headers: { location: "https://evil.example/" } }),
      "status 307",
    ],
    ["sends too much", () => json(`"${"x".repeat(70_000)}"`), "a response of more than 65536 bytes"],
    ["sends no JSON", () => json("<html>"), "the response has no bearer token"],
    [
      "sends a token that no header can carry",
      () => json(tokenBody(1, { access_token: `${"a".repeat(40)}\r\nx: y` })),
      "the response has no bearer token",
    ],
    [
      "sends a short token",
      () => json(tokenBody(1, { access_token: "short" })),
      "the response has no bearer token",
    ],
    [
      "sends another kind of token",
      () => json(tokenBody(1, { token_type: "mac" })),
      "the response has no bearer token",
    ],
    ["sends no lifetime", () => json(tokenBody(1, { expires_in: null })), "the response has no expires_in"],
  ])("refuses the call and calls no provider, where the authority %s", async (_, login, reason) => {
    const gateway = await open({ login });
    const { response, text: body, events } = await gateway.chat();
    expect([response.status, response.headers.get("x-interceptor-error")]).toEqual([
      503,
      "upstream_token_unavailable",
    ]);
    expect(gateway.tokens()).toEqual([]);
    expect(gateway.operatorErrors).toEqual([
      { event: "provider_token_failed", setting: "PROVIDERS.azure.entra", reason },
    ]);
    expect(only(events, "interception_end")).toMatchObject({
      error: "upstream_token_unavailable",
      status: 503,
    });
    expect([body, JSON.stringify([events, gateway.operatorErrors])].join()).not.toMatch(
      /client\.secret|evil/,
    );
  });

  it("calls the authority again two seconds after a failure, and not before", async () => {
    const gateway = await open({
      login: (call) => (call === 1 ? json("", { status: 500 }) : json(tokenBody(call))),
    });
    await gateway.chat();
    gateway.clock.at += 1999;
    expect((await gateway.chat()).response.status).toBe(503);
    expect(gateway.logins()).toHaveLength(1);
    gateway.clock.at += 1;
    expect((await gateway.chat()).response.status).toBe(200);
  });

  it("lets go of an upload that no provider will take", async () => {
    const gateway = await open({ login: () => json("", { status: 500 }) });
    const body = new Uint8Array(2 * 1024 * 1024);
    const headers = { ...CLIENT_KEY, "content-length": String(body.byteLength) };
    // The exchange, which waits for the upload's end, settles.
    const { response } = await gateway.exchange("/azure/openai/v1/files", { method: "POST", body, headers });
    expect(response.headers.get("x-interceptor-error")).toBe("upstream_token_unavailable");
  });

  it("refuses a caller whose only credential is a provider key, and fetches nothing: no open relay", async () => {
    const gateway = await open();
    const { response } = await gateway.exchange(AZURE_CHAT, post(BODY, OWN_KEY));
    expect(response.headers.get("x-interceptor-error")).toBe("byok_not_accepted");
    expect(gateway.sent).toEqual([]);
  });

  it("forwards the client's own key beside its identity, as a key or as a token", async () => {
    const gateway = await open();
    const identity = { "x-coder-ai-governance-token": CANARIES.clientKey };
    for (const own of [{ "api-key": CANARIES.ownKey }, OWN_KEY])
      await gateway.exchange(AZURE_CHAT, post(BODY, { ...identity, ...own }));
    expect(gateway.logins()).toEqual([]);
    expect(gateway.sent.map(({ headers }) => [headers.get("api-key"), headers.get("authorization")])).toEqual(
      [
        [CANARIES.ownKey, null],
        [null, OWN_KEY.authorization],
      ],
    );
  });
});

const quoted = (sent: Sent): string => sent.headers.get("authorization")?.slice("Bearer ".length) ?? "";

describe("a provider that quotes the access token", () => {
  it.each<readonly [string, (token: string) => Response]>([
    ["in a JSON body", (token) => json(`{"id":"c-1","model":"m","choices":[],"debug":"${token}"}`)],
    ["in an error", (token) => json(`{"error":{"message":"bad token ${token}"}}`, { status: 400 })],
    [
      "in a stream",
      (token) => sse(wholeBody(utf8(`data: {"choices":[],"debug":"${token}"}\n\ndata: [DONE]\n\n`))),
    ],
    ["in a header", (token) => json("{}", { headers: { "x-debug": token } })],
  ])("has its response withheld: %s", async (_, respond) => {
    const gateway = await open({ provider: (sent) => respond(quoted(sent)) });
    await gateway.chat();
    // Also of a token that has replaced another one.
    gateway.clock.at += 60 * MINUTE;
    const { response, text: body, events } = await gateway.chat();
    const all = body + JSON.stringify([[...response.headers], events, gateway.operatorErrors]);
    expect(all).not.toContain(tokenOf(2).slice(-24));
    expect(gateway.operatorErrors.at(-1)).toMatchObject({
      event: "secret_leaked",
      secret: "PROVIDERS.azure.entra",
    });
  });

  it("finds the configured secrets too", async () => {
    const gateway = await open({ provider: () => json(`{"choices":[],"debug":"${SECRET}"}`) });
    const { text: body } = await gateway.chat();
    expect(body).not.toContain(SECRET);
    expect(gateway.operatorErrors).toMatchObject([{ event: "secret_leaked", secret: "ENTRA_SECRET" }]);
  });

  it("searches responses for no token of another deployment, which has none", async () => {
    const gateway = await openGateway({ provider: () => json(`{"choices":[],"debug":"${tokenOf(1)}"}`) });
    expect((await gateway.exchange(CHAT, post(BODY))).text).toContain(tokenOf(1));
  });
});
