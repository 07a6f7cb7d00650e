import { describe, expect, it } from "vitest";
import { PRESETS } from "../../../src/gateway/config/presets.ts";
import { API_ROUTES, RESERVED_NAMES } from "../../../src/shared/api-routes.ts";
import { CANARY, CLIENT_KEYS, issuesOf, keysWithIssues, OPENAI, provider, read } from "./read-config.ts";

describe("J2 J3 a provider's settings", () => {
  it.each([
    ["type", 5],
    ["type", true],
    ["type", ["openai"]],
    ["type", "openAI"],
    ["type", "copilot"],
    ["type", ""],
    ["type", undefined],
    ["base_url", 5],
    ["base_url", ["https://h/v1"]],
    ["base_url", undefined],
    ["base_url", ""],
    ["keys", "OPENAI_KEY"],
    ["keys", [5]],
    ["keys", [""]],
    ["keys", {}],
    ["models", "gpt-4o"],
    ["models", [null]],
    ["models", true],
    ["inject_usage", "false"],
    ["inject_usage", 0],
    ["forward_coder_headers", "yes"],
    ["send_actor_headers", 1],
    ["ai_gateway", true],
  ])("J2 reject %s = %j", (key, value) => {
    expect(keysWithIssues(provider({ [key]: value }))).toEqual([`PROVIDERS.openai.${key}`]);
  });

  it.each([
    "api.openai.com/v1",
    "//api.openai.com/v1",
    "https://",
    "https:///v1 x",
    "http://api.openai.com/v1",
    "http://localhost.evil.example/v1",
    "http://127.0.0.1.evil.example/v1",
    "http://10.0.0.1/v1",
    "ftp://api.openai.com/v1",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https://user@api.openai.com/v1",
    "https://user:CANARY@api.openai.com/v1",
    "https://api.openai.com@evil.example/v1",
    "https://api.openai.com/v1?key=CANARY",
    "https://api.openai.com/v1?",
    "https://api.openai.com/v1#x",
    "https://<your-resource>.example/v1",
    "<your base url>",
  ])("J3 J4 reject base_url %j without quoting it", (base_url) => {
    const issues = issuesOf(provider({ base_url }));
    expect(issues).toHaveLength(1);
    expect(issues[0]).toMatch(/^PROVIDERS\.openai\.base_url must /);
    expect(issues[0]).not.toContain(CANARY);
  });

  it.each([
    ["https://api.openai.com/v1", "https://api.openai.com/v1"],
    ["https://api.openai.com/v1/", "https://api.openai.com/v1"],
    ["https://api.openai.com//", "https://api.openai.com"],
    ["HTTPS://API.OpenAI.com/v1", "https://api.openai.com/v1"],
    ["https://h.example:8443/a/b", "https://h.example:8443/a/b"],
    ["http://localhost:8787/v1", "http://localhost:8787/v1"],
    ["http://127.0.0.1/v1", "http://127.0.0.1/v1"],
    ["http://[::1]:1/v1", "http://[::1]:1/v1"],
  ])("J3 read base_url %s as %s", (base_url, baseUrl) => {
    expect(read(provider({ base_url })).providers.get("openai")?.baseUrl).toBe(baseUrl);
  });

  it("J3 reject an Anthropic base_url that ends in /v1, because the routes begin with it", () => {
    for (const base_url of ["https://api.anthropic.com/v1", "https://api.anthropic.com/v1/"]) {
      expect(keysWithIssues({ PROVIDERS: { claude: { type: "anthropic", base_url } } })).toEqual([
        "PROVIDERS.claude.base_url",
      ]);
    }
  });

  it.each([
    ["azure", "https://c.openai.azure.com/", "/openai"],
    ["azure", "https://c.cognitiveservices.azure.com", "/openai"],
    ["anthropic", "https://c.services.ai.azure.com", "/anthropic"],
    ["openai", "https://c.openai.azure.com:443", "/openai/v1"],
  ])("reject an endpoint of Azure without the API's path: %s at %s", (type, base_url, path) => {
    const issues = (url: string) => issuesOf({ PROVIDERS: { one: { type, base_url: url } } });
    expect(issues(base_url)).toEqual([
      "PROVIDERS.one.base_url must also have the path of the API, such as /openai or /anthropic",
    ]);
    expect(issues(`${base_url.replace(/\/$/, "")}${path}`)).toEqual([]);
    // A server of one's own on a virtual machine, and another company's host.
    for (const other of ["https://vm.westeurope.cloudapp.azure.com", "https://c.openai.azure.com.example"])
      expect(issues(other)).toEqual([]);
  });

  it.each(["toString", "constructor", "__proto__", "openai_key", "", " "])(
    "reject %j as a secret's name, also where objects inherit it",
    (name) => {
      const vars = { ...provider({ keys: [name] }), IDENTITY: [{ source: "keys" }], CLIENT_KEYS };
      const [path = ""] = keysWithIssues(vars);
      expect(path).toMatch(/^PROVIDERS\.openai\.keys(\[0\])?$/);
    },
  );
});

const named = (name: string, settings: Record<string, unknown>) =>
  read({ PROVIDERS: { [name]: settings } }).providers.get(name);

describe("a provider with a preset", () => {
  it.each(Object.keys(PRESETS).filter((name) => !PRESETS[name]?.baseUrl.includes("{")))(
    "needs only a name and a key: %s",
    (preset) => {
      const expected = { baseUrl: PRESETS[preset]?.baseUrl, keyHeader: PRESETS[preset]?.keyHeader };
      expect(named(preset, {})).toMatchObject({ ...expected, name: preset });
      expect(named("team-a", { preset })).toMatchObject({ ...expected, name: "team-a" });
      expect(named(preset, {})?.dialect.type).toBe(PRESETS[preset]?.type);
    },
  );

  it("has its settings in its address, and none that would change the host", () => {
    const { baseUrl } = named("workers-ai", { account_id: "0a1b" }) ?? {};
    expect(baseUrl).toBe("https://api.cloudflare.com/client/v4/accounts/0a1b/ai/v1");
    for (const account_id of [undefined, "", "a/../b", "a.evil.example", "?", "a#", "-a", 5, "CANARY/"])
      expect(keysWithIssues({ PROVIDERS: { "workers-ai": { account_id } } })).toEqual([
        "PROVIDERS.workers-ai.account_id",
      ]);
  });

  it("may have another address and another header for keys", () => {
    const base_url = "https://llm.example/v1";
    expect(named("vllm", { base_url, key_header: "x-api-key" })).toMatchObject({
      baseUrl: base_url,
      keyHeader: "x-api-key",
    });
    expect(named("workers-ai", { base_url })?.baseUrl).toBe(base_url);
  });

  it.each([
    ["an unknown preset", { preset: "groc" }, "PROVIDERS.team.preset"],
    ["an inherited name as a preset", { preset: "constructor" }, "PROVIDERS.team.preset"],
    ["a type beside a preset", { preset: "groq", type: "openai" }, "PROVIDERS.team.type"],
    ["an unknown header for keys", { preset: "groq", key_header: "x-key" }, "PROVIDERS.team.key_header"],
    ["neither a preset nor a type", { base_url: OPENAI.base_url }, "PROVIDERS.team.type"],
  ])("rejects %s", (_, settings, key) => {
    expect(keysWithIssues({ PROVIDERS: { team: settings } })[0]).toBe(key);
  });

  it("takes the type from a provider that has a preset's name and a type", () => {
    const own = { type: "anthropic", base_url: "https://llm.example" };
    expect(named("groq", own)).toMatchObject({ baseUrl: own.base_url, dialect: { type: "anthropic" } });
  });
});

describe("the fallbacks of a provider", () => {
  const secrets = {
    IDENTITY: [{ source: "keys" }],
    CLIENT_KEYS,
    KEY_A: "sk-a",
    KEY_B: "sk-b",
    KEY_C: "sk-c",
  };
  const a = { ...OPENAI, keys: ["KEY_A"] };
  const b = { ...OPENAI, keys: ["KEY_B"] };

  it("are providers of the same API with keys of the gateway, each of which may have fallbacks of its own", () => {
    const PROVIDERS = { a: { ...a, fallbacks: ["b"] }, b: { ...b, fallbacks: ["a"] } };
    const { providers } = read({ ...secrets, PROVIDERS });
    expect([...providers.values()].map(({ fallbacks }) => fallbacks)).toEqual([["b"], ["a"]]);
  });

  it.each([
    ["an unknown provider", { a: { ...a, fallbacks: ["b", "c"] }, b }, "PROVIDERS.a.fallbacks[1]"],
    ["an inherited name", { a: { ...a, fallbacks: ["constructor"] } }, "PROVIDERS.a.fallbacks[0]"],
    ["the provider itself", { a: { ...a, fallbacks: ["a"] } }, "PROVIDERS.a.fallbacks[0]"],
    ["one that is named twice", { a: { ...a, fallbacks: ["b", "b"] }, b }, "PROVIDERS.a.fallbacks[1]"],
    ["one without keys", { a: { ...a, fallbacks: ["b"] }, b: OPENAI }, "PROVIDERS.a.fallbacks[0]"],
    // A client's own key would go to a provider that it is not for.
    [
      "any where the provider has no keys",
      { a: { ...OPENAI, fallbacks: ["b"] }, b },
      "PROVIDERS.a.fallbacks[0]",
    ],
    [
      "one of another API",
      {
        a: { ...a, fallbacks: ["c"] },
        c: { type: "anthropic", base_url: "https://c.example", keys: ["KEY_C"] },
      },
      "PROVIDERS.a.fallbacks[0]",
    ],
  ])("are not %s", (_, PROVIDERS, key) => {
    expect(keysWithIssues({ ...secrets, PROVIDERS })).toEqual([key]);
  });
});

describe("a provider behind Cloudflare AI Gateway", () => {
  const IDS = { account_id: "0a1b", gateway_id: "team_a-1" };
  const VERIFIED = { IDENTITY: [{ source: "keys" }], CLIENT_KEYS, AIG_TOKEN: "cf-0123456789abcdef" };
  const withGateway = (ai_gateway: unknown) => ({ ...VERIFIED, ...provider({ ai_gateway }) });

  it.each([
    ["ai-gateway-openai", "openai", "openai"],
    ["ai-gateway-anthropic", "anthropic", "anthropic"],
    ["ai-gateway-compat", "openai", "compat"],
  ])("has the preset %s, which sends the caller's metadata", (preset, type, path) => {
    expect(named("team", { preset, ...IDS })).toMatchObject({
      dialect: { type },
      baseUrl: `https://gateway.ai.cloudflare.com/v1/0a1b/team_a-1/${path}`,
      aiGateway: { token: null, metadata: true },
    });
    expect(keysWithIssues({ PROVIDERS: { team: { preset } } })).toEqual([
      "PROVIDERS.team.account_id",
      "PROVIDERS.team.gateway_id",
    ]);
  });

  it.each([
    [{}, { token: null, metadata: true }],
    [{ token: "AIG_TOKEN" }, { token: "cf-0123456789abcdef", metadata: true }],
    [{ metadata: false }, { token: null, metadata: false }],
  ])("is read from ai_gateway = %j", (ai_gateway, expected) => {
    expect(read(withGateway(ai_gateway)).providers.get("openai")?.aiGateway).toEqual(expected);
  });

  it("has a token that is a secret, and is searched for in responses", () => {
    const names = read(withGateway({ token: "AIG_TOKEN" })).secrets.map(({ name }) => name);
    expect(names).toContain("AIG_TOKEN");
  });

  it.each([
    ["an unknown key", { tokens: "AIG_TOKEN" }, "PROVIDERS.openai.ai_gateway.tokens"],
    ["a token in place of its name", { token: "cf-CANARY" }, "PROVIDERS.openai.ai_gateway.token"],
    ["an invalid flag", { metadata: "yes" }, "PROVIDERS.openai.ai_gateway.metadata"],
    ["a secret that is not set", { token: "NO_TOKEN" }, "NO_TOKEN"],
  ])("rejects %s", (_, ai_gateway, key) => {
    expect(keysWithIssues(withGateway(ai_gateway))).toEqual([key]);
  });

  it("rejects a token where no source verifies callers: any caller could spend the stored keys", () => {
    const vars = { ...withGateway({ token: "AIG_TOKEN" }), IDENTITY: [{ source: "byok" }] };
    expect(keysWithIssues(vars)).toContain("PROVIDERS.openai.ai_gateway.token");
  });
});

describe("J6 a provider's name", () => {
  it.each(["OpenAI", "open_ai", "-openai", "openai-", "open--ai", "open ai", "open/ai", "", "ünï", "a.b"])(
    "J6 rejects %j",
    (name) => {
      const issues = issuesOf({ PROVIDERS: { [name]: OPENAI } });
      expect(issues).toEqual([`PROVIDERS.${name} must match ^[a-z0-9]+(?:-[a-z0-9]+)*$`]);
    },
  );

  const RESERVED = [
    "sessions",
    "interceptions",
    "overrides",
    "usage",
    "spend",
    "budgets",
    "me",
    "attribution",
    "explain",
    "anomalies",
    "refusals",
    "passthroughs",
    "accesses",
    "proof",
    "checkpoint",
    "clients",
    "models",
    "providers",
    "v1",
    "api",
    "healthz",
    "console",
    "metrics",
    "unauthenticated-events",
  ];

  it.each(RESERVED)("rejects the reserved name %s", (name) => {
    expect(issuesOf({ PROVIDERS: { [name]: OPENAI } })).toEqual([
      `PROVIDERS.${name} must not be a reserved name`,
    ]);
  });

  it("is reserved for the names above and openapi.json, which no provider can have", () => {
    expect([...RESERVED_NAMES].toSorted()).toEqual([...RESERVED, "openapi.json"].toSorted());
    for (const route of API_ROUTES) expect(RESERVED_NAMES).toContain(route);
  });

  it("F5 rejects __proto__, which changes no prototype", () => {
    const PROVIDERS = `{"openai":${JSON.stringify(OPENAI)},"__proto__":${JSON.stringify(OPENAI)}}`;
    expect(keysWithIssues({ PROVIDERS })).toEqual(["PROVIDERS.__proto__"]);
    expect(({} as { type?: unknown }).type).toBeUndefined();
  });
});
