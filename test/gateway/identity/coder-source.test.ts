import { describe, expect, it } from "vitest";
import { coder } from "../../../src/gateway/identity/sources/coder.ts";
import { readCredential, type Credential } from "../../../src/gateway/identity/credential.ts";
import { identify, type Actor } from "../../../src/gateway/identity/identity.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import {
  configure,
  recordingFetch,
  type Respond,
  type TestSource,
} from "../../support/in-workerd/identity.ts";
import { accepted, actor, OWNER, reasonOf, statusOf } from "../../support/in-workerd/values.ts";

const TOKEN = "aB3dE5gH7j-kL9mN1pQ3rS5tU7vW9xY1z";
const OTHER = "aB3dE5gH7j-kL9mN1pQ3rS5tU7vW9xY1Z";
const URL = "https://coder.example";

/** A user as Coder returns it, including the fields that the gateway does not use. */
const USER = {
  id: OWNER,
  username: "alice",
  name: "Alice Example",
  email: "alice@example.com",
  avatar_url: "",
  created_at: "2026-01-01T00:00:00Z",
  status: "active",
  login_type: "oidc",
  organization_ids: ["e8a3ab01-3a5c-4e9c-8f43-0d3f5c7f8a11"],
  roles: [],
  is_service_account: false,
};

type Deployment = TestSource & {
  readonly requests: readonly Request[];
  readonly inits: readonly (RequestInit | undefined)[];
  readonly identifyToken: (token?: string) => Promise<Actor | Refusal | null>;
};

/** A session's key as Coder returns it. */
const KEY = {
  id: TOKEN.slice(0, 10),
  user_id: OWNER,
  login_type: "oidc",
  scope: "all",
  scopes: ["coder:all"],
  token_name: "",
  lifetime_seconds: 604_800,
  allow_list: [{ type: "*", id: "*" }],
};

const isKeyQuery = ({ url }: Request): boolean => url.includes("/keys/");

/** `respond`: to the query of the user; the key has no limits. */
const deployment = (respond: Respond, options: Readonly<Record<string, unknown>> = {}): Deployment =>
  coderWith(async (request) => (isKeyQuery(request) ? Response.json(KEY) : respond(request)), options);

function coderWith(respond: Respond, options: Readonly<Record<string, unknown>> = {}): Deployment {
  const { fetch, requests, inits } = recordingFetch(respond);
  const source = configure(coder, { options: { url: URL, ...options }, fetch });
  const identifyToken = async (token = TOKEN): Promise<Actor | Refusal | null> =>
    source.identify(await credentialOf({ authorization: `Bearer ${token}` }));
  return { ...source, requests, inits, identifyToken };
}

const credentialOf = async (headers: Record<string, string>): Promise<Credential> =>
  accepted(await readCredential(new Headers(headers)));

const user = (over: Readonly<Record<string, unknown>> = {}): Deployment =>
  deployment(async () => Response.json({ ...USER, ...over }));

describe("source coder: identifying a user", () => {
  it("returns the user that Coder names, as a verified actor", async () => {
    const { identifyToken, issues } = user();
    expect(issues).toEqual([]);
    expect(await identifyToken()).toEqual({
      id: OWNER,
      kind: "user",
      name: "alice",
      source: "coder",
      verified: true,
      keyId: expect.stringMatching(/^[0-9a-f]{16}$/),
      mayAssert: null,
    });
  });

  it.each(["x-coder-ai-governance-token", "authorization", "x-api-key"])(
    "reads the token from %s",
    async (name) => {
      const { identify: identifyCredential } = user();
      const value = name === "authorization" ? `Bearer ${TOKEN}` : TOKEN;
      expect(await identifyCredential(await credentialOf({ [name]: value }))).toMatchObject({ id: OWNER });
    },
  );

  it("sends Coder only the token, follows no redirect, and forbids caching", async () => {
    const { identifyToken, requests, inits } = user();
    await identifyToken();
    expect(requests.map(({ url, method }) => `${method} ${url}`)).toEqual([
      `GET ${URL}/api/v2/users/me`,
      `GET ${URL}/api/v2/users/me/keys/aB3dE5gH7j`,
    ]);
    expect(Object.fromEntries(requests[0]?.headers ?? [])).toMatchObject({
      accept: "application/json",
      "coder-session-token": TOKEN,
    });
    expect(requests[0]?.headers.has("authorization")).toBe(false);
    expect(inits[0]).toMatchObject({ redirect: "manual", cache: "no-store" });
  });

  it("keeps the path of the configured url", async () => {
    const { identifyToken, requests } = deployment(async () => Response.json(USER), {
      url: "https://example.com/coder/",
    });
    await identifyToken();
    expect(requests[0]?.url).toBe("https://example.com/coder/api/v2/users/me");
  });

  it.each([
    [{ is_service_account: true }, { kind: "service" }],
    [{ is_service_account: undefined }, { kind: "user" }],
    [{ login_type: "none" }, { kind: "user" }],
    [{ id: OWNER.toUpperCase() }, { id: OWNER }],
  ])("maps a user with %j to an actor with %j", async (over, expected) => {
    expect(await user(over).identifyToken()).toMatchObject(expected);
  });
});

describe("source coder: recognizing a token", () => {
  it.each([
    ["a provider's key", "sk-proj-0123456789abcdefghijklmnop"],
    ["a client key", "aei_0123456789abcdefghijklmnopqrstuvwxyz"],
    ["a JWT", "e30.e30.c2ln"],
    ["a token that is one character too short", TOKEN.slice(0, -1)],
    ["a token that is one character too long", `${TOKEN}x`],
    ["a token with another separator", TOKEN.replace("-", "_")],
    ["a token with another character", `${TOKEN.slice(0, -1)}~`],
  ])("returns null for %s, without a query", async (_, token) => {
    const { identifyToken, requests, recognizes } = user();
    expect(await identifyToken(token)).toBeNull();
    expect(requests).toEqual([]);
    expect(recognizes({ value: token, from: "authorization", sha256: "" })).toBe(false);
  });

  it("returns null for a request that has only a Cloudflare Access assertion", async () => {
    const { identify: identifyCredential } = user();
    const { identity: _, ...rest } = await credentialOf({ authorization: `Bearer ${TOKEN}` });
    expect(await identifyCredential({ ...rest, identity: null })).toBeNull();
  });

  it("never treats a Coder token as a provider key, in any header", async () => {
    const { listed } = user();
    const headers = { authorization: `Bearer ${TOKEN}`, "x-coder-ai-governance-token": OTHER };
    expect(accepted(await readCredential(new Headers(headers), [listed]))).toMatchObject({ ownKey: null });
  });

  it("decides about a Coder token even if a later source would accept it", async () => {
    const { listed } = deployment(async () => new Response(null, { status: 401 }));
    const later = { verifies: true, recognizes: () => false, identify: async () => actor() };
    const credential = await credentialOf({ authorization: `Bearer ${TOKEN}` });
    expect(reasonOf(await identify(credential, [listed, later]))).toBe("invalid_credential");
    expect(await identify(credential, [later, listed])).toMatchObject({ source: "keys" });
  });
});

describe("source coder: rejecting a token", () => {
  it.each([401, 403])("rejects a token with 401 on status %i, and caches the rejection", async (status) => {
    const { identifyToken, requests, clock } = deployment(async () => new Response("no", { status }));
    const refusal = await identifyToken();
    expect(refusal).toMatchObject({
      code: "invalid_credential",
      status: 401,
      data: { detail: `coder: status ${status}` },
    });
    clock.at += 9999;
    await identifyToken();
    expect(requests).toHaveLength(1);
    clock.at += 1;
    await identifyToken();
    expect(requests).toHaveLength(2);
  });

  it.each(["suspended", "dormant", "Active", "active ", "", "deleted"])(
    "rejects a user whose status is %j with 401",
    async (status) => {
      expect(await user({ status }).identifyToken()).toMatchObject({
        code: "invalid_credential",
        data: { detail: "coder: the user is not active" },
      });
    },
  );

  it("C7 queries Coder for a token that shares a long prefix with a cached one", async () => {
    const { identifyToken } = deployment(async (request) =>
      request.headers.get("coder-session-token") === TOKEN
        ? Response.json(USER)
        : new Response(null, { status: 401 }),
    );
    expect(await identifyToken(TOKEN)).toMatchObject({ id: OWNER });
    expect(reasonOf(await identifyToken(OTHER))).toBe("invalid_credential");
    expect(await identifyToken(TOKEN)).toMatchObject({ id: OWNER });
  });

  it("C8 rejects a token that is revoked while it is cached after cache_ttl_s", async () => {
    let revoked = false;
    const { identifyToken, clock } = deployment(
      async () => (revoked ? new Response(null, { status: 401 }) : Response.json(USER)),
      { cache_ttl_s: 5 },
    );
    await identifyToken();
    revoked = true;
    clock.at += 4999;
    expect(await identifyToken()).toMatchObject({ id: OWNER });
    clock.at += 1;
    expect(reasonOf(await identifyToken())).toBe("invalid_credential");
  });
});

const endless: Respond = async () =>
  new Response(new ReadableStream({ pull: () => new Promise(() => undefined) }));
const broken = new ReadableStream({ start: (controller) => controller.error(new Error("reset")) });

const withKey = (key: object, options = {}): Deployment =>
  coderWith(async (request) => Response.json(isKeyQuery(request) ? { ...KEY, ...key } : USER), options);

// N5: Coder's tokens have scopes. A token that a script was given to read users is not one to run models with.
describe("source coder: what a token is for", () => {
  it.each([
    ["the scope of a session", { scopes: ["coder:all"] }, {}],
    ["the older name of that scope", { scopes: ["all"] }, {}],
    ["only the deprecated field", { scopes: undefined, scope: "all" }, {}],
    ["no allow list", { allow_list: undefined }, {}],
    ["an empty allow list", { allow_list: [] }, {}],
    ["a configured scope", { scopes: ["user:read", "aibridge:use"] }, { require_scope: ["aibridge:use"] }],
  ])("accepts a token with %s", async (_, key, options) => {
    expect(await withKey(key, options).identifyToken()).toMatchObject({ id: OWNER });
  });

  it.each([
    ["user:read", { scopes: ["user:read"], scope: "all" }, {}],
    ["coder:application_connect", { scopes: ["coder:application_connect"] }, {}],
    ["only the deprecated application_connect", { scopes: undefined, scope: "application_connect" }, {}],
    ["no scope", { scopes: [] }, {}],
    ["scopes that are no texts", { scopes: [{ all: true }] }, {}],
    ["another scope than is configured", { scopes: ["coder:all"] }, { require_scope: ["aibridge:use"] }],
    ["an allow list of one workspace", { allow_list: [{ type: "workspace", id: OWNER }] }, {}],
    ["an allow list of all workspaces", { allow_list: [{ type: "workspace", id: "*" }] }, {}],
  ])("Finding N5: rejects a token with %s, and remembers that", async (_, key, options) => {
    const { identifyToken, requests } = withKey(key, options);
    expect(reasonOf(await identifyToken())).toBe("invalid_credential");
    expect(reasonOf(await identifyToken())).toBe("invalid_credential");
    expect(requests).toHaveLength(2);
  });

  // Coder hides what a token may not read behind 404. The status was mistaken for an outage, with a query per request.
  it.each([
    ["its user", false, 1],
    ["its key", true, 2],
  ])("rejects a token that may not read %s, and remembers that", async (_, isHiddenKey, queries) => {
    const hidden = { message: "Resource not found or you do not have access to this resource" };
    const { identifyToken, requests } = coderWith(async (request) =>
      isKeyQuery(request) === isHiddenKey
        ? Response.json(hidden, { status: 404 })
        : Response.json(isKeyQuery(request) ? KEY : USER),
    );
    expect(reasonOf(await identifyToken())).toBe("invalid_credential");
    expect(reasonOf(await identifyToken())).toBe("invalid_credential");
    expect(requests).toHaveLength(queries);
  });

  it("does not query the key where no scope is required", async () => {
    const { identifyToken, requests } = withKey({ scopes: [] }, { require_scope: [] });
    expect(await identifyToken()).toMatchObject({ id: OWNER });
    expect(requests).toHaveLength(1);
  });

  it("returns identity_unavailable where the query of the key fails", async () => {
    const { identifyToken } = coderWith(async (request) =>
      isKeyQuery(request) ? new Response(null, { status: 502 }) : Response.json(USER),
    );
    expect(reasonOf(await identifyToken())).toBe("identity_unavailable");
  });
});

describe("source coder: C18 an invalid response is 503 and is not cached", () => {
  it.each<[string, Respond]>([
    ["500", async () => new Response(null, { status: 500 })],
    ["502 from a proxy", async () => new Response("<html>", { status: 502 })],
    ["404, which is not Coder", async () => new Response(null, { status: 404 })],
    ["429", async () => new Response(null, { status: 429 })],
    ["301", async () => new Response(null, { status: 301, headers: { location: "https://evil.example" } })],
    ["303 to a login page", async () => new Response(null, { status: 303, headers: { location: "/login" } })],
    ["307", async () => new Response(null, { status: 307, headers: { location: "https://evil.example" } })],
    ["204", async () => new Response(null, { status: 204 })],
    ["200 and a login page", async () => new Response("<html>Log in</html>")],
    ["200 and an empty body", async () => new Response("")],
    ["200 and half of a user", async () => new Response(JSON.stringify(USER).slice(0, 80))],
    ["200 and a broken body", async () => new Response(broken)],
    ["200 and null", async () => Response.json(null)],
    ["200 and a list", async () => Response.json([USER])],
    ["200 and a string", async () => Response.json("active")],
    ["no network", () => Promise.reject(new TypeError("Network connection lost."))],
  ])("returns identity_unavailable for %s", async (_, respond) => {
    const { identifyToken, requests } = deployment(respond);
    const refusal = await identifyToken();
    expect(reasonOf(refusal)).toBe("identity_unavailable");
    expect(statusOf(refusal)).toBe(503);
    await identifyToken();
    expect(requests).toHaveLength(2);
  });

  it.each([
    ["no id", { id: undefined }],
    ["an id that is a number", { id: 7 }],
    ["an id that is not a UUID", { id: "alice" }],
    ["an id of version 7", { id: OWNER.replace("-4abc", "-7abc") }],
    ["an id of another variant", { id: OWNER.replace("-9def", "-cdef") }],
    ["the nil id", { id: "00000000-0000-0000-0000-000000000000" }],
    ["an id in braces", { id: `{${OWNER}}` }],
    ["an id with a trailing line break", { id: `${OWNER}\n` }],
    ["no username", { username: undefined }],
    ["an empty username", { username: " " }],
    ["a username that is a list", { username: ["alice"] }],
    ["a username of 10 KB", { username: "a".repeat(10_000) }],
    ["no status", { status: undefined }],
    ["a status that is true", { status: true }],
    ["an is_service_account that is a string", { is_service_account: "false" }],
    ["more than 64 KB of text", { padding: "x".repeat(64 * 1024) }],
  ])("returns identity_unavailable for a user with %s", async (_, over) => {
    expect(reasonOf(await user(over).identifyToken())).toBe("identity_unavailable");
  });

  it("returns identity_unavailable and aborts the request if there is no response", async () => {
    const never = Promise.withResolvers<Response>().promise;
    const { identifyToken, requests } = deployment(() => never, { timeout_ms: 20 });
    expect(await identifyToken()).toMatchObject({ code: "identity_unavailable" });
    expect(requests[0]?.signal.aborted).toBe(true);
  });

  it("returns identity_unavailable if the body does not end", async () => {
    expect(reasonOf(await deployment(endless, { timeout_ms: 20 }).identifyToken())).toBe(
      "identity_unavailable",
    );
  });

  it("accepts a cached user for the rest of cache_ttl_s, and no longer", async () => {
    let down = false;
    const { identifyToken, clock } = deployment(async () =>
      down ? new Response(null, { status: 503 }) : Response.json(USER),
    );
    await identifyToken();
    down = true;
    clock.at += 59_999;
    expect(await identifyToken()).toMatchObject({ id: OWNER });
    clock.at += 1;
    expect(reasonOf(await identifyToken())).toBe("identity_unavailable");
  });

  it("includes nothing of the request or response in a refusal", async () => {
    const canary = "CANARY";
    const responders: Respond[] = [
      async () => new Response(canary, { status: 500, statusText: canary }),
      async () => Response.json({ ...USER, id: canary }),
      async () => Response.json({ ...USER, status: canary }),
      () => Promise.reject(new Error(canary)),
    ];
    const refusals = await Promise.all(responders.map((respond) => deployment(respond).identifyToken()));
    expect(refusals.every((refusal) => refusal instanceof Refusal)).toBe(true);
    expect(JSON.stringify(refusals)).not.toMatch(new RegExp(`${canary}|${TOKEN}|coder.example`));
  });
});

describe("source coder: number of queries", () => {
  it("sends one query of each kind for a hundred concurrent requests, and no other while the user is cached", async () => {
    const { identifyToken, requests } = user();
    const results = await Promise.all(Array.from({ length: 100 }, () => identifyToken()));
    expect(new Set(results.map((result) => (result as Actor).id))).toEqual(new Set([OWNER]));
    await identifyToken();
    expect(requests).toHaveLength(2);
  });

  it("C9 does not evict a known user when 10,000 unknown tokens are sent", async () => {
    const { identifyToken, requests } = deployment(async (request) =>
      request.headers.get("coder-session-token") === TOKEN
        ? Response.json(USER)
        : new Response(null, { status: 401 }),
    );
    await identifyToken();
    for (let at = 0; at < 10_001; at += 1) await identifyToken(`unknown000-${String(at).padStart(22, "0")}`);
    const before = requests.length;
    expect(await identifyToken()).toMatchObject({ id: OWNER });
    expect(requests).toHaveLength(before);
  });
});

describe("source coder: options", () => {
  it.each<[Readonly<Record<string, unknown>>, string]>([
    [{ url: undefined }, "url"],
    [{ url: "coder.example" }, "url"],
    [{ url: "https://<your-coder>" }, "url"],
    [{ url: "http://coder.example" }, "url"],
    [{ url: "https://user:hunter2@coder.example" }, "url"],
    [{ url: "https://coder.example/?a=b" }, "url"],
    [{ url: "ftp://coder.example" }, "url"],
    [{ cache_ttl_s: 301 }, "cache_ttl_s"],
    [{ cache_ttl_s: "60" }, "cache_ttl_s"],
    [{ cache_ttl_s: -1 }, "cache_ttl_s"],
    [{ negative_ttl_s: 0.5 }, "negative_ttl_s"],
    [{ timeout_ms: 0 }, "timeout_ms"],
    [{ token: TOKEN }, "token"],
  ])("J2 J3 J6 rejects %j by name, never by value", (options, name) => {
    const { issues } = deployment(async () => new Response(), options);
    expect(new Set(issues.map((issue) => issue.split(" ")[0]))).toEqual(new Set([name]));
    expect(issues.join()).not.toContain(TOKEN);
    expect(issues.join()).not.toContain("hunter2");
  });

  it("accepts plain http on loopback", () => {
    expect(deployment(async () => new Response(), { url: "http://127.0.0.1:3000" }).issues).toEqual([]);
  });
});
