import { describe, expect, it } from "vitest";
import {
  createCoderDirectory,
  MAX_RESPONSE_BYTES,
  type DirectoryOptions,
} from "../../../src/gateway/initiator/directory.ts";
import { OWNER } from "../../support/in-workerd/values.ts";

const TOKEN = "CANARY-lookup-token";
const OTHER = "7f3c2a10-1234-4abc-9def-000000000002";

type Asked = { readonly url: string; readonly init: RequestInit };

/** A Coder that answers as it is told, on a clock that only moves when told. */
function coder(answer: (asked: Asked) => Response | Promise<Response>, over: Partial<DirectoryOptions> = {}) {
  const asked: Asked[] = [];
  const complaints: string[] = [];
  const clock = { at: 0 };
  const fetcher = (async (input, init = {}) => {
    const one = { url: String(input), init: init as RequestInit };
    asked.push(one);
    return answer(one);
  }) satisfies typeof fetch;
  const options = {
    url: "https://coder.example/base",
    token: TOKEN,
    cacheMs: 300_000,
    negativeMs: 30_000,
    timeoutMs: 1000,
    ...over,
  };
  const lookUp = createCoderDirectory(
    options,
    fetcher,
    () => clock.at,
    (line) => void complaints.push(line),
  );
  return { lookUp, asked, complaints, clock };
}

/** A user as Coder tells it, with more than is looked at. */
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
const found =
  (over: Record<string, unknown> = {}) =>
  (): Response =>
    Response.json(user(over));

describe("the directory", () => {
  it("asks Coder for the user by id, with the lookup token, following no redirect", async () => {
    const { lookUp, asked, complaints } = coder(found());
    expect(await lookUp(OWNER)).toEqual({ is: "active", username: "alice" });
    expect(asked).toHaveLength(1);
    const [{ url, init } = { url: "", init: {} as RequestInit }] = asked;
    expect(url).toBe(`https://coder.example/base/api/v2/users/${OWNER}`);
    expect(new Headers(init.headers).get("coder-session-token")).toBe(TOKEN);
    expect([init.redirect, init.method ?? "GET", init.body ?? null]).toEqual(["manual", "GET", null]);
    expect(complaints).toEqual([]);
  });

  it.each([
    ["active", found(), "active"],
    ["active, its id in upper case", found({ id: OWNER.toUpperCase() }), "active"],
    ["dormant", found({ status: "dormant" }), "inactive"],
    ["suspended", found({ status: "suspended" }), "inactive"],
    ["a status nobody knows", found({ status: "ACTIVE" }), "inactive"],
    ["somebody else", found({ id: OTHER }), "unknown"],
    ["nobody", () => Response.json({ message: "Resource not found" }, { status: 404 }), "unknown"],
    ["no id to it", () => Response.json({}, { status: 400 }), "unknown"],
  ])("says of %s what it is", async (_, answer, is) => {
    const { lookUp, complaints } = coder(answer);
    expect((await lookUp(OWNER)).is).toBe(is);
    expect(complaints).toEqual([]);
  });

  it.each([
    ["a user name that is none", { username: 7 }],
    ["one that would break a log line", { username: 'a"\n{"forged":1}' }],
    ["one of 1 KB", { username: "a".repeat(1024) }],
    ["an empty one", { username: "" }],
  ])("an active user with %s is active without a name", async (_, over) => {
    expect(await coder(found(over)).lookUp(OWNER)).toEqual({ is: "active", username: null });
  });
});

/** Never answers; ends when it is no longer waited for. */
const hanging = ({ init }: Asked): Promise<Response> =>
  new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(new Error("aborted"))));

describe("a directory that cannot be asked is down, never a yes", () => {
  it.each([
    ["its token is refused", () => new Response(TOKEN, { status: 401 }), "status 401"],
    ["its token may not look", () => new Response(null, { status: 403 }), "status 403"],
    ["too many requests", () => new Response(null, { status: 429 }), "status 429"],
    ["an error", () => new Response("CANARY", { status: 500 }), "status 500"],
    ["a redirect", () => Response.redirect("https://evil.example/", 302), "status 302"],
    ["another success", () => new Response(null, { status: 204 }), "status 204"],
    ["a page", () => new Response("<html>CANARY</html>"), "its answer is no user"],
    ["an empty answer", () => new Response(null), "its answer is no user"],
    ["a list", () => Response.json([user()]), "its answer is no user"],
    ["null", () => Response.json(null), "its answer is no user"],
    ["a user without a status", () => Response.json({ id: OWNER }), "its answer is no user"],
    ["a user without an id", () => Response.json({ status: "active" }), "its answer is no user"],
    [
      "more than is read",
      () => Response.json(user({ name: "x".repeat(MAX_RESPONSE_BYTES) })),
      `a response of more than ${MAX_RESPONSE_BYTES} bytes`,
    ],
    ["no connection", () => Promise.reject(new TypeError(`CANARY ${TOKEN}`)), "TypeError"],
    ["a failure without a word", () => Promise.reject(), "unknown"],
    ["silence", hanging, "no response within 5 ms"],
  ])("%s: down, and the console is told why, in our words", async (_, answer, why) => {
    const { lookUp, complaints } = coder(answer, { timeoutMs: 5 });
    expect(await lookUp(OWNER)).toEqual({ is: "down" });
    expect(complaints).toEqual([`directory failed: ${why}`]);
  });

  it("an answer that stops in its middle is not waited for longer than the rest", async () => {
    const { lookUp, complaints } = coder(
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
    expect(await lookUp(OWNER)).toEqual({ is: "down" });
    expect(complaints).toEqual(["directory failed: no response within 5 ms"]);
  });

  it("is asked again at once: nothing of a failure is kept", async () => {
    let isDown = true;
    const { lookUp, asked } = coder(() => (isDown ? new Response(null, { status: 503 }) : found()()));
    expect((await lookUp(OWNER)).is).toBe("down");
    isDown = false;
    expect((await lookUp(OWNER)).is).toBe("active");
    expect(asked).toHaveLength(2);
  });
});

const idOf = (n: number): string => `7f3c2a10-1234-4abc-8def-${n.toString(16).padStart(12, "0")}`;

describe("what the directory keeps", () => {
  it("an active user for the time it may, then it is asked again", async () => {
    let status = "active";
    const { lookUp, asked, clock } = coder(() => found({ status })());
    await lookUp(OWNER);
    status = "suspended";
    clock.at = 299_999;
    expect((await lookUp(OWNER)).is).toBe("active");
    expect(asked).toHaveLength(1);
    clock.at = 300_000;
    expect((await lookUp(OWNER)).is).toBe("inactive");
    expect(asked).toHaveLength(2);
  });

  it.each([
    ["unknown", () => new Response(null, { status: 404 })],
    ["inactive", found({ status: "suspended" })],
  ])("that one is %s, for its own time", async (is, answer) => {
    const { lookUp, asked, clock } = coder(answer);
    for (const at of [0, 29_999]) {
      clock.at = at;
      expect((await lookUp(OWNER)).is).toBe(is);
    }
    expect(asked).toHaveLength(1);
    clock.at = 30_000;
    await lookUp(OWNER);
    expect(asked).toHaveLength(2);
  });

  it("the time runs from the question: who is suspended while it is answered is not active for longer", async () => {
    for (const [answer, kept] of [
      [found(), 300_000],
      [() => new Response(null, { status: 404 }), 30_000],
    ] as const) {
      const directory = coder(() => {
        directory.clock.at = 2000;
        return answer();
      });
      await directory.lookUp(OWNER);
      directory.clock.at = kept - 1;
      await directory.lookUp(OWNER);
      expect(directory.asked).toHaveLength(1);
      directory.clock.at = kept;
      await directory.lookUp(OWNER);
      expect(directory.asked).toHaveLength(2);
    }
  });

  it("with a time of 0 nothing is kept", async () => {
    const { lookUp, asked } = coder(found(), { cacheMs: 0 });
    await lookUp(OWNER);
    await lookUp(OWNER);
    expect(asked).toHaveLength(2);
  });

  it("an expired user is not taken for one where the directory is down", async () => {
    let isDown = false;
    const { lookUp, clock } = coder(() => (isDown ? new Response(null, { status: 500 }) : found()()));
    await lookUp(OWNER);
    [isDown, clock.at] = [true, 300_000];
    expect((await lookUp(OWNER)).is).toBe("down");
  });

  it("of two requests at once each asks by itself: none waits for what is another's", async () => {
    const { lookUp, asked } = coder(found());
    const answers = await Promise.all([lookUp(OWNER), lookUp(OWNER)]);
    expect(answers.map(({ is }) => is)).toEqual(["active", "active"]);
    expect(asked).toHaveLength(2);
  });

  it("C9 30,000 strangers displace one another, and no user", async () => {
    // The attack: a permitted actor that names ever new owners, to fill memory or to have real users forgotten.
    const { lookUp, asked } = coder(({ url }) =>
      url.endsWith(OWNER) ? found()() : new Response(null, { status: 404 }),
    );
    await lookUp(OWNER);
    for (let n = 0; n < 30_000; n += 1) await lookUp(idOf(n));
    expect(asked).toHaveLength(30_001);
    await lookUp(OWNER);
    // The last 10,000 are kept, the one before them is not.
    await lookUp(idOf(29_999));
    await lookUp(idOf(20_000));
    expect(asked).toHaveLength(30_001);
    await lookUp(idOf(19_999));
    expect(asked).toHaveLength(30_002);
  });
});
