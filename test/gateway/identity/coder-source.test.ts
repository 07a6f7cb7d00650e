import { describe, expect, it } from "vitest";
import { coder } from "../../../src/gateway/identity/sources/coder.ts";
import { readCredential, type Credential } from "../../../src/gateway/identity/credential.ts";
import { identify, type Actor } from "../../../src/gateway/identity/identity.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { configure, recordingFetch, type InItsWorld } from "../../support/in-workerd/identity.ts";
import { accepted, actor, OWNER, reasonOf, statusOf } from "../../support/in-workerd/values.ts";

const TOKEN = "aB3dE5gH7j-kL9mN1pQ3rS5tU7vW9xY1z";
const OTHER = "aB3dE5gH7j-kL9mN1pQ3rS5tU7vW9xY1Z";
const URL = "https://coder.example";

/** As Coder tells it, with what is of no use here. */
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

type Answer = Parameters<typeof recordingFetch>[0];

type Deployment = InItsWorld & {
  readonly asked: readonly Request[];
  readonly inits: readonly (RequestInit | undefined)[];
  readonly ask: (token?: string) => Promise<Actor | Refusal | null>;
};

function deployment(answer: Answer, options: Readonly<Record<string, unknown>> = {}): Deployment {
  const { fetch, asked, inits } = recordingFetch(answer);
  const source = configure(coder, { options: { url: URL, ...options }, fetch });
  const ask = async (token = TOKEN): Promise<Actor | Refusal | null> =>
    source.identify(await presented({ authorization: `Bearer ${token}` }));
  return { ...source, asked, inits, ask };
}

const presented = async (headers: Record<string, string>): Promise<Credential> =>
  accepted(await readCredential(new Headers(headers)));

const user = (over: Readonly<Record<string, unknown>> = {}): Deployment =>
  deployment(() => Response.json({ ...USER, ...over }));

describe("source coder: whose token it is", () => {
  it("is the user that Coder names, verified", async () => {
    const { ask, problems } = user();
    expect(problems).toEqual([]);
    expect(await ask()).toEqual({
      id: OWNER,
      kind: "user",
      name: "alice",
      source: "coder",
      verified: true,
      keyId: expect.stringMatching(/^[0-9a-f]{16}$/),
      mayAssert: null,
    });
  });

  it.each(["x-coder-ai-governance-token", "authorization", "x-api-key"])("reads it from %s", async (name) => {
    const { identify: own } = user();
    const value = name === "authorization" ? `Bearer ${TOKEN}` : TOKEN;
    expect(await own(await presented({ [name]: value }))).toMatchObject({ id: OWNER });
  });

  it("tells Coder the token and nothing else, follows nothing, and lets nobody on the way keep it", async () => {
    const { ask, asked, inits } = user();
    await ask();
    expect(asked.map(({ url, method }) => `${method} ${url}`)).toEqual([`GET ${URL}/api/v2/users/me`]);
    expect(Object.fromEntries(asked[0]?.headers ?? [])).toMatchObject({
      accept: "application/json",
      "coder-session-token": TOKEN,
    });
    expect(asked[0]?.headers.has("authorization")).toBe(false);
    expect(inits[0]).toMatchObject({ redirect: "manual", cache: "no-store" });
  });

  it("asks below the path that the url has", async () => {
    const { ask, asked } = deployment(() => Response.json(USER), { url: "https://example.com/coder/" });
    await ask();
    expect(asked[0]?.url).toBe("https://example.com/coder/api/v2/users/me");
  });

  it.each([
    [{ is_service_account: true }, { kind: "service" }],
    [{ is_service_account: undefined }, { kind: "user" }],
    [{ login_type: "none" }, { kind: "user" }],
    [{ id: OWNER.toUpperCase() }, { id: OWNER }],
  ])("of %j makes %j", async (over, expected) => {
    expect(await user(over).ask()).toMatchObject(expected);
  });
});

describe("source coder: which tokens are its own", () => {
  it.each([
    ["a provider's key", "sk-proj-0123456789abcdefghijklmnop"],
    ["a client key", "aei_0123456789abcdefghijklmnopqrstuvwxyz"],
    ["a JWT", "e30.e30.c2ln"],
    ["a character too few", TOKEN.slice(0, -1)],
    ["a character too many", `${TOKEN}x`],
    ["another separator", TOKEN.replace("-", "_")],
    ["another character", `${TOKEN.slice(0, -1)}~`],
  ])("%s is left to others, unasked", async (_, token) => {
    const { ask, asked, recognizes: recognizes } = user();
    expect(await ask(token)).toBeNull();
    expect(asked).toEqual([]);
    expect(recognizes({ value: token, from: "authorization", sha256: "" })).toBe(false);
  });

  it("a request with nothing but an assertion of Cloudflare Access is left to others", async () => {
    const { identify: own } = user();
    const { identity: _, ...rest } = await presented({ authorization: `Bearer ${TOKEN}` });
    expect(await own({ ...rest, identity: null })).toBeNull();
  });

  it("one of its own is nobody's provider key: it goes upstream from no header", async () => {
    const { asListed } = user();
    const headers = { authorization: `Bearer ${TOKEN}`, "x-coder-ai-governance-token": OTHER };
    expect(accepted(await readCredential(new Headers(headers), [asListed]))).toMatchObject({ ownKey: null });
  });

  it("one of its own that it refuses is refused, whoever comes after", async () => {
    const { asListed } = deployment(() => new Response(null, { status: 401 }));
    const later = { verifies: true, recognizes: () => false, identify: () => actor() };
    const credential = await presented({ authorization: `Bearer ${TOKEN}` });
    expect(reasonOf(await identify(credential, [asListed, later]))).toBe("invalid_credential");
    expect(await identify(credential, [later, asListed])).toMatchObject({ source: "keys" });
  });
});

describe("source coder: who is refused", () => {
  it.each([401, 403])("status %i: E401, and not asked again for a while", async (status) => {
    const { ask, asked, clock } = deployment(() => new Response("no", { status }));
    const refusal = await ask();
    expect(refusal).toMatchObject({
      code: "invalid_credential",
      status: 401,
      data: { detail: `coder: status ${status}` },
    });
    clock.at += 9999;
    await ask();
    expect(asked).toHaveLength(1);
    clock.at += 1;
    await ask();
    expect(asked).toHaveLength(2);
  });

  it.each(["suspended", "dormant", "Active", "active ", "", "deleted"])(
    "a user whose status is %j: E401",
    async (status) => {
      expect(await user({ status }).ask()).toMatchObject({
        code: "invalid_credential",
        data: { detail: "coder: the user is not active" },
      });
    },
  );

  it("C7 a token that shares a long prefix with a known one is asked about by itself", async () => {
    const { ask } = deployment((request) =>
      request.headers.get("coder-session-token") === TOKEN
        ? Response.json(USER)
        : new Response(null, { status: 401 }),
    );
    expect(await ask(TOKEN)).toMatchObject({ id: OWNER });
    expect(reasonOf(await ask(OTHER))).toBe("invalid_credential");
    expect(await ask(TOKEN)).toMatchObject({ id: OWNER });
  });

  it("C8 a token revoked while it is known is refused after cache_ttl_s", async () => {
    let revoked = false;
    const { ask, clock } = deployment(
      () => (revoked ? new Response(null, { status: 401 }) : Response.json(USER)),
      { cache_ttl_s: 5 },
    );
    await ask();
    revoked = true;
    clock.at += 4999;
    expect(await ask()).toMatchObject({ id: OWNER });
    clock.at += 1;
    expect(reasonOf(await ask())).toBe("invalid_credential");
  });
});

const endless: Answer = () => new Response(new ReadableStream({ pull: () => new Promise(() => undefined) }));
const broken = new ReadableStream({ start: (controller) => controller.error(new Error("reset")) });

describe("source coder: C18 what is no answer is E503, and keeps nobody out or in afterwards", () => {
  it.each<[string, Answer]>([
    ["500", () => new Response(null, { status: 500 })],
    ["502 of a proxy", () => new Response("<html>", { status: 502 })],
    ["404: not a Coder", () => new Response(null, { status: 404 })],
    ["429", () => new Response(null, { status: 429 })],
    ["301", () => new Response(null, { status: 301, headers: { location: "https://evil.example" } })],
    ["303 to a login page", () => new Response(null, { status: 303, headers: { location: "/login" } })],
    ["307", () => new Response(null, { status: 307, headers: { location: "https://evil.example" } })],
    ["204", () => new Response(null, { status: 204 })],
    ["200 and a login page", () => new Response("<html>Log in</html>")],
    ["200 and nothing", () => new Response("")],
    ["200 and half of it", () => new Response(JSON.stringify(USER).slice(0, 80))],
    ["200 and a broken body", () => new Response(broken)],
    ["200 and null", () => Response.json(null)],
    ["200 and a list", () => Response.json([USER])],
    ["200 and a text", () => Response.json("active")],
    ["no network", () => Promise.reject(new TypeError("Network connection lost."))],
  ])("%s", async (_, answer) => {
    const { ask, asked } = deployment(answer);
    const refusal = await ask();
    expect(reasonOf(refusal)).toBe("identity_unavailable");
    expect(statusOf(refusal)).toBe(503);
    await ask();
    expect(asked).toHaveLength(2);
  });

  it.each([
    ["no id", { id: undefined }],
    ["an id that is a number", { id: 7 }],
    ["an id that is none", { id: "alice" }],
    ["an id of version 7", { id: OWNER.replace("-4abc", "-7abc") }],
    ["an id of another variant", { id: OWNER.replace("-9def", "-cdef") }],
    ["the nil id", { id: "00000000-0000-0000-0000-000000000000" }],
    ["an id in braces", { id: `{${OWNER}}` }],
    ["an id with a line behind it", { id: `${OWNER}\n` }],
    ["no username", { username: undefined }],
    ["an empty username", { username: " " }],
    ["a username that is a list", { username: ["alice"] }],
    ["a username of 10 KB", { username: "a".repeat(10_000) }],
    ["no status", { status: undefined }],
    ["a status that is true", { status: true }],
    ["a service account that is a text", { is_service_account: "false" }],
    ["an answer over 64 KB", { padding: "x".repeat(64 * 1024) }],
  ])("%s", async (_, over) => {
    expect(reasonOf(await user(over).ask())).toBe("identity_unavailable");
  });

  it("an answer that does not come", async () => {
    const never = Promise.withResolvers<Response>().promise;
    const { ask, asked } = deployment(() => never, { timeout_ms: 20 });
    expect(await ask()).toMatchObject({ code: "identity_unavailable" });
    expect(asked[0]?.signal.aborted).toBe(true);
  });

  it("a body that does not end", async () => {
    expect(reasonOf(await deployment(endless, { timeout_ms: 20 }).ask())).toBe("identity_unavailable");
  });

  it("who is known stays known for the rest of cache_ttl_s, and no longer", async () => {
    let down = false;
    const { ask, clock } = deployment(() =>
      down ? new Response(null, { status: 503 }) : Response.json(USER),
    );
    await ask();
    down = true;
    clock.at += 59_999;
    expect(await ask()).toMatchObject({ id: OWNER });
    clock.at += 1;
    expect(reasonOf(await ask())).toBe("identity_unavailable");
  });

  it("nothing that Coder said or was told stands in a refusal", async () => {
    const canary = "CANARY";
    const answers: Answer[] = [
      () => new Response(canary, { status: 500, statusText: canary }),
      () => Response.json({ ...USER, id: canary }),
      () => Response.json({ ...USER, status: canary }),
      () => Promise.reject(new Error(canary)),
    ];
    const refusals = await Promise.all(answers.map((answer) => deployment(answer).ask()));
    expect(refusals.every((refusal) => refusal instanceof Refusal)).toBe(true);
    expect(JSON.stringify(refusals)).not.toMatch(new RegExp(`${canary}|${TOKEN}|coder.example`));
  });
});

describe("source coder: how often it asks", () => {
  it("once for a hundred requests at once, and not again while the user is known", async () => {
    const { ask, asked } = user();
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask()));
    expect(new Set(answers.map((answer) => (answer as Actor).id))).toEqual(new Set([OWNER]));
    await ask();
    expect(asked).toHaveLength(1);
  });

  it("C9 10,000 strangers do not push out who is known", async () => {
    const { ask, asked } = deployment((request) =>
      request.headers.get("coder-session-token") === TOKEN
        ? Response.json(USER)
        : new Response(null, { status: 401 }),
    );
    await ask();
    for (let at = 0; at < 10_001; at += 1) await ask(`stranger00-${String(at).padStart(22, "0")}`);
    const before = asked.length;
    expect(await ask()).toMatchObject({ id: OWNER });
    expect(asked).toHaveLength(before);
  });
});

describe("source coder: its options", () => {
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
  ])("J2 J3 J6 %j is refused by name, never by value", (options, name) => {
    const { problems } = deployment(() => new Response(), options);
    expect(new Set(problems.map((problem) => problem.split(" ")[0]))).toEqual(new Set([name]));
    expect(problems.join()).not.toContain(TOKEN);
    expect(problems.join()).not.toContain("hunter2");
  });

  it("plain http is taken on loopback", () => {
    expect(deployment(() => new Response(), { url: "http://127.0.0.1:3000" }).problems).toEqual([]);
  });
});
