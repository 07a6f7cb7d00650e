/** Changes by a session of the console: the records Worker decides about them for the gateway, which serves them. */
import { beforeEach, describe, expect, it } from "vitest";
import { readAdminHeaders } from "../../../src/shared/admin-headers.ts";
import { createConsoleParts } from "../../../src/records/console/parts.ts";
import type { ConsoleSettings } from "../../../src/records/console/settings.ts";
import { Refusal } from "../../../src/shared/refusal.ts";
import { NOW, TOKEN } from "../../support/in-workerd/api-client.ts";
import { database } from "../../support/in-workerd/api-rows.ts";
import {
  openConsole,
  ORIGIN,
  READER_TOKEN,
  settingsWith,
  signIn,
  type SignedIn,
} from "../../support/in-workerd/console-client.ts";
import { emptyLedger } from "../../support/in-workerd/ledger-database.ts";

let settings: ConsoleSettings;
let admin: SignedIn;
let reader: SignedIn;
beforeEach(async () => {
  await emptyLedger();
  settings = await settingsWith();
  const opened = openConsole(settings);
  admin = await signIn(opened);
  reader = await signIn(opened, READER_TOKEN);
});

/** The decision about a POST that needs the scope `admin`: who it is, or the code of the refusal. */
async function decide(headers: Readonly<Record<string, string>>, method = "POST"): Promise<string> {
  const { admit } = createConsoleParts(
    { console: settings, assets: null, database },
    {
      fetch: () => Promise.reject(new Error("no network")),
      now: () => NOW,
      newId: () => "",
      newSecret: () => "",
      onEvent: () => undefined,
      onRefusal: () => undefined,
    },
  );
  const host = new URL(ORIGIN).host;
  const request = new Request(`${ORIGIN}/api/v2/ai-gateway/budgets/changes`, {
    method,
    headers: { host, ...headers },
  });
  const decided = await admit(readAdminHeaders(request), "admin");
  return decided instanceof Refusal ? decided.code : decided.by;
}

describe("a change by a session", () => {
  it("is permitted to the console's own page, with the session's CSRF token", async () => {
    expect(await decide(admin.write)).toBe("console:admin");
    const withCharset = { ...admin.write, "content-type": "application/json; charset=utf-8" };
    expect(await decide(withCharset)).toBe("console:admin");
  });

  it("needs the scope", async () => {
    expect(await decide(reader.write)).toBe("scope_missing");
  });

  // The attack: CSRF. Each row is a request that a page of another site, or of a neighboring host, can have sent.
  it.each<[string, Readonly<Record<string, string | null>>, string]>([
    ["no CSRF token", { "x-csrf-token": null }, "csrf_rejected"],
    ["an empty CSRF token", { "x-csrf-token": "" }, "csrf_rejected"],
    ["a CSRF token of zeros", { "x-csrf-token": "0".repeat(64) }, "csrf_rejected"],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, "csrf_rejected"],
    ["a multipart form", { "content-type": "multipart/form-data; boundary=x" }, "csrf_rejected"],
    ["plain text", { "content-type": "text/plain" }, "csrf_rejected"],
    ["a type that begins as JSON", { "content-type": "application/jsonx" }, "csrf_rejected"],
    ["no content type", { "content-type": null }, "csrf_rejected"],
    ["no origin", { origin: null }, "csrf_rejected"],
    ["no Sec-Fetch-Site", { "sec-fetch-site": null }, "csrf_rejected"],
    ["a navigation", { origin: null, "sec-fetch-site": "none" }, "csrf_rejected"],
    ["another origin", { origin: "https://evil.example" }, "admin_only"],
    ["a neighboring host", { "sec-fetch-site": "same-site" }, "admin_only"],
    ["another site", { "sec-fetch-site": "cross-site" }, "admin_only"],
    ["another port", { origin: `${ORIGIN}:8443` }, "admin_only"],
    ["the opaque origin of a sandbox", { origin: "null" }, "admin_only"],
    ["the gateway's host", { host: "ai.example" }, "admin_only"],
  ])("is refused with %s", async (_, change, code) => {
    const headers = Object.entries({ ...admin.write, ...change }).filter(([, value]) => value !== null);
    expect(await decide(Object.fromEntries(headers) as Record<string, string>)).toBe(code);
  });

  it("is refused with the CSRF token of another session, also of the same name", async () => {
    const other = await signIn(openConsole(settings));
    for (const csrf of [reader.csrf, other.csrf])
      expect(await decide({ ...admin.write, "x-csrf-token": csrf })).toBe("csrf_rejected");
  });

  it("is checked for every method that is not a read", async () => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
      expect([method, await decide({ cookie: admin.cookie }, method)]).toEqual([method, "csrf_rejected"]);
    for (const method of ["GET", "HEAD"])
      expect([method, await decide({ cookie: admin.cookie }, method)]).toEqual([method, "console:admin"]);
  });

  it("by a token needs no page", async () => {
    expect(await decide({ authorization: `Bearer ${TOKEN}` })).toMatch(/^token:[0-9a-f]{16}$/);
    expect(await decide({ authorization: `Bearer ${READER_TOKEN}` })).toBe("scope_missing");
  });
});
