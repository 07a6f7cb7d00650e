/** The console's files and the headers of its responses. */
import { beforeEach, describe, expect, it } from "vitest";
import { CONSOLE_PAGES } from "../../../src/shared/console-pages.ts";
import type { Assets } from "../../../src/records/console/pages.ts";
import { BASE, TOKEN } from "../../support/in-workerd/api-client.ts";
import {
  openConsole,
  OWN_PAGE,
  settingsWith,
  signIn,
  type TestConsole,
} from "../../support/in-workerd/console-client.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

const FILES: Readonly<Record<string, readonly [type: string, text: string]>> = {
  "/console/index.html": ["text/html; charset=utf-8", "<!doctype html>"],
  "/console/main-ABCD1234.js": ["text/javascript; charset=utf-8", "run()"],
  "/console/main-overview.js": ["text/javascript; charset=utf-8", "run()"],
  "/.assetsignore": ["text/plain", "secret"],
  "/secret.txt": ["text/plain", "secret"],
};

const ASSETS: Assets = {
  fetch: async (input) => {
    const [type, text] = FILES[new URL(String(input)).pathname] ?? [null, null];
    if (text === null) return new Response(null, { status: 404 });
    // A server of files may send headers of its own, which must not pass.
    const headers = { "content-type": type, "cache-control": "public", "access-control-allow-origin": "*" };
    return new Response(text, { headers });
  },
};

let opened: TestConsole;
beforeEach(async () => {
  await emptyLedger();
  opened = openConsole(await settingsWith(), { assets: ASSETS });
});

const cacheOf = async (path: string): Promise<string | null> =>
  (await opened.send(path)).headers.get("cache-control");

const HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "cache-control": "no-store",
};

describe("paths of the console", () => {
  it.each([
    "/console",
    "/console/",
    "/console?sign_in=scope_missing",
    ...CONSOLE_PAGES.map((page) => `/console/${page}`),
    "/console/sessions/abc",
    "/console/sessions/a%20b?after_id=x",
    "/console/sessions/a.js",
  ])("are the page where the console has one: %s", async (path) => {
    const response = await opened.send(path);
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      200,
      "text/html; charset=utf-8",
      "<!doctype html>",
    ]);
  });

  // The attack: an unknown path that is HTML is a page of the attacker's choice of path, and hides mistakes.
  it.each([
    "/console/unknown",
    "/console/unknown/sessions",
    "/console/sessionsx",
    "/console/Sessions",
    "/console/missing.js",
    "/console/.assetsignore",
    "/console/api",
    "/console/api/",
    "/console/api/sessions",
    "/console/api/session/x",
    "/console/%73essions",
  ])("are not found otherwise, and not HTML: %s", async (path) => {
    const response = await opened.send(path);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      404,
      "text/plain; charset=utf-8",
    ]);
  });

  // The attack: a path that leaves the console's folder.
  it.each([
    "/console/../secret.txt",
    "/console/%2e%2e/secret.txt",
    "/console//secret.txt",
    "/console/..%2fsecret.txt",
  ])("never lead out of its folder: %s", async (path) => {
    const response = await opened.send(path);
    expect(response.status).toBe(404);
    expect(await response.text()).not.toContain("secret");
  });

  it("are none on another host", async () => {
    for (const path of ["/console", "/console/main-ABCD1234.js", "/console/api/session"]) {
      const response = await opened.send(path, { host: "ai.example" });
      expect([response.status, response.headers.get("content-type")]).toEqual([404, "application/json"]);
    }
  });

  it("are none where no origin is configured", async () => {
    opened = openConsole(await settingsWith({ origins: [] }), { assets: ASSETS });
    expect((await opened.send("/console")).status).toBe(404);
  });

  it("accept GET and HEAD", async () => {
    const head = await opened.send("/console", { method: "HEAD" });
    expect([head.status, head.body]).toEqual([200, null]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const response = await opened.send("/console", { method });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    }
    const response = await opened.send("/console/api/session", { method: "PUT" });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, POST, DELETE"]);
  });

  it.each<[string, Assets | null]>([
    ["there is no binding", null],
    ["nothing is built", { fetch: () => Promise.resolve(new Response(null, { status: 404 })) }],
  ])("say how to build the console where %s", async (_, assets) => {
    opened = openConsole(await settingsWith(), { assets });
    const response = await opened.send("/console/sessions");
    expect([response.status, await response.text()]).toEqual([
      503,
      "The console is not built. Run `npm run console` in the project's folder, then start or deploy again.\n",
    ]);
  });
});

describe("headers of the console", () => {
  it.each<[string, string, Parameters<TestConsole["send"]>[1]]>([
    ["a page", "/console", {}],
    ["a file", "/console/main-overview.js", {}],
    ["a path that is not found", "/console/unknown", {}],
    ["an ambiguous path", "/console/%2e%2e/x", {}],
    ["another host", "/console", { host: "ai.example" }],
    ["a method that is not allowed", "/console", { method: "POST" }],
    ["a missing session", "/console/api/session", {}],
    ["a rejected sign-in", "/console/api/session", { method: "POST" }],
    [
      "a sign-in",
      "/console/api/session",
      { method: "POST", headers: OWN_PAGE, body: `{"token":"${TOKEN}"}` },
    ],
    ["a sign-in that is not offered", "/console/api/sign-in", {}],
  ])("are on every response: %s", async (_, path, sent) => {
    const { headers } = await opened.send(path, sent);
    expect(Object.fromEntries(headers)).toMatchObject(HEADERS);
    expect(headers.has("access-control-allow-origin")).toBe(false);
  });

  it("let the browser keep a file whose name has a digest, and no other", async () => {
    expect(await cacheOf("/console/main-ABCD1234.js")).toBe("private, max-age=31536000, immutable");
    expect(await cacheOf("/console/main-overview.js")).toBe("no-store");
  });

  // The attack: a response of the API is opened as a page on the console's host, or embedded elsewhere.
  it("let no response of the API run or be embedded", async () => {
    const { cookie } = await signIn(opened);
    for (const [path, status] of [
      ["/usage", 200],
      ["/usage?format=csv", 200],
      ["/unknown", 404],
      ["/usage?x=1", 400],
    ] as const) {
      const response = await opened.send(`${BASE}${path}`, { headers: { cookie } });
      expect([path, response.status]).toEqual([path, status]);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
      });
    }
    const csv = await opened.send(`${BASE}/usage?format=csv`, { headers: { cookie } });
    expect(csv.headers.get("content-disposition")).toMatch(
      /^attachment; filename="usage-by-initiator_\d{4}-\d{2}-\d{2}_\d{4}-\d{2}-\d{2}\.csv"$/,
    );
  });
});
