import { exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { MIB, type Config } from "../../../src/gateway/config/config.ts";
import { anthropicProvider, centralKeys, openaiProvider, rules } from "../../support/in-workerd/values.ts";
import {
  BUCKET,
  CLIENT_KEYS,
  DATABASE,
  DATASET,
  issuesOf,
  keysWithIssues,
  OPENAI,
  provider,
  QUEUE,
  read,
  SERVICE,
  type Vars,
} from "./read-config.ts";
import { TABLES, TABLE_SECRETS } from "./valid-config.ts";

describe("defaults", () => {
  it("are those of the reference", () => {
    const config = read({});
    expect([...config.providers.values()]).toEqual([openaiProvider()]);
    expect(config.assertion).toEqual(rules());
    expect(config.verifiers).toEqual({ signingKeys: [], httpKeys: [], directory: null, nonces: null });
    expect(config.delegation).toBeNull();
    expect(config.limits).toEqual({
      bodyBytes: 32 * MIB,
      uploadBytes: 100 * MIB,
      bodiesBytes: 48 * MIB,
      bodyMs: 30_000,
      bodyMinRate: 16_384,
      bodyRatio: 100,
      headersMs: 600_000,
      idleMs: 300_000,
      observeBytes: { events: 2 * MIB, json: 8 * MIB },
    });
    expect(config.recording).toEqual({
      required: false,
      allEvents: false,
      logMac: false,
      prompts: false,
      content: { toolInputs: false, thoughts: false, errorMessages: false },
      endUsers: "hashed",
      endUserKey: null,
      network: "off",
      responseHash: false,
      patterns: [],
    });
    const { interceptions, overrides, queue, records, forwardApi } = config;
    expect({ interceptions, overrides, queue, records, forwardApi }).toEqual({
      interceptions: null,
      overrides: null,
      queue: null,
      records: null,
      forwardApi: true,
    });
  });

  it("IDENTITY is byok alone, which verifies no caller", () => {
    expect(read({}).sources.map(({ verifies }) => verifies)).toEqual([false]);
  });
});

const tablesOf = ({ providers, sources, assertion, limits, recording }: Config): unknown => ({
  providers: [...providers.values()],
  verifies: sources.map((source) => source.verifies),
  assertion,
  limits,
  recording,
});

describe("tables and JSON strings", () => {
  const EXPECTED = {
    providers: [
      openaiProvider({
        keys: centralKeys("sk-one", "sk-two"),
        injectUsage: false,
        filterModels: false,
        keepsCache: true,
        retries: { attempts: 3, deadlineMs: 20_000, waitMs: 250, retryOn: "idempotent" },
        headersMs: 9000,
        breaker: { failures: 2, intervalMs: 5000, openMs: 6000, trials: 1 },
        concurrency: { max: 10, waitMs: 50 },
        modelIds: new Map([["fast", "gpt-4o"]]),
        aiGateway: { token: "cf-aig-one", metadata: false },
        actorHeaders: true,
        models: ["gpt-4o"],
      }),
      anthropicProvider({ name: "claude", coderHeaders: true }),
    ],
    verifies: [true, false],
    assertion: rules({ allow: "listed", actors: [{ id: "ci-bot", source: null }], onInvalid: "reject" }),
    limits: {
      bodyBytes: 1,
      uploadBytes: 4,
      bodiesBytes: 2,
      bodyMs: 5,
      bodyMinRate: 6,
      bodyRatio: 7,
      headersMs: 2,
      idleMs: 3,
      observeBytes: { events: 0, json: 0 },
    },
    recording: {
      required: false,
      allEvents: true,
      logMac: false,
      prompts: true,
      content: { toolInputs: true, thoughts: true, errorMessages: true },
      endUsers: "hashed",
      endUserKey: "k-secret-0123456789-abcdefghijklmn",
      network: "truncated",
      responseHash: true,
      patterns: [/corp-[a-z]{8}/gu, new RegExp("(?i:employee) \\d+", "gu")],
    },
  };

  it("reads every key of every table", () => {
    expect(tablesOf(read({ ...TABLES, ...TABLE_SECRETS }))).toEqual(EXPECTED);
  });

  it("reads the same tables as JSON strings", () => {
    const strings = Object.entries(TABLES).map(([name, value]) => [name, JSON.stringify(value, null, 2)]);
    expect(tablesOf(read({ ...Object.fromEntries(strings), ...TABLE_SECRETS }))).toEqual(EXPECTED);
  });

  it.each(["{", "", "[]", "null", "7", '"text"', "not json"])("rejects PROVIDERS = %j", (PROVIDERS) => {
    expect(keysWithIssues({ PROVIDERS })).toEqual(["PROVIDERS"]);
  });

  it.each(["{", "", "{}", "null", "7", "keys"])("rejects IDENTITY = %j", (IDENTITY) => {
    expect(keysWithIssues({ IDENTITY })).toEqual(["IDENTITY"]);
  });

  it("rejects IDENTITY = null, which is not the default", () => {
    expect(keysWithIssues({ IDENTITY: null })).toEqual(["IDENTITY"]);
    expect(read({ IDENTITY: undefined }).sources).toHaveLength(1);
  });

  it.each(["OWNER_ASSERTION", "LIMITS", "RECORDING"])("rejects %s that is not a table", (name) => {
    for (const value of ["off", "[]", [], true, 7, null])
      expect(keysWithIssues({ [name]: value })).toEqual([name]);
  });

  it("reads an actor's UUID in OWNER_ASSERTION in any case", () => {
    const id = "7F3C2A10-1234-4ABC-9DEF-000000000001";
    const { assertion } = read({ OWNER_ASSERTION: { allow: "listed", actors: [id] } });
    expect(assertion.actors).toEqual([{ id: id.toLowerCase(), source: null }]);
  });

  it("keeps the order of the providers", () => {
    const PROVIDERS = { zeta: OPENAI, alpha: OPENAI, mid: OPENAI };
    expect([...read({ PROVIDERS }).providers.keys()]).toEqual(["zeta", "alpha", "mid"]);
  });

  it("does not read settings that a table inherits", () => {
    const inherited = Object.create(OPENAI) as Vars;
    expect(keysWithIssues({ PROVIDERS: { team: inherited } })).toEqual([
      "PROVIDERS.team.type",
      "PROVIDERS.team.base_url",
    ]);
  });
});

describe("J2 J6 wrong values", () => {
  it.each([
    [{ IDENTITY: [] }, "IDENTITY"],
    [{ IDENTITY: [{ source: "ldap" }] }, "IDENTITY[0].source"],
    [{ IDENTITY: [{ source: "byok" }, {}] }, "IDENTITY[1].source"],
    [{ IDENTITY: [{ source: ["byok"] }] }, "IDENTITY[0].source"],
    [{ IDENTITY: ["byok"] }, "IDENTITY[0]"],
    [{ IDENTITY: [{ source: "byok", ttl: 1 }] }, "IDENTITY[0].ttl"],
    [{ IDENTITY: [{ source: "byok" }, { source: "byok" }] }, "IDENTITY[1]"],
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
    [{ LIMITS: { upload_bytes: 0 } }, "LIMITS.upload_bytes"],
    [{ LIMITS: { bodies_bytes: 48 * MIB - 1 } }, "LIMITS.bodies_bytes"],
    [{ LIMITS: { body_bytes: 20 * MIB, bodies_bytes: 29 * MIB } }, "LIMITS.bodies_bytes"],
    [{ LIMITS: { body_ms: 0 } }, "LIMITS.body_ms"],
    [{ LIMITS: { body_min_rate: 0 } }, "LIMITS.body_min_rate"],
    [{ LIMITS: { body_ratio: 0 } }, "LIMITS.body_ratio"],
    [{ LIMITS: { observe_bytes: 64 * MIB + 1 } }, "LIMITS.observe_bytes"],
    [{ LIMITS: { streams: 5 } }, "LIMITS.streams"],
    [provider({ baseurl: "https://h/v1" }), "PROVIDERS.openai.baseurl"],
    [provider({ headers_ms: 0 }), "PROVIDERS.openai.headers_ms"],
    [provider({ breaker: 3 }), "PROVIDERS.openai.breaker"],
    [provider({ breaker: { failures: 0 } }), "PROVIDERS.openai.breaker.failures"],
    [provider({ breaker: { interval_ms: 0 } }), "PROVIDERS.openai.breaker.interval_ms"],
    [provider({ breaker: { open_ms: -1 } }), "PROVIDERS.openai.breaker.open_ms"],
    [provider({ breaker: { trials: 1.5 } }), "PROVIDERS.openai.breaker.trials"],
    [provider({ breaker: { on: true } }), "PROVIDERS.openai.breaker.on"],
    [provider({ concurrency: {} }), "PROVIDERS.openai.concurrency.max"],
    [provider({ concurrency: { max: 0 } }), "PROVIDERS.openai.concurrency.max"],
    [provider({ concurrency: { max: 1, wait_ms: "1" } }), "PROVIDERS.openai.concurrency.wait_ms"],
    [provider({ concurrency: { max: 1, queue: 1 } }), "PROVIDERS.openai.concurrency.queue"],
    [provider({ model_ids: ["a"] }), "PROVIDERS.openai.model_ids"],
    [provider({ model_ids: { a: "" } }), "PROVIDERS.openai.model_ids.a"],
    [provider({ model_ids: { a: 5 } }), "PROVIDERS.openai.model_ids.a"],
    [provider({ fallbacks: "azure" }), "PROVIDERS.openai.fallbacks"],
    [provider({ fallbacks: ["azure"] }), "PROVIDERS.openai.fallbacks[0]"],
    [provider({ fallbacks: ["openai"] }), "PROVIDERS.openai.fallbacks[0]"],
    [provider({ retries: 3 }), "PROVIDERS.openai.retries"],
    [provider({ retries: { attempts: 0 } }), "PROVIDERS.openai.retries.attempts"],
    [provider({ retries: { attempts: 6 } }), "PROVIDERS.openai.retries.attempts"],
    [provider({ retries: { attempts: 2, deadline_ms: 0 } }), "PROVIDERS.openai.retries.deadline_ms"],
    [provider({ retries: { attempts: 2, wait_ms: -1 } }), "PROVIDERS.openai.retries.wait_ms"],
    [provider({ retries: { attempts: 2, retry_on: "all" } }), "PROVIDERS.openai.retries.retry_on"],
    [provider({ retries: { retry_on: "any" } }), "PROVIDERS.openai.retries.retry_on"],
    [provider({ retries: { tries: 2 } }), "PROVIDERS.openai.retries.tries"],
    [{ PROVIDERS: {} }, "PROVIDERS"],
    [{ PROVIDERS: { openai: 5 } }, "PROVIDERS.openai"],
    [{ PROVIDERS: undefined }, "PROVIDERS"],
    [{ INTERCEPTIONS: {} }, "INTERCEPTIONS"],
    [{ OVERRIDES: "ai_overrides" }, "OVERRIDES"],
    [{ EVENTS: "ai-events" }, "EVENTS"],
    [{ EVENTS: DATABASE }, "EVENTS"],
    [{ EVENTS: { sendBatch: "text" } }, "EVENTS"],
    [{ RECORDS: "ai-edge-interceptor-records" }, "RECORDS"],
    [{ RECORDS: QUEUE }, "RECORDS"],
    [{ RECORDS: { fetch: "text" } }, "RECORDS"],
    [{ FORWARD_API: "yes" }, "FORWARD_API"],
    [{ FORWARD_API: 1 }, "FORWARD_API"],
    [{ FORWARD_API: null }, "FORWARD_API"],
    [{ FORWARD_API: "" }, "FORWARD_API"],
  ])("rejects %j at %s", (vars, key) => {
    expect(keysWithIssues(vars)).toEqual([key]);
  });

  it.each([
    ["LEDGER", DATABASE],
    ["ARCHIVE", BUCKET],
  ])("J6 rejects %s, which belongs to the records Worker", (name, binding) => {
    const issue = `${name} must be bound to the records Worker (wrangler.records.toml)`;
    for (const vars of [{ [name]: binding }, { [name]: binding, EVENTS: QUEUE, RECORDS: SERVICE }])
      expect(issuesOf(vars)).toEqual([issue]);
  });

  it("J6 rejects RETENTION_DAYS, which belongs to the records Worker", () => {
    const issue = "RETENTION_DAYS must be set in the records Worker (wrangler.records.toml)";
    for (const RETENTION_DAYS of [30, "30", 0]) expect(issuesOf({ RETENTION_DAYS })).toEqual([issue]);
  });
});

describe("bindings", () => {
  it.each<[string, Vars]>([
    ["a queue alone", { EVENTS: QUEUE }],
    ["the records Worker alone", { RECORDS: SERVICE }],
    ["queue and records Worker", { EVENTS: QUEUE, RECORDS: SERVICE }],
    ["the data sets", { INTERCEPTIONS: DATASET, OVERRIDES: DATASET }],
    ["null for each", { EVENTS: null, RECORDS: null, INTERCEPTIONS: null, OVERRIDES: null }],
  ])("may be %s, and are passed on unchanged", (_, vars) => {
    const { queue, records, interceptions, overrides } = read(vars);
    expect(queue).toBe(vars["EVENTS"] ?? null);
    expect(records).toBe(vars["RECORDS"] ?? null);
    expect(interceptions).toBe(vars["INTERCEPTIONS"] ?? null);
    expect(overrides).toBe(vars["OVERRIDES"] ?? null);
  });

  it("accepts a binding whose methods belong to its class", () => {
    class ClassQueue {
      sendBatch(): void {}
    }
    const bound = new ClassQueue();
    expect(read({ EVENTS: bound }).queue).toBe(bound);
  });

  it("accepts the runtime's own service binding as RECORDS", () => {
    const { default: service } = exports as unknown as { readonly default: object };
    expect(read({ RECORDS: service }).records).toBe(service);
  });
});

describe("FORWARD_API", () => {
  it.each([
    [true, true],
    [false, false],
    ["true", true],
    ["false", false],
    [" false\n", false],
    [undefined, true],
  ])("reads %j as %s", (FORWARD_API, forwardApi) => {
    expect(read({ FORWARD_API }).forwardApi).toBe(forwardApi);
  });
});

describe("J6 unknown variables", () => {
  it.each([
    ["OWNER_ASSERTIONS", { allow: "off" }],
    ["DELEGATIONS", { keys: ["GATEWAY_KEY"] }],
    ["PROVIDER", { openai: OPENAI }],
    ["LIMIT", {}],
    ["IDENTITIES", [{ source: "keys" }]],
    ["RECORDINGS", { prompts: true }],
  ])("J6 rejects the misspelt table %s, because its rules would not apply", (name, value) => {
    expect(keysWithIssues({ [name]: value })).toEqual([name]);
    expect(keysWithIssues({ [name]: JSON.stringify(value) })).toEqual([name]);
  });

  it("accepts unknown texts and bindings", () => {
    class Binding {
      get = 1;
    }
    const bindings = { KV: new Binding(), CF_VERSION_METADATA: null, GREETING: "hello", FLAG: true };
    expect(keysWithIssues(bindings)).toEqual([]);
  });
});

describe("J5 empty lists", () => {
  it("J5 keeps an empty models list, which allows no model", () => {
    expect(read(provider({ models: [] })).providers.get("openai")?.models).toEqual([]);
  });

  it("J5 keeps an empty actors list, which allows no actor", () => {
    const { assertion } = read({ OWNER_ASSERTION: { allow: "listed", actors: [] } });
    expect(assertion).toEqual(rules({ allow: "listed" }));
  });
});

describe("central keys without an identity source that verifies callers", () => {
  it("rejects byok alone for a provider with keys: it would be an open relay", () => {
    const vars = { ...provider({ keys: ["OPENAI_KEY"] }), OPENAI_KEY: "sk-one" };
    expect(keysWithIssues(vars)).toEqual(["PROVIDERS.openai.keys"]);
    expect(keysWithIssues({ ...vars, IDENTITY: [{ source: "byok" }] })).toEqual(["PROVIDERS.openai.keys"]);
  });

  it("accepts keys among the sources", () => {
    const vars = { ...provider({ keys: ["OPENAI_KEY"] }), OPENAI_KEY: "sk-one", CLIENT_KEYS };
    expect(keysWithIssues({ ...vars, IDENTITY: [{ source: "keys" }, { source: "byok" }] })).toEqual([]);
  });

  it("accepts byok alone for a provider without keys or with an empty list", () => {
    expect(keysWithIssues(provider({}))).toEqual([]);
    expect(keysWithIssues(provider({ keys: [] }))).toEqual([]);
  });

  it.each([
    ["a missing secret", { keys: ["OPENAI_KEY"] }, "OPENAI_KEY"],
    ["a bad base_url", { keys: ["OPENAI_KEY_2"], base_url: "x" }, "PROVIDERS.openai.base_url"],
  ])("reports the open relay together with %s", (_, over, other) => {
    const keys = keysWithIssues({ ...provider(over), OPENAI_KEY_2: "sk-two" });
    expect(keys.toSorted()).toEqual([other, "PROVIDERS.openai.keys"].toSorted());
  });
});

describe("CF_VERSION_METADATA", () => {
  const ID = "dc8dcd28-271b-4367-9840-6c244f84cb40";

  it("names the version of the Worker", () => {
    const metadata = { id: ID, tag: "", timestamp: "2026-11-23T12:00:00.000Z" };
    expect(read({ CF_VERSION_METADATA: metadata }).workerVersion).toBe(ID);
  });

  it.each([[{}], [{ CF_VERSION_METADATA: undefined }], [{ CF_VERSION_METADATA: null }]])(
    "is optional: without it the version is null (%j)",
    (vars) => {
      expect(read(vars).workerVersion).toBeNull();
    },
  );

  it.each([
    "CANARY",
    1,
    true,
    {},
    { id: "" },
    { id: 1 },
    { id: "CANARY with blanks" },
    { id: "CANARY".repeat(11) },
    ["CANARY"],
  ])("must be a version metadata binding, not %j", (metadata) => {
    expect(issuesOf({ CF_VERSION_METADATA: metadata })).toEqual([
      "CF_VERSION_METADATA must be a version metadata binding",
    ]);
  });
});

const limitsOf = (LIMITS: object): Config["limits"] => read({ LIMITS }).limits;

describe("the limits of request bodies", () => {
  it("bounds uploads by body_bytes where only that is set, as before upload_bytes existed", () => {
    expect(limitsOf({ body_bytes: 100 })).toMatchObject({ bodyBytes: 100, uploadBytes: 100 });
    expect(limitsOf({ body_bytes: 100 * MIB })).toMatchObject({ uploadBytes: 100 * MIB });
    expect(limitsOf({ body_bytes: 100, upload_bytes: 7 })).toMatchObject({ bodyBytes: 100, uploadBytes: 7 });
  });

  it("lets an isolate hold at least one and a half bodies of the largest size", () => {
    expect(limitsOf({ body_bytes: 16 * MIB }).bodiesBytes).toBe(48 * MIB);
    expect(limitsOf({ body_bytes: 64 * MIB }).bodiesBytes).toBe(96 * MIB);
    expect(limitsOf({ body_bytes: 7, bodies_bytes: 11 }).bodiesBytes).toBe(11);
    expect(limitsOf({ body_bytes: 100, bodies_bytes: 200 }).bodiesBytes).toBe(200);
  });
});

describe("a config with many issues", () => {
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
      all_events: 1,
      prompts: 1,
      tool_inputs: 1,
      thoughts: 1,
      error_messages: 1,
      redact: ["("],
      more: 1,
    },
    CF_VERSION_METADATA: "CANARY",
    INTERCEPTIONS: 1,
    OVERRIDES: {},
    EVENTS: 1,
    RECORDS: 1,
    FORWARD_API: 1,
    LEDGER: {},
    ARCHIVE: "x",
    RETENTION_DAYS: -1,
  };

  it("names every wrong key", () => {
    const keys = keysWithIssues(vars);
    expect(keys.toSorted()).toEqual(
      [
        // The name holds a blank, at which this test cuts the key.
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
        "IDENTITY[0].CLIENT_KEYS[0].sha256",
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
        "RECORDING.all_events",
        "RECORDING.prompts",
        "RECORDING.tool_inputs",
        "RECORDING.thoughts",
        "RECORDING.error_messages",
        "RECORDING.redact[0]",
        "RECORDING.more",
        "CF_VERSION_METADATA",
        "INTERCEPTIONS",
        "OVERRIDES",
        "EVENTS",
        "RECORDS",
        "FORWARD_API",
        "LEDGER",
        "ARCHIVE",
        "RETENTION_DAYS",
      ].toSorted(),
    );
    const badName = issuesOf(vars).filter((issue) => issue.startsWith("PROVIDERS.Bad Name"));
    expect(badName.map((issue) => issue.slice("PROVIDERS.Bad Name".length).split(" ")[0])).toEqual([
      "",
      ".base_url",
      ".extra",
    ]);
  });

  it("begins every issue's text with a rule", () => {
    for (const issue of issuesOf(vars)) {
      const text = issue.replace(/^PROVIDERS\.Bad Name\S*|^\S+/, "");
      expect(text).toMatch(/^ (?:must|requires|is required|is not a known key)[ :]/);
    }
  });
});
