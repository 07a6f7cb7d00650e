/** The table `CONSOLE`. */
import { describe, expect, it } from "vitest";
import { readConfig, type Config } from "../../src/records/config/config.ts";

const SHA = "a".repeat(64);
const OTHER = "b".repeat(64);
const LEDGER = { prepare: () => null };

const read = (CONSOLE: unknown, over: Record<string, unknown> = {}) =>
  readConfig({ LEDGER, CONSOLE, ...over });

function valid(CONSOLE: unknown, over: Record<string, unknown> = {}): Config["console"] {
  const config = read(CONSOLE, over);
  if ("issues" in config) throw new Error(config.issues.join("\n"));
  return config.console;
}

const issuesOf = (CONSOLE: unknown, over: Record<string, unknown> = {}): readonly string[] => {
  const config = read(CONSOLE, over);
  return "issues" in config ? config.issues : [];
};

const ORIGINS = ["https://ai-console.example"];
const ACCESS = { team_domain: "https://team.cloudflareaccess.com", audience: "aud" };
const OIDC = {
  issuer: "https://login.example/",
  client_id: "console",
  secret: "CONSOLE_OIDC_SECRET",
  authorization_url: "https://login.example/authorize",
  token_url: "https://login.example/token",
  jwks_url: "https://login.example/keys",
};
const SECRET = { CONSOLE_OIDC_SECRET: "a-secret-of-the-client-0123456789" };
const ROLES = { auditors: ["read", "content"] };

describe("CONSOLE", () => {
  it("is off, and ADMIN_TOKEN is the only token, where it is not set", () => {
    expect(valid(undefined, { ADMIN_TOKEN: SHA })).toMatchObject({
      origins: [],
      tokenSignIn: true,
      tokens: [{ name: "admin", sha256: SHA, scopes: ["read", "content", "admin"] }],
      idleMs: 1_800_000,
      maxMs: 28_800_000,
      access: null,
      oidc: null,
    });
  });

  it("has further tokens by name, each with its scopes in one order, during a rotation two", () => {
    const tokens = {
      reports: { sha256: SHA, scopes: ["read"] },
      audit: { sha256: `${OTHER} ${"c".repeat(64)}`, scopes: ["content", "read"] },
    };
    expect(valid({ tokens }).tokens).toEqual([
      { name: "reports", sha256: SHA, scopes: ["read"] },
      { name: "audit", sha256: OTHER, scopes: ["read", "content"] },
      { name: "audit", sha256: "c".repeat(64), scopes: ["read", "content"] },
    ]);
  });

  it("reads a table that is a JSON text, as of .dev.vars", () => {
    expect(valid(JSON.stringify({ origins: ["http://127.0.0.1:8787"] })).origins).toEqual([
      "http://127.0.0.1:8787",
    ]);
  });

  it("has the sign-ins by Access and by OpenID Connect", () => {
    const { access, oidc, roles } = valid(
      { origins: ORIGINS, roles: ROLES, access: ACCESS, oidc: OIDC },
      SECRET,
    );
    expect([...roles]).toEqual([["auditors", ["read", "content"]]]);
    expect(access).toMatchObject({
      name: "email",
      role: "email",
      token: {
        issuer: ACCESS.team_domain,
        jwksUrl: `${ACCESS.team_domain}/cdn-cgi/access/certs`,
        audience: ["aud"],
      },
    });
    expect(oidc).toMatchObject({
      role: "groups",
      clientSecret: SECRET.CONSOLE_OIDC_SECRET,
      scope: "openid email profile",
      token: { issuer: OIDC.issuer, audience: ["console"], algorithms: ["RS256", "ES256"] },
    });
  });

  it.each<[string, unknown, string]>([
    ["an origin with a path", { origins: ["https://a.example/console"] }, "CONSOLE.origins[0]"],
    ["an origin with a slash", { origins: ["https://a.example/"] }, "CONSOLE.origins[0]"],
    ["an origin over http", { origins: ["http://a.example"] }, "CONSOLE.origins[0]"],
    ["every origin", { origins: ["*"] }, "CONSOLE.origins[0]"],
    [
      "a token in place of its hash",
      { tokens: { a: { sha256: "aei_admin-x", scopes: ["read"] } } },
      "CONSOLE.tokens.a.sha256",
    ],
    ["a token without scopes", { tokens: { a: { sha256: SHA } } }, "CONSOLE.tokens.a.scopes"],
    [
      "an unknown scope",
      { tokens: { a: { sha256: SHA, scopes: ["read", "write"] } } },
      "CONSOLE.tokens.a.scopes",
    ],
    ["scopes without read", { tokens: { a: { sha256: SHA, scopes: ["admin"] } } }, "CONSOLE.tokens.a.scopes"],
    [
      "the admin's name",
      { tokens: { admin: { sha256: SHA, scopes: ["read"] } } },
      "CONSOLE.tokens must have names",
    ],
    [
      "a name with a blank",
      { tokens: { "a b": { sha256: SHA, scopes: ["read"] } } },
      "CONSOLE.tokens must have names",
    ],
    [
      "one token under two names",
      { tokens: { a: { sha256: SHA, scopes: ["read"] }, b: { sha256: SHA, scopes: ["read"] } } },
      "CONSOLE.tokens must not have one token",
    ],
    ["Access without roles", { origins: ORIGINS, access: ACCESS }, "CONSOLE.roles"],
    ["Access without an origin", { roles: ROLES, access: ACCESS }, "CONSOLE.origins"],
    [
      "a team with a path",
      { origins: ORIGINS, roles: ROLES, access: { ...ACCESS, team_domain: "https://a.example/x" } },
      "CONSOLE.access.team_domain",
    ],
    ["a role with an unknown scope", { roles: { a: ["all"] } }, "CONSOLE.roles.a"],
    [
      "OpenID Connect over http",
      { origins: ORIGINS, roles: ROLES, oidc: { ...OIDC, token_url: "http://login.example/token" } },
      "CONSOLE.oidc.token_url",
    ],
    [
      "a scope without openid",
      { origins: ORIGINS, roles: ROLES, oidc: { ...OIDC, scope: "email" } },
      "CONSOLE.oidc.scope",
    ],
    [
      "HS256",
      { origins: ORIGINS, roles: ROLES, oidc: { ...OIDC, algorithms: ["HS256"] } },
      "CONSOLE.oidc.algorithms",
    ],
    [
      "a missing client secret",
      { origins: ORIGINS, roles: ROLES, oidc: { ...OIDC, secret: undefined } },
      "CONSOLE.oidc.secret",
    ],
    ["no idle time", { idle_minutes: 0 }, "CONSOLE.idle_minutes"],
    ["an unknown key", { enabled: true }, "CONSOLE.enabled"],
  ])("rejects %s", (_, table, issue) => {
    const issues = issuesOf(table, SECRET);
    expect(issues).toEqual([expect.stringContaining(issue)]);
    // Perhaps a secret in the wrong place.
    expect(issues.join()).not.toContain("aei_admin");
  });

  it("rejects a token of CONSOLE that is the ADMIN_TOKEN", () => {
    const tokens = { a: { sha256: SHA, scopes: ["read"] } };
    expect(issuesOf({ tokens }, { ADMIN_TOKEN: SHA })).toEqual([expect.stringContaining("under two names")]);
  });
});
