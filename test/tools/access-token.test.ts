/** The headers with which `npm run report` and `npm run explain` pass Cloudflare Access. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { accessHeaders } from "../../tools/access-token.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const TOKEN = { CF_ACCESS_CLIENT_ID: "id-of-the-test.access", CF_ACCESS_CLIENT_SECRET: "cfast_CANARY" };
const HEADERS = {
  "cf-access-client-id": "id-of-the-test.access",
  "cf-access-client-secret": "cfast_CANARY",
};

describe("the service token of Cloudflare Access", () => {
  it.each(["https://ai.example", "http://127.0.0.1:8787", "http://localhost:8787", "http://[::1]:8787"])(
    "is sent to %s",
    (url) => {
      expect(accessHeaders(url, TOKEN)).toEqual(HEADERS);
    },
  );

  it("is optional", () => {
    expect(accessHeaders("http://ai.example", {})).toEqual({});
    expect(accessHeaders("http://ai.example", { CF_ACCESS_CLIENT_ID: "" })).toEqual({});
  });

  it.each([
    ["without its secret", { ...TOKEN, CF_ACCESS_CLIENT_SECRET: "" }, "https://ai.example"],
    ["without its id", { ...TOKEN, CF_ACCESS_CLIENT_ID: undefined }, "https://ai.example"],
    ["with a line break", { ...TOKEN, CF_ACCESS_CLIENT_SECRET: "cfast_CANARY\n" }, "https://ai.example"],
    ["with a space", { ...TOKEN, CF_ACCESS_CLIENT_ID: "id CANARY" }, "https://ai.example"],
    // The attack: the token would be readable on the way.
    ["over http", TOKEN, "http://ai.example"],
    ["to a host that only begins like this machine", TOKEN, "http://127.0.0.1.example"],
  ])("is rejected %s, without its value in the message", (_, env, url) => {
    const attempt = (): unknown => accessHeaders(url, env);
    expect(attempt).toThrow(/^CF_ACCESS_CLIENT_(?:ID|SECRET) [^\n]+\.$/);
    expect(attempt).not.toThrow(/CANARY|id-of-the-test/);
  });
});

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** As Access does: redirects to a login unless the request has the service token. */
async function startAccess(): Promise<{ readonly url: string; readonly forwarded: IncomingHttpHeaders[] }> {
  const forwarded: IncomingHttpHeaders[] = [];
  server = createServer((request, response) => {
    const permitted = Object.entries(HEADERS).every(([name, value]) => request.headers[name] === value);
    if (permitted) forwarded.push(request.headers);
    response.writeHead(permitted ? 403 : 302, { location: "/login" }).end('{"message":"of the API"}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, forwarded };
}

async function run(
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<{ readonly output: string; readonly code: number | null }> {
  const child = spawn(process.execPath, [join(ROOT, "tools/run.mjs"), ...args], {
    cwd: ROOT,
    env: { ...process.env, INTERCEPTOR_ADMIN_TOKEN: "token", ...variables },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { output, code };
}

describe.each([["report", "usage"], ["explain"]])("npm run %s behind Cloudflare Access", (...args) => {
  it("sends the service token beside the admin token, and prints neither", async () => {
    const { url, forwarded } = await startAccess();
    const { output } = await run([...args, "--url", url], TOKEN);
    expect(output).toContain("responded with 403: of the API");
    expect(output).not.toMatch(/CANARY|id-of-the-test/);
    expect(forwarded.at(-1)).toMatchObject({ ...HEADERS, authorization: "Bearer token" });
  });

  it("names the variables where Access redirects to its login", async () => {
    const { url, forwarded } = await startAccess();
    const { output, code } = await run([...args, "--url", url], {});
    expect(output).toContain(`${url} responded with a redirect (302)`);
    expect(output).toContain("CF_ACCESS_CLIENT_ID and CF_ACCESS_CLIENT_SECRET");
    expect([code, forwarded]).toEqual([1, []]);
  });

  it("sends nothing with half of a service token", async () => {
    const { url, forwarded } = await startAccess();
    const { output, code } = await run([...args, "--url", url], { CF_ACCESS_CLIENT_ID: "id" });
    expect(output).toBe("CF_ACCESS_CLIENT_SECRET is required when CF_ACCESS_CLIENT_ID is set.\n");
    expect([code, forwarded]).toEqual([1, []]);
  });
});
