import type { OperatorEvent } from "../../../src/shared/operator-log.ts";
import { describe, expect, it } from "vitest";
import {
  createCoderDirectory,
  MAX_RESPONSE_BYTES,
  type DirectoryOptions,
} from "../../../src/gateway/initiator/directory.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

const TOKEN = "CANARY-lookup-token";
const OTHER = "7f3c2a10-1234-4abc-9def-000000000002";

type Query = { readonly url: string; readonly init: RequestInit };

/** A directory over a fake Coder that sends the given response, on a clock that the test sets. */
function fakeCoder(
  respond: (query: Query) => Response | Promise<Response>,
  over: Partial<DirectoryOptions> = {},
) {
  const queries: Query[] = [];
  const errors: OperatorEvent[] = [];
  const clock = { at: 0 };
  const fetcher = (async (input, init = {}) => {
    const query = { url: String(input), init: init as RequestInit };
    queries.push(query);
    return respond(query);
  }) satisfies typeof fetch;
  const options = {
    url: "https://coder.example/base",
    token: TOKEN,
    cacheMs: 300_000,
    negativeMs: 30_000,
    timeoutMs: 1000,
    ...over,
  };
  const lookUp = createCoderDirectory(options, {
    fetch: fetcher,
    now: () => clock.at,
    logError: (event) => void errors.push(event),
  });
  return { lookUp, queries, errors, clock };
}

/** A user as Coder returns it, with fields that the directory ignores. */
const user = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: OWNER,
  username: "alice",
  name: "Alice A.",
  email: "alice@example.com",
  status: "active",
  login_type: "password",
  organization_ids: [OTHER],
  roles: [{ name: "owner" }],
  ...over,
});
const userResponse =
  (over: Record<string, unknown> = {}) =>
  (): Response =>
    Response.json(user(over));

describe("the directory", () => {
  it("fetches the user by id with the lookup token, and follows no redirect", async () => {
    const { lookUp, queries, errors } = fakeCoder(userResponse());
    expect(await lookUp(OWNER)).toEqual({ status: "active", username: "alice" });
    expect(queries).toHaveLength(1);
    const [{ url, init } = { url: "", init: {} as RequestInit }] = queries;
    expect(url).toBe(`https://coder.example/base/api/v2/users/${OWNER}`);
    expect(new Headers(init.headers).get("coder-session-token")).toBe(TOKEN);
    expect([init.redirect, init.method ?? "GET", init.body ?? null]).toEqual(["manual", "GET", null]);
    expect(errors).toEqual([]);
  });

  it.each([
    ["active", userResponse(), "active"],
    ["active, with the id in upper case", userResponse({ id: OWNER.toUpperCase() }), "active"],
    ["dormant", userResponse({ status: "dormant" }), "inactive"],
    ["suspended", userResponse({ status: "suspended" }), "inactive"],
    ["with an undocumented status", userResponse({ status: "ACTIVE" }), "inactive"],
    ["another user", userResponse({ id: OTHER }), "unknown"],
    ["not found (404)", () => Response.json({ message: "Resource not found" }, { status: 404 }), "unknown"],
    ["not an id to Coder (400)", () => Response.json({}, { status: 400 }), "unknown"],
  ])("maps a response (%s) to its status", async (_, respond, status) => {
    const { lookUp, errors } = fakeCoder(respond);
    expect((await lookUp(OWNER)).status).toBe(status);
    expect(errors).toEqual([]);
  });

  it.each([
    ["a user name that is a number", { username: 7 }],
    ["a user name that would break a log line", { username: 'a"\n{"forged":1}' }],
    ["a user name of 1 KB", { username: "a".repeat(1024) }],
    ["an empty user name", { username: "" }],
  ])("returns an active user with %s without a name", async (_, over) => {
    expect(await fakeCoder(userResponse(over)).lookUp(OWNER)).toEqual({ status: "active", username: null });
  });
});

/** Never responds; rejects when the query is aborted. */
const hanging = ({ init }: Query): Promise<Response> =>
  new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(new Error("aborted"))));

describe("a directory that cannot be queried", () => {
  it.each([
    ["the token is rejected", () => new Response(TOKEN, { status: 401 }), "status 401"],
    ["the token lacks permission", () => new Response(null, { status: 403 }), "status 403"],
    ["too many requests", () => new Response(null, { status: 429 }), "status 429"],
    ["a server error", () => new Response("CANARY", { status: 500 }), "status 500"],
    ["a redirect", () => Response.redirect("https://evil.example/", 302), "status 302"],
    ["another success status", () => new Response(null, { status: 204 }), "status 204"],
    ["an HTML page", () => new Response("<html>CANARY</html>"), "the response is not a user"],
    ["an empty response", () => new Response(null), "the response is not a user"],
    ["a list", () => Response.json([user()]), "the response is not a user"],
    ["null", () => Response.json(null), "the response is not a user"],
    ["a user without a status", () => Response.json({ id: OWNER }), "the response is not a user"],
    ["a user without an id", () => Response.json({ status: "active" }), "the response is not a user"],
    [
      "a response above the limit",
      () => Response.json(user({ name: "x".repeat(MAX_RESPONSE_BYTES) })),
      `a response of more than ${MAX_RESPONSE_BYTES} bytes`,
    ],
    ["no connection", () => Promise.reject(new TypeError(`CANARY ${TOKEN}`)), "TypeError"],
    ["a failure without an error", () => Promise.reject(), "unknown"],
    ["no response", hanging, "no response within 5 ms"],
  ])("is down, never a pass, after %s, and logs a fixed text", async (_, respond, reason) => {
    const { lookUp, errors } = fakeCoder(respond, { timeoutMs: 5 });
    expect(await lookUp(OWNER)).toEqual({ status: "down" });
    expect(errors).toEqual([{ event: "directory_failed", reason }]);
  });

  it("is down if a response stalls in its middle: the deadline covers the body", async () => {
    const { lookUp, errors } = fakeCoder(
      ({ init }) => {
        const body = new ReadableStream({
          start(controller) {
            controller.enqueue(new TextEncoder().encode('{"id":'));
            init.signal?.addEventListener("abort", () => controller.error(new Error("aborted")));
          },
        });
        return new Response(body);
      },
      { timeoutMs: 5 },
    );
    expect(await lookUp(OWNER)).toEqual({ status: "down" });
    expect(errors).toEqual([{ event: "directory_failed", reason: "no response within 5 ms" }]);
  });

  it("is queried again by the next lookup: a failure is not cached", async () => {
    let isDown = true;
    const { lookUp, queries } = fakeCoder(() =>
      isDown ? new Response(null, { status: 503 }) : userResponse()(),
    );
    expect((await lookUp(OWNER)).status).toBe("down");
    isDown = false;
    expect((await lookUp(OWNER)).status).toBe("active");
    expect(queries).toHaveLength(2);
  });
});

const idOf = (n: number): string => `7f3c2a10-1234-4abc-8def-${n.toString(16).padStart(12, "0")}`;

describe("the cache of the directory", () => {
  it("keeps an active user for cache_ttl_s, then queries again", async () => {
    let status = "active";
    const { lookUp, queries, clock } = fakeCoder(() => userResponse({ status })());
    await lookUp(OWNER);
    status = "suspended";
    clock.at = 299_999;
    expect((await lookUp(OWNER)).status).toBe("active");
    expect(queries).toHaveLength(1);
    clock.at = 300_000;
    expect((await lookUp(OWNER)).status).toBe("inactive");
    expect(queries).toHaveLength(2);
  });

  it.each([
    ["unknown", () => new Response(null, { status: 404 })],
    ["inactive", userResponse({ status: "suspended" })],
  ])("keeps an %s user for negative_ttl_s, then queries again", async (status, respond) => {
    const { lookUp, queries, clock } = fakeCoder(respond);
    for (const at of [0, 29_999]) {
      clock.at = at;
      expect((await lookUp(OWNER)).status).toBe(status);
    }
    expect(queries).toHaveLength(1);
    clock.at = 30_000;
    await lookUp(OWNER);
    expect(queries).toHaveLength(2);
  });

  it("starts the TTL when the query is sent, because the user may be suspended during the query", async () => {
    for (const [respond, ttl] of [
      [userResponse(), 300_000],
      [() => new Response(null, { status: 404 }), 30_000],
    ] as const) {
      const directory = fakeCoder(() => {
        directory.clock.at = 2000;
        return respond();
      });
      await directory.lookUp(OWNER);
      directory.clock.at = ttl - 1;
      await directory.lookUp(OWNER);
      expect(directory.queries).toHaveLength(1);
      directory.clock.at = ttl;
      await directory.lookUp(OWNER);
      expect(directory.queries).toHaveLength(2);
    }
  });

  it("keeps nothing with a TTL of 0", async () => {
    const { lookUp, queries } = fakeCoder(userResponse(), { cacheMs: 0 });
    await lookUp(OWNER);
    await lookUp(OWNER);
    expect(queries).toHaveLength(2);
  });

  it("does not serve an expired entry while the directory is down", async () => {
    let isDown = false;
    const { lookUp, clock } = fakeCoder(() =>
      isDown ? new Response(null, { status: 500 }) : userResponse()(),
    );
    await lookUp(OWNER);
    [isDown, clock.at] = [true, 300_000];
    expect((await lookUp(OWNER)).status).toBe("down");
  });

  it("does not coalesce concurrent lookups, so that no request waits for another one's", async () => {
    const { lookUp, queries } = fakeCoder(userResponse());
    const lookups = await Promise.all([lookUp(OWNER), lookUp(OWNER)]);
    expect(lookups.map(({ status }) => status)).toEqual(["active", "active"]);
    expect(queries).toHaveLength(2);
  });

  it("C9 evicts only negative entries after 30,000 lookups of unknown ids", async () => {
    // The attack: a permitted actor names ever new owners, to exhaust memory or to evict active users.
    const { lookUp, queries } = fakeCoder(({ url }) =>
      url.endsWith(OWNER) ? userResponse()() : new Response(null, { status: 404 }),
    );
    await lookUp(OWNER);
    for (let n = 0; n < 30_000; n += 1) await lookUp(idOf(n));
    expect(queries).toHaveLength(30_001);
    await lookUp(OWNER);
    // The last 10,000 are cached; the one before them is not.
    await lookUp(idOf(29_999));
    await lookUp(idOf(20_000));
    expect(queries).toHaveLength(30_001);
    await lookUp(idOf(19_999));
    expect(queries).toHaveLength(30_002);
  });
});
