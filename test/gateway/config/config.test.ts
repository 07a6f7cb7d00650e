import { createExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MIB, readConfig, type Config, type ConfigIssues } from "../../../src/gateway/config/config.ts";
import worker from "../../../src/gateway/index.ts";
import { anthropic } from "../../../src/gateway/provider/anthropic/dialect.ts";
import { openai } from "../../../src/gateway/provider/openai/dialect.ts";
import { registry } from "../../../src/gateway/wiring.ts";
import wranglerToml from "../../../wrangler.toml?raw";
import { between, forSeeds, seededRandom } from "../../support/rechunk.ts";
import { rules } from "../../support/in-workerd/values.ts";

const OPENAI = { type: "openai", base_url: "https://api.openai.example/v1" };
const SHA = "a".repeat(64);
const CLIENT_KEYS = JSON.stringify([{ sha256: SHA, actor: "ci-bot", kind: "service" }]);
const CANARY = "sk-CANARY-0123456789abcdef";

function read(vars: Record<string, unknown>): Config {
  const config = readConfig({ PROVIDERS: { openai: OPENAI }, ...vars }, registry);
  if ("issues" in config) throw new Error(config.issues.join("\n"));
  return config;
}

function problemsOf(vars: Record<string, unknown>): readonly string[] {
  const config = readConfig({ PROVIDERS: { openai: OPENAI }, ...vars }, registry);
  return "issues" in config ? config.issues : [];
}

/** The keys that the problems name, once each. */
const namedBy = (vars: Record<string, unknown>): string[] => [
  ...new Set(problemsOf(vars).map((problem) => problem.slice(0, problem.indexOf(" ")))),
];

/** Bindings, as far as they are known for what they are. */
const QUEUE = { send: () => undefined, sendBatch: () => undefined };
const DATABASE = { prepare: () => undefined, batch: () => undefined };
const BUCKET = { put: () => undefined, createMultipartUpload: () => undefined };

const provider = (over: Record<string, unknown>): Record<string, unknown> => ({
  PROVIDERS: { openai: { ...OPENAI, ...over } },
});

describe("what is left out", () => {
  it("has the contract's defaults", () => {
    const config = read({});
    expect([...config.providers.values()]).toEqual([
      {
        name: "openai",
        dialect: openai,
        baseUrl: "https://api.openai.example/v1",
        keys: [],
        injectUsage: true,
        coderHeaders: false,
        models: null,
      },
    ]);
    expect(config.assertion).toEqual(rules());
    expect(config.witnesses).toEqual({ signingKeys: [], directory: null, nonces: null });
    expect(config.delegation).toBeNull();
    expect(config.limits).toEqual({
      bodyBytes: 32 * MIB,
      headersMs: 600_000,
      idleMs: 300_000,
      observeBytes: 8 * MIB,
    });
    expect(config.recording).toEqual({
      required: false,
      prompts: false,
      content: { toolInputs: false, thoughts: false, errorMessages: false },
      patterns: [],
    });
    expect(config.interceptions).toBeNull();
    expect(config.overrides).toBeNull();
    expect(config.ledger).toEqual({ queue: null, database: null, archive: null, retentionDays: 60 });
    expect(config.adminTokenSha256).toBeNull();
  });

  it("IDENTITY is byok alone, which verifies nobody", () => {
    expect(read({}).sources.map(({ verifies }) => verifies)).toEqual([false]);
  });
});

const WHOLE = {
  PROVIDERS: {
    openai: { ...OPENAI, keys: ["OPENAI_KEY", "OPENAI_KEY_2"], models: ["gpt-4o"], inject_usage: false },
    claude: { type: "anthropic", base_url: "https://api.anthropic.example", forward_coder_headers: true },
  },
  IDENTITY: [{ source: "keys" }, { source: "byok" }],
  OWNER_ASSERTION: { allow: "listed", actors: ["ci-bot"], on_invalid: "reject", signature: "off" },
  RECORDING: {
    required: false,
    prompts: true,
    tool_inputs: true,
    thoughts: true,
    error_messages: true,
    redact: ["corp-[a-z]{8}", "(?i:employee) \\d+"],
  },
  LIMITS: { body_bytes: 1, headers_ms: 2, idle_ms: 3, observe_bytes: 0 },
};
const SECRETS = { OPENAI_KEY: " sk-one ", OPENAI_KEY_2: "sk-two", CLIENT_KEYS };

const wholeOf = ({ providers, sources, assertion, limits, recording }: Config): unknown => ({
  providers: [...providers.values()],
  verifies: sources.map((source) => source.verifies),
  assertion,
  limits,
  recording,
});

describe("tables and JSON strings", () => {
  const WHOLE_READ = {
    providers: [
      {
        name: "openai",
        dialect: openai,
        baseUrl: "https://api.openai.example/v1",
        keys: ["sk-one", "sk-two"],
        injectUsage: false,
        coderHeaders: false,
        models: ["gpt-4o"],
      },
      {
        name: "claude",
        dialect: anthropic,
        baseUrl: "https://api.anthropic.example",
        keys: [],
        injectUsage: true,
        coderHeaders: true,
        models: null,
      },
    ],
    verifies: [true, false],
    assertion: rules({ allow: "listed", actors: [{ id: "ci-bot", source: null }], onInvalid: "reject" }),
    limits: { bodyBytes: 1, headersMs: 2, idleMs: 3, observeBytes: 0 },
    recording: {
      required: false,
      prompts: true,
      content: { toolInputs: true, thoughts: true, errorMessages: true },
      patterns: [/corp-[a-z]{8}/gu, new RegExp("(?i:employee) \\d+", "gu")],
    },
  };
  it("a config of tables is read whole", () => {
    expect(wholeOf(read({ ...WHOLE, ...SECRETS }))).toEqual(WHOLE_READ);
  });

  it("the same as JSON strings is the same config", () => {
    const strings = Object.entries(WHOLE).map(([name, value]) => [name, JSON.stringify(value, null, 2)]);
    expect(wholeOf(read({ ...Object.fromEntries(strings), ...SECRETS }))).toEqual(WHOLE_READ);
  });

  it.each(["{", "", "[]", "null", "7", '"text"', "not json"])("PROVIDERS = %j is refused", (PROVIDERS) => {
    expect(namedBy({ PROVIDERS })).toEqual(["PROVIDERS"]);
  });

  it.each(["{", "", "{}", "null", "7", "keys"])("IDENTITY = %j is refused", (IDENTITY) => {
    expect(namedBy({ IDENTITY })).toEqual(["IDENTITY"]);
  });

  it.each(["OWNER_ASSERTION", "LIMITS", "RECORDING"])("%s that is no table is refused", (name) => {
    for (const value of ["off", "[]", [], true, 7, null]) expect(namedBy({ [name]: value })).toEqual([name]);
  });

  it("an actor's UUID in OWNER_ASSERTION counts in any case", () => {
    const id = "7F3C2A10-1234-4ABC-9DEF-000000000001";
    const { assertion } = read({ OWNER_ASSERTION: { allow: "listed", actors: [id] } });
    expect(assertion.actors).toEqual([{ id: id.toLowerCase(), source: null }]);
  });

  it("providers keep the order in which they are written", () => {
    const PROVIDERS = { zeta: OPENAI, alpha: OPENAI, mid: OPENAI };
    expect([...read({ PROVIDERS }).providers.keys()]).toEqual(["zeta", "alpha", "mid"]);
  });
});

const withKey = (secrets: Record<string, unknown>) => ({
  ...provider({ keys: ["OPENAI_KEY"] }),
  IDENTITY: [{ source: "keys" }],
  CLIENT_KEYS,
  ...secrets,
});

describe("J1 secrets", () => {
  it.each([
    ["missing", {}],
    ["empty", { OPENAI_KEY: "" }],
    ["blank", { OPENAI_KEY: " \n" }],
    ["no text", { OPENAI_KEY: { value: CANARY } }],
  ])("J1 a secret that is %s is named", (_, secrets) => {
    expect(namedBy(withKey(secrets))).toEqual(["OPENAI_KEY"]);
    expect(problemsOf(withKey(secrets)).join()).not.toContain("CANARY");
  });

  it("J1 CLIENT_KEYS missing is named where IDENTITY has keys", () => {
    expect(namedBy({ IDENTITY: [{ source: "keys" }] })).toEqual(["CLIENT_KEYS"]);
  });

  it.each([
    "<your key>",
    "<OPENAI_API_KEY>",
    "your-key",
    "your-api-key",
    "your_api_key_here",
    "YOUR_OPENAI_API_KEY",
    "replace-me",
    "replace-with-your-key",
    "changeme",
    "change-me",
    "sk-...",
    "sk-ant-...",
    "xxx",
    "XXXXXXXXXXXX",
    "TODO",
  ])("J4 the placeholder %j is refused by the secret's name", (value) => {
    expect(namedBy(withKey({ OPENAI_KEY: value }))).toEqual(["OPENAI_KEY"]);
  });

  it.each(["sk-proj-Ab_9", "sk-ant-api03-x", "xai-123", "yonder", "gsk_1"])(
    "J4 %j is no placeholder",
    (value) => {
      expect(read(withKey({ OPENAI_KEY: value })).providers.get("openai")?.keys).toEqual([value]);
    },
  );

  it.each(["sk-one\nsk-two", "sk one", "sk-\u0000", "sk-é", "sk-\u2028x", "“sk-one”"])(
    "J2 %j can stand in no header, so it is no key",
    (value) => {
      expect(namedBy(withKey({ OPENAI_KEY: value }))).toEqual(["OPENAI_KEY"]);
    },
  );

  it("J1 a key put where its secret's name belongs is not printed", () => {
    const vars = { ...provider({ keys: [CANARY] }), IDENTITY: [{ source: "keys" }], CLIENT_KEYS };
    expect(namedBy(vars)).toEqual(["PROVIDERS.openai.keys[0]"]);
    expect(problemsOf(vars).join("\n")).not.toContain(CANARY);
  });
});

describe("J2 J3 J6 wrong values", () => {
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
  ])("J2 a provider's %s = %j is refused", (key, value) => {
    expect(namedBy(provider({ [key]: value }))).toEqual([`PROVIDERS.openai.${key}`]);
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
  ])("J3 J4 base_url %j is refused, and not quoted", (base_url) => {
    const problems = problemsOf(provider({ base_url }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^PROVIDERS\.openai\.base_url /);
    expect(problems[0]).not.toContain("CANARY");
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
  ])("J3 base_url %s is taken as %s", (base_url, taken) => {
    expect(read(provider({ base_url })).providers.get("openai")?.baseUrl).toBe(taken);
  });

  it("J3 an Anthropic base_url ends before /v1, as its routes begin with it", () => {
    for (const base_url of ["https://api.anthropic.com/v1", "https://api.anthropic.com/v1/"]) {
      expect(namedBy({ PROVIDERS: { claude: { type: "anthropic", base_url } } })).toEqual([
        "PROVIDERS.claude.base_url",
      ]);
    }
  });

  it.each([
    [{ IDENTITY: [] }, "IDENTITY"],
    [{ IDENTITY: [{ source: "ldap" }] }, "IDENTITY[0].source"],
    [{ IDENTITY: [{ source: "byok" }, {}] }, "IDENTITY[1].source"],
    [{ IDENTITY: [{ source: ["byok"] }] }, "IDENTITY[0].source"],
    [{ IDENTITY: ["byok"] }, "IDENTITY[0]"],
    [{ IDENTITY: [{ source: "byok", ttl: 1 }] }, "IDENTITY[0].ttl"],
    [{ OWNER_ASSERTION: { allow: "all" } }, "OWNER_ASSERTION.allow"],
    [{ OWNER_ASSERTION: { allow: true } }, "OWNER_ASSERTION.allow"],
    [{ OWNER_ASSERTION: { actors: "ci-bot" } }, "OWNER_ASSERTION.actors"],
    [{ OWNER_ASSERTION: { on_invalid: "refuse" } }, "OWNER_ASSERTION.on_invalid"],
    [{ OWNER_ASSERTION: { signature: true } }, "OWNER_ASSERTION.signature"],
    [{ OWNER_ASSERTION: { Allow: "any" } }, "OWNER_ASSERTION.Allow"],
    [{ RECORDING: { prompt: false } }, "RECORDING.prompt"],
    [{ RECORDING: { toolInputs: true } }, "RECORDING.toolInputs"],
    [{ LIMITS: { idle_ms: "5" } }, "LIMITS.idle_ms"],
    [{ LIMITS: { idle_ms: 0 } }, "LIMITS.idle_ms"],
    [{ LIMITS: { idle_ms: 1.5 } }, "LIMITS.idle_ms"],
    [{ LIMITS: { idle_ms: 3_600_001 } }, "LIMITS.idle_ms"],
    [{ LIMITS: { headers_ms: -1 } }, "LIMITS.headers_ms"],
    [{ LIMITS: { headers_ms: Number.NaN } }, "LIMITS.headers_ms"],
    [{ LIMITS: { body_bytes: 0 } }, "LIMITS.body_bytes"],
    [{ LIMITS: { body_bytes: 100 * MIB + 1 } }, "LIMITS.body_bytes"],
    [{ LIMITS: { observe_bytes: 64 * MIB + 1 } }, "LIMITS.observe_bytes"],
    [{ LIMITS: { streams: 5 } }, "LIMITS.streams"],
    [provider({ baseurl: "https://h/v1" }), "PROVIDERS.openai.baseurl"],
    [{ PROVIDERS: {} }, "PROVIDERS"],
    [{ PROVIDERS: { openai: 5 } }, "PROVIDERS.openai"],
    [{ PROVIDERS: undefined }, "PROVIDERS"],
    [{ INTERCEPTIONS: {} }, "INTERCEPTIONS"],
    [{ OVERRIDES: "ai_overrides" }, "OVERRIDES"],
    [{ LEDGER: "ai-ledger" }, "LEDGER"],
    [{ LEDGER: {} }, "LEDGER"],
    [{ LEDGER: { prepare: "text" } }, "LEDGER"],
    [{ LEDGER: QUEUE }, "LEDGER"],
    [{ EVENTS: "ai-events", LEDGER: DATABASE }, "EVENTS"],
    [{ EVENTS: DATABASE, LEDGER: DATABASE }, "EVENTS"],
    [{ EVENTS: QUEUE, ARCHIVE: "ai-archive", LEDGER: DATABASE }, "ARCHIVE"],
    [{ EVENTS: QUEUE, ARCHIVE: DATABASE, LEDGER: DATABASE }, "ARCHIVE"],
  ])("J2 J6 %j is refused as %s", (vars, key) => {
    expect(namedBy(vars)).toEqual([key]);
  });

  it.each(["OpenAI", "open_ai", "-openai", "openai-", "open--ai", "open ai", "open/ai", "", "ünï", "a.b"])(
    "J6 %j is no provider's name",
    (name) => {
      const problems = problemsOf({ PROVIDERS: { [name]: OPENAI } });
      expect(problems).toHaveLength(1);
      expect(problems[0]).toMatch(/is not a name/);
    },
  );

  it.each([
    "sessions",
    "interceptions",
    "overrides",
    "usage",
    "attribution",
    "explain",
    "anomalies",
    "clients",
    "models",
    "providers",
    "v1",
    "api",
    "healthz",
  ])("the provider's name %s is reserved", (name) => {
    expect(problemsOf({ PROVIDERS: { [name]: OPENAI } })).toEqual([`PROVIDERS.${name} is a reserved name`]);
  });

  it("F5 a provider named __proto__ is refused and pollutes nothing", () => {
    const PROVIDERS = `{"openai":${JSON.stringify(OPENAI)},"__proto__":${JSON.stringify(OPENAI)}}`;
    expect(namedBy({ PROVIDERS })).toEqual(["PROVIDERS.__proto__"]);
    expect(({} as { type?: unknown }).type).toBeUndefined();
  });

  it.each(["toString", "constructor", "__proto__", "openai_key", "", " "])(
    "the secret's name %j is none: not found among what objects inherit",
    (name) => {
      const vars = { ...provider({ keys: [name] }), IDENTITY: [{ source: "keys" }], CLIENT_KEYS };
      const [path = ""] = namedBy(vars);
      expect(path).toMatch(/^PROVIDERS\.openai\.keys(\[0\])?$/);
    },
  );
});

it("settings that a table inherits are not its own", () => {
  const inherited = Object.create(OPENAI) as Record<string, unknown>;
  expect(namedBy({ PROVIDERS: { openai: inherited } })).toEqual([
    "PROVIDERS.openai.type",
    "PROVIDERS.openai.base_url",
  ]);
});

describe("J6 variables that nobody reads", () => {
  it.each([
    ["OWNER_ASSERTIONS", { allow: "off" }],
    ["DELEGATIONS", { keys: ["GATEWAY_KEY"] }],
    ["PROVIDER", { openai: OPENAI }],
    ["LIMIT", {}],
    ["IDENTITIES", [{ source: "keys" }]],
  ])("J6 the table %s, a misspelt one, is refused: what it says would not hold", (name, value) => {
    expect(namedBy({ [name]: value })).toEqual([name]);
  });

  it("a text may be anybody's, and a binding is no table", () => {
    class Binding {
      get = 1;
    }
    const bindings = { KV: new Binding(), CF_VERSION_METADATA: null, GREETING: "hello", FLAG: true };
    expect(namedBy(bindings)).toEqual([]);
  });
});

describe("J5 lists that are empty", () => {
  it("J5 no model is one that is allowed: the list stays a list", () => {
    expect(read(provider({ models: [] })).providers.get("openai")?.models).toEqual([]);
  });

  it("J5 no actor is listed", () => {
    const { assertion } = read({ OWNER_ASSERTION: { allow: "listed", actors: [] } });
    expect(assertion).toEqual(rules({ allow: "listed" }));
  });
});

describe("central keys need someone who verifies callers", () => {
  it("byok alone is refused on a provider with keys: it would be an open relay", () => {
    const vars = { ...provider({ keys: ["OPENAI_KEY"] }), OPENAI_KEY: "sk-one" };
    expect(namedBy(vars)).toEqual(["PROVIDERS.openai.keys"]);
    expect(namedBy({ ...vars, IDENTITY: [{ source: "byok" }] })).toEqual(["PROVIDERS.openai.keys"]);
  });

  it("with keys among the sources it is not", () => {
    const vars = { ...provider({ keys: ["OPENAI_KEY"] }), OPENAI_KEY: "sk-one", CLIENT_KEYS };
    expect(namedBy({ ...vars, IDENTITY: [{ source: "keys" }, { source: "byok" }] })).toEqual([]);
  });

  it("a provider without keys, or with none listed, needs nobody", () => {
    expect(namedBy(provider({}))).toEqual([]);
    expect(namedBy(provider({ keys: [] }))).toEqual([]);
  });

  it.each([
    ["the secret is missing too", { keys: ["OPENAI_KEY"] }, "OPENAI_KEY"],
    ["the base_url is bad too", { keys: ["OPENAI_KEY_2"], base_url: "x" }, "PROVIDERS.openai.base_url"],
  ])("and it is said at once, where %s", (_, over, other) => {
    const found = namedBy({ ...provider(over), OPENAI_KEY_2: "sk-two" });
    expect(found.toSorted()).toEqual([other, "PROVIDERS.openai.keys"].toSorted());
  });
});

describe("all that is wrong, at once", () => {
  it("names every wrong key", () => {
    const vars = {
      PROVIDERS: {
        "Bad Name": { type: "openai", base_url: "http://h.example", extra: 1 },
        models: { type: "nope", base_url: "https://u@h.example", keys: [1], models: 1, inject_usage: 1 },
        good: { ...OPENAI, keys: ["MISSING_KEY", "EMPTY_KEY"] },
        plain: "text",
      },
      EMPTY_KEY: "",
      IDENTITY: [{ source: "keys", x: 1 }, { source: "what" }, 5],
      CLIENT_KEYS: '[{"sha256":1,"actor":"a","kind":"user"}]',
      OWNER_ASSERTION: { allow: 1, actors: 1, on_invalid: 1, signature: 1, more: 1 },
      LIMITS: { body_bytes: 1.5, headers_ms: "1", idle_ms: [], observe_bytes: -1, more: 1 },
      RECORDING: {
        required: 1,
        prompts: 1,
        tool_inputs: 1,
        thoughts: 1,
        error_messages: 1,
        redact: ["("],
        more: 1,
      },
      INTERCEPTIONS: 1,
      OVERRIDES: {},
      EVENTS: 1,
      LEDGER: {},
      ARCHIVE: "x",
      RETENTION_DAYS: -1,
      ADMIN_TOKEN: "token",
    };
    const named = namedBy(vars).map((key) => key.replace(/^IDENTITY\[0\]\.(?=CLIENT)/, ""));
    expect(named.toSorted()).toEqual(
      [
        // A blank in the name: the key ends at it.
        "PROVIDERS.Bad",
        "PROVIDERS.models",
        "PROVIDERS.models.type",
        "PROVIDERS.models.base_url",
        "PROVIDERS.models.keys",
        "PROVIDERS.models.models",
        "PROVIDERS.models.inject_usage",
        "PROVIDERS.plain",
        "MISSING_KEY",
        "EMPTY_KEY",
        "IDENTITY[0].x",
        "IDENTITY[1].source",
        "IDENTITY[2]",
        "CLIENT_KEYS[0].sha256",
        "OWNER_ASSERTION.allow",
        "OWNER_ASSERTION.actors",
        "OWNER_ASSERTION.on_invalid",
        "OWNER_ASSERTION.signature",
        "OWNER_ASSERTION.more",
        "LIMITS.body_bytes",
        "LIMITS.headers_ms",
        "LIMITS.idle_ms",
        "LIMITS.observe_bytes",
        "LIMITS.more",
        "RECORDING.required",
        "RECORDING.prompts",
        "RECORDING.tool_inputs",
        "RECORDING.thoughts",
        "RECORDING.error_messages",
        "RECORDING.redact[0]",
        "RECORDING.more",
        "INTERCEPTIONS",
        "OVERRIDES",
        "EVENTS",
        "LEDGER",
        "ARCHIVE",
        "RETENTION_DAYS",
        "ADMIN_TOKEN",
      ].toSorted(),
    );
    const badName = problemsOf(vars).filter((problem) => problem.startsWith("PROVIDERS.Bad Name"));
    expect(badName.map((problem) => problem.slice("PROVIDERS.Bad Name".length).split(" ")[0])).toEqual([
      "",
      ".base_url",
      ".extra",
    ]);
  });
});

describe("RECORDING", () => {
  const { recording: nothing } = read({});

  it.each([
    ["prompts", { ...nothing, prompts: true }],
    ["tool_inputs", { ...nothing, content: { ...nothing.content, toolInputs: true } }],
    ["thoughts", { ...nothing, content: { ...nothing.content, thoughts: true } }],
    ["error_messages", { ...nothing, content: { ...nothing.content, errorMessages: true } }],
  ])("%s is switched by itself, in a table and in a JSON string", (key, recording) => {
    for (const RECORDING of [{ [key]: true }, JSON.stringify({ [key]: true })])
      expect(read({ RECORDING }).recording).toEqual(recording);
    expect(read({ RECORDING: { [key]: false } }).recording).toEqual(nothing);
  });

  it.each(["required", "prompts", "tool_inputs", "thoughts", "error_messages"])(
    "J2 %s that is neither true nor false is refused",
    (key) => {
      for (const value of ["true", "false", 1, 0, null, [], {}, ""]) {
        expect(namedBy({ RECORDING: { [key]: value }, LEDGER: DATABASE })).toEqual([`RECORDING.${key}`]);
      }
    },
  );

  it("required is on with a ledger or a queue", () => {
    expect(read({ RECORDING: { required: true }, LEDGER: DATABASE }).recording.required).toBe(true);
    const queued = { RECORDING: { required: true }, EVENTS: QUEUE, ARCHIVE: BUCKET };
    expect(read(queued).recording.required).toBe(true);
  });

  it("H7 required with nothing that could take the record is refused: all requests would be", () => {
    expect(namedBy({ RECORDING: { required: true } })).toEqual(["RECORDING.required"]);
    const analytics = { writeDataPoint: () => undefined };
    expect(namedBy({ RECORDING: { required: true }, INTERCEPTIONS: analytics })).toEqual([
      "RECORDING.required",
    ]);
  });

  it("redact is a list of forms, each found everywhere and by code points", () => {
    const { patterns } = read({ RECORDING: { redact: ["corp-\\w+", "^🗼$"] } }).recording;
    expect(patterns).toEqual([/corp-\w+/gu, /^🗼$/gu]);
    expect(read({ RECORDING: { redact: [] } }).recording.patterns).toEqual([]);
  });

  it.each(["corp-", 5, true, {}, null, [""], [5], [null], [["a"]]])(
    "J2 redact = %j is no list of texts",
    (redact) => {
      expect(namedBy({ RECORDING: { redact } })).toEqual(["RECORDING.redact"]);
    },
  );

  it.each([
    ["broken", "("],
    ["broken", "[z-a]"],
    ["broken", "a{2,1}"],
    ["broken", "*"],
    ["broken", "\\"],
    ["only without u", "\\-"],
    ["of another language", "(?P<name>x)"],
    ["empty-matching", "x*"],
    ["empty-matching", "x?|y"],
    ["empty-matching", "()"],
    ["empty-matching", "|"],
    ["empty-matching", "^"],
    ["empty-matching", "$"],
    ["of places", "\\b"],
    ["of places", "\\B"],
    ["of places", "(?=a)"],
    ["of places", "(?<=[^x])"],
  ])("J2 a form that is %s, %j, is refused by its place, and not quoted", (_, form) => {
    const vars = { RECORDING: { redact: ["fine", `${form}`, "CANARY("] } };
    expect(problemsOf(vars)).toEqual([
      "RECORDING.redact[1] is not a regular expression, or finds places without a text",
      "RECORDING.redact[2] is not a regular expression, or finds places without a text",
    ]);
  });
});

describe("the ledger's bindings", () => {
  it.each([
    ["a database alone", { LEDGER: DATABASE }],
    ["a database behind a queue", { LEDGER: DATABASE, EVENTS: QUEUE }],
    ["an archive behind a queue", { ARCHIVE: BUCKET, EVENTS: QUEUE }],
    ["all three", { LEDGER: DATABASE, ARCHIVE: BUCKET, EVENTS: QUEUE }],
    ["what is null", { LEDGER: null, ARCHIVE: null, EVENTS: null }],
  ])("may be %s, and are handed on as they are", (_, vars: Record<string, unknown>) => {
    const { queue, database, archive } = read(vars).ledger;
    expect(queue).toBe(vars["EVENTS"] ?? null);
    expect(database).toBe(vars["LEDGER"] ?? null);
    expect(archive).toBe(vars["ARCHIVE"] ?? null);
  });

  it.each([
    ["a queue whose events nobody keeps", { EVENTS: QUEUE }, ["EVENTS"]],
    ["an archive that nothing is written to", { ARCHIVE: BUCKET }, ["ARCHIVE"]],
    ["an archive beside a database without a queue", { ARCHIVE: BUCKET, LEDGER: DATABASE }, ["ARCHIVE"]],
  ])("J6 %s is refused", (_, vars, named) => {
    expect(namedBy(vars)).toEqual(named);
  });

  it("a real binding's methods are its class's, not its own", () => {
    class Database {
      prepare(): void {}
    }
    const bound = new Database();
    expect(read({ LEDGER: bound }).ledger.database).toBe(bound);
  });
});

describe("RETENTION_DAYS", () => {
  it.each([
    [0, 0],
    [1, 1],
    [60, 60],
    [36_500, 36_500],
    ["0", 0],
    ["30", 30],
    [" 7 \n", 7],
    ["0090", 90],
    [undefined, 60],
  ])("%j is %i days", (RETENTION_DAYS, days) => {
    expect(read({ RETENTION_DAYS }).ledger.retentionDays).toBe(days);
  });

  it.each([
    -1,
    1.5,
    36_501,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e20,
    "-1",
    "1.5",
    "abc",
    "60 days",
    "",
    " ",
    "1e2",
    "0x10",
    "٣٠",
    "9999999",
    null,
    true,
    [30],
    {},
  ])("J2 %j is refused", (RETENTION_DAYS) => {
    expect(problemsOf({ RETENTION_DAYS })).toEqual([
      "RETENTION_DAYS is not a whole number of days from 0 to 36500",
    ]);
  });
});

describe("ADMIN_TOKEN", () => {
  it("is the token's SHA-256, with or without a line's end behind it", () => {
    expect(read({ ADMIN_TOKEN: SHA }).adminTokenSha256).toBe(SHA);
    expect(read({ ADMIN_TOKEN: `${SHA}\n` }).adminTokenSha256).toBe(SHA);
  });

  it.each([
    ["empty", ""],
    ["blank", " "],
    ["the token itself", "aei_admin-CANARY0123456789CANARY0123456789CANARY012"],
    ["in capitals", "A".repeat(64)],
    ["too short", "a".repeat(63)],
    ["too long", "a".repeat(65)],
    ["no hex", `${"a".repeat(63)}g`],
    ["two of them", `${SHA},${SHA}`],
    ["in base64", "CANARYqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq="],
    ["a placeholder", "<sha256>"],
    ["a number", 5],
    ["a table", { sha256: SHA }],
    ["null", null],
  ])("J1 J2 that is %s is refused by its name, and never printed", (_, ADMIN_TOKEN) => {
    const problems = problemsOf({ ADMIN_TOKEN });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^ADMIN_TOKEN (?:is|still)/);
    const value = typeof ADMIN_TOKEN === "string" ? ADMIN_TOKEN.trim() : "";
    expect(value !== "" && problems.join().includes(value)).toBe(false);
  });
});

const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  "",
  " ",
  0,
  -1,
  1.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 53,
  true,
  false,
  [],
  {},
  [[]],
  [null],
  [{}],
  "null",
  "[]",
  "{}",
  '{"a":',
  "\0",
  "\ud800",
  "__proto__",
  "constructor",
  "toString",
  "https://",
  "http://[",
  "https://user:pass@h/?q#f",
  "[".repeat(5000),
  '{"__proto__":{"type":"openai"}}',
  () => "called",
  Symbol("s"),
  10n,
  new Date(0),
  new Map(),
  { toString: null },
  { writeDataPoint: 1 },
  { type: "openai", base_url: "https://h.example", keys: ["OPENAI_KEY"] },
];

/** The value with one thing in it, at random depth, replaced, removed or added. */
function mutate(value: unknown, random: () => number): unknown {
  const hostile = HOSTILE[between(random, 0, HOSTILE.length - 1)];
  if (typeof value !== "object" || value === null || random() < 0.15) return hostile;
  const keys = Object.keys(value);
  const key = keys[between(random, 0, keys.length - 1)];
  if (Array.isArray(value)) {
    if (key === undefined || random() < 0.2) return [...(value as unknown[]), hostile];
    return (value as unknown[]).with(Number(key), mutate(value[Number(key)], random));
  }
  const table = value as Record<string, unknown>;
  if (key === undefined || random() < 0.2) {
    const added = ["__proto__", "constructor", "x", "keys", "type", ""][between(random, 0, 5)] ?? "";
    return Object.defineProperty({ ...table }, added, { value: hostile, enumerable: true });
  }
  if (random() < 0.2) return Object.fromEntries(Object.entries(table).filter(([name]) => name !== key));
  return { ...table, [key]: mutate(table[key], random) };
}

function wrongWithProblems({ issues: problems }: ConfigIssues): string[] {
  return problems.length === 0 ? ["no problem"] : problems.filter((problem) => problem.includes("CANARY"));
}

/** What a config that was accepted promises and does not keep. */
function wrongWithConfig({
  providers,
  sources,
  limits,
  recording,
  ledger,
  adminTokenSha256,
}: Config): string[] {
  const wrong: string[] = [];
  if (providers.size === 0 || sources.length === 0) wrong.push("no provider or no source");
  const verifies = sources.some((source) => source.verifies);
  for (const { name, baseUrl, keys } of providers.values()) {
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) wrong.push(`name ${name}`);
    if (!/^https:\/\/[^/?#@]+(\/[^?#]*)?$/.test(baseUrl)) wrong.push(`base_url ${baseUrl}`);
    if (keys.some((key) => typeof key !== "string" || key.trim() === ""))
      wrong.push(`${name} has an odd key`);
    if (keys.length > 0 && !verifies) wrong.push(`${name} is an open relay`);
  }
  for (const [name, limit] of Object.entries(limits)) {
    if (!Number.isSafeInteger(limit) || limit < 0) wrong.push(`limit ${name}`);
  }
  if (recording.required && !ledger.queue && !ledger.database) wrong.push("nothing can be recorded");
  if (ledger.archive && !ledger.queue) wrong.push("an archive without a queue");
  if (!(ledger.retentionDays >= 0)) wrong.push("retention");
  for (const on of [recording.required, recording.prompts, ...Object.values(recording.content)])
    if (typeof on !== "boolean") wrong.push("a switch that is none");
  if (recording.patterns.some((pattern) => "".search(pattern) >= 0)) wrong.push("an empty pattern");
  if (!/^[0-9a-f]{64}$/.test(adminTokenSha256 ?? SHA)) wrong.push("no hash of an admin token");
  return wrong;
}

describe("hostile configs", () => {
  const SECRET = { OPENAI_KEY: CANARY, OPENAI_KEY_2: `${CANARY}-2`, CLIENT_KEYS, ADMIN_TOKEN: SHA };
  const LEDGER = { EVENTS: QUEUE, LEDGER: DATABASE, ARCHIVE: BUCKET, RETENTION_DAYS: "30" };

  it("no mutation makes the reading throw, print a secret, or end in a config that breaks its own rules", () => {
    const seen = { configs: 0, refused: 0 };
    forSeeds(6000, (seed) => {
      const random = seededRandom(seed);
      let vars: unknown = { ...WHOLE, ...LEDGER, ...SECRET };
      for (let times = between(random, 1, 3); times > 0; times -= 1) vars = mutate(vars, random);
      if (typeof vars !== "object" || vars === null) return;
      const whole = vars as Record<string, unknown>;
      if (random() < 0.3 && typeof whole["PROVIDERS"] === "object") {
        whole["PROVIDERS"] = JSON.stringify(whole["PROVIDERS"], (_, inner: unknown) =>
          typeof inner === "bigint" ? String(inner) : inner,
        );
      }
      const config = readConfig(whole, registry);
      seen["issues" in config ? "refused" : "configs"] += 1;
      expect("issues" in config ? wrongWithProblems(config) : wrongWithConfig(config)).toEqual([]);
    });
    expect(seen.configs).toBeGreaterThan(100);
    expect(seen.refused).toBeGreaterThan(3000);
  });
});

describe("the Worker with a config that is wrong", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("J1 answers a generic 500, forwards nothing, and names every wrong key on the console alone", async () => {
    const fetched = vi.spyOn(globalThis, "fetch");
    const printed = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const vars = {
      PROVIDERS: { openai: { ...OPENAI, base_url: `https://u:${CANARY}@h.example`, keys: ["OPENAI_KEY"] } },
      IDENTITY: [{ source: "keys" }],
      OPENAI_KEY: " ",
      CLIENT_KEYS: CANARY,
    };
    for (const path of ["/v1/chat/completions", "/openai/v1/models", "/healthz", "/nothing"]) {
      const request = new Request(`https://gateway.example${path}`, {
        headers: { authorization: `Bearer ${CANARY}` },
      });
      const response = await worker.fetch(request as never, vars, createExecutionContext());
      expect(response.status).toBe(500);
      expect(response.headers.get("x-interceptor-error")).toBe("misconfigured");
      expect(response.headers.get("x-interception-id")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
      expect(await response.json()).toEqual({
        error: {
          message: "The gateway is not configured correctly.",
          type: "server_error",
          param: null,
          code: "misconfigured",
        },
      });
    }
    expect(fetched).not.toHaveBeenCalled();
    const complaints = printed.mock.calls.flat().join("\n");
    for (const key of ["PROVIDERS.openai.base_url", "OPENAI_KEY", "CLIENT_KEYS"])
      expect(complaints).toContain(key);
    expect(complaints).not.toContain("CANARY");
  });
});

describe("wrangler.toml", () => {
  const flags = /^compatibility_flags = \[(.*)\]$/m.exec(wranglerToml)?.[1] ?? "";

  it("J7 has the flag that shows a client leaving, in the file and in this runtime", () => {
    expect(flags).toContain('"enable_request_signal"');
  });

  it("J7 names Node's modules off: the bundle does not need them", () => {
    expect(flags).toContain('"no_nodejs_compat"');
  });

  it("its own vars and bindings are a config without a problem", () => {
    const config = readConfig(env as unknown as Record<string, unknown>, registry);
    expect(config).not.toHaveProperty("problems");
    const { providers, interceptions, overrides, ledger } = config as Config;
    expect([...providers.keys()]).toEqual(["openai", "anthropic"]);
    expect(interceptions).not.toBeNull();
    expect(overrides).not.toBeNull();
    expect(ledger).toMatchObject({ archive: null, retentionDays: 60 });
    expect(ledger.database).not.toBeNull();
    expect(ledger.queue).not.toBeNull();
  });
});
