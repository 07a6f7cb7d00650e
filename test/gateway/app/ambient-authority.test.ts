/**
 * The authority of Cloudflare Access is ambient: it goes with each request of the user's browser. Requests that a page can
 * make are refused and recorded.
 */
import { beforeAll, describe, expect, it } from "vitest";
import {
  BODY,
  CENTRAL_CHAT,
  chatResponse,
  json,
  only,
  post,
  typesOf,
} from "../../support/in-workerd/calls.ts";
import { openGateway, PROVIDERS, T0, type Exchange } from "../../support/in-workerd/gateway-harness.ts";
import { createIssuer, type Issuer } from "../../support/issuer-tokens.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

const TEAM = "https://team.cloudflareaccess.example";
const AUD = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
const CERTS = `${TEAM}/cdn-cgi/access/certs`;
const TRANSCRIPTIONS = "/central/v1/audio/transcriptions";
const FILES = "/central/v1/files";
const CANCEL = "/central/v1/batches/batch_1/cancel";

let team: Issuer;
let assertion: string;
beforeAll(async () => {
  team = await createIssuer("team");
  const now = T0 / 1000;
  assertion = await team.sign({
    aud: [AUD],
    iss: TEAM,
    sub: OWNER,
    iat: now,
    nbf: now,
    exp: now + 3600,
    type: "app",
  });
});

type Result = Exchange & { readonly forwarded: number };

async function send(path: string, init: RequestInit, headers: Record<string, string> = {}): Promise<Result> {
  const gateway = await openGateway({
    vars: {
      IDENTITY: [{ source: "access", team_domain: TEAM, audience: AUD }],
      PROVIDERS: {
        openai: PROVIDERS.openai,
        // People may use stored objects here, so that only the origin of the request decides.
        central: { ...PROVIDERS.central, objects: { read: "on", write: "on", delete: "on" } },
      },
    },
    provider: ({ url }) => (url === CERTS ? json(JSON.stringify(team.jwks())) : chatResponse()),
  });
  const all = new Headers(init.headers);
  all.set("cf-access-jwt-assertion", assertion);
  for (const [name, value] of Object.entries(headers)) all.set(name, value);
  const exchange = await gateway.exchange(path, { ...init, headers: all });
  return { ...exchange, forwarded: gateway.sent.filter(({ url }) => url !== CERTS).length };
}

const form = (): RequestInit => {
  const body = new FormData();
  body.set("model", "whisper-1");
  body.set("file", new Blob(["x"]), "x.wav");
  return { method: "POST", body };
};
const GET: RequestInit = { method: "GET" };

/** The refusal as the client, the record and the provider see it. */
function refusalOf({ response, events, text, forwarded }: Result): unknown[] {
  const { reason, status } = only(events, "refusal");
  const { code } = (JSON.parse(text) as { readonly error: { readonly code: string } }).error;
  return [
    response.status,
    response.headers.get("x-interceptor-error"),
    code,
    reason,
    status,
    typesOf(events),
    forwarded,
  ];
}
const refused = (status: number, code: string): unknown[] => [
  status,
  code,
  code,
  code,
  status,
  ["refusal"],
  0,
];

const PAGES: readonly Record<string, string>[] = [
  { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
  { origin: "https://sibling.your-company.example", "sec-fetch-site": "same-site" },
  // A sandboxed frame, or a page of a local file.
  { origin: "null" },
  { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" },
  { "sec-fetch-site": "none, same-origin" },
  // A link that is opened from a mail, or typed.
  { "sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
  // A page of an upstream's making on the gateway's own host.
  { origin: "https://ai.example", "sec-fetch-site": "same-origin" },
];

describe("with the login at Access", () => {
  /*
   * The attack: a page that the victim opens makes the browser send a request, and Access adds the victim's token. The
   * gateway spends its key on the victim's account, or passes on the victim's files.
   */
  it.each(PAGES)(
    "Finding H6: a request of a page is refused and recorded on every kind of route: %j",
    async (headers) => {
      for (const [path, init] of [
        [CENTRAL_CHAT, post(BODY, {})],
        [TRANSCRIPTIONS, form()],
        [FILES, form()],
        [FILES, GET],
        ["/central/v1/models", GET],
        [CANCEL, { method: "POST" }],
      ] as const)
        expect(refusalOf(await send(path, init, headers))).toEqual(refused(403, "cross_origin"));
    },
  );

  /* The attack: the same with a body that needs no permission of the server (a simple request), from a browser or a client
   * that sends neither header. */
  it.each([
    ["text/plain"],
    ["text/plain;charset=UTF-8"],
    ["text/plain; application/json"],
    ["application/x-www-form-urlencoded"],
    ["multipart/form-data; boundary=x"],
    ["application/json, text/plain"],
    ["application/jsonx"],
    [""],
  ])("Finding H6: a model call with the type %j is refused with 415 and recorded", async (type) => {
    const result = await send(
      CENTRAL_CHAT,
      { method: "POST", body: new Blob([BODY]) },
      { "content-type": type },
    );
    expect(refusalOf(result)).toEqual(refused(415, "json_required"));
    expect(only(result.events, "refusal")).toMatchObject({ actor_id: OWNER, actor_verified: true });
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "text/plain, application/json"])(
    "Finding H6: a management request with the type %s is refused too",
    async (type) => {
      const init = { method: "POST", body: "a=b" };
      expect(refusalOf(await send("/central/v1/batches", init, { "content-type": type }))).toEqual(
        refused(415, "json_required"),
      );
      expect(refusalOf(await send(CANCEL, init, { "content-type": type }))).toEqual(
        refused(415, "json_required"),
      );
    },
  );

  it.each<[string, string, () => RequestInit, Record<string, string>]>([
    ["JSON", CENTRAL_CHAT, () => post(BODY, {}), {}],
    [
      "JSON with a charset",
      CENTRAL_CHAT,
      () => post(BODY, {}),
      { "content-type": "Application/JSON; charset=utf-8" },
    ],
    [
      "JSON of a client with fetch metadata",
      CENTRAL_CHAT,
      () => post(BODY, {}),
      { "sec-fetch-mode": "cors" },
    ],
    ["a form", TRANSCRIPTIONS, form, {}],
    ["an upload", FILES, form, {}],
    ["a list", FILES, () => GET, {}],
    ["a POST without a body", CANCEL, () => ({ method: "POST" }), {}],
  ])("%s of a client outside of a browser is forwarded", async (_, path, init, headers) => {
    const { response, forwarded } = await send(path, init(), headers);
    expect([response.status, forwarded]).toEqual([200, 1]);
  });
});

describe("with a credential that the client sends itself", () => {
  it("any type of body is accepted: no browser adds that credential", async () => {
    const gateway = await openGateway({ provider: chatResponse });
    const headers = { authorization: "Bearer sk-own-0123456789abcdef", "content-type": "text/plain" };
    const { response } = await gateway.exchange("/openai/v1/chat/completions", {
      method: "POST",
      body: BODY,
      headers,
    });
    expect(response.status).toBe(200);
  });
});
