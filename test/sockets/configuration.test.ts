/* oxlint-disable vitest/expect-expect -- expectForwarded, expectRefusal and their like are assertions */
/**
 * Part J of the catalogue, as the deployed Worker answers: whatever is wrong, clients get a generic 500, nothing is
 * forwarded, and the console names every wrong key and no value.
 *
 * Each block starts the Worker once with a configuration that is wrong in many ways, and has a test for each way.
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

/** In every value that is wrong here: must be printed nowhere. */
const VALUE = "vAlUe7of2a4wrong9setting";

/** What the console says is wrong, after one request. */
async function problems(): Promise<string[]> {
  harness.expectLine(/^configuration: /);
  harness.registerSecret(VALUE);
  const { response, forwarded } = await harness.send({ target: "/healthz" });
  expect([response.status, forwarded]).toEqual([500, []]);
  await harness.interceptor.flush();
  const lines = harness.interceptor.lines();
  expect(lines.map(({ level }) => level)).toEqual(["error"]);
  return (lines[0]?.message ?? "").slice("configuration: ".length).split(" | ");
}

type Wrong = readonly [id: string, what: string, path: string];

/** A configuration with all of these things wrong, each told by the path of its key. */
function wrong(
  title: string,
  changes: (upstreamUrl: string) => OptionOverrides,
  ways: readonly Wrong[],
): void {
  describe(`${title}`, () => {
    beforeAll(() => harness.configure(changes(harness.upstream.url)));

    it.each(ways)("%s %s is told as %s", async (_, __, path) => {
      const found = await problems();
      // What a source reads is told below the source: IDENTITY[0].CLIENT_KEYS[1] and so on.
      expect(
        found.filter((problem) => ` ${problem}`.replace(/ IDENTITY\[\d\]\.C/, " C").startsWith(` ${path} `)),
      ).not.toEqual([]);
    });

    it(`${ways[0]?.[0] ?? "J"} every request gets the same generic 500, and nothing is forwarded`, async () => {
      harness.expectLine(/^configuration: /);
      harness.registerSecret(VALUE);
      const whole = { headers: [KEY, CODER_AGENTS_UA], body: BODY };
      for (const request of [
        { target: CHAT, ...whole },
        { target: "/own-openai/v1/chat/completions", headers: [bearer(OWN.openai)], body: BODY },
        { target: "/anthropic/v1/messages", ...whole },
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
        expect(error.message).toBe("The gateway is not configured correctly.");
        expect(exchange.response.values("x-interception-id")).toEqual([expect.stringMatching(UUID_V7)]);
      }
      await harness.interceptor.flush();
      expect([harness.interceptor.events(), harness.interceptor.points()]).toEqual([[], []]);
    });
  });
}

/** Providers by name, each with a `base_url` that is right unless it says otherwise. */
function providers(url: string, tables: Readonly<Record<string, object>>): Record<string, unknown> {
  const right = { type: "openai", base_url: `${url}/v1` };
  return Object.fromEntries(Object.entries(tables).map(([name, table]) => [name, { ...right, ...table }]));
}

/** One provider for each of the values, `p-0`, `p-1` and so on. */
function each<T>(values: readonly T[], table: (value: T, at: number) => object): Record<string, object> {
  return Object.fromEntries(values.map((value, at) => [`p-${at}`, table(value, at)]));
}

wrong(
  "secrets that are not there",
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
    ["J1", "a secret that is missing", "ABSENT_KEY"],
    ["J1", "one that is empty", "EMPTY_KEY"],
    ["J1", "one that is blank", "BLANK_KEY"],
    ["J1", "a second one that is missing", "SECOND_ABSENT_KEY"],
    ["J1", "the name of something that every object has", "PROVIDERS.inherited.keys[0]"],
    ["J2", "a number where a secret belongs", "NUMBER_KEY"],
    ["J2", "a table where a secret belongs", "TABLE_KEY"],
    // Else the call fails, each one, when the header is built.
    ["J1", "a secret with a line end inside, which no header can hold", "SPLIT_KEY"],
  ],
);

describe("a secret put where its name belongs", () => {
  // The slip: keys = ["sk-proj-…"] in place of keys = ["OPENAI_API_KEY"]. Naming the "missing secret" prints the key.
  beforeAll(() =>
    harness.configure({
      providers: providers(harness.upstream.url, { literal: { keys: [CENTRAL.anthropic] } }),
    }),
  );

  it("J1 is not printed: the place is named instead", async () => {
    harness.registerSecret(CENTRAL.anthropic);
    const found = await problems();
    expect(found.filter((problem) => problem.startsWith("PROVIDERS.literal.keys"))).not.toEqual([]);
  });
});

for (const [what, secret] of [
  ["missing", undefined],
  ["empty", ""],
  ["blank", "   "],
  ["no JSON", VALUE],
  ["an object", JSON.stringify({ sha256: VALUE })],
  ["a JSON string", JSON.stringify(VALUE)],
] as const) {
  wrong(`with CLIENT_KEYS ${what}`, () => ({ secrets: { CLIENT_KEYS: secret } }), [
    ["J1", `CLIENT_KEYS ${what}`, "CLIENT_KEYS"],
  ]);
}

const DIGEST = sha256("some key");

wrong(
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
        { sha256: sha256("9"), actor: `${VALUE} with blanks`, kind: "user" },
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
    ["J2", "a digest that is none", "CLIENT_KEYS[5].sha256"],
    ["J2", "a digest in upper case", "CLIENT_KEYS[6].sha256"],
    ["J1", "an entry without an actor", "CLIENT_KEYS[7].actor"],
    ["J2", "an actor of another form", "CLIENT_KEYS[8].actor"],
    ["J2", "an empty actor", "CLIENT_KEYS[9].actor"],
    ["J2", "an actor too long", "CLIENT_KEYS[10].actor"],
    ["J2", "an unknown kind", "CLIENT_KEYS[11].kind"],
    ["J2", "a number for a name", "CLIENT_KEYS[12].name"],
    ["J2", "a text for a boolean", "CLIENT_KEYS[13].assert"],
    ["J6", "an unknown key, with the client key itself in it", "CLIENT_KEYS[14].key"],
    ["J2", "a digest listed twice", "CLIENT_KEYS[15].sha256"],
  ],
);

wrong(
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
    ...["p-text", "p-number", "p-list", "p-null"].map((name): Wrong => [
      "J2",
      "no table",
      `PROVIDERS.${name}`,
    ]),
    ...["type-number", "type-none", "type-other", "type-list", "type-case"].map((name): Wrong => [
      "J2",
      "no type",
      `PROVIDERS.${name}.type`,
    ]),
    ...["url-number", "url-list"].map((name): Wrong => ["J2", "no URL", `PROVIDERS.${name}.base_url`]),
    ...["keys-text", "keys-number", "keys-boolean", "keys-empty", "keys-table"].map((name): Wrong => [
      "J2",
      "no list of names",
      `PROVIDERS.${name}.keys`,
    ]),
    ...["models-text", "models-boolean", "models-null"].map((name): Wrong => [
      "J2",
      "no list of models",
      `PROVIDERS.${name}.models`,
    ]),
    ["J2", "a text for a boolean", "PROVIDERS.inject-text.inject_usage"],
    ["J2", "a number for a boolean", "PROVIDERS.inject-number.inject_usage"],
    ["J2", "a text for a boolean", "PROVIDERS.coder-text.forward_coder_headers"],
    ["J2", "a number for a source", "IDENTITY[1]"],
    ["J2", "a text for a source", "IDENTITY[2]"],
    ["J2", "a list for a source", "IDENTITY[3]"],
    ["J2", "a source that is a number", "IDENTITY[4].source"],
    ["J2", "a source without a name", "IDENTITY[5].source"],
    ["J2", "an unknown source", "IDENTITY[6].source"],
    ["J2", "a source that is a list", "IDENTITY[7].source"],
    ["J2", "a boolean for a text", "OWNER_ASSERTION.allow"],
    ["J2", "a text for a list", "OWNER_ASSERTION.actors"],
    ["J2", "a number for a text", "OWNER_ASSERTION.on_invalid"],
    ["J2", "a boolean for a text", "OWNER_ASSERTION.signature"],
    ["J2", "a text for a number", "LIMITS.body_bytes"],
    ["J2", "nought", "LIMITS.headers_ms"],
    ["J2", "a fraction", "LIMITS.idle_ms"],
    ["J2", "a negative number", "LIMITS.observe_bytes"],
    ["J2", "a text for a boolean", "RECORDING.required"],
    ["J2", "a number for a boolean", "RECORDING.prompts"],
  ],
);

/** The tables themselves, each of these shapes; `PROVIDERS` and the others are all wrong at once. */
const SHAPES: readonly (readonly [what: string, value: unknown])[] = [
  ["a number", 5],
  ["a boolean", true],
  ["null", null],
  ["a text", VALUE],
  ["a text that is nearly JSON", `{"${VALUE}":`],
  ["JSON null", "null"],
  ["a JSON number", "5"],
];
const TABLES = ["PROVIDERS", "IDENTITY", "OWNER_ASSERTION", "LIMITS", "RECORDING"];

for (const [what, value] of SHAPES) {
  wrong(
    `with ${what} for each table`,
    () => ({ vars: Object.fromEntries(TABLES.map((name) => [name, value])) }),
    TABLES.map((name): Wrong => ["J2", `${what} for a table`, name]),
  );
}

wrong(
  "with lists for tables and a table for a list",
  () => ({
    vars: { PROVIDERS: [], IDENTITY: { source: "byok" }, OWNER_ASSERTION: [], LIMITS: "[]", RECORDING: [] },
  }),
  TABLES.map((name): Wrong => ["J2", "a list or table in place of the other", name]),
);

wrong("with nothing in them", () => ({ vars: { PROVIDERS: {}, IDENTITY: [] } }), [
  ["J2", "no provider", "PROVIDERS"],
  ["J5", "no source", "IDENTITY"],
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
wrong(
  "base URLs",
  (url) => ({
    providers: providers(url, {
      ...each(URLS, (base_url) => ({ base_url })),
      "messages-v1": { type: "anthropic", base_url: "https://api.anthropic.com/v1" },
      "messages-v1-slash": { type: "anthropic", base_url: "https://api.anthropic.com/v1/" },
    }),
  }),
  [
    ...URLS.map((url, at): Wrong => ["J3", JSON.stringify(url), `PROVIDERS.p-${at}.base_url`]),
    ["J3", "an Anthropic one that ends in /v1", "PROVIDERS.messages-v1.base_url"],
    ["J3", "an Anthropic one that ends in /v1/", "PROVIDERS.messages-v1-slash.base_url"],
  ],
);

/** Where a key belongs, in examples of ours, of the SDKs, and of half the internet. */
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
wrong(
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
    ...PLACEHOLDERS.map((value, at): Wrong => ["J4", JSON.stringify(value), `PLACEHOLDER_${at}_KEY`]),
    ["J4", "one in a URL", "PROVIDERS.url-angle.base_url"],
    ["J4", "another in a URL", "PROVIDERS.url-dots.base_url"],
  ],
);

wrong(
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
    ["J6", "a key of a provider", "PROVIDERS.openai.api_key"],
    ["J6", "one in another spelling", "PROVIDERS.openai.baseURL"],
    ["J6", "one in upper case", "PROVIDERS.openai.Models"],
    ["J6", "one without its s", "PROVIDERS.openai.key"],
    ["J6", "an option of keys", "IDENTITY[0].secret"],
    ["J6", "an option of byok", "IDENTITY[1].allow"],
    ["J6", "a rule for owners", "OWNER_ASSERTION.alow"],
    ["J6", "one in upper case", "OWNER_ASSERTION.Allow"],
    ["J6", "a limit", "LIMITS.body_byte"],
    ["J6", "what is recorded", "RECORDING.prompt"],
    // The slip: a table that is misspelt is read by nobody, and its rules are the defaults, which permit more.
    ["J6", "a table nobody reads", "OWNER_ASSERTIONS"],
    ["J6", "another", "PROVIDER"],
    ["J6", "a third", "LIMIT"],
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
const MISNAMED = ["OpenAI", "open_ai", "open ai", "-x", "x-", "a--b", "a/b", "a.b", "..", "é", "__proto__"];
wrong(
  "names of providers",
  (url) => {
    const tables = Object.fromEntries([...RESERVED, ...MISNAMED].map((name) => [name, {}]));
    // As text: an object literal takes `__proto__` for something else.
    const json = JSON.stringify(providers(url, tables));
    const proto = JSON.stringify(providers(url, { proto: {} }))
      .slice(1, -1)
      .replace('"proto"', '"__proto__"');
    return { vars: { PROVIDERS: `${json.slice(0, -1)},${proto}}` } };
  },
  [...RESERVED, ...MISNAMED].map((name): Wrong => [
    "J2",
    `the name ${JSON.stringify(name)}`,
    `PROVIDERS.${name}`,
  ]),
);

wrong("central keys that anyone could spend", () => ({ vars: { IDENTITY: [{ source: "byok" }] } }), [
  ["J5", "a provider with keys, and byok alone", "PROVIDERS.openai.keys"],
  ["J5", "another", "PROVIDERS.anthropic.keys"],
]);

describe("lists that are empty deny all", () => {
  it("J5 no model is allowed", async () => {
    const models = {
      type: "openai",
      base_url: `${harness.upstream.url}/central-openai/v1`,
      keys: ["OPENAI_KEY"],
    };
    await harness.configure({ providers: { openai: { ...models, models: [] } } });
    for (const model of ["gpt-4o", "", "*"]) {
      const body = JSON.stringify({ model, messages: [{ role: "user", content: PROMPT }] });
      expectRefusal(await harness.send({ target: CHAT, headers: [KEY], body }), 403, "model_not_allowed");
    }
    for (const target of [CHAT, "/openai/v1/responses", "/openai/v1/embeddings", "/openai/v1/batches"])
      expectRefusal(await harness.send({ target, headers: [KEY], body: "{}" }), 403, "model_not_allowed");
  });

  it("J5 no actor may assert", async () => {
    await harness.configure({ vars: { OWNER_ASSERTION: { allow: "listed", actors: [] } } });
    const owner = newOwner();
    harness.registerSecret(owner);
    const headers = [bearer(KEYS.service), CODER_AGENTS_UA, ownerHeader(owner)];
    expectForwarded(await harness.send({ target: CHAT, headers, body: BODY }));
    expect((await harness.event("initiator_override_rejected")).reason).toBe("not_permitted");
  });

  it("J5 no client key is known", async () => {
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

describe("what is right", () => {
  it("J2 tables as JSON strings are read as tables, with blanks around secrets", async () => {
    const { vars = {} } = interceptorOptions(harness.upstream);
    const asText = Object.entries({
      ...vars,
      OWNER_ASSERTION: { allow: "off" },
      LIMITS: {},
      RECORDING: {},
    }).map(([name, table]) => [name, JSON.stringify(table)]);
    await harness.configure({
      vars: Object.fromEntries(asText) as Record<string, string>,
      secrets: { OPENAI_KEY: `  ${CENTRAL.openai}\n` },
    });
    expectForwarded(await harness.send({ target: CHAT, headers: [KEY], body: BODY }));
    expect((await harness.send({ target: "/healthz" })).response.status).toBe(200);
  });

  it("J3 plain http is for loopback, and a slash at the end of a base URL is one too many, not wrong", async () => {
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

  it("J1 once mended, the next start forwards again", async () => {
    await harness.configure();
    expectForwarded(await harness.send({ target: CHAT, headers: [KEY], body: BODY }));
  });
});
