/**
 * The console through both Workers, as `wrangler dev` runs them: its files behind the gateway's service binding, sign-in, the
 * API, a change with a CSRF token, and sign-out. The console's host and the gateway's are two names of one port.
 */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { request, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readProjectConfig } from "../../tools/deploy/project-config.ts";
import { twoFreePorts } from "../../tools/local/ports.ts";
import { writeRecordsConfig } from "../../tools/local/records-config.ts";
import { PROJECT } from "../support/bundle.ts";
import { until } from "../support/deadline.ts";
import { startLocalWorkers, type LocalWorkers } from "../support/local-workers.ts";

const ADMIN_TOKEN = "aei_admin-of-the-test-0123456789";
const [PORT] = await twoFreePorts();
const CONSOLE_HOST = `127.0.0.1:${PORT}`;
const GATEWAY_HOST = `localhost:${PORT}`;
const BASE = "/api/v2/ai-gateway";
const PAGE = {
  origin: `http://${CONSOLE_HOST}`,
  "sec-fetch-site": "same-origin",
  "content-type": "application/json",
};

let workers: LocalWorkers;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "console-"));
  const { env: _, ...raw } = readProjectConfig(PROJECT, "gateway", { shippedOnly: true });
  const gateway = join(folder, "wrangler.gateway.json");
  const vars = {
    PROVIDERS: { openai: { type: "openai", base_url: "http://127.0.0.1:9/v1" } },
    BUDGETS: { people: { dollars: 5 } },
  };
  const main = join(PROJECT, "src/gateway/index.ts");
  await writeFile(gateway, JSON.stringify({ ...raw, main, routes: undefined, vars }));
  const directory = join(folder, "assets");
  await mkdir(join(directory, "console"), { recursive: true });
  await writeFile(join(directory, "console", "index.html"), "<!doctype html><title>Console</title>");
  await writeFile(join(directory, "console", "main-ABCD1234.js"), "export {};");
  await writeFile(join(directory, "outside.html"), "<!doctype html>");
  const { assets } = readProjectConfig(PROJECT, "records", { shippedOnly: true });
  const records = writeRecordsConfig(
    folder,
    {
      ADMIN_TOKEN: createHash("sha256").update(ADMIN_TOKEN).digest("hex"),
      CONSOLE: JSON.stringify({ origins: [`http://${CONSOLE_HOST}`] }),
    },
    { assets: { ...assets, directory } },
  );
  workers = await startLocalWorkers(folder, [gateway, records], PORT);
});
afterAll(() => workers.close());

type Reply = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };

/** One request. `fetch` would not send these headers of a browser. */
function send(path: string, init: RequestOptions = {}): Promise<Reply> {
  const { method = "GET", headers = {}, body = "", host = CONSOLE_HOST } = init;
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const sent = request(
    { host: "127.0.0.1", port: workers.port, path, method, headers: { ...headers, host } },
    (response) => {
      text(response).then(
        (read) => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: read }),
        reject,
      );
    },
  );
  sent.on("error", reject);
  sent.end(body);
  return promise;
}

type RequestOptions = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly host?: string;
};

const jsonOf = ({ text: body }: Reply): Record<string, unknown> =>
  JSON.parse(body) as Record<string, unknown>;

describe("the console over both Workers", () => {
  it("serves its pages and files with its headers, and nothing else of the assets", async () => {
    for (const path of ["/console", "/console/sessions/abc"]) {
      const { status, headers, text: body } = await send(path);
      expect([path, status, body]).toEqual([path, 200, "<!doctype html><title>Console</title>"]);
      expect(headers).toMatchObject({
        "content-security-policy": expect.stringContaining("default-src 'none'") as string,
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
      });
    }
    const file = await send("/console/main-ABCD1234.js");
    expect([file.status, file.headers["cache-control"]]).toEqual([
      200,
      "private, max-age=31536000, immutable",
    ]);
    for (const path of ["/outside.html", "/console/outside.html", "/index.html", "/.assetsignore"]) {
      const { status, headers } = await send(path);
      expect([path, status, headers["content-type"]?.includes("html")]).toEqual([path, 404, false]);
    }
  });

  it("signs in, reads, changes a budget and signs out", async () => {
    expect(jsonOf(await send("/console/api/session"))).toMatchObject({ sign_in: ["token"] });
    const body = JSON.stringify({ token: ADMIN_TOKEN });
    const signedIn = await send("/console/api/session", { method: "POST", headers: PAGE, body });
    expect([signedIn.status, jsonOf(signedIn)["name"]]).toEqual([200, "admin"]);
    const cookie = signedIn.headers["set-cookie"]?.[0]?.split(";", 1)[0] ?? "";
    const write = { ...PAGE, cookie, "x-csrf-token": String(jsonOf(signedIn)["csrf_token"]) };

    for (const path of ["/usage", "/budgets", "/interceptions", "/providers"])
      expect([path, (await send(`${BASE}${path}`, { headers: { cookie } })).status]).toEqual([path, 200]);
    expect((await send("/api/v2/aibridge/usage", { headers: { cookie } })).status).toBe(200);

    const change = JSON.stringify({ budget: "people", subject_source: "keys", subject_id: "ada", top_up: 1 });
    const changes = `${BASE}/budgets/changes`;
    const forged = await send(changes, { method: "POST", headers: { ...PAGE, cookie }, body: change });
    expect([forged.status, forged.headers["x-interceptor-error"]]).toEqual([403, "csrf_rejected"]);
    const changed = await send(changes, { method: "POST", headers: write, body: change });
    expect([changed.status, jsonOf(changed)["limit"]]).toEqual([200, 6_000_000]);

    const out = await send("/console/api/session", { method: "DELETE", headers: write });
    expect(out.status).toBe(204);
    expect((await send(`${BASE}/usage`, { headers: { cookie } })).status).toBe(401);
    await until(
      () => workers.events.some(({ record_type: type }) => type === "budget_change"),
      () => "the change's event",
    );
    const recorded = workers.events.flatMap((event) =>
      event.record_type === "ledger_access"
        ? [`${event.by} ${event.action} ${event.target}`]
        : event.record_type === "budget_change"
          ? [`${String(event.changed_by)} change`]
          : [],
    );
    expect(recorded).toEqual(
      expect.arrayContaining([
        "console:admin sign_in /console",
        "console:admin read /usage",
        // The ledger has no interception, so that the response has no content.
        "console:admin read /interceptions",
        "console:admin change",
        "console:admin sign_out /console",
      ]),
    );
  });

  // The attack: a script in a provider's response, on the gateway's host, acts as the one who is signed in (finding M8).
  it("takes no session and serves no page on the gateway's host", async () => {
    const body = JSON.stringify({ token: ADMIN_TOKEN });
    const { headers } = await send("/console/api/session", { method: "POST", headers: PAGE, body });
    const cookie = headers["set-cookie"]?.[0]?.split(";", 1)[0] ?? "";
    expect((await send(`${BASE}/usage`, { headers: { cookie } })).status).toBe(200);
    for (const path of [`${BASE}/usage`, `${BASE}/budgets`])
      expect([path, (await send(path, { headers: { cookie }, host: GATEWAY_HOST })).status]).toEqual([
        path,
        401,
      ]);
    for (const path of ["/console", "/console/api/session", "/console/main-ABCD1234.js"]) {
      const reply = await send(path, { headers: { cookie }, host: GATEWAY_HOST });
      expect([path, reply.status, reply.headers["content-type"]]).toEqual([path, 404, "application/json"]);
    }
    const signIn = await send("/console/api/session", {
      method: "POST",
      headers: PAGE,
      body,
      host: GATEWAY_HOST,
    });
    expect([signIn.status, signIn.headers["set-cookie"]]).toEqual([404, undefined]);
  });
});
