/** docs/clients.md and docs/clients/*.md: the addresses, header names and client keys that the pages name exist. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { unstable_readConfig } from "wrangler";
import { detectClient, headerSessionId } from "../../src/gateway/client/client.ts";
import { readHints } from "../../src/gateway/client/hints.ts";
import { CLIENTS } from "../../src/gateway/client/clients.ts";
import { readConfig } from "../../src/gateway/config/config.ts";
import { readCredential } from "../../src/gateway/identity/credential.ts";
import { readOwnerClaim } from "../../src/gateway/initiator/owner-claim.ts";
import type { Provider } from "../../src/gateway/provider/provider.ts";
import { findRoute } from "../../src/gateway/provider/route.ts";
import { registry } from "../../src/gateway/wiring.ts";
import type { Env } from "../../src/shared/config/environment.ts";
import { LOCAL_KEYS } from "../../tools/local-keys.ts";
import { chooseSetup } from "../../tools/local/dev-vars.ts";

const pathOf = (path: string): string => fileURLToPath(import.meta.resolve(`../../${path}`));
const read = (path: string): string => readFileSync(pathOf(path), "utf8");

const INDEX = read("docs/clients.md");
/** The rows of its first table, which name the clients and their base URLs. */
const INDEX_ROWS = INDEX.slice(0, INDEX.indexOf("\n## ")).match(/^\|.+$/gm) ?? [];
const NAMES = readdirSync(pathOf("docs/clients"));
const PAGES = NAMES.map((name) => [name, read(`docs/clients/${name}`)] as const);

/** The first group of every match, without repetitions. */
const matches = (text: string, pattern: RegExp): string[] => [
  ...new Set(Array.from(text.matchAll(pattern), ([, group = ""]) => group)),
];

function providersOf(env: Env): ReadonlyMap<string, Provider> {
  const config = readConfig({ BUDGET_OBJECTS: { idFromName: () => null }, ...env }, registry);
  if ("issues" in config) throw new Error(config.issues.join("\n"));
  return config.providers;
}

const LOCAL = "http://127.0.0.1:8787";
const DEPLOYED = "https://ai.your-company.com";
const PROVIDERS: Readonly<Record<string, ReadonlyMap<string, Provider>>> = {
  [LOCAL]: providersOf(chooseSetup({ gateway: {}, records: {} }, "http://127.0.0.1:8788").vars.gateway),
  [DEPLOYED]: providersOf(
    unstable_readConfig({ config: pathOf("wrangler.toml") }, { hideWarnings: true }).vars as Env,
  ),
};

/** The endpoints that each page's clients call below their base URLs. */
const ENDPOINTS: Readonly<Record<string, readonly string[]>> = {
  "claude-code.md": ["/v1/messages"],
  "codex.md": ["/responses"],
  "coder-agents.md": ["/responses", "/chat/completions", "/v1/messages"],
  "copilot-qwen.md": ["/chat/completions", "/responses", "/v1/messages"],
  "opencode.md": ["/responses", "/chat/completions", "/messages"],
  "sdks.md": ["/responses", "/chat/completions", "/v1/messages"],
};

const routeOf = (host: string, path: string) => findRoute(path, new Headers(), PROVIDERS[host] ?? new Map());

const isRoute = (path: string): boolean =>
  ["/openai", "/anthropic"].some((base) => routeOf(LOCAL, base + path) !== null);

/** Headers that note the names of those that are read. */
class ReadHeaders extends Headers {
  readonly names = new Set<string>();
  override get(name: string): string | null {
    this.names.add(name.toLowerCase());
    return super.get(name);
  }
}

/** The names of the headers that the gateway reads to detect clients, sessions, agents, credentials and owners. */
async function headersRead(): Promise<ReadonlySet<string>> {
  const headers = new ReadHeaders();
  detectClient(headers);
  const ofThread = new ReadHeaders({ "session-id": "a", "thread-id": "b" });
  readHints(ofThread);
  for (const row of CLIENTS) headerSessionId({ name: row.name, userAgent: null, row }, headers);
  await readCredential(headers, [{ recognizes: () => false, accessToken: { prefersCentralKey: false } }]);
  const id = "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5";
  const owned = new ReadHeaders({ "X-Coder-Owner-Id": id });
  const actor = {
    id,
    kind: "service",
    name: null,
    source: "keys",
    verified: true,
    keyId: "0123456789abcdef",
    mayAssert: true,
  } as const;
  readOwnerClaim(
    { actor, isCoderAgents: true, isDelegating: false },
    { method: "POST", url: "https://gateway.test", uri: "/", headers: owned },
    0,
  );
  const distinguishing = registry.dialects.flatMap((dialect) => dialect.distinguishingHeaders);
  return new Set([...headers.names, ...ofThread.names, ...owned.names, ...distinguishing]);
}

/** Headers that the pages name because HTTP needs them. */
const NOT_READ: ReadonlySet<string> = new Set(["content-type"]);

describe("docs/clients.md", () => {
  it("has each page in its table, and no other pages", () => {
    expect(matches(INDEX_ROWS.join("\n"), /\]\(clients\/([\w-]+\.md)\)/g).toSorted()).toEqual(
      NAMES.toSorted(),
    );
  });

  it("has a base URL of each page's own, and only such", () => {
    for (const row of INDEX_ROWS) {
      const [name] = matches(row, /\]\(clients\/([\w-]+\.md)\)/g);
      if (name === undefined) continue;
      const urls = matches(row, /`(http[^`]+)`/g);
      expect([row, urls.length]).not.toEqual([row, 0]);
      for (const url of urls) expect(read(`docs/clients/${name}`)).toContain(url);
    }
  });
});

describe.each(PAGES)("docs/clients/%s", (name, text) => {
  const hosts = [LOCAL, DEPLOYED];

  it("has only URLs below which the client's endpoints are intercepted", () => {
    const urls = hosts.flatMap((host) =>
      matches(text, /(https?:[/\w.:-]+)/g)
        .filter((url) => url.startsWith(`${host}/`))
        .map((url) => [host, url.slice(host.length)] as const),
    );
    expect(urls.length).toBeGreaterThan(0);
    const unknown = urls.filter(([host, path]) =>
      ["", ...(ENDPOINTS[name] ?? [])].every(
        (endpoint) => routeOf(host, path + endpoint)?.route.kind !== "intercept",
      ),
    );
    expect(unknown).toEqual([]);
  });

  it("names the address of npm start and of a deployment", () => {
    for (const host of hosts) expect(text).toContain(host);
  });

  it("names only routes that exist", () => {
    const paths = matches(text, /`(?:GET|HEAD|POST) (\/[^`]+)`/g);
    expect(paths.filter((path) => !isRoute(path))).toEqual([]);
  });

  it("names only headers that the gateway reads, except listed ones", async () => {
    const names = [
      ...matches(text, /\b([Xx]-[A-Za-z]+(?:-[A-Za-z]+)+)\b/g),
      ...matches(text, /-H "([\w-]+):/g),
      ...matches(text, /`([a-z]+-id)`/g),
    ].map((header) => header.toLowerCase());
    const known = await headersRead();
    expect(names.filter((header) => !known.has(header) && !NOT_READ.has(header))).toEqual([]);
    expect([...NOT_READ].filter((header) => known.has(header))).toEqual([]);
  });

  it("names only client keys of npm start", () => {
    const keys = new Set<string>(Object.values(LOCAL_KEYS).map(({ key }) => key));
    expect(matches(text, /\b(aei_[\w-]+)/g).filter((key) => !keys.has(key))).toEqual([]);
  });

  it("says when it was run, and with which versions", () => {
    expect(text.trim().split("\n").at(-1)).toMatch(/run as written on 20\d\d-\d\d-\d\d/i);
  });
});
