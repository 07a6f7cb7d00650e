/** Sessions of the console: how they begin and end, and which requests they count for. */
import { beforeEach, describe, expect, it } from "vitest";
import { TOKEN } from "../../support/in-workerd/api-client.ts";
import { database, insert, interception, T0 } from "../../support/in-workerd/api-rows.ts";
import {
  cookiesOf,
  openConsole,
  ORIGIN,
  OWN_PAGE,
  READER_TOKEN,
  readStatus,
  settingsWith,
  signedIn,
  signIn,
  type TestConsole,
} from "../../support/in-workerd/console-client.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

const SESSION = "/console/api/session";
const MINUTE = 60_000;

let opened: TestConsole;
beforeEach(async () => {
  await emptyLedger();
  opened = openConsole(await settingsWith());
});

const rows = async (): Promise<readonly Record<string, unknown>[]> =>
  (await database.prepare("SELECT * FROM console_sessions").all()).results;

describe("signing in with a token", () => {
  it("responds with the session, and a cookie that no script and no other site can use", async () => {
    const { response, body, csrf } = await signIn(opened);
    expect(body).toEqual({
      name: "admin",
      scopes: ["read", "content", "admin"],
      csrf_token: csrf,
      expires_at: new Date(opened.now + 30 * MINUTE).toISOString(),
      sign_in: ["token"],
    });
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-console=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=28800$/,
      ),
    ]);
    expect(opened.events).toEqual([
      expect.objectContaining({ action: "sign_in", by: "console:admin", way: "token" }),
    ]);
  });

  // The attack: a copy of the database, or one read of it, opens the sessions that are in it.
  it("stores neither the session's id nor its CSRF token", async () => {
    const { cookie, csrf } = await signIn(opened);
    const text = JSON.stringify(await rows());
    expect(text).not.toContain(cookie.split("=")[1]);
    expect(text).not.toContain(csrf);
  });

  // The attack: session fixation. The victim signs in under an id that the attacker knows.
  it("begins each session under a new id, and ends the one before", async () => {
    const first = await signIn(opened);
    const second = await signIn(opened, TOKEN, { cookie: first.cookie });
    expect(second.cookie).not.toBe(first.cookie);
    expect(await readStatus(opened, { cookie: first.cookie })).toBe(401);
    expect(await readStatus(opened, { cookie: second.cookie })).toBe(200);
    const planted = await signIn(opened, TOKEN, { cookie: "__Host-console=chosen-by-the-attacker" });
    expect(planted.cookie).not.toContain("chosen-by-the-attacker");
  });

  // The attack: login CSRF. A page of another site signs the victim's browser in as the attacker.
  it.each<[string, Record<string, string>]>([
    ["another origin", { ...OWN_PAGE, origin: "https://evil.example" }],
    ["a neighboring host", { ...OWN_PAGE, origin: "https://x.example", "sec-fetch-site": "same-site" }],
    ["no origin", { "content-type": "application/json", "sec-fetch-site": "same-origin" }],
    ["no Sec-Fetch-Site", { "content-type": "application/json", origin: ORIGIN }],
    ["a form", { ...OWN_PAGE, "content-type": "application/x-www-form-urlencoded" }],
    ["plain text", { ...OWN_PAGE, "content-type": "text/plain" }],
    ["the origin over http", { ...OWN_PAGE, origin: "http://ai-console.example" }],
    ["the opaque origin", { ...OWN_PAGE, origin: "null" }],
  ])("rejects a token from %s", async (_, headers) => {
    const response = await opened.send(SESSION, {
      method: "POST",
      headers,
      body: JSON.stringify({ token: TOKEN }),
    });
    expect([response.status, cookiesOf(response)]).toEqual([403, []]);
    expect(opened.refusals.map(({ code }) => code)).toEqual(["csrf_rejected"]);
  });

  it.each(["another-token", `${TOKEN}x`, TOKEN.slice(1), " "])("rejects a wrong token: %j", async (token) => {
    const response = await opened.send(SESSION, {
      method: "POST",
      headers: OWN_PAGE,
      body: JSON.stringify({ token }),
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ message: "The token is not valid.", sign_in: ["token"] });
    expect(opened.events).toEqual([expect.objectContaining({ action: "sign_in_failed", by: "console" })]);
    expect(await rows()).toEqual([]);
  });

  it.each(["", "{}", "[]", '{"token":1}', '{"token":""}', "not JSON", `{"token":"${"x".repeat(5000)}"}`])(
    "refuses a body without a token: %.20s",
    async (body) => {
      const response = await opened.send(SESSION, { method: "POST", headers: OWN_PAGE, body });
      expect(response.status).toBe(400);
    },
  );

  // The attack: guessing without a pause, or filling the ledger with the failures.
  it("refuses an address after ten failures in a minute, also with the right token, and no other address", async () => {
    const attempt = async (token: string, address: string): Promise<number> => {
      const headers = { ...OWN_PAGE, "cf-connecting-ip": address };
      return (await opened.send(SESSION, { method: "POST", headers, body: JSON.stringify({ token }) }))
        .status;
    };
    for (let n = 0; n < 10; n += 1) expect(await attempt("wrong", "192.0.2.1")).toBe(401);
    expect(await attempt(TOKEN, "192.0.2.1")).toBe(429);
    expect(await attempt(TOKEN, "192.0.2.2")).toBe(200);
    // A subscriber's other addresses count as the same.
    for (let n = 0; n < 10; n += 1) expect(await attempt("wrong", `2001:db8:1:2::${n}`)).toBe(401);
    expect(await attempt(TOKEN, "2001:db8:1:2:a:b:c:d")).toBe(429);
    // The attack: a /64 with zeros is written with "::", whose last groups would then count as its network.
    for (let n = 1; n <= 10; n += 1) expect(await attempt("wrong", `2001:db8::${n}:1`)).toBe(401);
    expect(await attempt(TOKEN, "2001:db8::ffff:1")).toBe(429);
    expect(await attempt(TOKEN, "2001:db8:0:0:a:b:c:d")).toBe(429);
    expect(await attempt(TOKEN, "2001:db8:0:1::1")).toBe(200);
    opened.now += MINUTE;
    expect(await attempt(TOKEN, "192.0.2.1")).toBe(200);
  });

  it("counts no attempt that succeeds", async () => {
    for (let n = 0; n < 25; n += 1) expect((await signIn(opened)).response.status).toBe(200);
  });

  it("records at most 60 failures in a minute", async () => {
    for (let n = 0; n < 70; n += 1)
      await opened.send(SESSION, {
        method: "POST",
        headers: { ...OWN_PAGE, "cf-connecting-ip": `192.0.2.${n}` },
        body: JSON.stringify({ token: "wrong" }),
      });
    expect(opened.events).toHaveLength(60);
  });

  it("is not offered where token_sign_in is off", async () => {
    opened = openConsole(await settingsWith({ tokenSignIn: false }));
    await expect(signIn(opened)).rejects.toThrow('401 {"message":"The token is not valid.","sign_in":[]}');
  });
});

describe("the end of a session", () => {
  it("comes after the idle time, and each use puts it off", async () => {
    const { cookie } = await signIn(opened);
    for (const minutes of [29, 29, 29]) {
      opened.now += minutes * MINUTE;
      expect(await readStatus(opened, { cookie })).toBe(200);
    }
    opened.now += 30 * MINUTE;
    expect(await readStatus(opened, { cookie })).toBe(401);
  });

  it("comes after the longest time, however it is used", async () => {
    const { cookie } = await signIn(opened);
    for (let minute = 0; minute < 8 * 60; minute += 20) {
      expect(await readStatus(opened, { cookie })).toBe(200);
      opened.now += 20 * MINUTE;
    }
    expect(await readStatus(opened, { cookie })).toBe(401);
  });

  it("is at the server: a cookie that was copied before the sign-out opens nothing", async () => {
    const { cookie, write } = await signIn(opened);
    const response = await opened.send(SESSION, { method: "DELETE", headers: write });
    expect([response.status, response.headers.getSetCookie()]).toEqual([
      204,
      ["__Host-console=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"],
    ]);
    expect(await readStatus(opened, { cookie })).toBe(401);
    expect(await rows()).toEqual([]);
    expect(opened.events.map(({ action }) => action)).toEqual(["sign_in", "sign_out"]);
  });

  // The attack: a page of another site signs the victim out.
  it.each<[string, Record<string, string>]>([
    ["no CSRF token", { "x-csrf-token": "" }],
    ["another CSRF token", { "x-csrf-token": "0".repeat(64) }],
    ["another origin", { origin: "https://evil.example" }],
  ])("needs the page's own request to sign out: %s", async (_, headers) => {
    const { cookie, write } = await signIn(opened);
    const response = await opened.send(SESSION, { method: "DELETE", headers: { ...write, ...headers } });
    expect(response.status).toBeGreaterThanOrEqual(401);
    expect(await readStatus(opened, { cookie })).toBe(200);
  });

  // The attack: a token is withdrawn after it leaked, and the sessions that it opened go on.
  it("comes with the removal of the token, its rotation, and a change of its scopes", async () => {
    const settings = await settingsWith();
    const reader = settings.tokens.find(({ name }) => name === "reports");
    if (!reader) throw new Error("there is no reader");
    const others = settings.tokens.filter((token) => token !== reader);
    for (const tokens of [
      others,
      [...others, { ...reader, sha256: "0".repeat(64) }],
      [...others, { ...reader, scopes: ["read", "content"] as const }],
      [...others, { ...reader, name: "renamed" }],
    ]) {
      const { cookie } = await signIn(opened, READER_TOKEN);
      expect(await readStatus(opened, { cookie })).toBe(200);
      const later = openConsole({ ...settings, tokens });
      expect(await readStatus(later, { cookie })).toBe(401);
      // It is over, also where the settings return.
      expect(await readStatus(opened, { cookie })).toBe(401);
    }
  });

  it("deletes the rows of sessions that have ended at the next sign-in", async () => {
    await signIn(opened);
    opened.now += 31 * MINUTE;
    await signIn(opened);
    expect(await rows()).toHaveLength(1);
  });
});

describe("the requests that a session counts for", () => {
  it("are those of the console's own host only", async () => {
    const { cookie } = await signIn(opened);
    const gateway = await opened.send("/api/v2/ai-gateway/usage", {
      headers: { cookie },
      host: "ai.example",
    });
    expect(gateway.status).toBe(401);
    expect((await opened.send(SESSION, { headers: { cookie }, host: "ai.example" })).status).toBe(404);
  });

  // The attack: a neighboring host, which SameSite counts as the same site, reads with the victim's cookie.
  it.each<[string, Record<string, string>]>([
    ["a neighboring host", { "sec-fetch-site": "same-site" }],
    ["another site", { "sec-fetch-site": "cross-site" }],
    ["another origin", { origin: "https://x.example" }],
  ])("are none from %s", async (_, headers) => {
    const { cookie } = await signIn(opened);
    expect(await readStatus(opened, { cookie, ...headers })).toBe(401);
  });

  // The attack: cookie tossing. A second cookie of the name, set elsewhere, takes the place of the first.
  it("are none with two cookies of the name, a part of it, or another one's", async () => {
    const { cookie } = await signIn(opened);
    const value = cookie.split("=")[1] ?? "";
    for (const header of [
      `${cookie}; __Host-console=x`,
      `__Host-console=x; ${cookie}`,
      `__Host-console=${value.slice(1)}`,
      `__Host-console=${value}x`,
      `console=${value}`,
      `__Host-Console=${value}`,
      `x${cookie}`,
    ])
      expect([header, await readStatus(opened, { cookie: header })]).toEqual([header, 401]);
    expect(await readStatus(opened, { cookie: `theme=dark; ${cookie}; x=y` })).toBe(200);
  });

  it("are none where the request has a token, so that a cookie never replaces a wrong token", async () => {
    const { cookie } = await signIn(opened);
    expect(await readStatus(opened, { cookie, authorization: "Bearer wrong" })).toBe(401);
    expect(await readStatus(opened, { cookie, "coder-session-token": "wrong" })).toBe(401);
  });

  it("name the session in the event of a read, and whether content was read", async () => {
    const { cookie } = await signIn(opened);
    await insert("interceptions", [interception(T0)]);
    await readStatus(opened, { cookie });
    await readStatus(opened, { cookie }, "/interceptions");
    const reader = await signIn(opened, READER_TOKEN);
    await readStatus(opened, { cookie: reader.cookie }, "/interceptions");
    expect(opened.reads.map(({ by, action, target }) => [by, action, target])).toEqual([
      ["console:admin", "read", "/usage"],
      ["console:admin", "read_content", "/interceptions"],
      ["console:reports", "read", "/interceptions"],
    ]);
  });

  it("stay the same for GET /console/api/session, which needs no CSRF token", async () => {
    const { cookie, csrf } = await signIn(opened);
    const again = await signedIn(await opened.send(SESSION, { headers: { cookie } }), cookie);
    expect([again.csrf, again.response.headers.getSetCookie()]).toEqual([csrf, []]);
  });

  it("are none while the database cannot be read, which is not taken for a missing token", async () => {
    const { cookie } = await signIn(opened);
    await database.prepare("ALTER TABLE console_sessions RENAME TO moved_sessions").run();
    try {
      expect(await readStatus(opened, { cookie })).toBe(503);
      expect((await opened.send(SESSION, { headers: { cookie } })).status).toBe(503);
    } finally {
      await database.prepare("ALTER TABLE moved_sessions RENAME TO console_sessions").run();
    }
    expect(await readStatus(opened, { cookie })).toBe(200);
  });
});
