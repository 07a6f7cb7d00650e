/* oxlint-disable vitest/expect-expect -- helpers such as expectForwarded and expectRefusal assert */
/**
 * Part J of the catalogue, against the production bundle. With any invalid configuration, clients get a generic 500,
 * nothing is forwarded, and the console names every invalid key but no value.
 *
 * Each block starts the Worker once with a configuration that has many issues, and has one test per issue.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { HeaderPair } from "../support/wire.ts";
import {
  bearer,
  BODY,
  CENTRAL,
  CODER_AGENTS_UA,
  expectForwarded,
  expectRefusal,
  KEYS,
  newOwner,
  openCaseHarness,
  OWN,
  ownerHeader,
  PROMPT,
  interceptorOptions,
  sha256,
  UUID_V7,
  type OptionOverrides,
  type CaseHarness,
} from "./case-harness.ts";

let harness: CaseHarness;
beforeAll(async () => void (harness = await openCaseHarness()));
beforeEach(() => harness.reset());
afterEach(() => harness.check());
afterAll(() => harness.close());

const CHAT = "/openai/v1/chat/completions";
const KEY = bearer(KEYS.user);

/** Part of every invalid value here. It must not be printed. */
const VALUE = "vAlUe7of2a4wrong9setting";

const CONFIGURATION_INVALID = /^\{"event":"configuration_invalid","issues":\[/;

/** The issues that the console lists after one request. */
async function loggedIssues(): Promise<string[]> {
  harness.expectLine(CONFIGURATION_INVALID);
  harness.registerSecret(VALUE);
  const { response, forwarded } = await harness.send({ target: "/healthz" });
  expect([response.status, forwarded]).toEqual([500, []]);
  await harness.interceptor.flush();
  const lines = harness.interceptor.lines();
  expect(lines.map(({ level }) => level)).toEqual(["error"]);
  const { issues } = JSON.parse(lines[0]?.message ?? "{}") as { readonly issues?: string[] };
  return issues ?? [];
}

type Issue = readonly [id: string, description: string, path: string];

/** Tests a configuration with all of these issues. Each must be reported with the path of its key. */
function testInvalid(
  title: string,
  overrides: (upstreamUrl: string) => OptionOverrides,
  issues: readonly Issue[],
): void {
  describe(`${title}`, () => {
    beforeAll(() => harness.configure(overrides(harness.upstream.url)));

    it.each(issues)("%s reports %s at %s", async (_, __, path) => {
      const logged = await loggedIssues();
      // Issues of a source's secrets are reported below the source: IDENTITY[0].CLIENT_KEYS[1] and so on.
      expect(
        logged.filter((issue) => ` ${issue}`.replace(/ IDENTITY\[\d\]\.C/, " C").startsWith(` ${path} `)),
      ).not.toEqual([]);
    });

    it(`${issues[0]?.[0] ?? "J"} returns the same generic 500 for every request and forwards nothing`, async () => {
      harness.expectLine(CONFIGURATION_INVALID);
      harness.registerSecret(VALUE);
      const complete = { headers: [KEY, CODER_AGENTS_UA], body: BODY };
      for (const request of [
        { target: CHAT, ...complete },
        { target: "/own-openai/v1/chat/completions", headers: [bearer(OWN.openai)], body: BODY },
        { target: "/anthropic/v1/messages", ...complete },
        { target: "/openai/v1/models", headers: [KEY] },
        { target: "/healthz" },
        { target: "/" },
        { target: "/nowhere" },
        { target: CHAT, body: BODY },
        { target: "/openai/v1/models/%2e%2e", headers: [["Via", "1.1 ai-edge-interceptor"]] as HeaderPair[] },
      ]) {
        const exchange = await harness.send(request);
        expectRefusal(exchange, 500, "misconfigured");
        const { error } = JSON.parse(exchange.response.text()) as { error: { message: string } };
        expect(error.message).toBe(
          "The gateway's configuration is not valid. Report it to the gateway's administrator.",
        );
        expect(exchange.response.values("x-interception-id")).toEqual([expect.stringMatching(UUID_V7)]);
      }
      await harness.interceptor.flush();
      expect([harness.interceptor.events(), harness.interceptor.points()]).toEqual([[], []]);
    });
  });
}

/** Providers by name. `type` and `base_url` are valid unless the table replaces them. */
function providers(url: string, tables: Readonly<Record<string, object>>): Record<string, unknown> {
  const valid = { type: "openai", base_url: `${url}/v1` };
  return Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, { ...valid, ...table }]));
}

/** One provider per value: `p-0`, `p-1` and so on. */
function each<T>(values: readonly T[], table: (value: T, at: number) => object): Record<string, object> {
  return Object.fromEntries(values.map((value, at) => [`p-${at}`, table(value, at)]));
}

testInvalid(
  "missing secrets",
  (url) => ({
    providers: providers(url, {
      absent: { keys: ["ABSENT_KEY"] },
      empty: { keys: ["EMPTY_KEY"] },
      blank: { keys: ["BLANK_KEY"] },
      one: { keys: ["OPENAI_KEY", "SECOND_ABSENT_KEY"] },
      inherited: { keys: ["constructor"] },
      number: { keys: ["NUMBER_KEY"] },
      table: { keys: ["TABLE_KEY"] },
      split: { keys: ["SPLIT_KEY"] },
    }),
    vars: { NUMBER_KEY: 5, TABLE_KEY: { key: VALUE } },
    secrets: {
      EMPTY_KEY: "",
      BLANK_KEY: " \t\n ",
      SPLIT_KEY: `sk-${VALUE}\nX-Forged: 1`,
    },
  }),
  [
    ["J1", "a missing secret", "ABSENT_KEY"],
    ["J1", "an empty secret", "EMPTY_KEY"],
    ["J1", "a blank secret", "BLANK_KEY"],
    ["J1", "a second missing secret", "SECOND_ABSENT_KEY"],
    ["J1", "the name of an inherited property", "PROVIDERS.inherited.keys[0]"],
    ["J2", "a number instead of a secret", "NUMBER_KEY"],
    ["J2", "a table instead of a secret", "TABLE_KEY"],
    // Without this check, every call fails when the header is built.
    ["J1", "a secret with a line end inside, which is invalid in a header", "SPLIT_KEY"],
  ],
);

describe("a secret in place of its name", () => {
  // The mistake: keys = ["sk-proj-…"] instead of keys = ["OPENAI_API_KEY"]. Naming the missing secret prints the key.
  beforeAll(() =>
    harness.configure({
      providers: providers(harness.upstream.url, { literal: { keys: [CENTRAL.anthropic] } }),
    }),
  );

  it("J1 is reported by its path without printing it", async () => {
    harness.registerSecret(CENTRAL.anthropic);
    const logged = await loggedIssues();
    expect(logged.filter((issue) => issue.startsWith("PROVIDERS.literal.keys"))).not.toEqual([]);
  });
});

for (const [state, secret] of [
  ["missing", undefined],
  ["empty", ""],
  ["blank", "   "],
  ["not JSON", VALUE],
  ["an object", JSON.stringify({ sha256: VALUE })],
  ["a JSON string", JSON.stringify(VALUE)],
] as const) {
  testInvalid(`with CLIENT_KEYS ${state}`, () => ({ secrets: { CLIENT_KEYS: secret } }), [
    ["J1", `CLIENT_KEYS ${state}`, "CLIENT_KEYS"],
  ]);
}

const DIGEST = sha256("some key");

testInvalid(
  "entries of CLIENT_KEYS",
  () => ({
    secrets: {
      CLIENT_KEYS: JSON.stringify([
        { sha256: DIGEST, actor: "first", kind: "user" },
        5,
        [],
        null,
        { actor: VALUE, kind: "user" },
        { sha256: VALUE, actor: "a", kind: "user" },
        { sha256: DIGEST.toUpperCase(), actor: "a", kind: "user" },
        { sha256: sha256("8"), kind: "user" },
        { sha256: sha256("9"), actor: `${VALUE} with spaces`, kind: "user" },
        { sha256: sha256("10"), actor: "", kind: "user" },
        { sha256: sha256("11"), actor: "a".repeat(97), kind: "user" },
        { sha256: sha256("12"), actor: "a", kind: VALUE },
        { sha256: sha256("13"), actor: "a", kind: "user", name: 5 },
        { sha256: sha256("14"), actor: "a", kind: "user", assert: "true" },
        { sha256: sha256("15"), actor: "a", kind: "user", key: VALUE },
        { sha256: DIGEST, actor: "twice", kind: "user" },
      ]),
    },
  }),
  [
    ["J2", "a number", "CLIENT_KEYS[1]"],
    ["J2", "a list", "CLIENT_KEYS[2]"],
    ["J2", "null", "CLIENT_KEYS[3]"],
    ["J1", "an entry without a digest", "CLIENT_KEYS[4].sha256"],
    ["J2", "an invalid digest", "CLIENT_KEYS[5].sha256"],
    ["J2", "a digest in upper case", "CLIENT_KEYS[6].sha256"],
    ["J1", "an entry without an actor", "CLIENT_KEYS[7].actor"],
    ["J2", "an actor of another form", "CLIENT_KEYS[8].actor"],
    ["J2", "an empty actor", "CLIENT_KEYS[9].actor"],
    ["J2", "an actor too long", "CLIENT_KEYS[10].actor"],
    ["J2", "an unknown kind", "CLIENT_KEYS[11].kind"],
    ["J2", "a number as a name", "CLIENT_KEYS[12].name"],
    ["J2", "a string instead of a boolean", "CLIENT_KEYS[13].assert"],
    ["J6", "an unknown key, with the client key itself in it", "CLIENT_KEYS[14].key"],
    ["J2", "a digest listed twice", "CLIENT_KEYS[15].sha256"],
  ],
);

testInvalid(
  "values of another type",
  (url) => ({
    providers: {
      "p-text": VALUE,
      "p-number": 5,
      "p-list": [],
      "p-null": null,
      ...providers(url, {
        "type-number": { type: 5 },
        "type-none": { type: undefined },
        "type-other": { type: VALUE },
        "type-list": { type: ["openai"] },
        "type-case": { type: "OpenAI" },
        "url-number": { base_url: 5 },
        "url-list": { base_url: [`${url}/v1`] },
        "keys-text": { keys: VALUE },
        "keys-number": { keys: [5] },
        "keys-boolean": { keys: true },
        "keys-empty": { keys: [""] },
        "keys-table": { keys: { a: "OPENAI_KEY" } },
        "models-text": { models: VALUE },
        "models-boolean": { models: [true] },
        "models-null": { models: null },
        "inject-text": { inject_usage: "false" },
        "inject-number": { inject_usage: 0 },
        "coder-text": { forward_coder_headers: VALUE },
      }),
    },
    vars: {
      IDENTITY: [
        { source: "keys" },
        5,
        VALUE,
        [],
        { source: 5 },
        {},
        { source: VALUE },
        { source: ["byok"] },
      ],
      OWNER_ASSERTION: { allow: true, actors: VALUE, on_invalid: 1, signature: true },
      LIMITS: { body_bytes: "1", headers_ms: 0, idle_ms: 1.5, observe_bytes: -1 },
      RECORDING: { required: "yes", prompts: 1 },
      OVERRIDES: VALUE,
    },
  }),
  [
    ...["p-text", "p-number", "p-list", "p-null"].map((name): Issue => [
      "J2",
      "an invalid table",
      `PROVIDERS.${name}`,
    ]),
    ...["type-number", "type-none", "type-other", "type-list", "type-case"].map((name): Issue => [
      "J2",
      "an invalid type",
      `PROVIDERS.${name}.type`,
    ]),
    ...["url-number", "url-list"].map((name): Issue => [
      "J2",
      "an invalid URL",
      `PROVIDERS.${name}.base_url`,
    ]),
    ...["keys-text", "keys-number", "keys-boolean", "keys-empty", "keys-table"].map((name): Issue => [
      "J2",
      "an invalid list of names",
      `PROVIDERS.${name}.keys`,
    ]),
    ...["models-text", "models-boolean", "models-null"].map((name): Issue => [
      "J2",
      "an invalid list of models",
      `PROVIDERS.${name}.models`,
    ]),
    ["J2", "a string instead of a boolean", "PROVIDERS.inject-text.inject_usage"],
    ["J2", "a number instead of a boolean", "PROVIDERS.inject-number.inject_usage"],
    ["J2", "a string instead of a boolean", "PROVIDERS.coder-text.forward_coder_headers"],
    ["J2", "a number instead of a source", "IDENTITY[1]"],
    ["J2", "a string instead of a source", "IDENTITY[2]"],
    ["J2", "a list instead of a source", "IDENTITY[3]"],
    ["J2", "a source that is a number", "IDENTITY[4].source"],
    ["J2", "a source without a name", "IDENTITY[5].source"],
    ["J2", "an unknown source", "IDENTITY[6].source"],
    ["J2", "a source that is a list", "IDENTITY[7].source"],
    ["J2", "a boolean instead of a string", "OWNER_ASSERTION.allow"],
    ["J2", "a string instead of a list", "OWNER_ASSERTION.actors"],
    ["J2", "a number instead of a string", "OWNER_ASSERTION.on_invalid"],
    ["J2", "a boolean instead of a string", "OWNER_ASSERTION.signature"],
    ["J2", "a string instead of a number", "LIMITS.body_bytes"],
    ["J2", "zero", "LIMITS.headers_ms"],
    ["J2", "a fraction", "LIMITS.idle_ms"],
    ["J2", "a negative number", "LIMITS.observe_bytes"],
    ["J2", "a string instead of a boolean", "RECORDING.required"],
    ["J2", "a number instead of a boolean", "RECORDING.prompts"],
  ],
);

/** Invalid values for the tables themselves. All tables get the same value at once. */
const SHAPES: readonly (readonly [description: string, value: unknown])[] = [
  ["a number", 5],
  ["a boolean", true],
  ["null", null],
  ["a string", VALUE],
  ["a string of truncated JSON", `{"${VALUE}":`],
  ["JSON null", "null"],
  ["a JSON number", "5"],
];
const TABLES = ["PROVIDERS", "IDENTITY", "OWNER_ASSERTION", "LIMITS", "RECORDING"];

for (const [description, value] of SHAPES) {
  testInvalid(
    `with ${description} instead of each table`,
    () => ({ vars: Object.fromEntries(TABLES.map((name) => [name, value])) }),
    TABLES.map((name): Issue => ["J2", `${description} instead of a table`, name]),
  );
}

testInvalid(
  "with lists instead of tables and a table instead of a list",
  () => ({
    vars: { PROVIDERS: [], IDENTITY: { source: "byok" }, OWNER_ASSERTION: [], LIMITS: "[]", RECORDING: [] },
  }),
  TABLES.map((name): Issue => ["J2", "a list or table instead of the other", name]),
);

testInvalid("with empty tables", () => ({ vars: { PROVIDERS: {}, IDENTITY: [] } }), [
  ["J2", "a missing provider", "PROVIDERS"],
  ["J5", "a missing source", "IDENTITY"],
]);

const URLS = [
  "",
  " ",
  VALUE,
  "api.openai.com/v1",
  "//api.openai.com/v1",
  "/v1",
  "https://",
  "https:// api.openai.com/v1",
  "http://api.openai.com/v1",
  "HTTP://API.OPENAI.COM/v1",
  "http://127.0.0.1.evil.example/v1",
  "http://localhost.evil.example/v1",
  "http://127.0.0.1@evil.example/v1",
  "http://evil.example\\@127.0.0.1/v1",
  "http://0.0.0.0:8080/v1",
  "http://10.0.0.1/v1",
  "http://169.254.169.254/latest",
  "http://[::ffff:7f00:1]/v1",
  "http://[::]/v1",
  "ftp://api.openai.com/v1",
  "ws://api.openai.com/v1",
  "file:///etc/passwd",
  "data:text/plain,v1",
  "javascript:alert(1)//v1",
  `https://user:${VALUE}@api.openai.com/v1`,
  `https://${VALUE}@api.openai.com/v1`,
  `https://:${VALUE}@api.openai.com/v1`,
  `https://api.openai.com/v1?key=${VALUE}`,
  "https://api.openai.com/v1?",
  `https://api.openai.com/v1#${VALUE}`,
  "https://api.openai.com/v1#",
  "https://api.openai.com:99999/v1",
];
testInvalid(
  "base URLs",
  (url) => ({
    providers: providers(url, {
      ...each(URLS, (base_url) => ({ base_url })),
      "messages-v1": { type: "anthropic", base_url: "https://api.anthropic.com/v1" },
      "messages-v1-slash": { type: "anthropic", base_url: "https://api.anthropic.com/v1/" },
    }),
  }),
  [
    ...URLS.map((url, at): Issue => ["J3", JSON.stringify(url), `PROVIDERS.p-${at}.base_url`]),
    ["J3", "an Anthropic base URL that ends in /v1", "PROVIDERS.messages-v1.base_url"],
    ["J3", "an Anthropic base URL that ends in /v1/", "PROVIDERS.messages-v1-slash.base_url"],
  ],
);

/** Placeholders for keys in examples of this project, of the SDKs and on the web. */
const PLACEHOLDERS = [
  "<your OpenAI key>",
  "<OPENAI_API_KEY>",
  "...",
  "sk-...",
  "sk-proj-...",
  "sk-ant-...",
  "sk-…",
  "your_api_key",
  "YOUR_API_KEY",
  "your-api-key",
  "your-openai-api-key-here",
  "sk-your-key-here",
  "replace-me",
  "REPLACE_ME",
  "replace-with-your-key",
  "changeme",
  "change-me",
  "xxx",
  "XXXXXXXXXXXX",
  "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
  "todo",
  "TODO",
];
testInvalid(
  "placeholders",
  (url) => ({
    providers: providers(url, {
      ...each(PLACEHOLDERS, (_, at) => ({ keys: [`PLACEHOLDER_${at}_KEY`] })),
      "url-angle": { base_url: "https://<your-host>/v1" },
      "url-dots": { base_url: "https://..." },
    }),
    secrets: Object.fromEntries(PLACEHOLDERS.map((value, at) => [`PLACEHOLDER_${at}_KEY`, value])),
  }),
  [
    ...PLACEHOLDERS.map((value, at): Issue => ["J4", JSON.stringify(value), `PLACEHOLDER_${at}_KEY`]),
    ["J4", "a placeholder in a URL", "PROVIDERS.url-angle.base_url"],
    ["J4", "another placeholder in a URL", "PROVIDERS.url-dots.base_url"],
  ],
);

testInvalid(
  "unknown keys",
  (url) => ({
    providers: providers(url, {
      openai: { api_key: VALUE, baseURL: VALUE, Models: [], key: ["OPENAI_KEY"] },
    }),
    vars: {
      IDENTITY: [
        { source: "keys", secret: VALUE },
        { source: "byok", allow: VALUE },
      ],
      OWNER_ASSERTION: { alow: "off", Allow: "off" },
      LIMITS: { body_byte: 1 },
      RECORDING: { prompt: false },
      OWNER_ASSERTIONS: { allow: "off" },
      PROVIDER: { openai: {} },
      LIMIT: { body_bytes: 1 },
    },
  }),
  [
    ["J6", "an unknown key of a provider", "PROVIDERS.openai.api_key"],
    ["J6", "a key in another spelling", "PROVIDERS.openai.baseURL"],
    ["J6", "a key in upper case", "PROVIDERS.openai.Models"],
    ["J6", "a key in the singular", "PROVIDERS.openai.key"],
    ["J6", "an unknown option of keys", "IDENTITY[0].secret"],
    ["J6", "an unknown option of byok", "IDENTITY[1].allow"],
    ["J6", "an unknown rule for owners", "OWNER_ASSERTION.alow"],
    ["J6", "a rule in upper case", "OWNER_ASSERTION.Allow"],
    ["J6", "an unknown limit", "LIMITS.body_byte"],
    ["J6", "an unknown key of RECORDING", "RECORDING.prompt"],
    // The mistake: a misspelled table is ignored, so that the defaults apply, which permit more.
    ["J6", "an unknown table", "OWNER_ASSERTIONS"],
    ["J6", "another unknown table", "PROVIDER"],
    ["J6", "a third unknown table", "LIMIT"],
  ],
);

const RESERVED = [
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
];
const INVALID_NAMES = [
  "OpenAI",
  "open_ai",
  "open ai",
  "-x",
  "x-",
  "a--b",
  "a/b",
  "a.b",
  "..",
  "é",
  "__proto__",
];
testInvalid(
  "names of providers",
  (url) => {
    const tables = Object.fromEntries([...RESERVED, ...INVALID_NAMES].map((name) => [name, {}]));
    // As a JSON string, because `__proto__` in an object literal sets the prototype.
    const json = JSON.stringify(providers(url, tables));
    const proto = JSON.stringify(providers(url, { proto: {} }))
      .slice(1, -1)
      .replace('"proto"', '"__proto__"');
    return { vars: { PROVIDERS: `${json.slice(0, -1)},${proto}}` } };
  },
  [...RESERVED, ...INVALID_NAMES].map((name): Issue => [
    "J2",
    `the name ${JSON.stringify(name)}`,
    `PROVIDERS.${name}`,
  ]),
);

testInvalid("central keys that any caller could use", () => ({ vars: { IDENTITY: [{ source: "byok" }] } }), [
  ["J5", "a provider with keys and byok as the only source", "PROVIDERS.openai.keys"],
  ["J5", "another such provider", "PROVIDERS.anthropic.keys"],
]);

describe("empty lists deny everything", () => {
  it("J5 rejects every model if models is empty", async () => {
    const models = {
      type: "openai",
      base_url: `${harness.upstream.url}/central-openai/v1`,
      keys: ["OPENAI_KEY"],
      objects: { write: "on" },
    };
    await harness.configure({ providers: { openai: { ...models, models: [] } } });
    for (const model of ["gpt-4o", "", "*"]) {
      const body = JSON.stringify({ model, messages: [{ role: "user", content: PROMPT }] });
      expectRefusal(await harness.send({ target: CHAT, headers: [KEY], body }), 403, "model_not_allowed");
    }
    for (const target of [CHAT, "/openai/v1/responses", "/openai/v1/embeddings", "/openai/v1/batches"])
      expectRefusal(await harness.send({ target, headers: [KEY], body: "{}" }), 403, "model_not_allowed");
  });

  it("J5 accepts no owner assertion if actors is empty", async () => {
    await harness.configure({ vars: { OWNER_ASSERTION: { allow: "listed", actors: [] } } });
    const owner = newOwner();
    harness.registerSecret(owner);
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(owner)];
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    expect((await harness.event("initiator_override_rejected")).reason).toBe("not_permitted");
  });

  it("J5 rejects every client key if CLIENT_KEYS is empty", async () => {
    await harness.configure({ secrets: { CLIENT_KEYS: "[]" }, vars: { IDENTITY: [{ source: "keys" }] } });
    for (const key of [...Object.values(KEYS), OWN.openai, ""]) {
      const { response, forwarded } = await harness.send({
        target: CHAT,
        headers: [bearer(key)],
        body: BODY,
      });
      expect([response.status, forwarded]).toEqual([401, []]);
    }
  });
});

describe("a valid configuration", () => {
  it("J2 reads tables given as JSON strings, and trims secrets", async () => {
    const { vars = {} } = interceptorOptions(harness.upstream);
    const asJson = Object.entries({
      ...vars,
      OWNER_ASSERTION: { allow: "off" },
      LIMITS: {},
      RECORDING: {},
    }).map(([name, table]) => [name, JSON.stringify(table)]);
    await harness.configure({
      vars: Object.fromEntries(asJson) as Record<string, string>,
      secrets: { OPENAI_KEY: `  ${CENTRAL.openai}\n` },
    });
    expectForwarded(await harness.send({ target: CHAT, headers: [KEY], body: BODY }));
    expect((await harness.send({ target: "/healthz" })).response.status).toBe(200);
  });

  it("J3 accepts plain http for loopback addresses, and ignores slashes at the end of a base URL", async () => {
    const { port } = harness.upstream;
    const bases = [
      `http://localhost:${port}/v1/`,
      `http://127.0.0.1:${port}/v1//`,
      `http://127.1:${port}/v1`,
    ];
    await harness.configure({
      providers: providers(harness.upstream.url, {
        ...each([...bases, `http://[::1]:${port}/v1`, "https://api.openai.com/v1"], (base_url) => ({
          base_url,
        })),
        messages: { type: "anthropic", base_url: `http://127.0.0.1:${port}/` },
      }),
    });
    expect((await harness.send({ target: "/healthz" })).response.status).toBe(200);
    const headers = [bearer(OWN.openai)];
    const chat = await harness.send({ target: "/p-1/v1/chat/completions", headers, body: BODY });
    expect(expectForwarded(chat).target).toBe("/v1/chat/completions");
    const messages = await harness.send({ target: "/messages/v1/messages", headers, body: BODY });
    expect(expectForwarded(messages).target).toBe("/v1/messages");
  });

  it("J1 forwards again after a restart with a fixed configuration", async () => {
    await harness.configure();
    expectForwarded(await harness.send({ target: CHAT, headers: [KEY], body: BODY }));
  });
});
