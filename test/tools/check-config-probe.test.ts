/** `npm run check-config -- --probe` against the emulated provider and servers that respond otherwise. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { After } from "../../src/shared/deadline.ts";
import { probe } from "../../tools/check-config.ts";
import { PRODUCTION, readWorkers } from "../../tools/deploy/worker-configs.ts";
import { startEmulator, type SeenRequest } from "../../tools/emulator/server.ts";
import { ROOT } from "../../tools/root.ts";
import { findUnusedPort } from "../sockets/unused-port.ts";

const NEVER: After = () => () => undefined;
const GOOD = "sk-good-0123456789abcdef";
const SECRETS = {
  GOOD_KEY: GOOD,
  BAD_KEY: "sk-rejected-0123456789abcd",
  RESTRICTED_KEY: "sk-restricted-0123456789ab",
  AIG_TOKEN: "cf-token-0123456789abcdefgh",
  BAD_TOKEN: "cf-rejected-0123456789abcd",
};

type Probed = { readonly code: number; readonly lines: readonly string[] };

/** Probes the shipped configuration with this `.dev.vars`. */
async function run(
  vars: Readonly<Record<string, string>>,
  deps: Partial<Parameters<typeof probe>[2]> = {},
): Promise<Probed> {
  const folder = mkdtempSync(join(tmpdir(), "check-config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of ["wrangler.toml", "wrangler.records.toml"]) cpSync(join(ROOT, name), join(folder, name));
  writeFileSync(
    join(folder, ".dev.vars"),
    Object.entries(vars)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(""),
  );
  const lines: string[] = [];
  const workers = readWorkers(folder, PRODUCTION);
  const code = await probe(folder, workers, { fetch, after: NEVER, ...deps }, (line) => lines.push(line));
  expect(Object.values(vars).filter((value) => value.length > 8 && lines.join().includes(value))).toEqual([]);
  return { code, lines };
}
const probeWith = (PROVIDERS: object, deps = {}): Promise<Probed> =>
  run({ PROVIDERS: JSON.stringify(PROVIDERS), ...SECRETS }, deps);

async function serve(respond: RequestListener): Promise<string> {
  const server = createServer(respond);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
/** A server that responds so where a request has a key, and with 401 otherwise. */
const serveKeys = (status: number, body = "{}", headers = {}): Promise<string> =>
  serve(({ headers: { authorization } }, response) =>
    response.writeHead(authorization ? status : 401, authorization ? headers : {}).end(body),
  );

let emulator: Awaited<ReturnType<typeof startEmulator>>;
const seen: SeenRequest[] = [];
beforeAll(async () => {
  emulator = await startEmulator({ port: 0, onRequest: (request) => seen.push(request) });
  return () => emulator.close();
});

/** A provider behind the emulated AI Gateway. */
const through = (ai_gateway: object, more: object = {}) => ({
  type: "openai",
  base_url: `${emulator.url}/v1/account/gateway/openai`,
  ai_gateway,
  ...more,
});

/** Ends by its signal alone. */
const silent: typeof fetch = (_, init) =>
  new Promise((_resolve, reject) => {
    const { signal } = init ?? {};
    const end = (): void => reject(new Error("aborted"));
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end);
  });
const atOnce: After = (_, call) => {
  queueMicrotask(call);
  return () => undefined;
};

describe("a probe of the providers", () => {
  it("finds each key accepted, rejected or restricted, in both dialects, and runs no model", async () => {
    const from = seen.length;
    const keys = ["GOOD_KEY", "BAD_KEY", "RESTRICTED_KEY"];
    const { code, lines } = await probeWith({
      openai: { type: "openai", base_url: `${emulator.url}/v1`, keys },
      claude: { type: "anthropic", base_url: emulator.url, keys },
    });
    const verdicts = (name: string): string[] => [
      `Provider ${name} at ${emulator.url} is reachable`,
      `Provider ${name}, key sk-g...cdef, is accepted`,
      `Provider ${name}, key sk-r...abcd, is rejected (status 401)`,
      `Provider ${name}, key sk-r...89ab, cannot tell: it may not list models, but may be valid (status 403)`,
    ];
    expect(lines).toEqual([...verdicts("openai"), ...verdicts("claude")]);
    expect(code).toBe(1);
    expect(new Set(seen.slice(from).map(({ method, path }) => `${method} ${path}`))).toEqual(
      new Set(["GET /v1/models"]),
    );
  });

  it("sends the request that the gateway sends: its headers, and the key in the provider's own header", async () => {
    const from = seen.length;
    await probeWith({
      openai: { type: "openai", base_url: `${emulator.url}/v1`, keys: ["GOOD_KEY"], key_header: "api-key" },
    });
    expect(seen[from + 1]?.headers).toMatchObject({ via: "1.1 ai-edge-interceptor", "api-key": GOOD });
    expect(seen[from + 1]?.headers).not.toHaveProperty("authorization");
  });

  it("tries AI Gateway's token, with the provider's key and alone", async () => {
    const { code, lines } = await probeWith({
      key: through({ token: "AIG_TOKEN" }, { keys: ["GOOD_KEY"] }),
      stored: through({ token: "AIG_TOKEN" }),
      bad: through({ token: "BAD_TOKEN" }, { keys: ["GOOD_KEY"] }),
    });
    expect(lines.filter((line) => line.includes(", key "))).toEqual([
      "Provider key, key sk-g...cdef, is accepted",
      "Provider stored, key cf-t...efgh, is accepted",
      "Provider bad, key sk-g...cdef, AI Gateway rejects the token (status 401)",
    ]);
    expect(code).toBe(1);
  });

  it("says why Entra ID sends no token", async () => {
    const authority = await serve((_, response) =>
      response.writeHead(401).end('{"error":"invalid_client","error_codes":[7000215]}'),
    );
    const entra = {
      tenant_id: "acme.onmicrosoft.com",
      client_id: "0b1c2d3e-4f50-4617-8a9b-0c1d2e3f4a5b",
      client_secret: "GOOD_KEY",
      authority,
    };
    const base_url = `${await serveKeys(200)}/openai`;
    const { code, lines } = await probeWith({ one: { type: "azure", base_url, entra } });
    expect(lines[1]).toMatch(/could not be authorized \(status 401 invalid_client AADSTS7000215\)$/);
    expect(code).toBe(1);
  });

  it.each<readonly [string, () => Promise<string>, string, number]>([
    [
      "a provider without that route",
      () => serveKeys(404),
      "cannot tell: the provider has no list of models (status 404)",
      0,
    ],
    [
      "a 403 that is not about the key",
      () => serveKeys(403, "not in your region"),
      "cannot tell: it may not list models, but may be valid (status 403)",
      0,
    ],
    [
      "a 403 that is about the key",
      () => serveKeys(403, '{"error":{"code":"expired_api_key"}}'),
      "is rejected (status 403)",
      1,
    ],
    // As for a wrong secret of an AWS access key.
    [
      "AWS's error for a wrong signature",
      () => serveKeys(403, "{}", { "x-amzn-errortype": "InvalidSignatureException:http://internal/" }),
      "is rejected (status 403)",
      1,
    ],
    [
      "AWS's error for a missing permission",
      () => serveKeys(403, "{}", { "x-amzn-errortype": "AccessDeniedException:http://internal/" }),
      "cannot tell: it may not list models, but may be valid (status 403)",
      0,
    ],
    ["a rate limit", () => serveKeys(429), "cannot tell (status 429)", 0],
    [
      "a redirect beside a key",
      () => serveKeys(302, "", { location: "https://evil.example" }),
      "responds with a redirect, which the gateway does not follow",
      1,
    ],
    // OpenRouter and most servers that one runs oneself.
    [
      "a public list of models",
      () => serve((_, response) => response.end('{"data":[]}')),
      "cannot tell: the list of models needs no key (status 200)",
      0,
    ],
  ])("says of the key with %s what it knows", async (_, start, says, exit) => {
    const base_url = `${await start()}/v1`;
    const { code, lines } = await probeWith({ one: { type: "openai", base_url, keys: ["GOOD_KEY"] } });
    expect([lines[1], code]).toEqual([`Provider one, key sk-g...cdef, ${says}`, exit]);
  });

  it("tries a provider whose fallback lacks a secret", async () => {
    const one = { type: "openai", base_url: `${emulator.url}/v1`, keys: ["GOOD_KEY"], fallbacks: ["two"] };
    const { code, lines } = await probeWith({ one, two: { ...one, keys: ["NO_KEY"], fallbacks: [] } });
    expect([lines[1], lines.length, code]).toEqual(["Provider one, key sk-g...cdef, is accepted", 3, 0]);
  });

  it("fails where no server listens, and tries no key there", async () => {
    const base_url = `http://127.0.0.1:${await findUnusedPort()}`;
    const { code, lines } = await probeWith({
      one: { type: "openai", base_url: `${base_url}/v1`, keys: ["GOOD_KEY"] },
    });
    expect(lines).toEqual([
      `Provider one at ${base_url} is not reachable: the connection failed (ECONNREFUSED)`,
    ]);
    expect(code).toBe(1);
  });

  it.each([
    ["ENOTFOUND", "its host name has no address (ENOTFOUND)"],
    ["CERT_HAS_EXPIRED", "TLS failed (CERT_HAS_EXPIRED)"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "TLS failed (DEPTH_ZERO_SELF_SIGNED_CERT)"],
    ["UND_ERR_SOCKET", "the connection failed (UND_ERR_SOCKET)"],
  ])("names the cause %s", async (code, says) => {
    const failing = () => Promise.reject(new TypeError("fetch failed", { cause: { code } }));
    const { lines } = await run({}, { fetch: failing });
    expect(lines[0]).toBe(`Provider openai at https://api.openai.com is not reachable: ${says}`);
  });

  it("ends a call that gets no response", async () => {
    const { code, lines } = await run({}, { fetch: silent, after: atOnce });
    expect(lines[0]).toContain("sends no response within 10 s");
    expect(code).toBe(1);
  });

  it("says which secret is not here, and probes the other providers", async () => {
    const base_url = `${emulator.url}/v1`;
    const { code, lines } = await probeWith({
      one: { type: "openai", base_url, keys: ["NO_KEY"] },
      two: { type: "openai", base_url },
    });
    expect(lines).toEqual([
      "Provider one cannot tell: NO_KEY is required: the configuration names it as a secret.",
      `Provider two at ${emulator.url} is reachable; clients send their own keys`,
    ]);
    expect(code).toBe(0);
  });

  it("uses the keys of .dev.vars with which npm start calls the real providers", async () => {
    const urls: string[] = [];
    const noted: typeof fetch = async (input, init) => {
      const key = new Headers(init?.headers).get("authorization");
      urls.push(`${String(input)} ${key ?? ""}`);
      return new Response("{}", { status: key === null ? 401 : 200 });
    };
    const { lines } = await run({ OPENAI_API_KEY: GOOD }, { fetch: noted });
    expect(lines).toContain("Provider openai, key sk-g...cdef, is accepted");
    expect(urls).toContain(`https://api.openai.com/v1/models Bearer ${GOOD}`);
  });
});
