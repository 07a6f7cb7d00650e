import { describe, expect, it } from "vitest";
import { readConfig, type Config } from "../../../src/gateway/config/config.ts";
import { registry } from "../../../src/gateway/wiring.ts";
import { rules } from "../../support/in-workerd/values.ts";

const OPENAI = { type: "openai", base_url: "https://api.openai.example/v1" };
const CLIENT_KEYS = JSON.stringify([{ sha256: "a".repeat(64), actor: "ci-bot", kind: "service" }]);
const KEYS = { IDENTITY: [{ source: "keys" }, { source: "byok" }], CLIENT_KEYS };

const SECRET = "CANARY-secret-of-at-least-32-characters";
const SECRETS = { ONE: SECRET, TWO: `${SECRET}-2`, TOKEN: "CANARY-token" };
/** Bindings, as far as they are known for what they are. */
const NONCES = { idFromName: () => undefined, get: () => undefined };

const given = (vars: Record<string, unknown>) =>
  readConfig({ PROVIDERS: { openai: OPENAI }, ...SECRETS, ...vars }, registry);

function read(vars: Record<string, unknown>): Config {
  const config = given(vars);
  if ("issues" in config) throw new Error(config.issues.join("\n"));
  return config;
}

/** All that is wrong; none of it may hold a value. */
function problemsOf(vars: Record<string, unknown>): readonly string[] {
  const config = given(vars);
  const problems = "issues" in config ? config.issues : [];
  expect(problems.join()).not.toContain("CANARY");
  return problems;
}
const ownerProblems = (OWNER_ASSERTION: unknown, more: Record<string, unknown> = {}) =>
  problemsOf({ OWNER_ASSERTION, ...more });

const actorsOf = (actors: readonly string[], more: Record<string, unknown> = KEYS) =>
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
    // A fingerprint is its source's, under its whole id.
    ["byok:0123456789abcdef", { id: "byok:0123456789abcdef", source: "byok" }],
    // No source is called so, or none that is configured.
    ["team:ci", { id: "team:ci", source: null }],
    ["coder:someone", { id: "coder:someone", source: null }],
    ["Keys:coder-agents", { id: "Keys:coder-agents", source: null }],
    [":x", { id: ":x", source: null }],
  ])("%s is %o", (entry, listed) => {
    expect(actorsOf([entry])).toEqual([listed]);
  });

  it("a gateway that delegates is a source too, where there is one", () => {
    const DELEGATION = { keys: ["ONE"] };
    expect(actorsOf(["delegation:x"], { ...KEYS, DELEGATION })).toEqual([{ id: "x", source: "delegation" }]);
    expect(actorsOf(["delegation:x"])).toEqual([{ id: "delegation:x", source: null }]);
  });

  it("the sources of an IDENTITY in JSON are sources as well", () => {
    const more = { ...KEYS, IDENTITY: JSON.stringify(KEYS.IDENTITY) };
    expect(actorsOf(["keys:x"], more)).toEqual([{ id: "x", source: "keys" }]);
  });

  it.each(["any", "service"])("with allow=%s a list would say nothing, so it is refused", (allow) => {
    expect(ownerProblems({ allow, actors: ["x"] })).toEqual([
      'OWNER_ASSERTION.actors counts only with allow = "listed"',
    ]);
  });

  it("allow = service is taken", () => {
    expect(read({ OWNER_ASSERTION: { allow: "service" } }).assertion).toEqual(rules({ allow: "service" }));
  });
});

describe("signatures", () => {
  it.each(["accept", "require"] as const)("%s, with several secrets", (signature) => {
    const { assertion, witnesses } = read({
      OWNER_ASSERTION: { signature, signing_keys: ["ONE", "TWO"] },
    });
    expect(assertion).toEqual(rules({ signature }));
    expect(witnesses.signingKeys).toEqual([SECRETS.ONE, SECRETS.TWO]);
  });

  it.each([
    [{ signature: "accept" }, "OWNER_ASSERTION.signing_keys is missing: no signature could be good"],
    [
      { signature: "require", signing_keys: [] },
      "OWNER_ASSERTION.signing_keys is missing: no signature could be good",
    ],
    [{ signing_keys: ["ONE"] }, "OWNER_ASSERTION.signing_keys counts only where signature is not off"],
    [
      { signature: "accept", signing_keys: ["NONE"] },
      "NONE is missing: a secret that the configuration names",
    ],
    [
      { signature: "accept", signing_keys: [SECRET] },
      "OWNER_ASSERTION.signing_keys[0] is not the name of a secret (^[A-Z][A-Z0-9_]*$)",
    ],
    [{ signature: "accept", signing_keys: ["SHORT"] }, "SHORT is shorter than 32 characters"],
    [{ signature: "accept", signing_keys: ["BLANK"] }, "BLANK is empty"],
    [{ replay_cache: true }, "OWNER_ASSERTION.replay_cache counts only where signature is not off"],
    [
      { signature: "accept", signing_keys: ["ONE"], replay_cache: true },
      "OWNER_ASSERTION.replay_cache needs NONCES: a Durable Object namespace",
    ],
    [
      { signature: "accept", signing_keys: ["ONE"], replay_cache: "yes" },
      "OWNER_ASSERTION.replay_cache is neither true nor false",
    ],
    [{ signature: "on" }, 'OWNER_ASSERTION.signature is none of "off", "accept", "require"'],
  ])("%o is refused", (OWNER_ASSERTION, problem) => {
    expect(ownerProblems(OWNER_ASSERTION, { SHORT: "CANARY".padEnd(31, "x"), BLANK: "  " })).toContain(
      problem,
    );
  });

  it("with a replay cache, by its binding", () => {
    const OWNER_ASSERTION = { signature: "require", signing_keys: ["ONE"], replay_cache: true };
    const { assertion, witnesses } = read({ OWNER_ASSERTION, NONCES });
    expect([assertion.once, witnesses.nonces]).toEqual([true, NONCES]);
    expect(ownerProblems(OWNER_ASSERTION, { NONCES: {} })).toContain(
      "NONCES is not a Durable Object namespace",
    );
  });

  it("a binding that is not asked for stays unused", () => {
    expect(read({ NONCES }).assertion.once).toBe(false);
  });
});

describe("the directory", () => {
  const directory = { url: "https://coder.example/", token: "TOKEN" };

  it("has its defaults", () => {
    const { assertion, witnesses } = read({ OWNER_ASSERTION: { directory } });
    expect(assertion).toEqual(rules({ directory: "reject" }));
    expect(witnesses.directory).toEqual({
      url: "https://coder.example",
      token: SECRETS.TOKEN,
      cacheMs: 300_000,
      negativeMs: 30_000,
      timeoutMs: 3000,
    });
  });

  it("is read whole, also as JSON", () => {
    const all = { ...directory, cache_ttl_s: 1, negative_ttl_s: 0, timeout_ms: 9, on_down: "accept" };
    for (const table of [all, JSON.stringify(all)]) {
      const { assertion, witnesses } = read({ OWNER_ASSERTION: { directory: table } });
      expect(assertion.directory).toBe("accept");
      expect(witnesses.directory).toMatchObject({ cacheMs: 1000, negativeMs: 0, timeoutMs: 9 });
    }
  });

  it.each([
    [{ token: "TOKEN" }, "OWNER_ASSERTION.directory.url is missing"],
    [{ ...directory, url: "http://coder.example" }, "OWNER_ASSERTION.directory.url is not https"],
    [
      { ...directory, url: "https://u:CANARY@c.example" },
      "OWNER_ASSERTION.directory.url holds a user name or password",
    ],
    [
      { ...directory, url: "https://c.example/?t=CANARY" },
      "OWNER_ASSERTION.directory.url holds a query or fragment",
    ],
    [{ ...directory, url: "<your coder>" }, "OWNER_ASSERTION.directory.url is not a URL"],
    [
      { url: directory.url },
      "OWNER_ASSERTION.directory.token is not the name of a secret (^[A-Z][A-Z0-9_]*$)",
    ],
    [
      { ...directory, token: "CANARY-token" },
      "OWNER_ASSERTION.directory.token is not the name of a secret (^[A-Z][A-Z0-9_]*$)",
    ],
    [{ ...directory, token: "NONE" }, "NONE is missing: a secret that the configuration names"],
    [
      { ...directory, cache_ttl_s: -1 },
      "OWNER_ASSERTION.directory.cache_ttl_s is not a whole number from 0 to 86400",
    ],
    [
      { ...directory, timeout_ms: 0 },
      "OWNER_ASSERTION.directory.timeout_ms is not a whole number from 1 to 60000",
    ],
    [{ ...directory, on_down: "allow" }, 'OWNER_ASSERTION.directory.on_down is none of "reject", "accept"'],
    [
      { ...directory, on_error: "accept" },
      "OWNER_ASSERTION.directory.on_error is unknown (known: url, token, cache_ttl_s, negative_ttl_s, timeout_ms, on_down)",
    ],
    ["https://coder.example", "OWNER_ASSERTION.directory is neither a table nor a JSON object"],
  ])("%o is refused", (table, problem) => {
    expect(ownerProblems({ directory: table })).toEqual([problem]);
  });
});

describe("DELEGATION", () => {
  it("has its defaults, and several keys", () => {
    expect(read({ DELEGATION: { keys: ["ONE", "TWO"] } }).delegation).toEqual({
      keys: [SECRETS.ONE, SECRETS.TWO],
      actor: "coder-gateway",
    });
  });

  it("is read as JSON, its actor's UUID in any case", () => {
    const id = "7F3C2A10-1234-4ABC-9DEF-000000000001";
    const DELEGATION = JSON.stringify({ keys: ["ONE"], actor: id });
    expect(read({ DELEGATION }).delegation?.actor).toBe(id.toLowerCase());
  });

  it("verifies its callers: central keys may stand behind it, with byok as the only source besides", () => {
    const PROVIDERS = { openai: { ...OPENAI, keys: ["TOKEN"] } };
    expect(problemsOf({ PROVIDERS, DELEGATION: { keys: ["ONE"] } })).toEqual([]);
    expect(problemsOf({ PROVIDERS })).toHaveLength(1);
  });

  it.each([
    [{}, "DELEGATION.keys is missing: no gateway could be known"],
    [{ keys: [] }, "DELEGATION.keys is missing: no gateway could be known"],
    [{ keys: "ONE" }, "DELEGATION.keys is not a list of texts"],
    [{ keys: [SECRET] }, "DELEGATION.keys[0] is not the name of a secret (^[A-Z][A-Z0-9_]*$)"],
    [{ keys: ["NONE"] }, "NONE is missing: a secret that the configuration names"],
    [{ keys: ["TOKEN"] }, "TOKEN is shorter than 32 characters"],
    [
      { keys: ["COMMA"] },
      "COMMA holds a comma, blanks or other characters that no such key has, or too many",
    ],
    [{ keys: ["LONG"] }, "LONG holds a comma, blanks or other characters that no such key has, or too many"],
    [
      { keys: ["ONE"], actor: "CANARY id" },
      "DELEGATION.actor is not an id (^[A-Za-z0-9][A-Za-z0-9._:@-]{0,95}$)",
    ],
    [
      { keys: ["ONE"], actor: "byok:0123" },
      "DELEGATION.actor is not an id (^[A-Za-z0-9][A-Za-z0-9._:@-]{0,95}$)",
    ],
    [{ keys: ["ONE"], kind: "user" }, "DELEGATION.kind is unknown (known: keys, actor)"],
    ["on", "DELEGATION is neither a table nor a JSON object"],
  ])("%o is refused", (DELEGATION, problem) => {
    const more = { COMMA: `CANARY,${"x".repeat(32)}`, LONG: `CANARY${"x".repeat(1024)}` };
    expect(problemsOf({ DELEGATION, ...more })).toContain(problem);
  });
});
