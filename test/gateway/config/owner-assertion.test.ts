import { describe, expect, it } from "vitest";
import { rules } from "../../support/in-workerd/values.ts";
import {
  CANARY,
  CLIENT_KEYS,
  issuesOf as issuesOfVars,
  OPENAI,
  read as readVars,
  type Vars,
} from "./read-config.ts";

const KEYS = { IDENTITY: [{ source: "keys" }, { source: "byok" }], CLIENT_KEYS };

const SECRET = `${CANARY}-secret-of-at-least-32-characters`;
const SECRETS = { ONE: SECRET, TWO: `${SECRET}-2`, TOKEN: `${CANARY}-token` };
/** A namespace with the methods that identify it. */
const NONCES = { idFromName: () => undefined, get: () => undefined };

const read = (vars: Vars) => readVars({ ...SECRETS, ...vars });
const issuesOf = (vars: Vars) => issuesOfVars({ ...SECRETS, ...vars });
const assertionIssues = (OWNER_ASSERTION: unknown, more: Vars = {}) => issuesOf({ OWNER_ASSERTION, ...more });

const actorsOf = (actors: readonly string[], more: Vars = KEYS) =>
  read({ OWNER_ASSERTION: { allow: "listed", actors }, ...more }).assertion.actors;

describe("OWNER_ASSERTION.actors", () => {
  it.each([
    ["coder-agents", { id: "coder-agents", source: null }],
    ["keys:coder-agents", { id: "coder-agents", source: "keys" }],
    ["keys:a:b", { id: "a:b", source: "keys" }],
    [
      "keys:7F3C2A10-1234-4ABC-9DEF-000000000001",
      { id: "7f3c2a10-1234-4abc-9def-000000000001", source: "keys" },
    ],
    // A fingerprint belongs to its source, under its complete id.
    ["byok:0123456789abcdef", { id: "byok:0123456789abcdef", source: "byok" }],
    // The prefix is not the name of a source, or that source is not configured.
    ["team:ci", { id: "team:ci", source: null }],
    ["coder:someone", { id: "coder:someone", source: null }],
    ["Keys:coder-agents", { id: "Keys:coder-agents", source: null }],
    [":x", { id: ":x", source: null }],
  ])("reads %s as %o", (entry, listed) => {
    expect(actorsOf([entry])).toEqual([listed]);
  });

  it("reads the prefix delegation when DELEGATION is set", () => {
    const DELEGATION = { keys: ["ONE"] };
    expect(actorsOf(["delegation:x"], { ...KEYS, DELEGATION })).toEqual([{ id: "x", source: "delegation" }]);
    expect(actorsOf(["delegation:x"])).toEqual([{ id: "delegation:x", source: null }]);
  });

  it("reads the prefixes of an IDENTITY in JSON", () => {
    const more = { ...KEYS, IDENTITY: JSON.stringify(KEYS.IDENTITY) };
    expect(actorsOf(["keys:x"], more)).toEqual([{ id: "x", source: "keys" }]);
  });

  it.each(["any", "service"])("rejects a list with allow=%s, where it would have no effect", (allow) => {
    expect(assertionIssues({ allow, actors: ["x"] })).toEqual([
      'OWNER_ASSERTION.actors applies only with allow = "listed"',
    ]);
  });

  it("accepts allow = service", () => {
    expect(read({ OWNER_ASSERTION: { allow: "service" } }).assertion).toEqual(rules({ allow: "service" }));
  });
});

describe("signatures", () => {
  it.each(["accept", "require"] as const)("%s accepts several secrets", (signature) => {
    const { assertion, verifiers } = read({
      OWNER_ASSERTION: { signature, signing_keys: ["ONE", "TWO"] },
      NONCES,
    });
    expect(assertion).toEqual(rules({ signature, once: signature === "require" }));
    expect(verifiers.signingKeys).toEqual([SECRETS.ONE, SECRETS.TWO]);
  });

  it.each([
    [{ signature: "accept" }, 'OWNER_ASSERTION.signing_keys is required unless signature is "off"'],
    [
      { signature: "require", signing_keys: [] },
      'OWNER_ASSERTION.signing_keys is required unless signature is "off"',
    ],
    [{ signing_keys: ["ONE"] }, "OWNER_ASSERTION.signing_keys applies only where signature is not off"],
    [
      { signature: "accept", signing_keys: ["NONE"] },
      "NONE is required: the configuration names it as a secret",
    ],
    [
      { signature: "accept", signing_keys: [SECRET] },
      "OWNER_ASSERTION.signing_keys[0] must be the name of a secret (^[A-Z][A-Z0-9_]*$)",
    ],
    [{ signature: "accept", signing_keys: ["SHORT"] }, "SHORT must have at least 32 characters"],
    [{ signature: "accept", signing_keys: ["BLANK"] }, "BLANK must not be empty"],
    [{ replay_cache: true }, "OWNER_ASSERTION.replay_cache applies only where signature is not off"],
    [
      { signature: "accept", signing_keys: ["ONE"], replay_cache: true },
      "OWNER_ASSERTION.replay_cache requires NONCES: a Durable Object namespace",
    ],
    // Without the cache a captured request counts again, with the credential of another service.
    [
      { signature: "require", signing_keys: ["ONE"] },
      'OWNER_ASSERTION.signature "require" requires NONCES: a Durable Object namespace',
    ],
    [
      { signature: "require", signing_keys: ["ONE"], replay_cache: true },
      'OWNER_ASSERTION.signature "require" requires NONCES: a Durable Object namespace',
    ],
    [
      { signature: "require", signing_keys: ["ONE"], replay_cache: false },
      'OWNER_ASSERTION.replay_cache must not be false with signature = "require"',
    ],
    [
      { signature: "accept", signing_keys: ["ONE"], replay_cache: "yes" },
      "OWNER_ASSERTION.replay_cache must be true or false",
    ],
    [{ signature: "on" }, 'OWNER_ASSERTION.signature must be one of "off", "accept", "require"'],
  ])("rejects %o", (OWNER_ASSERTION, issue) => {
    expect(assertionIssues(OWNER_ASSERTION, { SHORT: "CANARY".padEnd(31, "x"), BLANK: "  " })).toContain(
      issue,
    );
  });

  it("accept a replay cache with its binding", () => {
    const OWNER_ASSERTION = { signature: "require", signing_keys: ["ONE"], replay_cache: true };
    const { assertion, verifiers } = read({ OWNER_ASSERTION, NONCES });
    expect([assertion.once, verifiers.nonces]).toEqual([true, NONCES]);
    expect(assertionIssues(OWNER_ASSERTION, { NONCES: {} })).toContain(
      "NONCES must be a Durable Object namespace",
    );
  });

  it.each([{}, { replay_cache: true }])("require with %j accepts each signature once", (more) => {
    const OWNER_ASSERTION = { signature: "require", signing_keys: ["ONE"], ...more };
    expect(read({ OWNER_ASSERTION, NONCES }).assertion.once).toBe(true);
  });

  it("Finding M5: require rejects replay_cache = false, also beside the binding", () => {
    const OWNER_ASSERTION = { signature: "require", signing_keys: ["ONE"], replay_cache: false };
    expect(assertionIssues(OWNER_ASSERTION, { NONCES })).toEqual([
      'OWNER_ASSERTION.replay_cache must not be false with signature = "require"',
    ]);
  });

  it("leave the NONCES binding unused without replay_cache", () => {
    expect(read({ NONCES }).assertion.once).toBe(false);
  });
});

describe("the directory", () => {
  const directory = { url: "https://coder.example/", token: "TOKEN" };

  it("has defaults", () => {
    const { assertion, verifiers } = read({ OWNER_ASSERTION: { directory } });
    expect(assertion).toEqual(rules({ directory: "reject" }));
    expect(verifiers.directory).toEqual({
      url: "https://coder.example",
      token: SECRETS.TOKEN,
      cacheMs: 300_000,
      negativeMs: 30_000,
      timeoutMs: 3000,
    });
  });

  it("reads every key, also as JSON", () => {
    const all = { ...directory, cache_ttl_s: 1, negative_ttl_s: 0, timeout_ms: 9, on_down: "accept" };
    for (const table of [all, JSON.stringify(all)]) {
      const { assertion, verifiers } = read({ OWNER_ASSERTION: { directory: table } });
      expect(assertion.directory).toBe("accept");
      expect(verifiers.directory).toMatchObject({ cacheMs: 1000, negativeMs: 0, timeoutMs: 9 });
    }
  });

  it.each([
    [{ token: "TOKEN" }, "OWNER_ASSERTION.directory.url is required"],
    [{ ...directory, url: "http://coder.example" }, "OWNER_ASSERTION.directory.url must be https"],
    [
      { ...directory, url: "https://u:CANARY@c.example" },
      "OWNER_ASSERTION.directory.url must not hold a user name or password",
    ],
    [
      { ...directory, url: "https://c.example/?t=CANARY" },
      "OWNER_ASSERTION.directory.url must not hold a query or fragment",
    ],
    [{ ...directory, url: "<your coder>" }, "OWNER_ASSERTION.directory.url must be a URL"],
    [
      { url: directory.url },
      "OWNER_ASSERTION.directory.token must be the name of a secret (^[A-Z][A-Z0-9_]*$)",
    ],
    [
      { ...directory, token: "CANARY-token" },
      "OWNER_ASSERTION.directory.token must be the name of a secret (^[A-Z][A-Z0-9_]*$)",
    ],
    [{ ...directory, token: "NONE" }, "NONE is required: the configuration names it as a secret"],
    [
      { ...directory, cache_ttl_s: -1 },
      "OWNER_ASSERTION.directory.cache_ttl_s must be a whole number from 0 to 86400",
    ],
    [
      { ...directory, timeout_ms: 0 },
      "OWNER_ASSERTION.directory.timeout_ms must be a whole number from 1 to 60000",
    ],
    [
      { ...directory, on_down: "allow" },
      'OWNER_ASSERTION.directory.on_down must be one of "reject", "accept"',
    ],
    [
      { ...directory, on_error: "accept" },
      "OWNER_ASSERTION.directory.on_error is not a known key (known: url, token, cache_ttl_s, negative_ttl_s, timeout_ms, on_down)",
    ],
    ["https://coder.example", "OWNER_ASSERTION.directory must be a table or a JSON object"],
  ])("rejects %o", (table, issue) => {
    expect(assertionIssues({ directory: table })).toEqual([issue]);
  });
});

describe("DELEGATION", () => {
  it("has defaults, and accepts several keys", () => {
    expect(read({ DELEGATION: { keys: ["ONE", "TWO"] } }).delegation).toEqual({
      keys: [SECRETS.ONE, SECRETS.TWO],
      actor: "coder-gateway",
    });
  });

  it("reads JSON, and the actor's UUID in any case", () => {
    const id = "7F3C2A10-1234-4ABC-9DEF-000000000001";
    const DELEGATION = JSON.stringify({ keys: ["ONE"], actor: id });
    expect(read({ DELEGATION }).delegation?.actor).toBe(id.toLowerCase());
  });

  it("verifies callers: a provider may have central keys with byok as the only source", () => {
    const PROVIDERS = { openai: { ...OPENAI, keys: ["TOKEN"] } };
    expect(issuesOf({ PROVIDERS, DELEGATION: { keys: ["ONE"] } })).toEqual([]);
    expect(issuesOf({ PROVIDERS })).toHaveLength(1);
  });

  it.each([
    [{ DELEGATION: { keys: "ONE" } }, "DELEGATION.keys must be a list of texts"],
    [
      { OWNER_ASSERTION: { signature: "accept", signing_keys: "ONE" } },
      "OWNER_ASSERTION.signing_keys must be a list of texts",
    ],
  ])("reports one issue for one mistake: %o", (vars, issue) => {
    expect(issuesOf(vars)).toEqual([issue]);
  });

  it.each([
    [{}, "DELEGATION.keys is required: no gateway can be verified without it"],
    [{ keys: [] }, "DELEGATION.keys is required: no gateway can be verified without it"],
    [{ keys: "ONE" }, "DELEGATION.keys must be a list of texts"],
    [{ keys: [SECRET] }, "DELEGATION.keys[0] must be the name of a secret (^[A-Z][A-Z0-9_]*$)"],
    [{ keys: ["NONE"] }, "NONE is required: the configuration names it as a secret"],
    [{ keys: ["TOKEN"] }, "TOKEN must have at least 32 characters"],
    [{ keys: ["COMMA"] }, "COMMA must be at most 1,024 visible ASCII characters without commas"],
    [{ keys: ["LONG"] }, "LONG must be at most 1,024 visible ASCII characters without commas"],
    [
      { keys: ["ONE"], actor: "CANARY id" },
      'DELEGATION.actor must match ^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,95}$ and must not start with "byok:"',
    ],
    [
      { keys: ["ONE"], actor: "byok:0123" },
      'DELEGATION.actor must match ^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,95}$ and must not start with "byok:"',
    ],
    [{ keys: ["ONE"], kind: "user" }, "DELEGATION.kind is not a known key (known: keys, actor)"],
    ["on", "DELEGATION must be a table or a JSON object"],
  ])("rejects %o", (DELEGATION, issue) => {
    const more = { COMMA: `CANARY,${"x".repeat(32)}`, LONG: `CANARY${"x".repeat(1024)}` };
    expect(issuesOf({ DELEGATION, ...more })).toContain(issue);
  });
});
